-- name: gold_frames
-- severity: error
-- rows: checked.frames
-- wrong: A Gold trade is not told, digit by digit, by the very frame or page that it came from, or a frame tells a trade that is neither in gold.trades nor missing.
-- remedy: The frame is what the exchange said: compare it with bronze.trades, rebuild what differs, and report how it came about.
--
-- Frames are taken in by a query of their own, so that those of the newest trades may still be on
-- their way: a trade is looked for where its frame is there, or must be.
WITH told AS MATERIALIZED (
  SELECT
    exchange, connection_id, frame_sequence, native_symbol,
    try_cast(trade_id AS BIGINT) AS trade_id,
    decimal_of(price) AS price,
    decimal_of(quantity) AS quantity,
    CASE WHEN is_sell THEN 'SELL' ELSE 'BUY' END AS side,
    timestamp_us
  FROM told.trades
),
gold AS (
  SELECT
    exchange, connection_id, frame_sequence, native_symbol,
    try_cast(trade_id AS BIGINT) AS trade_id,
    price, quantity, side,
    epoch_us(timestamp) AS timestamp_us
  FROM checked.gold_trades_with_frame
),
untold AS (
  SELECT g.* FROM gold AS g
  -- A frame that is no JSON tells nothing, but it is there.
  SEMI JOIN (
    SELECT connection_id, frame_sequence FROM silver.frames
    WHERE received_us >= getvariable('frames_since')
  ) AS f
    ON g.connection_id = f.connection_id AND g.frame_sequence = f.frame_sequence
  ANTI JOIN told AS t
    ON g.connection_id = t.connection_id AND g.frame_sequence = t.frame_sequence
    AND g.exchange = t.exchange AND g.native_symbol = t.native_symbol
    AND g.trade_id = t.trade_id AND g.price = t.price AND g.quantity = t.quantity
    AND g.side = t.side AND g.timestamp_us = t.timestamp_us
),
-- A trade that is told and not there stands in a gap, or gold_ids reports it: but for one that the
-- exchange is said never to have had.
denied AS (
  SELECT t.* FROM told AS t
  SEMI JOIN (
    SELECT exchange, native_symbol, unnest(absent) AS ids FROM silver.gaps
  ) AS gap
    ON t.exchange = gap.exchange AND t.native_symbol = gap.native_symbol
    AND t.trade_id BETWEEN gap.ids.from_id AND gap.ids.to_id
  ANTI JOIN (
    SELECT exchange, native_symbol, try_cast(trade_id AS BIGINT) AS trade_id FROM gold.trades
    WHERE timestamp >= getvariable('gold_since') - INTERVAL 1 DAY
  ) AS g
    ON t.exchange = g.exchange AND t.native_symbol = g.native_symbol AND t.trade_id = g.trade_id
  -- What is told worse than that was a dead letter.
  WHERE t.price > 0 AND t.quantity > 0 AND t.timestamp_us >= epoch_us(getvariable('gold_since'))
)
SELECT
  'not told so by its frame' AS fault,
  exchange, native_symbol, trade_id, price, quantity, side, timestamp_us,
  connection_id, frame_sequence
FROM untold
UNION ALL
SELECT
  'told, though the exchange is said never to have had it',
  exchange, native_symbol, trade_id, price, quantity, side, timestamp_us,
  connection_id, frame_sequence
FROM denied
UNION ALL
SELECT
  'its frame is missing, and its session was closed',
  exchange, native_symbol, try_cast(trade_id AS BIGINT), price, quantity, side, epoch_us(timestamp),
  connection_id, frame_sequence
FROM checked.gold_trades_without_frame
WHERE is_due
