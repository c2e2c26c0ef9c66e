-- The bars that are to replace the stored ones: those that the batch's trades touch, and of the rest
-- those that have become complete, or are not complete any more, by what is known of their market.
-- A market of which nothing is known has no complete bar.
WITH fresh AS (
$fresh),
judged AS (
  SELECT
    exchange, symbol, native_symbol, interval, window_start, window_end, open, high, low, close,
    volume, quote_volume, vwap, trade_count, first_trade_id, last_trade_id,
    CAST(NULL AS BOOLEAN) AS was_complete
  FROM fresh
  UNION ALL
  SELECT
    exchange, symbol, native_symbol, interval, window_start, window_end, open, high, low, close,
    volume, quote_volume, vwap, trade_count, first_trade_id, last_trade_id,
    is_complete AS was_complete
  FROM lake.gold.ohlcv
  WHERE ($changed_days) AND ($changed_bars) AND NOT ($touched_bars)
),
markets AS (
  SELECT * FROM VALUES $markets
    AS markets(exchange, native_symbol, from_us, confirmed_us, brackets)
),
answered AS (
  SELECT
    judged.*,
    coalesce(
      markets.from_us <= unix_micros(window_start)
      AND unix_micros(window_end) <= markets.confirmed_us
      -- A missing trade may have the very time of its neighbors.
      AND NOT exists(markets.brackets, gap ->
        gap.from_us < unix_micros(window_end) AND gap.to_us >= unix_micros(window_start)),
      false) AS is_complete
  FROM judged
  LEFT JOIN markets
    ON markets.exchange = judged.exchange AND markets.native_symbol = judged.native_symbol
)
SELECT
  exchange, symbol, native_symbol, interval, window_start, window_end, open, high, low, close,
  volume, quote_volume, vwap, trade_count, first_trade_id, last_trade_id, is_complete,
  current_timestamp() AS updated_at
FROM answered
WHERE was_complete IS NULL OR was_complete <> is_complete
