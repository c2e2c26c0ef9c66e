-- Why a record is not a valid trade, NULL for one that is. One expression, so that no record can
-- have two outcomes; and after `undecodable` no column is NULL but quote_quantity, which is asked
-- for by name, so that none can have no outcome. Nothing compares with the clock: the same record
-- has the same outcome whenever it is looked at.
CASE
  WHEN schema_id IS NULL THEN 'bad_header'
  WHEN NOT has_schema THEN 'unknown_schema'
  WHEN $any_missing THEN 'undecodable'
  WHEN exchange = '' OR native_symbol = '' OR trade_id = '' OR message_id = '' THEN 'id_missing'
  WHEN NOT trade_id RLIKE r'\A[0-9]{1,19}\z' OR try_cast(trade_id AS BIGINT) IS NULL
    THEN 'trade_id_unreadable'
  WHEN message_id <> concat(exchange, ':', native_symbol, ':', trade_id)
    THEN 'message_id_mismatch'
  WHEN side NOT IN ('BUY', 'SELL') THEN 'side_unknown'
  WHEN source NOT IN ('STREAM', 'SNAPSHOT', 'BACKFILL') THEN 'source_unknown'
  WHEN price <= 0 THEN 'price_not_positive'
  WHEN quantity <= 0 THEN 'quantity_not_positive'
  WHEN timestamp < TIMESTAMP '2009-01-01 00:00:00Z' THEN 'timestamp_before_2009'
  -- The last instant of the year 9999: readers of the lake know no later one.
  WHEN unix_micros(timestamp) > 253402300799999999 THEN 'out_of_range'
  WHEN unix_micros(ingestion_timestamp) > 253402300799999999 THEN 'out_of_range'
  -- Five minutes after its own reception.
  WHEN unix_micros(timestamp) - 300000000 > unix_micros(ingestion_timestamp)
    THEN 'timestamp_in_future'
  WHEN quote_quantity IS NULL THEN 'out_of_range'
END
