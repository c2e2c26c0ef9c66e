-- silver.coverage as a portion of events says: it begins where the latest coverage says, and is
-- confirmed as far as it ever was. The table is as small as the list of markets, and written anew.
SELECT
  coalesce(new.exchange, old.exchange) AS exchange,
  coalesce(new.native_symbol, old.native_symbol) AS native_symbol,
  coalesce(new.from_id, old.from_id) AS from_id,
  coalesce(new.from_timestamp, old.from_timestamp) AS from_timestamp,
  greatest(new.confirmed_id, old.confirmed_id) AS confirmed_id,
  greatest(new.confirmed_timestamp, old.confirmed_timestamp) AS confirmed_timestamp
FROM lake.silver.coverage AS old
FULL OUTER JOIN (
  SELECT
    exchange,
    native_symbol,
    max_by(from_id, place) FILTER (WHERE event = 'coverage') AS from_id,
    max_by(from_timestamp, place) FILTER (WHERE event = 'coverage') AS from_timestamp,
    max(through_id) FILTER (WHERE event = 'confirmed') AS confirmed_id,
    max(through_timestamp) FILTER (WHERE event = 'confirmed') AS confirmed_timestamp
  FROM (SELECT *, struct(timestamp, offset) AS place FROM $view)
  WHERE event IN ('coverage', 'confirmed') AND native_symbol IS NOT NULL
  GROUP BY exchange, native_symbol
) AS new
ON old.exchange = new.exchange AND old.native_symbol = new.native_symbol
