-- The newest trade that came through a partition, NULL without any. Microseconds since 1970.
SELECT unix_micros(max(timestamp)) AS newest_us
FROM lake.silver.trades
WHERE topic = $topic AND partition = $partition
