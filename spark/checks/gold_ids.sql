-- name: gold_ids
-- severity: error
-- rows: checked.gold_trades
-- wrong: Trade ids of a market are missing in gold.trades between its coverage and what is confirmed, and no gap tells of them.
-- remedy: Look for them in silver.quarantine, mend what is wrong with them and run 'bun run replay'; else report the hole.
WITH ids AS (
  SELECT g.exchange, g.native_symbol, try_cast(g.trade_id AS HUGEINT) AS id, g.timestamp
  FROM gold.trades AS g
  JOIN silver.coverage AS c ON g.exchange = c.exchange AND g.native_symbol = c.native_symbol
  -- Ids are not quite in the order of time: the neighbors of the first ones may be earlier.
  WHERE g.timestamp >= getvariable('gold_since') - INTERVAL 1 DAY
    AND id BETWEEN c.from_id AND c.confirmed_id
  UNION ALL
  -- What is covered begins and ends with an id of its own, whether its trade is there or not.
  SELECT exchange, native_symbol, from_id - 1, from_timestamp FROM silver.coverage
  WHERE from_timestamp >= getvariable('gold_since')
  UNION ALL
  SELECT exchange, native_symbol, confirmed_id + 1, confirmed_timestamp FROM silver.coverage
),
holes AS (
  SELECT
    exchange, native_symbol,
    lag(id) OVER in_order + 1 AS from_id,
    id - 1 AS to_id,
    lag(timestamp) OVER in_order AS from_timestamp,
    timestamp AS to_timestamp
  FROM ids
  WINDOW in_order AS (PARTITION BY exchange, native_symbol ORDER BY id)
  QUALIFY from_id <= to_id AND timestamp >= getvariable('gold_since')
),
-- Ids that gaps tell of, each once.
told AS (
  SELECT
    exchange, native_symbol, range.to_id,
    greatest(range.from_id, 1 + max(range.to_id) OVER earlier) AS from_id
  FROM (
    SELECT
      exchange, native_symbol,
      unnest(list_concat(remaining, absent, unfillable)) AS range
    FROM silver.gaps
  )
  WINDOW earlier AS (
    PARTITION BY exchange, native_symbol ORDER BY range.from_id, range.to_id
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  )
)
SELECT
  h.exchange, h.native_symbol, h.from_id, h.to_id, h.from_timestamp, h.to_timestamp,
  h.to_id - h.from_id + 1
    - coalesce(
      sum(least(h.to_id, t.to_id) - greatest(h.from_id, t.from_id) + 1)
      FILTER (WHERE t.to_id IS NOT NULL), 0
    ) AS missing
FROM holes AS h
LEFT JOIN told AS t
  ON h.exchange = t.exchange AND h.native_symbol = t.native_symbol
  AND t.from_id <= t.to_id AND t.from_id <= h.to_id AND t.to_id >= h.from_id
-- Which ids Kafka has lost for good nobody knows, but when.
WHERE NOT EXISTS (
  SELECT 1 FROM silver.gaps AS gap
  WHERE gap.from_id IS NULL AND gap.exchange = h.exchange
    AND coalesce(gap.native_symbol, h.native_symbol) = h.native_symbol
    AND coalesce(gap.from_timestamp, '-infinity') <= h.to_timestamp
    AND coalesce(gap.to_timestamp, gap.event_timestamp) >= h.from_timestamp
)
GROUP BY h.exchange, h.native_symbol, h.from_id, h.to_id, h.from_timestamp, h.to_timestamp
HAVING missing > 0
