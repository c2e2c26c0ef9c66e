-- name: silver_conflicts
-- severity: error
-- rows: checked.silver_trades
-- wrong: Two Silver rows of one message_id differ in price, quantity, side, or by more than 1 us in time.
-- remedy: The exchange or an adapter told one trade in two ways: compare the rows' value in bronze.trades, and report the difference.
SELECT
  message_id,
  count(*) AS silver_rows,
  min(price) AS price_min,
  max(price) AS price_max,
  min(quantity) AS quantity_min,
  max(quantity) AS quantity_max,
  min(side) AS side_min,
  max(side) AS side_max,
  min(timestamp) AS timestamp_min,
  max(timestamp) AS timestamp_max
FROM checked.silver_trades
-- Of two rows that differ, one differs from Gold's.
WHERE message_id IN (FROM checked.unmatched)
GROUP BY message_id
HAVING price_min <> price_max OR quantity_min <> quantity_max OR side_min <> side_max
  OR epoch_us(timestamp_max) - epoch_us(timestamp_min) > 1
