-- name: freshness
-- severity: warning
-- rows: gold.trades
-- needs: platform
-- wrong: Gold has taken in no new trade for more than a minute.
-- remedy: See whether connections deliver and Spark runs: bun run status.
SELECT
  max(kafka_timestamp) AS newest,
  (epoch_us(getvariable('now')) - epoch_us(newest)) // 1000000 AS age_s
FROM gold.trades
HAVING age_s > 60
