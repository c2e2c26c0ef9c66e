/**
 * What K2 needs to know of an Iceberg table, read from its `metadata.json`: where it stands, its
 * snapshots from the newest to the oldest, and how much of Kafka each of them has consumed.
 *
 * Iceberg has no commit over several tables, so a run that compares tables chooses one snapshot of
 * each: those with the same consumed positions, which Spark writes into every Silver and Gold
 * snapshot's summary. Nothing here touches a file.
 *
 * Format: https://iceberg.apache.org/spec/#table-metadata-fields
 *
 * @module
 */

import { isObject } from "../plain_object.ts";

/** For each topic and partition the first offset that is not consumed yet. */
export type Positions = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** One state of a table. */
interface Snapshot {
  /** 64 bits, hence text: a JavaScript number would lose its last digits. */
  readonly snapshot_id: string;
  /** When it was committed, milliseconds since 1970. */
  readonly timestamp_ms: number;
  /** Its own positions, or null: a maintenance commit consumes nothing. */
  readonly consumed: Positions | null;
}

/** What of an Iceberg table's metadata counts here. */
export interface TableMetadata {
  /** The folder that holds every file of the table, a path or a URL. */
  readonly location: string;
  /** Rows of earlier days may be gone, milliseconds since 1970; null: none has gone. */
  readonly retained_from_ms: number | null;
  /** The current snapshot and its ancestors, newest first; empty for a table never written to. */
  readonly snapshots: readonly Snapshot[];
  /** Whether earlier ones have expired. */
  readonly has_expired: boolean;
}

/** The key under which Spark writes the consumed positions into a snapshot's summary. */
const consumed_key = "k2.consumed";

/** The key under which maintenance writes from when on a table is whole. */
const retained_from_key = "k2.retained_from";

/**
 * Reads a table's `metadata.json`.
 *
 * @throws {Error} where the text is not the metadata of an Iceberg table.
 */
export function parseTableMetadata(text: string): TableMetadata {
  const table = record(JSON.parse(withIdsAsText(text)), "table metadata");
  const known = new Map<string, { snapshot: Snapshot; parent: string | null }>();
  for (const item of list(table.snapshots ?? [], "snapshots")) {
    const entry = record(item, "a snapshot");
    const snapshot_id = string(entry["snapshot-id"], "snapshot-id");
    const parent = entry["parent-snapshot-id"];
    known.set(snapshot_id, {
      snapshot: {
        snapshot_id,
        timestamp_ms: number(entry["timestamp-ms"], "timestamp-ms"),
        consumed: consumedOf(record(entry.summary ?? {}, "summary")),
      },
      parent: typeof parent === "string" ? parent : null,
    });
  }
  const snapshots: Snapshot[] = [];
  let id = table["current-snapshot-id"];
  // Each step removes a snapshot, so that a circle of parents could not go on for ever.
  while (typeof id === "string") {
    const found = known.get(id);
    if (found === undefined) break;
    known.delete(id);
    snapshots.push(found.snapshot);
    id = found.parent;
  }
  const retained_from_ms = retainedFrom(record(table.properties ?? {}, "properties"));
  const location = string(table.location, "location");
  return { location, retained_from_ms, snapshots, has_expired: typeof id === "string" };
}

/** The newest snapshot committed at or before a time, or null where the table was still empty. */
export function snapshotAsOf(table: TableMetadata, time_ms: number): Snapshot | null {
  return table.snapshots.find(({ timestamp_ms }) => timestamp_ms <= time_ms) ?? null;
}

/**
 * What a table's current state has consumed: the positions of the newest snapshot that has any. A
 * later one without positions is maintenance, and changes no row.
 */
export function consumedPositions(table: TableMetadata): Positions | null {
  return table.snapshots.find(({ consumed }) => consumed !== null)?.consumed ?? null;
}

/**
 * The state of a table that has consumed exactly `wanted`, with the maintenance that followed it;
 * where a batch changed nothing here and so was never committed, the newest state before it.
 *
 * @returns null where no snapshot is old enough: it has expired, or none was ever written.
 */
export function snapshotConsuming(table: TableMetadata, wanted: Positions): Snapshot | null {
  let candidate: Snapshot | null = null;
  for (const snapshot of table.snapshots) {
    // Newest first: a state's maintenance comes before the commit that consumed.
    candidate ??= snapshot;
    if (snapshot.consumed === null) continue;
    if (isWithin(snapshot.consumed, wanted)) return candidate;
    candidate = null;
  }
  return null;
}

function isWithin(positions: Positions, bound: Positions): boolean {
  return Object.entries(positions).every(([topic, partitions]) =>
    Object.entries(partitions).every(
      ([partition, next]) => next <= (bound[topic]?.[partition] ?? 0),
    ),
  );
}

function retainedFrom(properties: Readonly<Record<string, unknown>>): number | null {
  const text = properties[retained_from_key];
  return text === undefined
    ? null
    : number(Date.parse(string(text, retained_from_key)), retained_from_key);
}

function consumedOf(summary: Readonly<Record<string, unknown>>): Positions | null {
  const text = summary[consumed_key];
  if (typeof text !== "string") return null;
  const positions: Record<string, Record<string, number>> = {};
  for (const [topic, partitions] of Object.entries(record(JSON.parse(text), consumed_key))) {
    const next: Record<string, number> = {};
    for (const [partition, offset] of Object.entries(record(partitions, consumed_key))) {
      next[partition] = number(offset, consumed_key);
    }
    positions[topic] = next;
  }
  return positions;
}

/** Snapshot ids are 64-bit numbers in the file: quoted here, before a number would round them. */
function withIdsAsText(text: string): string {
  return text.replace(
    /"((?:parent-|current-)?snapshot-id)"\s*:\s*(-?\d+)/g,
    (_, name: string, id: string) => (id === "-1" ? `"${name}":null` : `"${name}":"${id}"`),
  );
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (!isObject(value)) throw new Error(`${what} must be an object`);
  return value;
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`${what} must be a list`);
  return value;
}

function string(value: unknown, what: string): string {
  if (typeof value !== "string") throw new Error(`${what} must be text`);
  return value;
}

function number(value: unknown, what: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) {
    throw new Error(`${what} must be an integer`);
  }
  return value;
}
