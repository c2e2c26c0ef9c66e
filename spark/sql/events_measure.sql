-- What a portion of events holds, one row for each market (a NULL native_symbol: the exchange as a
-- whole). The bracket is that of all its gaps together: looking at too much time is never wrong.
SELECT
  exchange,
  native_symbol,
  count(*) AS events,
  count_if(gap_id IS NOT NULL) AS gap_events,
  count_if(event IN ('session_opened', 'session_closed')) AS session_events,
  unix_micros(min(coalesce(from_timestamp, timestamp_micros(0))) FILTER (WHERE gap_id IS NOT NULL))
    AS gaps_from_us,
  unix_micros(max(coalesce(to_timestamp, timestamp)) FILTER (WHERE gap_id IS NOT NULL))
    AS gaps_to_us
FROM $view
GROUP BY exchange, native_symbol
