-- How far a batch reaches in each topic and partition, and whether it is whole.
SELECT
  topic,
  partition,
  min(offset) AS first_offset,
  max(offset) + 1 AS end_offset,
  count(*) AS records
FROM $view
GROUP BY topic, partition
