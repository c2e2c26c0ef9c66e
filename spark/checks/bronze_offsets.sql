-- name: bronze_offsets
-- severity: error
-- rows: checked.bronze_trades, checked.bronze_frames, checked.bronze_events, checked.bronze_dead_letters
-- wrong: Bronze's offsets of a topic and partition are not contiguous: Kafka records are missing or stand there twice.
-- remedy: Stop the platform, roll the Bronze table back to its last snapshot without the fault, remove its folder below lake/checkpoints, and start again while Kafka still holds the records.
--
-- One violation is a step from one offset to the next that is not 1 (0: twice), or a last offset that
-- is not the last one consumed. Offsets that Kafka had lost are no fault of Bronze once a person has
-- accepted it: silver.gaps tells of them, by the first of them.
-- Of trades it is known how many were consumed.
WITH faulty AS (
  SELECT c.topic, c.partition, any_value(o.next_offset) AS next_offset
  FROM checked.bronze_chunks AS c
  LEFT JOIN bounds.offsets AS o
    ON c.is_trade AND c.topic = o.topic AND c.partition = o.partition
  GROUP BY c.topic, c.partition
  HAVING sum(c.records) <> max(c.last_offset) - min(c.first_offset) + 1
    OR sum(bit_count(c.bits)) <> sum(c.records)
    OR max(c.last_offset) <> any_value(o.next_offset) - 1
),
records AS (
  SELECT topic, partition, "offset"
  FROM checked.bronze_records SEMI JOIN faulty USING (topic, partition)
  UNION ALL
  SELECT topic, partition, next_offset FROM faulty WHERE next_offset IS NOT NULL
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
