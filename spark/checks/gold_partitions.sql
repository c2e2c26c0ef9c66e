-- name: gold_partitions
-- severity: error
-- rows: checked.gold_trades
-- wrong: exchange_date or exchange_hour of a Gold row is not that of its timestamp, so that queries by day miss it.
-- remedy: Rebuild Gold from Silver.
SELECT message_id, timestamp, exchange_date, exchange_hour
FROM checked.gold_trades
WHERE exchange_date IS DISTINCT FROM timestamp::DATE
  OR exchange_hour IS DISTINCT FROM hour(timestamp)
