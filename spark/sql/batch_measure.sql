-- What a batch holds, one row for each topic and partition: how far it reaches, which schemas are
-- still to be asked for, and which minutes its valid trades lie in. Minutes are counted from 1970,
-- because a Python datetime cannot hold every timestamp that Spark can.
SELECT
  topic,
  partition,
  min(offset) AS first_offset,
  max(offset) + 1 AS end_offset,
  count(*) AS records,
  count_if(reason IS NULL) AS trades,
  count_if(reason IS NOT NULL AND kept_reason IS NULL) AS invalid,
  unix_micros(max(kafka_timestamp)) AS newest_kafka_us,
  collect_set(div(unix_micros(timestamp), 60000000)) FILTER (WHERE reason IS NULL) AS minutes,
  collect_set(schema_id) FILTER (WHERE NOT is_decided) AS undecided_schema_ids
FROM $view
GROUP BY topic, partition
