-- name: clock_skew
-- severity: warning
-- rows: checked.gold_trades
-- wrong: An exchange's trades reach us before they happen, or seconds late: a clock is wrong, or a connection slow.
-- remedy: See whether this machine's clock is synchronized (timedatectl), then whether the network is slow.
--
-- Half of a market's pushed trades earlier than a tenth of a second before their time, or later than
-- two seconds after it.
SELECT
  exchange, native_symbol, count(*) AS trades,
  median(epoch_us(ingestion_timestamp) - epoch_us(timestamp)) / 1000 AS delay_ms
FROM checked.gold_trades
WHERE source = 'STREAM'
GROUP BY exchange, native_symbol
HAVING delay_ms NOT BETWEEN -100 AND 2000
