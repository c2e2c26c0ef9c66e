-- What a batch holds, one row for each topic and partition: how far it reaches, which schemas are
-- still to be asked for, and when its valid trades happened: for each tenth of a second that holds
-- any, how many of them came live. Tenths are counted from 1970, because a Python datetime cannot
-- hold every timestamp that Spark can.
SELECT
  topic,
  partition,
  min(first_offset) AS first_offset,
  max(end_offset) AS end_offset,
  sum(records) AS records,
  sum(trades) AS trades,
  sum(invalid) AS invalid,
  max(newest_kafka_us) AS newest_kafka_us,
  map_from_entries(collect_list(struct(tenth, streamed)) FILTER (WHERE tenth IS NOT NULL))
    AS tenths,
  collect_set(undecided_schema_id) AS undecided_schema_ids
FROM (
  SELECT
    topic,
    partition,
    CASE WHEN reason IS NULL THEN div(unix_micros(timestamp), 100000) END AS tenth,
    CASE WHEN NOT is_decided THEN schema_id END AS undecided_schema_id,
    min(offset) AS first_offset,
    max(offset) + 1 AS end_offset,
    count(*) AS records,
    count_if(reason IS NULL) AS trades,
    count_if(reason IS NOT NULL AND kept_reason IS NULL) AS invalid,
    count_if(source = 'STREAM') AS streamed,
    unix_micros(max(kafka_timestamp)) AS newest_kafka_us
  FROM $view
  GROUP BY ALL
)
GROUP BY topic, partition
