-- What a decoded batch of frames came to.
SELECT
  count_if($is_readable) AS readable,
  count_if(NOT $is_readable) AS undecodable,
  coalesce(sum(size(record.frames)) FILTER (WHERE $is_readable), 0) AS frames,
  unix_micros(max(kafka_timestamp)) AS newest_kafka_us,
  min(struct(topic, partition, offset)) FILTER (WHERE NOT $is_readable) AS first_undecodable
FROM $view
