-- name: bar_prices
-- severity: error
-- rows: checked.gold_ohlcv
-- wrong: A bar's open, high, low, close, symbol, or first or last trade id is not what its trades give.
-- remedy: Rebuild gold.ohlcv from gold.trades.
SELECT
  stored.exchange, stored.native_symbol, stored."interval", stored.window_start,
  {
    symbol: stored.symbol, open: stored.open, high: stored.high, low: stored.low,
    close: stored.close, first_trade_id: stored.first_trade_id,
    last_trade_id: stored.last_trade_id
  } AS bar,
  {
    symbol: computed.symbol, open: computed.open, high: computed.high, low: computed.low,
    close: computed.close, first_trade_id: computed.first_trade_id,
    last_trade_id: computed.last_trade_id
  } AS recomputed
FROM recomputed.pairs
WHERE bar IS DISTINCT FROM recomputed
  AND NOT is_unsummed
  AND coalesce(is_in_order(stored), true)
