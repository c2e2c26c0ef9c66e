-- name: quarantine_rate
-- severity: warning
-- rows: checked.bronze_trades
-- wrong: More than one Bronze record in a thousand is quarantined.
-- remedy: Look at silver.quarantine: its reason says why each record is not a valid trade.
WITH quarantined AS (
  SELECT topic, reason, count(*) AS quarantine_rows
  FROM checked.silver_quarantine
  GROUP BY ALL
),
records AS (
  SELECT topic, count(*) AS bronze_rows FROM checked.bronze_trades
  WHERE topic IN (SELECT topic FROM quarantined) GROUP BY topic
)
SELECT q.topic, q.reason, q.quarantine_rows, r.bronze_rows
FROM quarantined AS q
JOIN records AS r ON q.topic = r.topic
QUALIFY sum(q.quarantine_rows) OVER (PARTITION BY q.topic) * 1000 > r.bronze_rows
