-- Kraken: messages of the channel `trade` of WebSocket v2, and pages of REST `Trades`: lists of price,
-- volume, seconds, side (b or s), order type, text, trade id. A page names its market in a way of its
-- own; by its v2 name it stands behind the # of the request, which is not sent.
-- Source: docs.kraken.com/api, WebSocket v2 `trade` and Spot REST `Get Recent Trades`.
SELECT
  connection_id,
  frame_sequence,
  text_of(item, 'symbol') AS native_symbol,
  number_of(item, 'trade_id') AS trade_id,
  number_of(item, 'price') AS price,
  number_of(item, 'qty') AS quantity,
  text_of(item, 'side') = 'sell' AS is_sell,
  us_of_iso(text_of(item, 'timestamp')) AS timestamp_us
FROM (
  SELECT
    connection_id, frame_sequence,
    unnest(objects_with(frame, 'trade_id')) AS item
  FROM checked.frames
  WHERE exchange = 'kraken' AND kind = 'MESSAGE' AND contains(frame, '"trade_id"')
)
UNION ALL
SELECT
  connection_id,
  frame_sequence,
  url_decode(regexp_extract(request, '#symbol=([^&]+)', 1)),
  regexp_extract(item, ',\s*([0-9]+)\s*[]]$', 1),
  regexp_extract(item, '^[[]\s*"([^"]+)"', 1),
  regexp_extract(item, '^[[]\s*"[^"]+"\s*,\s*"([^"]+)"', 1),
  regexp_extract(item, ',\s*"([bs])"', 1) = 's',
  us_of_seconds(regexp_extract(item, '",\s*([0-9.]+)\s*,\s*"[bs]"', 1))
FROM (
  SELECT
    connection_id, frame_sequence, request,
    unnest(regexp_extract_all(frame, '[[]\s*"[^][]*[]]')) AS item
  FROM checked.frames
  WHERE exchange = 'kraken' AND kind = 'PAGE'
)
