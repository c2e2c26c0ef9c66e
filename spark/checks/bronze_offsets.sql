-- name: bronze_offsets
-- severity: error
-- rows: checked.bronze_trades, checked.bronze_dead_letters
-- wrong: Bronze's offsets of a topic and partition are not contiguous: Kafka records are missing or stand there twice.
-- remedy: Stop the platform, roll bronze.trades (or bronze.dead_letters) back to its last snapshot without the fault, remove its folder below lake/checkpoints, and start again while Kafka still holds the records.
--
-- One violation is a step from one offset to the next that is not 1 (0: twice), or a last offset that
-- is not the last one consumed.
WITH records AS (
  SELECT topic, partition, "offset" FROM checked.bronze_trades
  UNION ALL
  SELECT topic, partition, "offset" FROM checked.bronze_dead_letters
  UNION ALL
  -- The first offset not consumed closes each partition that has records.
  SELECT topic, partition, next_offset FROM bounds.offsets AS o
  WHERE EXISTS (
    SELECT 1 FROM checked.bronze_trades AS t
    WHERE t.topic = o.topic AND t.partition = o.partition
  )
)
SELECT
  topic, partition,
  lag("offset") OVER in_order AS previous_offset,
  "offset",
  "offset" - lag("offset") OVER in_order AS step
FROM records
WINDOW in_order AS (PARTITION BY topic, partition ORDER BY "offset")
QUALIFY step <> 1
