-- name: bar_volumes
-- severity: error
-- rows: checked.gold_ohlcv
-- wrong: A bar's volume or quote_volume is not the exact sum over its trades.
-- remedy: Rebuild gold.ohlcv from gold.trades.
SELECT
  stored.exchange, stored.native_symbol, stored."interval", stored.window_start,
  stored.volume, computed.volume AS recomputed_volume,
  stored.quote_volume, computed.quote_volume AS recomputed_quote_volume
FROM recomputed.pairs
WHERE NOT is_unsummed
  AND (
    stored.volume IS DISTINCT FROM computed.volume
    OR stored.quote_volume IS DISTINCT FROM computed.quote_volume
  )
