-- name: bronze_offsets
-- severity: error
-- rows: checked.bronze_trades, checked.bronze_frames, checked.bronze_events, checked.bronze_dead_letters
-- wrong: Bronze's offsets of a topic and partition are not contiguous: Kafka records are missing or stand there twice.
-- remedy: Stop the platform, roll the Bronze table back to its last snapshot without the fault, remove its folder below lake/checkpoints, and start again while Kafka still holds the records.
--
-- One violation is a step from one offset to the next that is not 1 (0: twice), or a last offset that
-- is not the last one consumed. Offsets that Kafka had lost are no fault of Bronze once a person has
-- accepted it: silver.gaps tells of them, by the first of them.
WITH records AS (
  SELECT topic, partition, "offset" FROM checked.bronze_trades
  UNION ALL
  SELECT topic, partition, "offset" FROM checked.bronze_frames
  UNION ALL
  SELECT topic, partition, "offset" FROM checked.bronze_events
  UNION ALL
  SELECT topic, partition, "offset" FROM checked.bronze_dead_letters
  UNION ALL
  -- The first offset not consumed closes each partition that has records.
  SELECT topic, partition, next_offset FROM bounds.offsets AS o
  WHERE EXISTS (
    SELECT 1 FROM checked.bronze_trades AS t
    WHERE t.topic = o.topic AND t.partition = o.partition
  )
),
steps AS (
  SELECT
    topic, partition,
    lag("offset") OVER in_order AS previous_offset,
    "offset",
    "offset" - lag("offset") OVER in_order AS step
  FROM records
  WINDOW in_order AS (PARTITION BY topic, partition ORDER BY "offset")
)
SELECT * FROM steps
WHERE step <> 1
  AND NOT (
    step > 1
    AND EXISTS (
      SELECT 1 FROM silver.gaps AS gap
      WHERE gap.state = 'unfillable'
        AND ends_with(
          gap.gap_id, concat(':', topic, '/', partition, ':', previous_offset + 1)
        )
    )
  )
