/**
 * `maintain`: keeps the lake in order once, and prints every table before and after. A platform
 * that runs on the data directory is asked to do it, so much as it does at each of its own turns;
 * without one, Spark is started for all that there is to do.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { lockDataDirectory, lockHolder, readOwnStamp } from "../actors/settings/data_directory.ts";
import { exit_codes, FailureError, reasonOf } from "../actors/settings/exit.ts";
import type { Run } from "../actors/settings/invocation.ts";
import type { Settings } from "../actors/settings/settings.ts";
import { maintainOnce } from "../actors/spark/maintain_once.ts";
import {
  type MaintenanceReport,
  readMaintenanceReport,
} from "../actors/spark/maintenance_report.ts";
import { readStatus, statusUrl } from "../actors/status/status_command.ts";
import { openOut, whileRead } from "../actors/validator/output.ts";
import { readMaintainFormat } from "./maintain_options.ts";
import { maintenanceAsText } from "./maintenance_text.ts";
import { acceptedAnswer, postToPlatform } from "./running_platform.ts";
import { sparkConfig } from "./tree.ts";

/** A running platform does a bounded amount; it may have to wait for its turn in every table. */
const answer_ms_max = 30 * 60_000;

/** Maintains the lake; exit code 1 where something of it could not be done. */
export const run: Run = async ({ flags, settings, root }) => {
  const format = readMaintainFormat(flags);
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => stopping.abort());
  const report =
    lockHolder(settings.data_dir) === null
      ? await maintainStopped(settings, root, stopping.signal)
      : await askPlatform(settings, stopping.signal);
  const text =
    format === "json" ? `${JSON.stringify(report, null, 2)}\n` : maintenanceAsText(report);
  await whileRead(() => openOut()(text));
  if (report.failure !== null) {
    throw new FailureError(
      `Not all could be done, and the next run tries again: ${report.failure}`,
    );
  }
  return exit_codes.done;
};

async function askPlatform(settings: Settings, signal: AbortSignal): Promise<MaintenanceReport> {
  await readStatus(statusUrl(settings.status_host, settings.status_port));
  const response = await postToPlatform(settings, "/maintenance", {
    signal: AbortSignal.any([signal, AbortSignal.timeout(answer_ms_max)]),
  }).catch((error: unknown) => {
    if (signal.aborted) {
      throw new FailureError("Interrupted: the running platform goes on with it");
    }
    const reason = reasonOf(error);
    throw new FailureError(`The platform did not say what it has done: ask again (${reason})`);
  });
  const answer = await acceptedAnswer(response);
  const report = readMaintenanceReport({ ...(typeof answer === "object" ? answer : null) });
  if (report !== undefined) return report;
  throw new FailureError("What answers is another version of K2: run its own `maintain`");
}

async function maintainStopped(
  settings: Settings,
  root: string,
  signal: AbortSignal,
): Promise<MaintenanceReport> {
  const { data_dir } = settings;
  readOwnStamp(data_dir);
  const catalog = join(data_dir, "lake/catalog.db");
  if (settings.catalog_uri === null && !existsSync(catalog)) {
    throw new FailureError(
      `There is no lake yet (${catalog} holds no table): ` +
        "run 'bun run start' and wait for its first bars, or set K2_DATA_DIR",
    );
  }
  const release = lockDataDirectory(data_dir);
  try {
    process.stderr.write(`No platform runs on ${data_dir}: Spark starts to maintain its lake\n`);
    return await maintainOnce({ root, data_dir, config: configOf(settings, root), signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new FailureError("Interrupted: what is done stays done, and the next run goes on");
  } finally {
    release();
  }
}

/** No query runs, so neither Kafka nor a registry is needed. */
function configOf(settings: Settings, root: string) {
  const kafka = { ...settings.kafka, properties: {} };
  const config = sparkConfig({
    settings: { ...settings, kafka },
    cluster: { brokers: "127.0.0.1:9", properties: {} },
    registry: { url: "http://127.0.0.1:9", login: null, ca: null },
    root,
  });
  return { ...config, mode: "maintain" as const };
}
