-- Takes the batch's trades into gold.trades, each message_id once. Rows that are there stay, so the
-- same batch may come again. Only the time that the batch touches is read: its conditions leave out
-- every other partition, and by their timestamps nearly every file.
MERGE INTO lake.gold.trades AS old
USING (
  SELECT $columns
  FROM (
    SELECT *,
      CAST(timestamp AS DATE) AS exchange_date,
      hour(timestamp) AS exchange_hour,
      row_number() OVER (
        PARTITION BY message_id ORDER BY kafka_timestamp, topic, partition, offset) AS nth
    FROM $view
    WHERE reason IS NULL
  )
  WHERE nth = 1
) AS new
ON old.message_id = new.message_id AND ($touched_hours) AND ($touched_times)
WHEN NOT MATCHED THEN INSERT *
