-- name: gold_unique
-- severity: error
-- rows: checked.gold_trades
-- wrong: A message_id stands more than once in gold.trades.
-- remedy: Every trade must stand there once: rebuild Gold from Silver, and report the message_id.
SELECT * FROM checked.gold_repeated
