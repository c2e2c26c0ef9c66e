-- name: bar_vwap
-- severity: error
-- rows: checked.gold_ohlcv
-- wrong: A bar's vwap is not its trades' quote volume / volume, rounded half up to 18 decimals.
-- remedy: Rebuild gold.ohlcv from gold.trades.
SELECT
  stored.exchange, stored.native_symbol, stored."interval", stored.window_start, stored.vwap,
  computed.volume, computed.quote_volume
FROM recomputed.pairs
WHERE CASE
    WHEN computed.volume IS NULL OR computed.quote_volume IS NULL THEN stored.vwap IS NOT NULL
    ELSE stored.vwap IS NULL OR NOT is_quotient(stored.vwap, computed.quote_volume, computed.volume)
  END
  AND coalesce(is_in_order(stored), true)
