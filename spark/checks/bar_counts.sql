-- name: bar_counts
-- severity: error
-- rows: checked.gold_ohlcv
-- wrong: A bar's trade_count is not the number of its trades.
-- remedy: Rebuild gold.ohlcv from gold.trades.
--
-- With bar_set this is more than sum(trade_count) of an interval being the rows of gold.trades.
SELECT
  stored.exchange, stored.native_symbol, stored."interval", stored.window_start,
  stored.trade_count, computed.trade_count AS recounted
FROM recomputed.pairs
WHERE stored.trade_count IS DISTINCT FROM computed.trade_count AND NOT is_unsummed
