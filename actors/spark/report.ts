/**
 * What the Spark driver says on its stdout, one JSON object a line, and how it becomes figures on
 * the status tree. The driver is another program in another language, so every line is checked.
 *
 * @module
 */

import type { Figures } from "../messages.ts";
import { type MaintenanceReport, readMaintenanceReport } from "./maintenance_report.ts";

/** One line of the driver. */
export type SparkReport =
  | { readonly type: "session"; readonly seconds: number; readonly jvm_pid: number | null }
  | { readonly type: "ready" }
  | { readonly type: "heartbeat" }
  | { readonly type: "progress"; readonly query: string; readonly figures: Figures }
  /** What the driver goes on with, but a person should know. */
  | { readonly type: "warning"; readonly reason: string }
  | { readonly type: "maintained"; readonly report: MaintenanceReport }
  | { readonly type: "failed"; readonly query: string; readonly reason: string }
  | { readonly type: "drained" }
  /** Nothing we know: logged, never trusted. */
  | { readonly type: "other"; readonly line: string };

/** Reads one line; never throws. */
export function readSparkReport(line: string): SparkReport {
  const value = parseObject(line);
  const other: SparkReport = { type: "other", line };
  if (value === undefined) return other;
  const query = typeof value.query === "string" ? value.query : "driver";
  switch (value.type) {
    case "session":
      return {
        type: "session",
        seconds: typeof value.seconds === "number" ? value.seconds : 0,
        jvm_pid: typeof value.jvm_pid === "number" ? value.jvm_pid : null,
      };
    case "ready":
    case "heartbeat":
    case "drained":
      return { type: value.type };
    case "progress":
      return { type: "progress", query, figures: scalars(value) };
    case "warning":
      return { type: "warning", reason: String(value.reason ?? "no reason given") };
    case "maintained": {
      const report = readMaintenanceReport(value);
      return report === undefined ? other : { type: "maintained", report };
    }
    case "failed":
      return { type: "failed", query, reason: String(value.reason ?? "no reason given") };
    default:
      return other;
  }
}

/**
 * Adds one progress report to the figures: each query's latest figures by its name
 * (`refine_lag_s`), and its rows since K2 started (`refine_rows_total`).
 */
export function addProgress(
  figures: Figures,
  progress: { readonly query: string; readonly figures: Figures },
): void {
  for (const [name, value] of Object.entries(progress.figures)) {
    if (name !== "rows") figures[`${progress.query}_${name}`] = value;
  }
  // An idle query repeats its figures without rows, to be known as living.
  const rows = Number(progress.figures.rows ?? 0);
  for (const [name, step] of [
    ["rows_total", rows],
    ["batches_total", rows > 0 ? 1 : 0],
  ] as const) {
    const total = figures[`${progress.query}_${name}`];
    figures[`${progress.query}_${name}`] = (typeof total === "number" ? total : 0) + step;
  }
}

function scalars(value: Readonly<Record<string, unknown>>): Figures {
  const figures: Figures = {};
  for (const [name, field] of Object.entries(value)) {
    if (name === "type" || name === "query") continue;
    const is_scalar = typeof field === "number" || typeof field === "string" || field === null;
    if (is_scalar) figures[name] = field;
  }
  return figures;
}

function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
