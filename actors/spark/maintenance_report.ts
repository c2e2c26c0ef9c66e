/**
 * What a run of maintenance came to, as the driver tells it, and how it becomes figures. The driver
 * is another program in another language, so everything is checked.
 *
 * @module
 */

import type { Figures } from "../messages.ts";

/** A number before the run and after it. */
interface Change {
  readonly before: number;
  readonly after: number;
}

/** What was found and done in one table. */
export interface TableMaintenance {
  /** As SQL names it: `gold.trades`. */
  readonly table: string;
  /** Files and bytes that hold the current rows. */
  readonly files: Change;
  readonly bytes: Change;
  readonly snapshots: Change;
  /** Of the current metadata file, which each commit writes anew. */
  readonly metadata_bytes: Change;
  readonly rows_deleted: number;
  readonly rewritten_files: number;
  readonly rewritten_bytes: number;
  readonly orphans_removed: number;
  /** What was left undone, and why, a sentence each. */
  readonly skipped: readonly string[];
}

/** One run over all tables. */
export interface MaintenanceReport {
  /** When it ended, ISO 8601, UTC. */
  readonly timestamp: string;
  readonly seconds: number;
  /** What went wrong, one sentence; null: nothing. */
  readonly failure: string | null;
  readonly tables: readonly TableMaintenance[];
}

type Values = Readonly<Record<string, unknown>>;

/** Reads the driver's line, or the same from a platform; undefined where it is no such report. */
export function readMaintenanceReport(value: Values): MaintenanceReport | undefined {
  const { timestamp, seconds, failure = null, tables } = value;
  if (typeof timestamp !== "string" || typeof seconds !== "number") return undefined;
  if (typeof failure !== "string" && failure !== null) return undefined;
  if (!Array.isArray(tables)) return undefined;
  const read = tables.flatMap((table: unknown) => readTable(table) ?? []);
  return read.length === tables.length ? { timestamp, seconds, failure, tables: read } : undefined;
}

/** Adds a report to the driver's figures, each table's size by the table's name. */
export function addMaintenance(figures: Figures, report: MaintenanceReport): void {
  figures.maintenance_at = report.timestamp;
  figures.maintenance_seconds = report.seconds;
  figures.maintenance_error = report.failure;
  // A run that failed before it had looked knows nothing of the lake.
  if (report.tables.length === 0) return;
  figures.lake_files = 0;
  figures.lake_bytes = 0;
  for (const { table, files, bytes, metadata_bytes } of report.tables) {
    figures.lake_files += files.after;
    figures.lake_bytes += bytes.after;
    figures[`${table}_files`] = files.after;
    figures[`${table}_bytes`] = bytes.after;
    figures[`${table}_metadata_bytes`] = metadata_bytes.after;
  }
}

function readTable(value: unknown): TableMaintenance | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const values: Values = { ...value };
  const { table, skipped } = values;
  if (typeof table !== "string" || !Array.isArray(skipped)) return undefined;
  return {
    table,
    files: change(values, "files"),
    bytes: change(values, "bytes"),
    snapshots: change(values, "snapshots"),
    metadata_bytes: change(values, "metadata_bytes"),
    rows_deleted: count(values, "rows_deleted"),
    rewritten_files: count(values, "rewritten_files"),
    rewritten_bytes: count(values, "rewritten_bytes"),
    orphans_removed: count(values, "orphans_removed"),
    skipped: skipped.map(String),
  };
}

function change(values: Values, name: string): Change {
  const found = values[name];
  const sizes: Values = typeof found === "object" ? { ...found } : {};
  return { before: count(sizes, "before"), after: count(sizes, "after") };
}

function count(values: Values, name: string): number {
  const value = values[name];
  return typeof value === "number" ? value : 0;
}
