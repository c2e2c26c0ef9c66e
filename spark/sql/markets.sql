-- Where the coverage of each market begins, and how far it is confirmed. Microseconds since 1970.
SELECT
  exchange,
  native_symbol,
  unix_micros(from_timestamp) AS from_us,
  unix_micros(confirmed_timestamp) AS confirmed_us
FROM $coverage
