/**
 * What maintenance came to, as people read it: a line for each table, before and after, then what
 * was left undone. Pure.
 *
 * @module
 */

import type { MaintenanceReport, TableMaintenance } from "../actors/spark/maintenance_report.ts";
import { textTable } from "../actors/validator/text_table.ts";

const columns = ["table", "files", "size", "snapshots", "metadata", "rows deleted", "orphans"];

/** A table, the reasons for what was skipped, and a summary. */
export function maintenanceAsText(report: MaintenanceReport): string {
  const table = textTable(
    columns.map((name, index) => ({ name, is_right: index > 0 })),
    report.tables.map(cellsOf),
  );
  const skipped = report.tables.flatMap(({ table, skipped }) =>
    skipped.map((reason) => `${table}: ${reason}\n`),
  );
  const files = sum(report, ({ rewritten_files }) => rewritten_files);
  const bytes = sum(report, ({ rewritten_bytes }) => rewritten_bytes);
  const joined = files === 0 ? "No files needed joining" : `Joined ${files} files`;
  const size = files === 0 ? "" : ` (${bytesText(bytes)})`;
  const end = `${report.seconds.toFixed(1)} s, ended ${report.timestamp}`;
  return `${[table, ...skipped].join("")}${joined}${size}; ${end}\n`;
}

function cellsOf(table: TableMaintenance): readonly string[] {
  const { files, bytes, snapshots, metadata_bytes } = table;
  return [
    table.table,
    arrow(files, String),
    arrow(bytes, bytesText),
    arrow(snapshots, String),
    arrow(metadata_bytes, bytesText),
    String(table.rows_deleted),
    String(table.orphans_removed),
  ];
}

function arrow(
  { before, after }: TableMaintenance["files"],
  textOf: (value: number) => string,
): string {
  return before === after ? textOf(after) : `${textOf(before)} -> ${textOf(after)}`;
}

function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** step;
  return `${step === 0 ? value : value.toFixed(1)} ${units[step]}`;
}

function sum(report: MaintenanceReport, of: (table: TableMaintenance) => number): number {
  return report.tables.reduce((total, table) => total + of(table), 0);
}
