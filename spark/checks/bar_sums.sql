-- name: bar_sums
-- severity: error
-- rows: recomputed.sums
-- wrong: A bar does not add up from the bars of the next smaller interval, which are as their trades are.
-- remedy: Rebuild gold.ohlcv from gold.trades.
SELECT
  stored.exchange, stored.native_symbol, stored."interval", stored.window_start,
  figures(stored) AS bar, figures(computed) AS summed
FROM recomputed.pairs
WHERE is_unsummed AND coalesce(is_in_order(stored), true)
