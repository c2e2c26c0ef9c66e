-- name: bar_windows
-- severity: error
-- rows: checked.gold_ohlcv
-- wrong: A bar's interval is unknown, its window is not aligned to it in UTC or not as long, or two bars have the same window.
-- remedy: Rebuild gold.ohlcv from gold.trades.
SELECT
  g.exchange, g.native_symbol, g."interval", g.window_start, g.window_end,
  count(*) OVER (
    PARTITION BY g.exchange, g.native_symbol, g."interval", g.window_start
  ) AS bars_of_window
FROM checked.gold_ohlcv AS g
LEFT JOIN bounds.intervals AS i ON g."interval" = i.name
QUALIFY i.seconds IS NULL
  OR epoch_us(g.window_start) % (i.seconds * 1000000) <> 0
  OR epoch_us(g.window_end) - epoch_us(g.window_start) IS DISTINCT FROM i.seconds * 1000000
  OR bars_of_window > 1
