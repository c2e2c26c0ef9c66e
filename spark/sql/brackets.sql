-- The time brackets of the gaps that are open or unfillable, both ends inclusive. What is not known
-- is taken for as much time as it can be. Microseconds since 1970.
SELECT
  exchange,
  native_symbol,
  coalesce(unix_micros(from_timestamp), 0L) AS from_us,
  coalesce(unix_micros(to_timestamp), unix_micros(event_timestamp)) AS to_us
FROM lake.silver.gaps
WHERE state IN ('open', 'unfillable')
