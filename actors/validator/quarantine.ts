/**
 * What the quarantine holds that may be tried again, and with which key.
 *
 * The same bytes may have been quarantined several times, because each replay is a new record with
 * an outcome of its own: only the newest row counts, and none that was replayed already, which
 * Bronze shows by a later record of the same bytes.
 *
 * @module
 */

import {
  type Lake,
  type LakeTable,
  newestView,
  openLake,
  quoted,
  tableNamed,
  type View,
} from "./lake.ts";

/** Which rows of the quarantine. */
export interface QuarantineFilter {
  /** A reason code; null: any. */
  readonly reason: string | null;
  /** Records produced at or after it, milliseconds since 1970; null: all. */
  readonly since_ms: number | null;
}

/** A record as it was in Kafka. */
export interface QuarantinedRecord {
  readonly topic: string;
  /** Empty where Bronze does not hold the record any more. */
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly reason: string;
}

/** Views of one state of the quarantine beside Bronze as it is now. */
export function quarantineViews(
  tables: readonly LakeTable[],
  quarantine_snapshot_id?: string | null,
): readonly View[] {
  return ["bronze.trades", "silver.quarantine"].map((name) => {
    const newest = newestView(tableNamed(tables, name));
    const is_pinned = name === "silver.quarantine" && quarantine_snapshot_id !== undefined;
    return is_pinned ? { ...newest, snapshot_id: quarantine_snapshot_id } : newest;
  });
}

/** Opens the views, and closes them once `use` is done. */
export async function withQuarantine<T>(
  options: {
    readonly root: string;
    readonly data_dir: string;
    readonly views: readonly View[];
  },
  use: (lake: Lake) => Promise<T>,
): Promise<T> {
  using lake = await openLake(options);
  return await use(lake);
}

/** How many records may be tried again, by topic. */
export async function countQuarantined(
  { connection }: Lake,
  filter: QuarantineFilter,
): Promise<ReadonlyMap<string, number>> {
  const counts = `SELECT kafka_topic, count(*)::INT FROM (${rowsOf(filter)}) GROUP BY ALL`;
  const reader = await connection.runAndReadAll(counts);
  return new Map(reader.getRows().map(([topic, count]) => [String(topic), Number(count)]));
}

/**
 * The records, oldest first, in batches of at most so many of them; a batch also ends where its
 * values come to more than so many bytes.
 */
export async function* readQuarantined(
  { connection }: Lake,
  filter: QuarantineFilter,
  limits: { readonly count_max: number; readonly bytes_max: number },
): AsyncGenerator<readonly QuarantinedRecord[]> {
  const result = await connection.stream(
    `SELECT kafka_topic, reason, coalesce(to_base64(key), ''), to_base64(value)
     FROM (${rowsOf(filter)}) ORDER BY kafka_timestamp, kafka_topic, partition, "offset"`,
  );
  let batch: QuarantinedRecord[] = [];
  let bytes = 0;
  for await (const rows of result.yieldRows()) {
    for (const [topic, reason, key, value] of rows) {
      const record = {
        topic: String(topic),
        reason: String(reason),
        key: Buffer.from(String(key), "base64"),
        value: Buffer.from(String(value), "base64"),
      };
      batch.push(record);
      bytes += record.value.length;
      if (batch.length < limits.count_max && bytes <= limits.bytes_max) continue;
      yield batch;
      batch = [];
      bytes = 0;
    }
  }
  if (batch.length > 0) yield batch;
}

/** A topic that was made anew has a name of its own in the lake (`name#2`), and one in Kafka. */
function rowsOf({ reason, since_ms }: QuarantineFilter): string {
  const conditions = [
    ...(reason === null ? [] : [`n.reason = ${quoted(reason)}`]),
    ...(since_ms === null ? [] : [`n.kafka_timestamp >= epoch_ms(${since_ms})`]),
  ];
  return `
    WITH newest AS (
      SELECT split_part(q.topic, '#', 1) AS kafka_topic, q.*
      FROM silver.quarantine AS q
      WHERE q.value IS NOT NULL
      QUALIFY row_number() OVER (
        PARTITION BY split_part(q.topic, '#', 1), q.value
        ORDER BY q.kafka_timestamp DESC, q.partition DESC, q."offset" DESC
      ) = 1
    )
    SELECT n.*, b.key
    FROM newest AS n
    LEFT JOIN bronze.trades AS b
      ON b.topic = n.topic AND b.partition = n.partition AND b."offset" = n."offset"
    WHERE ${["true", ...conditions].join(" AND ")}
      AND NOT EXISTS (
        SELECT 1 FROM bronze.trades AS l
        WHERE l.value = n.value AND split_part(l.topic, '#', 1) = n.kafka_topic
          AND (l.kafka_timestamp, l.partition, l."offset")
            > (n.kafka_timestamp, n.partition, n."offset")
      )`;
}
