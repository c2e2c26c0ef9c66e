-- One row for each frame of the decoded batches, as text: readers of the lake refuse text that is
-- not UTF-8, so whatever is not stands as U+FFFD; its very bytes are in Bronze.
SELECT
  record.exchange,
  record.connection_id,
  record.url,
  frame.frame_sequence,
  frame.direction,
  frame.kind,
  frame.request,
  frame.received_us,
  frame.received_monotonic_ns,
  make_valid_utf8(CAST(frame.frame AS STRING)) AS frame,
  topic,
  partition,
  offset,
  kafka_timestamp
FROM (
  SELECT topic, partition, offset, kafka_timestamp, record, explode(record.frames) AS frame
  FROM $view
  WHERE $is_readable
)
