-- The days of gold.ohlcv that new bars fall into, as they are to be: the new bars, and of the stored
-- ones those that no new one replaces. All intervals are written in one commit, so that no reader
-- sees an hour without its last minute.
SELECT /*+ COALESCE(1) */ *
FROM (
  SELECT $columns FROM $view
  UNION ALL
  SELECT /*+ MERGE(new) */ $old_columns
  FROM (SELECT /*+ COALESCE(1) */ * FROM lake.gold.ohlcv WHERE $touched_days) AS old
  LEFT ANTI JOIN $view AS new
  ON old.exchange = new.exchange
    AND old.native_symbol = new.native_symbol
    AND old.interval = new.interval
    AND old.window_start = new.window_start
)
