-- Coinbase Exchange: messages `match` and `last_match`, and pages of REST `trades`, whose request names
-- the product. The side is the maker's: where that bought, the taker sold.
-- Source: docs.cdp.coinbase.com/exchange, websocket-feed/channels and rest-api/products.
SELECT
  connection_id,
  frame_sequence,
  coalesce(
    nullif(url_decode(regexp_extract(request, '/products/([^/]+)/trades', 1)), ''),
    text_of(item, 'product_id')
  ) AS native_symbol,
  number_of(item, 'trade_id') AS trade_id,
  text_of(item, 'price') AS price,
  text_of(item, 'size') AS quantity,
  text_of(item, 'side') = 'buy' AS is_sell,
  us_of_iso(text_of(item, 'time')) AS timestamp_us
FROM (
  SELECT
    connection_id, frame_sequence, request,
    unnest(objects_with(frame, 'trade_id')) AS item
  FROM checked.frames
  WHERE exchange = 'coinbase' AND contains(frame, '"trade_id"')
)
