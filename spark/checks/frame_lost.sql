-- name: frame_lost
-- severity: warning
-- rows: checked.gold_trades_with_frame
-- wrong: The frames that some trades came from are missing, of sessions that were never closed, or lost by Kafka.
-- remedy: K2 was ended by force between a trade and its frame, or Kafka was away too long: the trades are whole, but cannot be compared with what the exchange said.
SELECT
  exchange, connection_id, count(*) AS trades,
  min(frame_sequence) AS first_frame_sequence, max(frame_sequence) AS last_frame_sequence
FROM checked.gold_trades_without_frame
WHERE NOT is_due
GROUP BY ALL
