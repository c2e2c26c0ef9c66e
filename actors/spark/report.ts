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
  /** It serves, and these queries run. */
  | { readonly type: "ready"; readonly queries: readonly string[] }
  | { readonly type: "heartbeat" }
  | { readonly type: "progress"; readonly query: string; readonly figures: Figures }
  /** What the driver goes on with, but a person should know. */
  | { readonly type: "warning"; readonly reason: string }
  | { readonly type: "maintained"; readonly report: MaintenanceReport }
  /** A query is in the midst of a batch and has come a step further. */
  | { readonly type: "working"; readonly query: string }
  /** A query was not started: Kafka has lost what it was to read next. */
  | { readonly type: "offsets_lost"; readonly query: string; readonly reason: string }
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
    case "heartbeat":
    case "drained":
      return { type: value.type };
    case "ready":
      return { type: "ready", queries: texts(value.queries) };
    case "working":
      return { type: "working", query };
    case "progress":
      return { type: "progress", query, figures: scalars(value) };
    case "warning":
      return { type: "warning", reason: reasonIn(value) };
    case "maintained": {
      const report = readMaintenanceReport(value);
      return report === undefined ? other : { type: "maintained", report };
    }
    case "offsets_lost":
      return { type: "offsets_lost", query, reason: reasonIn(value) };
    case "failed":
      return { type: "failed", query, reason: reasonIn(value) };
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

/** Ends the name of the figure that says why a query does not run. */
const stopped = "_stopped";

/** Forgets why queries did not run: a new driver says it again, where it is still so. */
export function forgetStopped(figures: Figures): void {
  for (const name of Object.keys(figures)) if (name.endsWith(stopped)) delete figures[name];
}

/**
 * Adds that a query does not run, in one sentence that says what to do (`bronze_trades_stopped`).
 *
 * @param reasons What is lost, a clause for each partition.
 */
export function addStopped(figures: Figures, query: string, reasons: readonly string[]): void {
  const more = reasons.length > 1 ? ` (and ${reasons.length - 1} more partitions are like it)` : "";
  const remedy = "`bun run start --accept-lost-offsets` goes on without them";
  figures[`${query}${stopped}`] = `${reasons[0]}${more}: ${remedy}`;
}

function reasonIn(value: Readonly<Record<string, unknown>>): string {
  return String(value.reason ?? "no reason given");
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
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
