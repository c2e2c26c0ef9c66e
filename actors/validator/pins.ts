/**
 * Which state of each table a validation compares. gold.ohlcv is taken as it is; gold.trades at the
 * snapshot with the same consumed positions; Silver and Bronze are append only, so theirs is the
 * newest, read only up to those positions. Whatever Spark commits meanwhile stays out of sight, and
 * a lake that is being written gives no false alarm.
 *
 * @module
 */

import { FailureError } from "../settings/exit.ts";
import { type Bounds, boundsOf } from "./bounds.ts";
import { type LakeTable, tableNamed, type View } from "./lake.ts";
import { consumedPositions, type Positions, snapshotConsuming } from "./table_metadata.ts";

/** Tables that a validation compares. */
const compared_tables = [
  "bronze.trades",
  "bronze.dead_letters",
  "silver.trades",
  "silver.quarantine",
  "silver.gaps",
  "gold.trades",
  "gold.ohlcv",
] as const;

/** Tables that have no positions of trades. */
const unbounded_tables: readonly string[] = ["bronze.dead_letters", "silver.gaps", "gold.ohlcv"];

/** One state of every compared table, as views to read it by. */
export interface Pins {
  readonly views: readonly View[];
  /** What gold.ohlcv has consumed; empty before its first commit. */
  readonly positions: Positions;
  /** Where checks begin. */
  readonly bounds: Bounds;
}

/** Keeps what Gold has consumed; `bounds.positions` holds the positions. */
const consumed_rows = `JOIN bounds.positions AS p
  ON t.topic = p.topic AND t.partition = p.partition WHERE t."offset" < p.next_offset`;

/**
 * Chooses one state of every compared table.
 *
 * @param since_ms Where checks are asked to begin, milliseconds since 1970; null: everywhere.
 * @throws {FailureError} where a table is missing, or its matching snapshot has expired.
 */
export function pinTables(tables: readonly LakeTable[], since_ms: number | null): Pins {
  const ohlcv = tableNamed(tables, "gold.ohlcv");
  const positions = consumedPositions(ohlcv.metadata) ?? {};
  const views = compared_tables.map((name): View => {
    const table = tableNamed(tables, name);
    if (name === "gold.trades") return { table, snapshot_id: goldTradesAt(table, positions) };
    const snapshot_id = table.metadata.snapshots[0]?.snapshot_id ?? null;
    const is_bounded = !unbounded_tables.includes(name);
    return is_bounded ? { table, snapshot_id, only: consumed_rows } : { table, snapshot_id };
  });
  return {
    views,
    positions,
    bounds: boundsOf(
      views.map(({ table }) => table),
      since_ms,
    ),
  };
}

function goldTradesAt(table: LakeTable, positions: Positions): string | null {
  const snapshot = snapshotConsuming(table.metadata, positions);
  if (snapshot !== null) return snapshot.snapshot_id;
  const has_consumed = Object.keys(positions).length > 0;
  if (!has_consumed || table.metadata.snapshots.length === 0) return null;
  throw new FailureError(
    "gold.trades has no snapshot left at the positions of gold.ohlcv, so they cannot be " +
      "compared: wait for the next commit of a running platform",
  );
}
