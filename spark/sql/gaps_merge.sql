-- Brings silver.gaps to the state that a portion of events says. Kafka may hold an event again, after
-- one that followed it, so what counts is the event's own time, and a row never goes back.
MERGE INTO lake.silver.gaps AS old
USING (
  SELECT
    gap_id,
    max_by(exchange, place) AS exchange,
    max_by(native_symbol, place) AS native_symbol,
    max_by(state, place) AS state,
    max_by(from_id, place) AS from_id,
    max_by(to_id, place) AS to_id,
    max_by(from_timestamp, place) AS from_timestamp,
    max_by(to_timestamp, place) AS to_timestamp,
    max_by(remaining, place) AS remaining,
    max_by(absent, place) AS absent,
    max_by(unfillable, place) AS unfillable,
    max_by(found_by, place) AS found_by,
    max_by(reason, place) AS reason,
    min(timestamp) AS opened_timestamp,
    max_by(CASE WHEN state <> 'open' THEN timestamp END, place) AS ended_timestamp,
    max(timestamp) AS event_timestamp
  FROM (
    SELECT
      *,
      CASE event
        WHEN 'gap_filled' THEN 'filled'
        WHEN 'gap_absent' THEN 'absent'
        -- What Kafka has lost for good is a gap that nobody can fill.
        WHEN 'gap_unfillable' THEN 'unfillable'
        WHEN 'offsets_accepted' THEN 'unfillable'
        ELSE 'open'
      END AS state,
      struct(timestamp, event NOT IN ('gap_opened', 'offsets_lost') AS is_end, offset) AS place
    FROM $view
    WHERE gap_id IS NOT NULL
  )
  GROUP BY gap_id
) AS new
ON old.gap_id = new.gap_id
WHEN MATCHED AND (
  new.event_timestamp > old.event_timestamp
  OR new.event_timestamp = old.event_timestamp AND (old.state = 'open' OR new.state <> 'open')
) THEN UPDATE SET
  old.state = new.state,
  old.from_id = new.from_id,
  old.to_id = new.to_id,
  old.from_timestamp = new.from_timestamp,
  old.to_timestamp = new.to_timestamp,
  old.remaining = new.remaining,
  old.absent = new.absent,
  old.unfillable = new.unfillable,
  old.found_by = new.found_by,
  old.reason = new.reason,
  old.opened_timestamp = least(old.opened_timestamp, new.opened_timestamp),
  old.ended_timestamp = new.ended_timestamp,
  old.event_timestamp = new.event_timestamp
WHEN NOT MATCHED THEN INSERT *
