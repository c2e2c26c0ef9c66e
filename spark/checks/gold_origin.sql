-- name: gold_origin
-- severity: error
-- rows: checked.gold_trades_with_silver
-- wrong: A row of gold.trades equals no Silver row of its message_id in every market column.
-- remedy: The row was changed or invented: rebuild Gold from Silver, and report the message_id.
SELECT
  g.message_id, g.exchange, g.symbol, g.native_symbol, g.base_asset, g.quote_asset, g.trade_id,
  g.side, g.price, g.quantity, g.quote_quantity, g.timestamp
FROM checked.gold_trades_with_silver AS g
SEMI JOIN checked.unmatched AS u ON g.message_id IS NOT DISTINCT FROM u.message_id
ANTI JOIN (
  SELECT * FROM silver.trades WHERE timestamp >= getvariable('silver_since') - INTERVAL 1 DAY
) AS s USING (
  message_id, exchange, symbol, native_symbol, base_asset, quote_asset, trade_id, side, price,
  quantity, quote_quantity, timestamp
)
