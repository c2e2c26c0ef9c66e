/**
 * Goal: whatever the driver prints, the tree shows right figures and the actor never throws.
 * Method: lines in, values out.
 */

import { expect, test } from "bun:test";
import type { Figures } from "../../../actors/messages.ts";
import { addMaintenance, readMaintenanceReport } from "../../../actors/spark/maintenance_report.ts";
import {
  addProgress,
  addStopped,
  forgetStopped,
  readSparkReport,
} from "../../../actors/spark/report.ts";

test("known lines are read, and fields that are no figures are left out", () => {
  expect(readSparkReport('{"type":"ready","queries":["refine",7]}')).toEqual({
    type: "ready",
    queries: ["refine"],
  });
  expect(readSparkReport('{"type":"working","query":"refine"}')).toEqual({
    type: "working",
    query: "refine",
  });
  expect(readSparkReport('{"type":"session","seconds":6.5,"pid":3,"jvm_pid":4}')).toEqual({
    type: "session",
    seconds: 6.5,
    jvm_pid: 4,
  });
  expect(readSparkReport('{"type":"failed","query":"refine","reason":"no disk"}')).toEqual({
    type: "failed",
    query: "refine",
    reason: "no disk",
  });
  expect(readSparkReport('{"type":"warning","reason":"a frame"}')).toEqual({
    type: "warning",
    reason: "a frame",
  });
  expect(readSparkReport('{"type":"progress","query":"refine","rows":3,"detail":{"a":1}}')).toEqual(
    { type: "progress", query: "refine", figures: { rows: 3 } },
  );
});

test("a report of maintenance becomes figures of the lake and of each table", () => {
  const line = {
    type: "maintained",
    timestamp: "2026-08-26T12:00:00.000Z",
    seconds: 1.5,
    failure: null,
    tables: [tableOf("bronze.trades", 7), tableOf("gold.trades", 5)],
  };
  const read = readSparkReport(JSON.stringify(line));
  if (read.type !== "maintained") throw new Error(`It is read as ${read.type}`);
  const [bronze] = read.report.tables;
  expect(bronze?.files).toEqual({ before: 9, after: 7 });
  expect(bronze?.skipped).toEqual(["one reason"]);
  // A platform passes on what it has read.
  expect(readMaintenanceReport({ ...read.report })).toEqual(read.report);
  const figures: Figures = {};
  addMaintenance(figures, read.report);
  expect(figures).toEqual({
    maintenance_at: "2026-08-26T12:00:00.000Z",
    maintenance_seconds: 1.5,
    maintenance_error: null,
    lake_files: 12,
    lake_bytes: 1200,
    "bronze.trades_files": 7,
    "bronze.trades_bytes": 700,
    "bronze.trades_metadata_bytes": 70,
    "gold.trades_files": 5,
    "gold.trades_bytes": 500,
    "gold.trades_metadata_bytes": 50,
  });
  addMaintenance(figures, { ...read.report, failure: "no disk", tables: [] });
  expect(figures).toMatchObject({ maintenance_error: "no disk", lake_files: 12 });
  const strange = JSON.stringify({ ...line, tables: [7] });
  expect(readSparkReport(strange)).toEqual({ type: "other", line: strange });
});

function tableOf(table: string, files: number) {
  const sizes = {
    files: { before: 9, after: files },
    bytes: { before: 900, after: files * 100 },
    metadata_bytes: { before: 90, after: files * 10 },
  };
  return { table, ...sizes, skipped: ["one reason"] };
}

test.each(["", "null", "[]", "{", '{"type":7}', "Picked up JAVA_TOOL_OPTIONS"])(
  "%p is passed on as an unknown line",
  (line) => {
    expect(readSparkReport(line)).toEqual({ type: "other", line });
  },
);

test("figures hold a query's latest progress and the sum of its rows", () => {
  const figures: Figures = {};
  addProgress(figures, { query: "refine", figures: { rows: 10, lag_s: 4.5 } });
  addProgress(figures, { query: "refine", figures: { rows: 5, lag_s: null } });
  addProgress(figures, { query: "refine", figures: { rows: 0, lag_s: null } });
  addProgress(figures, { query: "bronze_trades", figures: { rows: 1 } });
  expect(figures).toEqual({
    refine_lag_s: null,
    refine_rows_total: 15,
    refine_batches_total: 2,
    bronze_trades_rows_total: 1,
    bronze_trades_batches_total: 1,
  });
});

test("a query that does not run says why and what to do, until the next driver starts", () => {
  const line = readSparkReport(
    '{"type":"offsets_lost","query":"bronze_trades","topic":"t","first":3,"end":6,"reason":"t/0 lost"}',
  );
  expect(line).toEqual({ type: "offsets_lost", query: "bronze_trades", reason: "t/0 lost" });
  const figures: Figures = { refine_rows_total: 3 };
  addStopped(figures, "bronze_trades", ["t/0 lost"]);
  expect(figures.bronze_trades_stopped).toBe(
    "t/0 lost: `bun run start --accept-lost-offsets` goes on without them",
  );
  addStopped(figures, "bronze_trades", ["t/0 lost", "t/1 lost", "t/2 lost"]);
  expect(figures.bronze_trades_stopped).toStartWith(
    "t/0 lost (and 2 more partitions are like it): `bun run start",
  );
  forgetStopped(figures);
  expect(figures).toEqual({ refine_rows_total: 3 });
});
