-- name: gold_origin
-- severity: error
-- rows: checked.gold_trades_with_silver
-- wrong: A row of gold.trades equals no Silver row of its message_id in every market column.
-- remedy: The row was changed or invented: rebuild Gold from Silver, and report the message_id.
SELECT
  g.message_id, g.exchange, g.symbol, g.native_symbol, g.base_asset, g.quote_asset, g.trade_id,
  g.side, g.price, g.quantity, g.quote_quantity, g.timestamp
FROM checked.gold_trades_with_silver AS g
ANTI JOIN (
  SELECT * FROM silver.trades WHERE timestamp >= getvariable('silver_since') - INTERVAL 1 DAY
) AS s
  ON g.message_id = s.message_id
  AND g.exchange = s.exchange
  AND g.symbol = s.symbol
  AND g.native_symbol = s.native_symbol
  AND g.base_asset = s.base_asset
  AND g.quote_asset = s.quote_asset
  AND g.trade_id = s.trade_id
  AND g.side = s.side
  AND g.price = s.price
  AND g.quantity = s.quantity
  AND g.quote_quantity = s.quote_quantity
  AND g.timestamp = s.timestamp
