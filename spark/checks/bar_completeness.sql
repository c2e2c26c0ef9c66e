-- name: bar_completeness
-- severity: error
-- rows: checked.gold_ohlcv
-- wrong: A bar's is_complete is not what coverage, confirmation and gaps of its market say.
-- remedy: Trust silver.coverage and silver.gaps; rebuild gold.ohlcv from gold.trades.
WITH judged AS (
  SELECT
    g.exchange, g.native_symbol, g."interval", g.window_start, g.is_complete,
    coalesce(
      c.from_timestamp <= g.window_start AND g.window_end <= c.confirmed_timestamp, false
    ) AND NOT EXISTS (
      SELECT 1 FROM silver.gaps AS gap
      WHERE gap.state IN ('open', 'unfillable') AND gap.exchange = g.exchange
        -- A gap without a market is one of all of them.
        AND coalesce(gap.native_symbol, g.native_symbol) = g.native_symbol
        -- What is not known of its time is taken for as much as it can be.
        AND coalesce(gap.from_timestamp, to_timestamp(0)) < g.window_end
        -- A missing trade may have the very time of its neighbors.
        AND coalesce(gap.to_timestamp, gap.event_timestamp) >= g.window_start
    ) AS wanted
  FROM checked.gold_ohlcv AS g
  -- A bar whose window is wrong in itself is reported by bar_windows.
  JOIN bounds.intervals AS i
    ON g."interval" = i.name AND g.window_end = g.window_start + to_seconds(i.seconds)
  LEFT JOIN silver.coverage AS c
    ON g.exchange = c.exchange AND g.native_symbol = c.native_symbol
)
SELECT * FROM judged WHERE is_complete IS DISTINCT FROM wanted
