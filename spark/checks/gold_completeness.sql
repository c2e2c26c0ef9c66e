-- name: gold_completeness
-- severity: error
-- rows: checked.silver_trades
-- wrong: A message_id of silver.trades is missing in gold.trades.
-- remedy: Rebuild Gold from Silver, and report the message_id.
SELECT s.message_id, s.timestamp, s.topic, s.partition, s."offset"
FROM checked.silver_trades AS s
SEMI JOIN checked.unmatched AS u ON s.message_id IS NOT DISTINCT FROM u.message_id
ANTI JOIN (
  SELECT message_id FROM gold.trades WHERE timestamp >= getvariable('silver_since') - INTERVAL 1 DAY
) AS g ON s.message_id = g.message_id
