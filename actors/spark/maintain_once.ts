/**
 * Runs the Spark driver only to maintain a lake that no platform uses: without queries, Kafka or a
 * registry. It ends by itself when it is done.
 *
 * @module
 */

import { pythonOf } from "../port/python.ts";
import { FailureError } from "../settings/exit.ts";
import { spawnDriver } from "./driver_port.ts";
import type { MaintenanceReport } from "./maintenance_report.ts";
import { readSparkReport } from "./report.ts";
import type { SparkConfig } from "./spark.ts";

/** A lake of years that was never maintained. */
const run_ms_max = 6 * 3_600_000;

/**
 * Maintains the lake once.
 *
 * @param options.signal Ends it at once when it aborts; what is done by then stays done.
 * @throws {FailureError} where it could not be done: one sentence.
 */
export async function maintainOnce(options: {
  /** The checkout, where `spark/jobs` and the Python environment stand. */
  readonly root: string;
  /** Locked by the caller. */
  readonly data_dir: string;
  readonly config: SparkConfig;
  readonly signal: AbortSignal;
}): Promise<MaintenanceReport> {
  const { root, data_dir, config } = options;
  const deadline = AbortSignal.timeout(run_ms_max);
  const { promise, resolve, reject } = Promise.withResolvers<MaintenanceReport>();
  let report: MaintenanceReport | null = null;
  let failure = "";
  // Its stdin stays open: the driver ends with it.
  spawnDriver({
    name: "maintenance",
    root,
    python: pythonOf(root),
    data_dir,
    config,
    signal: AbortSignal.any([options.signal, deadline]),
    onLine: (text) => {
      const line = readSparkReport(text);
      if (line.type === "maintained") report = line.report;
      if (line.type === "failed") failure = line.reason;
    },
    onErrorLine: () => {},
    onExit: (exit) => {
      if (report !== null) return resolve(report);
      const is_late = deadline.aborted && !options.signal.aborted;
      const late = `It took longer than ${run_ms_max / 3_600_000} hours: run it again to go on`;
      reject(new FailureError(is_late ? late : failure === "" ? exit.reason : failure));
    },
  });
  return await promise;
}
