-- name: silver_conservation
-- severity: error
-- rows: checked.bronze_trades
-- wrong: A Bronze record has no outcome in Silver, or more than one, or an outcome has no Bronze record.
-- remedy: Each record must stand once in silver.trades or once in silver.quarantine; rebuild Silver from Bronze, or restore the table that has changed to an earlier snapshot.
WITH outcomes AS (
  SELECT t.* FROM (
    SELECT topic, partition, "offset", 1 AS in_trades, 0 AS in_quarantine
    FROM silver.trades WHERE kafka_timestamp >= getvariable('bronze_since')
    UNION ALL
    SELECT topic, partition, "offset", 0, 1
    FROM silver.quarantine WHERE kafka_timestamp >= getvariable('bronze_since')
  ) AS t
  JOIN bounds.offsets AS o ON t.topic = o.topic AND t.partition = o.partition
  WHERE t."offset" >= o.from_offset
),
-- Nearly all records have their outcome, which the bits of a chunk show.
faulty AS (
  SELECT topic, partition, chunk
  FROM (FROM checked.bronze_chunks WHERE is_trade) AS b
  FULL JOIN (
    SELECT
      topic, partition, chunk_of("offset") AS chunk,
      count(*) AS outcomes, bit_or(bit_of("offset")) AS bits
    FROM outcomes
    GROUP BY ALL
  ) AS s USING (topic, partition, chunk)
  WHERE b.bits IS DISTINCT FROM s.bits OR s.outcomes <> bit_count(s.bits)
),
records AS (
  SELECT *, 0 AS in_bronze FROM outcomes
  UNION ALL
  SELECT topic, partition, "offset", 0, 0, 1 FROM checked.bronze_trades
)
SELECT
  r.topic, r.partition, r."offset",
  sum(r.in_bronze)::BIGINT AS bronze_rows,
  sum(r.in_trades)::BIGINT AS silver_rows,
  sum(r.in_quarantine)::BIGINT AS quarantine_rows
FROM records AS r
SEMI JOIN faulty AS f
  ON r.topic = f.topic AND r.partition = f.partition AND chunk_of(r."offset") = f.chunk
GROUP BY ALL
-- A record that stands twice in Bronze is reported by bronze_offsets.
HAVING bronze_rows = 0 OR silver_rows + quarantine_rows <> 1
