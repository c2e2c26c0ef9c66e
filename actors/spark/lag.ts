/**
 * What Kafka still has to keep for the lake: whoever reads too late finds that retention was
 * faster.
 *
 * @module
 */

/**
 * Warns of a query that lies further behind than half of what Kafka keeps.
 *
 * @param lag_s Age of the newest record that the query has landed, where more waits; else 0.
 * @param retention_ms How long Kafka keeps records.
 * @returns One sentence that says what to do, or null.
 */
export function retentionWarning(
  query: string,
  lag_s: number,
  retention_ms: number,
): string | null {
  if (lag_s * 2_000 <= retention_ms) return null;
  const hours = (ms: number) => `${(ms / 3.6e6).toFixed(1)} h`;
  return (
    `${query} lies ${hours(lag_s * 1_000)} behind, and Kafka keeps records for ` +
    `${hours(retention_ms)}: give Spark a faster machine (K2_SPARK_MASTER, ` +
    "K2_SPARK_DRIVER_MEMORY), or have Kafka keep them longer (retention.ms of the topics, and " +
    "K2_KAFKA_RETENTION_HOURS), before records are lost"
  );
}
