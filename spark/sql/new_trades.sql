-- The trades of the batch that gold.trades does not hold, each message_id once. Rows that are there
-- stay, so the same batch may come again. Only the time of the batch's own trades is searched: the
-- conditions leave out every other partition, and by their timestamps nearly every file.
SELECT /*+ MERGE(old) */ $columns
FROM (
  SELECT *,
    CAST(timestamp AS DATE) AS exchange_date,
    hour(timestamp) AS exchange_hour,
    row_number() OVER (
      PARTITION BY message_id ORDER BY kafka_timestamp, topic, partition, offset) AS nth
  FROM $view
  WHERE reason IS NULL
) AS new
LEFT ANTI JOIN (
  -- In one task and by a merge with what the window has sorted, there is no job but the writer's.
  SELECT /*+ COALESCE(1) */ message_id
  FROM lake.gold.trades
  WHERE ($searched_hours) AND ($searched_times)
) AS old
ON old.message_id = new.message_id
WHERE nth = 1
