-- Brings silver.sessions to the state that a portion of events says. A session is opened once and
-- closed once; an event that comes again says the same again.
MERGE INTO lake.silver.sessions AS old
USING (
  SELECT
    connection_id,
    max(exchange) AS exchange,
    max(url) AS url,
    CASE WHEN bool_or(event = 'session_closed') THEN 'closed' ELSE 'open' END AS state,
    min(timestamp) FILTER (WHERE event = 'session_opened') AS opened_timestamp,
    min(timestamp) FILTER (WHERE event = 'session_closed') AS closed_timestamp,
    min_by(reason, timestamp) FILTER (WHERE event = 'session_closed') AS reason
  FROM $view
  WHERE event IN ('session_opened', 'session_closed') AND connection_id IS NOT NULL
  GROUP BY connection_id
) AS new
ON old.connection_id = new.connection_id
WHEN MATCHED THEN UPDATE SET
  old.url = coalesce(old.url, new.url),
  old.state = CASE WHEN 'closed' IN (old.state, new.state) THEN 'closed' ELSE 'open' END,
  old.opened_timestamp = coalesce(old.opened_timestamp, new.opened_timestamp),
  old.closed_timestamp = coalesce(old.closed_timestamp, new.closed_timestamp),
  old.reason = coalesce(old.reason, new.reason)
WHEN NOT MATCHED THEN INSERT *
