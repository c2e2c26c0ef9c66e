-- name: silver_conservation
-- severity: error
-- rows: checked.bronze_trades
-- wrong: A Bronze record has no outcome in Silver, or more than one, or an outcome has no Bronze record.
-- remedy: Each record must stand once in silver.trades or once in silver.quarantine; rebuild Silver from Bronze, or restore the table that has changed to an earlier snapshot.
WITH outcomes AS (
  SELECT topic, partition, "offset", 0 AS in_bronze, 1 AS in_trades, 0 AS in_quarantine
  FROM silver.trades WHERE kafka_timestamp >= getvariable('bronze_since')
  UNION ALL
  SELECT topic, partition, "offset", 0, 0, 1
  FROM silver.quarantine WHERE kafka_timestamp >= getvariable('bronze_since')
  UNION ALL
  SELECT topic, partition, "offset", 1, 0, 0
  FROM bronze.trades WHERE kafka_timestamp >= getvariable('bronze_since')
)
SELECT
  t.topic, t.partition, t."offset",
  sum(t.in_bronze)::BIGINT AS bronze_rows,
  sum(t.in_trades)::BIGINT AS silver_rows,
  sum(t.in_quarantine)::BIGINT AS quarantine_rows
FROM outcomes AS t
JOIN bounds.offsets AS o ON t.topic = o.topic AND t.partition = o.partition
WHERE t."offset" >= o.from_offset
GROUP BY ALL
-- A record that stands twice in Bronze is reported by bronze_offsets.
HAVING bronze_rows = 0 OR silver_rows + quarantine_rows <> 1
