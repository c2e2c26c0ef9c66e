-- Bars of every interval whose window the batch touches. They are made of one-minute bars: those
-- that the batch touches (see minutes.sql), and for the rest of each larger window those stored.
-- Computing a day from its trades would cost more with every hour.
WITH minutes AS (
  SELECT
    exchange,
    native_symbol,
    minute,
    struct(minute, first.symbol AS symbol, first.price AS price, first.trade_id AS trade_id)
      AS first,
    struct(minute, last.price AS price, last.trade_id AS trade_id) AS last,
    high,
    low,
    volume,
    quote_volume,
    trade_count
  FROM $minutes
  UNION ALL
  SELECT
    exchange,
    native_symbol,
    window_start AS minute,
    struct(window_start AS minute, symbol, open AS price, first_trade_id AS trade_id) AS first,
    struct(window_start AS minute, close AS price, last_trade_id AS trade_id) AS last,
    high,
    low,
    volume,
    quote_volume,
    trade_count
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
      /*+ COALESCE(1) */
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
    -- A market has one bar a minute, so that the minute alone decides.
    min(first) AS first,
    max(last) AS last,
    max(high) AS high,
    min(low) AS low,
    CASE WHEN bool_and(volume IS NOT NULL) THEN try_sum(volume) END AS volume,
    CASE WHEN bool_and(quote_volume IS NOT NULL) THEN try_sum(quote_volume) END AS quote_volume,
    sum(trade_count) AS trade_count
  FROM placed
  WHERE $touched_bars
  GROUP BY exchange, native_symbol, length.interval, bar_start, bar_end
)
SELECT
  exchange, first.symbol AS symbol, native_symbol, interval, window_start, window_end,
  first.price AS open, high, low, last.price AS close, volume, quote_volume,
  -- Spark rounds half up; with DECIMAL(38,18) on both sides the quotient has 18 decimals.
  CAST(try_divide(quote_volume, volume) AS DECIMAL(38,18)) AS vwap,
  trade_count, first.trade_id AS first_trade_id, last.trade_id AS last_trade_id
FROM bars
