-- An event that tells of lost offsets, with the names of schemas/event.avsc. Fields that it does
-- not speak of are left out: they are null in Avro.
SELECT
  $event AS event,
  $exchange AS exchange,
  CAST($native_symbol AS STRING) AS native_symbol,
  timestamp_micros($now_us) AS timestamp,
  $reason AS reason,
  CAST($gap_id AS STRING) AS gap_id,
  timestamp_micros($from_us) AS from_timestamp,
  timestamp_micros($now_us) AS to_timestamp
