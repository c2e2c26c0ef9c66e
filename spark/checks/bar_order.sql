-- name: bar_order
-- severity: error
-- rows: checked.gold_ohlcv
-- wrong: A bar's prices contradict each other: low <= open, close, vwap <= high does not hold, or one of them is missing.
-- remedy: Rebuild gold.ohlcv from gold.trades.
SELECT exchange, native_symbol, "interval", window_start, open, high, low, close, vwap
FROM checked.gold_ohlcv AS g
WHERE NOT coalesce(is_in_order(g), false)
