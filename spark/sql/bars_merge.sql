-- Replaces the bars of all intervals in one commit, so that no reader sees an hour without its last
-- minute. The condition on days leaves out the files of every other day.
MERGE INTO lake.gold.ohlcv AS old
USING $view AS new
ON old.exchange = new.exchange
  AND old.native_symbol = new.native_symbol
  AND old.interval = new.interval
  AND old.window_start = new.window_start
  AND ($touched_days)
WHEN MATCHED THEN UPDATE SET $assignments
WHEN NOT MATCHED THEN INSERT *
