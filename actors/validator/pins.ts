/**
 * Which state of each table a validation compares. gold.ohlcv is taken as it is; gold.trades, and
 * what Silver makes of events, at the snapshots with the same consumed positions; the rest of
 * Silver and Bronze is append only, so it is the newest, of trades only up to those positions.
 * Whatever Spark commits meanwhile stays out of sight, and a lake that is being written gives no
 * false alarm.
 *
 * @module
 */

import { FailureError } from "../settings/exit.ts";
import { type Bounds, boundsOf } from "./bounds.ts";
import { type LakeTable, newestView, tableNamed, type View } from "./lake.ts";
import { consumedPositions, type Positions, snapshotConsuming } from "./table_metadata.ts";

/** How the state of a table is chosen that a validation compares. */
type Choice =
  /** The newest one. */
  | "newest"
  /** The newest one, and of it what Gold has consumed. */
  | "consumed"
  /** The one that has consumed what gold.ohlcv has. */
  | "as_bars";

const choices: Readonly<Record<string, Choice>> = {
  "bronze.trades": "consumed",
  "bronze.frames": "newest",
  "bronze.events": "newest",
  "bronze.dead_letters": "newest",
  "silver.trades": "consumed",
  "silver.quarantine": "consumed",
  "silver.frames": "newest",
  "silver.gaps": "as_bars",
  "silver.sessions": "as_bars",
  "silver.coverage": "as_bars",
  "gold.trades": "as_bars",
  "gold.ohlcv": "newest",
};

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
  const views = Object.entries(choices).map(([name, choice]): View => {
    const table = tableNamed(tables, name);
    if (choice === "as_bars") return { table, snapshot_id: snapshotAt(table, positions) };
    const newest = newestView(table);
    return choice === "consumed" ? { ...newest, only: consumed_rows } : newest;
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

function snapshotAt(table: LakeTable, positions: Positions): string | null {
  const snapshot = snapshotConsuming(table.metadata, positions);
  if (snapshot !== null) return snapshot.snapshot_id;
  // Nothing had been written to it then.
  if (!table.metadata.has_expired) return null;
  throw new FailureError(
    `${table.name} has no snapshot left at the positions of gold.ohlcv, so they cannot be ` +
      "compared: wait for the next commit of a running platform",
  );
}
