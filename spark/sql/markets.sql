-- What is known of each market: where its coverage begins, how far it is confirmed, and the time
-- brackets of its gaps that are open or unfillable. A gap without a market is one of all of them.
SELECT
  coverage.exchange,
  coverage.native_symbol,
  unix_micros(first(coverage.from_timestamp)) AS from_us,
  unix_micros(first(coverage.confirmed_timestamp)) AS confirmed_us,
  collect_list(
    CASE WHEN gaps.gap_id IS NOT NULL THEN
      struct(
        coalesce(unix_micros(gaps.from_timestamp), 0L) AS from_us,
        coalesce(unix_micros(gaps.to_timestamp), unix_micros(gaps.event_timestamp)) AS to_us)
    END) AS brackets
FROM lake.silver.coverage AS coverage
LEFT JOIN (SELECT * FROM lake.silver.gaps WHERE state IN ('open', 'unfillable')) AS gaps
  ON gaps.exchange = coverage.exchange
  AND (gaps.native_symbol = coverage.native_symbol OR gaps.native_symbol IS NULL)
GROUP BY coverage.exchange, coverage.native_symbol
