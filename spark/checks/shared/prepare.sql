-- What the checks share: run once, before the first of them.
--
-- DuckDB computes everything here from the trades themselves and shares no line with Spark. It sees
-- bronze.*, silver.* and gold.* as they were when gold.ohlcv was last committed: gold.trades at the
-- same consumed positions, Bronze and Silver up to them. The caller gives:
--   getvariable('gold_since'), 'silver_since', 'bronze_since', 'frames_since'
--                          TIMESTAMPTZ of the start of an hour, year 1 for all: checks that look at
--                          Gold alone begin at the first, those of Silver, or of Silver and Gold, at
--                          the second, those of Bronze, or of Bronze and Silver, at the third, those
--                          of frames, or of frames and Gold, at the fourth
--   getvariable('now')     TIMESTAMPTZ
--   bounds.positions       (topic, partition, next_offset): what Gold has consumed

-- Where in Bronze each partition's checks begin: trades of a day reach Kafka in the order of their
-- offsets, not of their time, so the bound is an offset. It lies after every record that is too old,
-- because clocks may be set back; what Bronze keeps no longer, Silver may still know.
CREATE TABLE bounds.offsets AS
WITH earlier AS (
  SELECT topic, partition, max("offset") + 1 AS from_offset
  FROM (
    SELECT topic, partition, "offset" FROM bronze.trades
    WHERE kafka_timestamp < getvariable('bronze_since')
    UNION ALL
    SELECT topic, partition, "offset" FROM silver.trades
    WHERE kafka_timestamp < getvariable('bronze_since')
    UNION ALL
    SELECT topic, partition, "offset" FROM silver.quarantine
    WHERE kafka_timestamp < getvariable('bronze_since')
  )
  GROUP BY topic, partition
)
SELECT p.topic, p.partition, p.next_offset, coalesce(e.from_offset, 0) AS from_offset
FROM bounds.positions AS p
LEFT JOIN earlier AS e ON e.topic = p.topic AND e.partition = p.partition;

-- The rows that checks look at. What they are compared with is read from a day earlier, because
-- two records of one trade may differ in time and so stand on two sides of the bound.
CREATE SCHEMA checked;

CREATE VIEW checked.bronze_trades AS
SELECT t.* FROM bronze.trades AS t
JOIN bounds.offsets AS o ON t.topic = o.topic AND t.partition = o.partition
WHERE t."offset" >= o.from_offset AND t.kafka_timestamp >= getvariable('bronze_since');

CREATE VIEW checked.bronze_frames AS
SELECT * FROM bronze.frames WHERE kafka_timestamp >= getvariable('frames_since');

CREATE VIEW checked.bronze_events AS
SELECT * FROM bronze.events WHERE kafka_timestamp >= getvariable('bronze_since');

CREATE VIEW checked.bronze_dead_letters AS
SELECT * FROM bronze.dead_letters WHERE kafka_timestamp >= getvariable('bronze_since');

CREATE VIEW checked.bronze_records AS
SELECT topic, partition, "offset", true AS is_trade FROM checked.bronze_trades
UNION ALL
SELECT topic, partition, "offset", false FROM checked.bronze_frames
UNION ALL
SELECT topic, partition, "offset", false FROM checked.bronze_events
UNION ALL
SELECT topic, partition, "offset", false FROM checked.bronze_dead_letters;

-- Which offsets there are, 64 at a time, a bit for each: what is whole shows by counting, and nothing
-- needs to be sorted.
CREATE MACRO chunk_of(number) AS number >> 6;

CREATE MACRO bit_of(number) AS 1::UBIGINT << (number & 63)::UBIGINT;

CREATE TABLE checked.bronze_chunks AS
SELECT
  topic, partition, is_trade, chunk_of("offset") AS chunk,
  count(*) AS records, bit_or(bit_of("offset")) AS bits,
  min("offset") AS first_offset, max("offset") AS last_offset
FROM checked.bronze_records
GROUP BY ALL;

CREATE VIEW checked.silver_trades AS
SELECT * FROM silver.trades WHERE timestamp >= getvariable('silver_since');

CREATE VIEW checked.silver_quarantine AS
SELECT t.* FROM silver.quarantine AS t
JOIN bounds.offsets AS o ON t.topic = o.topic AND t.partition = o.partition
WHERE t."offset" >= o.from_offset AND t.kafka_timestamp >= getvariable('bronze_since');

CREATE VIEW checked.gold_trades AS
SELECT * FROM gold.trades WHERE timestamp >= getvariable('gold_since');

-- Those of which Silver still has the origin.
CREATE VIEW checked.gold_trades_with_silver AS
SELECT * FROM gold.trades WHERE timestamp >= getvariable('silver_since');

-- Those of which the frame is still kept.
CREATE VIEW checked.gold_trades_with_frame AS
SELECT * FROM gold.trades
WHERE ingestion_timestamp >= getvariable('frames_since')
  AND timestamp >= getvariable('gold_since');

-- What reached us: a frame that is no JSON is a dead letter, and tells nothing.
CREATE VIEW checked.frames AS
SELECT * FROM silver.frames
WHERE direction = 'RECEIVED' AND received_us >= getvariable('frames_since') AND json_valid(frame);

-- Those of which it is missing, though a later one of its connection is there, or one of its exchange
-- that is five minutes younger. It must be there where its session was closed in order, and Kafka has
-- lost no frames.
CREATE VIEW checked.gold_trades_without_frame AS
WITH frames AS (
  SELECT exchange, connection_id, frame_sequence, kafka_timestamp FROM silver.frames
  WHERE received_us >= getvariable('frames_since')
)
SELECT
  g.exchange, g.native_symbol, g.trade_id, g.price, g.quantity, g.side, g.timestamp,
  g.connection_id, g.frame_sequence,
  coalesce(s.state = 'closed', false) AND NOT EXISTS (
    SELECT 1 FROM silver.gaps AS gap
    WHERE starts_with(gap.gap_id, ':') AND contains(gap.gap_id, '.frames.' || g.exchange || '/')
  ) AS is_due
FROM checked.gold_trades_with_frame AS g
ANTI JOIN frames AS f
  ON g.connection_id = f.connection_id AND g.frame_sequence = f.frame_sequence
LEFT JOIN silver.sessions AS s ON g.connection_id = s.connection_id
LEFT JOIN (
  SELECT connection_id, max(frame_sequence) AS frame_sequence FROM frames GROUP BY ALL
) AS newest ON g.connection_id = newest.connection_id
LEFT JOIN (
  SELECT exchange, max(kafka_timestamp) AS kafka_timestamp FROM frames GROUP BY ALL
) AS youngest ON g.exchange = youngest.exchange
WHERE g.frame_sequence < newest.frame_sequence
  OR g.kafka_timestamp < youngest.kafka_timestamp - INTERVAL 5 MINUTE;

-- Ids that stand more than once in Gold.
CREATE TABLE checked.gold_repeated AS
SELECT message_id, count(*) AS gold_rows
FROM checked.gold_trades
GROUP BY message_id
HAVING gold_rows > 1;

-- Ids of which Gold and Silver do not say the same in all their rows, or only one of both has a row:
-- nearly none, so that the checks that compare both layers need to look at few rows.
CREATE TABLE checked.unmatched AS
SELECT DISTINCT coalesce(g.message_id, s.message_id) AS message_id
FROM (
  SELECT * FROM gold.trades WHERE timestamp >= getvariable('silver_since') - INTERVAL 1 DAY
) AS g
FULL JOIN (
  SELECT * FROM silver.trades WHERE timestamp >= getvariable('silver_since') - INTERVAL 1 DAY
) AS s ON g.message_id = s.message_id
-- Of the day before, one of both may be kept no longer.
WHERE (
  g.timestamp >= getvariable('silver_since') OR s.timestamp >= getvariable('silver_since')
) AND NOT coalesce(
  g.exchange = s.exchange AND g.symbol = s.symbol AND g.native_symbol = s.native_symbol
  AND g.base_asset = s.base_asset AND g.quote_asset = s.quote_asset
  AND g.trade_id = s.trade_id AND g.side = s.side AND g.price = s.price
  AND g.quantity = s.quantity AND g.quote_quantity = s.quote_quantity
  AND g.timestamp = s.timestamp,
  false
);

CREATE VIEW checked.gold_ohlcv AS
SELECT * FROM gold.ohlcv WHERE window_start >= getvariable('gold_since');

-- When the window of that length begins that an instant lies in.
CREATE MACRO start_of(instant_us, seconds) AS
  make_timestamptz(instant_us // (seconds * 1000000) * (seconds * 1000000));

-- Lengths of the windows, and the next smaller ones.
CREATE TABLE bounds.intervals (name VARCHAR, seconds BIGINT, smaller VARCHAR);

INSERT INTO bounds.intervals
VALUES ('1m', 60, NULL), ('5m', 300, '1m'), ('15m', 900, '5m'), ('30m', 1800, '15m'),
  ('1h', 3600, '30m'), ('4h', 14400, '1h'), ('1d', 86400, '4h');

-- Every bar, computed from the trades. A trade that stands twice in Gold counts once here: that
-- fault has its own check.
CREATE SCHEMA recomputed;

CREATE TABLE recomputed.minutes AS
WITH once AS (
  SELECT * FROM checked.gold_trades ANTI JOIN checked.gold_repeated USING (message_id)
  UNION ALL
  SELECT DISTINCT ON (message_id) *
  FROM checked.gold_trades SEMI JOIN checked.gold_repeated USING (message_id)
),
trades AS (
  SELECT
    *,
    epoch_us(timestamp) // 60000000 * 60000000 AS start_us,
    -- In the order of time, and of ids at the same time.
    {
      timestamp: timestamp, id: try_cast(trade_id AS HUGEINT),
      price: price, trade_id: trade_id, symbol: symbol
    } AS trade
  FROM once
)
SELECT
  exchange, native_symbol, start_us,
  min(trade) AS first_trade,
  max(trade) AS last_trade,
  max(price) AS high,
  min(price) AS low,
  sum(large_part(quantity)) AS quantity_large,
  sum(small_part(quantity)) AS quantity_small,
  sum(large_part(quote_quantity)) AS quote_large,
  sum(small_part(quote_quantity)) AS quote_small,
  count(*) AS trade_count
FROM trades
GROUP BY ALL;

CREATE TABLE recomputed.bars AS
SELECT
  m.exchange, m.native_symbol,
  i.name AS "interval",
  start_of(m.start_us, i.seconds) AS window_start,
  min(m.first_trade).symbol AS symbol,
  min(m.first_trade).price AS open,
  max(m.high) AS high,
  min(m.low) AS low,
  max(m.last_trade).price AS close,
  joined_sum(sum(m.quantity_large), sum(m.quantity_small)) AS volume,
  joined_sum(sum(m.quote_large), sum(m.quote_small)) AS quote_volume,
  sum(m.trade_count)::BIGINT AS trade_count,
  min(m.first_trade).trade_id AS first_trade_id,
  max(m.last_trade).trade_id AS last_trade_id
FROM recomputed.minutes AS m, bounds.intervals AS i
-- Of what begins earlier not all trades are here.
WHERE start_of(m.start_us, i.seconds) >= getvariable('gold_since')
GROUP BY ALL;

-- Larger bars, computed from the stored bars of the next smaller interval.
CREATE TABLE recomputed.sums AS
SELECT
  s.exchange, s.native_symbol,
  i.name AS "interval",
  start_of(epoch_us(s.window_start), i.seconds) AS window_start,
  arg_min(s.open, s.window_start) AS open,
  max(s.high) AS high,
  min(s.low) AS low,
  arg_max(s.close, s.window_start) AS close,
  CASE WHEN count(s.volume) = count(*)
    THEN joined_sum(sum(large_part(s.volume)), sum(small_part(s.volume)))
  END AS volume,
  CASE WHEN count(s.quote_volume) = count(*)
    THEN joined_sum(sum(large_part(s.quote_volume)), sum(small_part(s.quote_volume)))
  END AS quote_volume,
  sum(s.trade_count)::BIGINT AS trade_count
FROM checked.gold_ohlcv AS s
JOIN bounds.intervals AS i ON i.smaller = s."interval"
WHERE start_of(epoch_us(s.window_start), i.seconds) >= getvariable('gold_since')
GROUP BY ALL;

-- What adds up from bar to bar.
CREATE MACRO figures(bar) AS {
  open: bar.open, high: bar.high, low: bar.low, close: bar.close, volume: bar.volume,
  quote_volume: bar.quote_volume, trade_count: bar.trade_count
};

-- Each bar of Gold beside its recomputation, where both exist; `bar_set` reports the others. A bar
-- that is wrong while the smaller ones are right is reported by bar_sums, and by no other check.
CREATE TABLE recomputed.pairs AS
SELECT
  g AS stored,
  r AS computed,
  s.window_start IS NOT NULL
    AND figures(s) IS DISTINCT FROM figures(g)
    AND figures(s) IS NOT DISTINCT FROM figures(r) AS is_unsummed
FROM checked.gold_ohlcv AS g
JOIN recomputed.bars AS r
  ON g.exchange = r.exchange AND g.native_symbol = r.native_symbol
  AND g."interval" = r."interval" AND g.window_start = r.window_start
LEFT JOIN recomputed.sums AS s
  ON g.exchange = s.exchange AND g.native_symbol = s.native_symbol
  AND g."interval" = s."interval" AND g.window_start = s.window_start;

-- A bar whose own figures contradict each other: reported by bar_order, and by no other check of
-- the same figures.
CREATE MACRO is_in_order(bar) AS
  bar.low <= least(bar.open, bar.close) AND greatest(bar.open, bar.close) <= bar.high
  AND coalesce(bar.vwap BETWEEN bar.low AND bar.high, true);
