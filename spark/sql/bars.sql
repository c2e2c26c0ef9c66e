-- Bars of every interval whose window the batch touches. They are made of one-minute bars: touched
-- minutes are computed anew from all their trades in gold.trades, and the rest of each larger
-- window comes from the minutes stored. Adding to a stored bar instead would count a trade twice
-- when its batch comes again, and computing a day from its trades costs more with every hour.
WITH fresh_minutes AS (
  SELECT
    exchange,
    native_symbol,
    date_trunc('MINUTE', timestamp) AS minute,
    min_by(symbol, sequence) AS symbol,
    min_by(price, sequence) AS open,
    max(price) AS high,
    min(price) AS low,
    max_by(price, sequence) AS close,
    try_sum(quantity) AS volume,
    try_sum(quote_quantity) AS quote_volume,
    count(*) AS trade_count,
    min_by(trade_id, sequence) AS first_trade_id,
    max_by(trade_id, sequence) AS last_trade_id
  FROM (
    SELECT
      exchange, native_symbol, timestamp, symbol, price, quantity, quote_quantity, trade_id,
      struct(timestamp, CAST(trade_id AS BIGINT) AS trade_number) AS sequence
    FROM lake.gold.trades
    WHERE ($touched_hours) AND ($touched_minutes)
  )
  GROUP BY exchange, native_symbol, date_trunc('MINUTE', timestamp)
),
minutes AS (
  SELECT
    exchange, native_symbol, minute, symbol, open, high, low, close, volume, quote_volume,
    trade_count, first_trade_id, last_trade_id
  FROM fresh_minutes
  UNION ALL
  SELECT
    exchange, native_symbol, window_start AS minute, symbol, open, high, low, close, volume,
    quote_volume, trade_count, first_trade_id, last_trade_id
  FROM lake.gold.ohlcv
  WHERE interval = '1m' AND ($touched_days) AND NOT ($stored_touched_minutes)
),
placed AS (
  SELECT
    *,
    timestamp_seconds(unix_seconds(minute) DIV length.seconds * length.seconds) AS bar_start,
    timestamp_seconds((unix_seconds(minute) DIV length.seconds + 1) * length.seconds) AS bar_end
  FROM (
    SELECT
      *,
      explode(array(
        struct('1m' AS interval, 60 AS seconds),
        struct('5m' AS interval, 300 AS seconds),
        struct('15m' AS interval, 900 AS seconds),
        struct('30m' AS interval, 1800 AS seconds),
        struct('1h' AS interval, 3600 AS seconds),
        struct('4h' AS interval, 14400 AS seconds),
        struct('1d' AS interval, 86400 AS seconds)
      )) AS length
    FROM minutes
  )
),
bars AS (
  SELECT
    exchange,
    native_symbol,
    length.interval AS interval,
    bar_start AS window_start,
    bar_end AS window_end,
    min_by(symbol, minute) AS symbol,
    min_by(open, minute) AS open,
    max(high) AS high,
    min(low) AS low,
    max_by(close, minute) AS close,
    CASE WHEN bool_and(volume IS NOT NULL) THEN try_sum(volume) END AS volume,
    CASE WHEN bool_and(quote_volume IS NOT NULL) THEN try_sum(quote_volume) END AS quote_volume,
    sum(trade_count) AS trade_count,
    min_by(first_trade_id, minute) AS first_trade_id,
    max_by(last_trade_id, minute) AS last_trade_id
  FROM placed
  WHERE $touched_bars
  GROUP BY exchange, native_symbol, length.interval, bar_start, bar_end
)
SELECT
  exchange, symbol, native_symbol, interval, window_start, window_end, open, high, low, close,
  volume, quote_volume,
  -- Spark rounds half up; with DECIMAL(38,18) on both sides the quotient has 18 decimals.
  CAST(try_divide(quote_volume, volume) AS DECIMAL(38,18)) AS vwap,
  trade_count, first_trade_id, last_trade_id
FROM bars
