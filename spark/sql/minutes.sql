-- One-minute bars of the minutes that the batch touches, still in parts that further trades can be
-- joined to: the first and the last trade, and sums. A minute that the batch before has left here is
-- continued with the trades that this batch has put into gold.trades; every other one is computed
-- from all its trades there. Either way a trade counts once, and a batch costs what it brings and
-- not what its minute holds.
SELECT
  exchange,
  native_symbol,
  minute,
  min(first) AS first,
  max(last) AS last,
  max(high) AS high,
  min(low) AS low,
  CASE WHEN bool_and(volume IS NOT NULL) THEN try_sum(volume) END AS volume,
  CASE WHEN bool_and(quote_volume IS NOT NULL) THEN try_sum(quote_volume) END AS quote_volume,
  sum(trade_count) AS trade_count
FROM (
  -- One task: there is hardly anything to share.
  SELECT /*+ COALESCE(1) */ *
  FROM (
    SELECT
      exchange,
      native_symbol,
      date_trunc('MINUTE', timestamp) AS minute,
      place AS first,
      place AS last,
      price AS high,
      price AS low,
      quantity AS volume,
      quote_quantity AS quote_volume,
      1L AS trade_count
    FROM (
      SELECT
        exchange, native_symbol, timestamp, price, quantity, quote_quantity,
        -- Compared field by field, and the first two decide.
        struct(timestamp, CAST(trade_id AS BIGINT) AS number, price, trade_id, symbol) AS place
      FROM (
        SELECT exchange, native_symbol, symbol, timestamp, trade_id, price, quantity, quote_quantity
        FROM lake.gold.trades
        WHERE ($unknown_hours) AND ($unknown_minutes)
        UNION ALL
        SELECT exchange, native_symbol, symbol, timestamp, trade_id, price, quantity, quote_quantity
        FROM $inserted
        WHERE $known_minutes
      )
    )
    $known
  )
)
GROUP BY exchange, native_symbol, minute
