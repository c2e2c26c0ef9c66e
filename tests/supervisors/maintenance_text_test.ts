/**
 * Goal: a person sees what has become of each table, and what was left undone and why.
 * Method: a report as a value, and its text.
 */

import { expect, test } from "bun:test";
import { UsageError } from "../../actors/settings/exit.ts";
import type { TableMaintenance } from "../../actors/spark/maintenance_report.ts";
import { readMaintainFormat } from "../../supervisors/maintain_options.ts";
import { maintenanceAsText } from "../../supervisors/maintenance_text.ts";

const bronze: TableMaintenance = {
  table: "bronze.trades",
  files: { before: 120, after: 3 },
  bytes: { before: 3_670_016, after: 2_097_152 },
  snapshots: { before: 900, after: 700 },
  metadata_bytes: { before: 2048, after: 1000 },
  rows_deleted: 12,
  rewritten_files: 118,
  rewritten_bytes: 3_670_016,
  orphans_removed: 0,
  skipped: ["3 old rows wait for silver.trades to take them"],
};
const quiet: TableMaintenance = {
  ...bronze,
  table: "silver.gaps",
  files: { before: 0, after: 0 },
  bytes: { before: 0, after: 0 },
  snapshots: { before: 0, after: 0 },
  metadata_bytes: { before: 900, after: 900 },
  rows_deleted: 0,
  rewritten_files: 0,
  rewritten_bytes: 0,
  skipped: [],
};

test("each table is shown before and after, and what was left undone below", () => {
  const timestamp = "2026-08-26T12:00:00.000Z";
  const text = maintenanceAsText({
    timestamp,
    seconds: 4.25,
    failure: null,
    tables: [bronze, quiet],
  });
  const [, , first = "", second = ""] = text.split("\n");
  expect(first.trim().split(/ {2,}/)).toEqual([
    ...["bronze.trades", "120 -> 3", "3.5 MiB -> 2.0 MiB", "900 -> 700", "2.0 KiB -> 1000 B"],
    ...["12", "0"],
  ]);
  expect(second.trim().split(/ {2,}/).slice(0, 5)).toEqual([
    ...["silver.gaps", "0", "0 B", "0", "900 B"],
  ]);
  expect(text).toContain("\nbronze.trades: 3 old rows wait for silver.trades to take them\n");
  expect(text).toEndWith(`Joined 118 files (3.5 MiB); 4.3 s, ended ${timestamp}\n`);
});

test("a format that there is not is wrong use", () => {
  expect(readMaintainFormat({})).toBe("table");
  expect(readMaintainFormat({ format: "json" })).toBe("json");
  expect(() => readMaintainFormat({ format: "csv" })).toThrow(
    new UsageError('--format is "csv": it must be table or json'),
  );
});
