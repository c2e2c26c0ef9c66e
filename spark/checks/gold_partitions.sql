-- name: gold_partitions
-- severity: error
-- rows: checked.gold_trades
-- wrong: exchange_date or exchange_hour of a Gold row is not that of its timestamp, so that queries by day miss it.
-- remedy: Rebuild Gold from Silver.
SELECT message_id, timestamp, exchange_date, exchange_hour
FROM checked.gold_trades
WHERE epoch_us(timestamp) // 3600000000
  IS DISTINCT FROM (exchange_date - DATE '1970-01-01') * 24 + exchange_hour
  -- Hour 24 is no hour of the day before.
  OR exchange_hour NOT BETWEEN 0 AND 23
