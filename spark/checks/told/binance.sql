-- Binance: messages of the stream `trade`, and pages of `historicalTrades`, whose request names the
-- market. `m` and `isBuyerMaker` say that the buyer was the maker, so that the taker sold. Times are
-- milliseconds, or microseconds where the URL asked for them.
-- Source: github.com/binance/binance-spot-api-docs, web-socket-streams.md and rest-api.md.
SELECT
  connection_id,
  frame_sequence,
  text_of(item, 's') AS native_symbol,
  number_of(item, 't') AS trade_id,
  text_of(item, 'p') AS price,
  text_of(item, 'q') AS quantity,
  word_of(item, 'm') = 'true' AS is_sell,
  us_of_epoch(number_of(item, 'T')) AS timestamp_us
FROM (
  SELECT connection_id, frame_sequence, frame AS item
  FROM checked.frames
  WHERE exchange = 'binance' AND kind = 'MESSAGE' AND contains(frame, '"trade"')
)
UNION ALL
SELECT
  connection_id,
  frame_sequence,
  url_decode(regexp_extract(request, '[?&]symbol=([^&]+)', 1)),
  number_of(item, 'id'),
  text_of(item, 'price'),
  text_of(item, 'qty'),
  word_of(item, 'isBuyerMaker') = 'true',
  us_of_epoch(number_of(item, 'time'))
FROM (
  SELECT
    connection_id, frame_sequence, request,
    unnest(objects_with(frame, 'isBuyerMaker')) AS item
  FROM checked.frames
  WHERE exchange = 'binance' AND kind = 'PAGE'
)
