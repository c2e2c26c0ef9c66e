-- name: bar_set
-- severity: error
-- rows: recomputed.bars
-- wrong: A window that has trades has no bar, or a bar's window has no trades.
-- remedy: Rebuild gold.ohlcv from gold.trades.
SELECT
  coalesce(g.exchange, r.exchange) AS exchange,
  coalesce(g.native_symbol, r.native_symbol) AS native_symbol,
  coalesce(g."interval", r."interval") AS "interval",
  coalesce(g.window_start, r.window_start) AS window_start,
  CASE WHEN r.trade_count IS NULL THEN 'bar without trades' ELSE 'trades without bar' END AS fault
FROM checked.gold_ohlcv AS g
FULL JOIN recomputed.bars AS r
  ON g.exchange = r.exchange AND g.native_symbol = r.native_symbol
  AND g."interval" = r."interval" AND g.window_start = r.window_start
WHERE (g.window_start IS NULL OR r.window_start IS NULL)
  -- A bar whose window is wrong in itself is reported by bar_windows.
  AND (
    r.window_start IS NOT NULL
    OR EXISTS (
      SELECT 1 FROM bounds.intervals AS i
      WHERE i.name = g."interval" AND epoch_us(g.window_start) % (i.seconds * 1000000) = 0
    )
  )
