/**
 * `backfill`: imports a symbol's history over REST by the very path of the live feed. A platform
 * that runs on the data directory is asked to do it; without one, the part of it that is needed
 * runs until the import is done. What is left of an interrupted import is known to the data
 * directory, so the same command goes on with it.
 *
 * @module
 */

import { lockHolder } from "../actors/settings/data_directory.ts";
import { exit_codes, FailureError, reasonOf } from "../actors/settings/exit.ts";
import type { Run } from "../actors/settings/invocation.ts";
import { createLog } from "../actors/settings/log.ts";
import { readStatus, statusUrl } from "../actors/status/status_command.ts";
import { type BackfillOptions, readBackfillOptions } from "./backfill_options.ts";
import { createImportProgress, type ImportProgress, type ImportStatus } from "./import_progress.ts";
import { type Platform, runPlatform } from "./platform.ts";
import { acceptedAnswer, postToPlatform } from "./running_platform.ts";

const poll_interval_ms = 500;
const answer_ms_max = 5_000;

/** Imports history; exit code 0 once all of it is acknowledged, 1 where it is not all there. */
export const run: Run = async ({ flags, settings, root }) => {
  const started_ms = Date.now();
  const options = readBackfillOptions(flags, settings, started_ms);
  const log = createLog({
    format: options.start.log_format,
    write: (line) => process.stderr.write(line),
    now_ms: Date.now,
  });
  const progress = createImportProgress({
    ...options,
    exchange: options.exchange.exchange,
    is_terminal: process.stderr.isTTY,
    write: (text) => process.stderr.write(text),
    now_ms: Date.now,
  });
  if (lockHolder(settings.data_dir) !== null) return await askPlatform(options, progress);
  const { exchange, native_symbol } = options;
  let status: ImportStatus = { kind: "running" };
  const code = await runPlatform({
    // The lake takes the trades out of Kafka when the platform runs the next time.
    options: { ...options.start, role: "feed" },
    fed: [{ ...exchange, native_symbols: [native_symbol] }],
    feeding: "history",
    root,
    log,
    started_ms,
    async watch(platform, signal) {
      status = await runImport(platform, { options, progress, signal });
      return exit_codes.done;
    },
  });
  return code === exit_codes.done ? codeOf(status) : code;
};

/**
 * The exit code of how it ended.
 *
 * @throws {FailureError} where not all of the history is there.
 */
function codeOf(status: ImportStatus): number {
  if (status.kind === "done") return exit_codes.done;
  const interrupted = "Interrupted: the same command goes on with what is left";
  throw new FailureError(status.kind === "failed" ? status.reason : interrupted);
}

/** Lets the running platform import, and shows how far it is. */
async function askPlatform(options: BackfillOptions, progress: ImportProgress): Promise<number> {
  const { settings } = options.start;
  const url = statusUrl(settings.status_host, settings.status_port);
  await readStatus(url);
  const { exchange, native_symbol, from_timestamp, to_timestamp } = options;
  const response = await postToPlatform(settings, "/imports", {
    body: JSON.stringify({
      exchange: exchange.exchange,
      native_symbol,
      from_timestamp,
      to_timestamp,
    }),
    signal: AbortSignal.timeout(answer_ms_max),
  });
  await acceptedAnswer(response);
  const interrupted = interruption();
  for (;;) {
    await Promise.race([Bun.sleep(poll_interval_ms), interrupted]);
    const { tree } = await readStatus(url).catch((error: unknown) => {
      throw new FailureError(
        `The platform does not answer any more: its next start goes on with the import ` +
          `(${reasonOf(error)})`,
      );
    });
    const status = progress.show(tree);
    if (status.kind !== "running") return codeOf(status);
  }
}

/** Rejects at a signal: what the platform has been asked for, it goes on with. */
function interruption(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  // A signal may come while nobody waits for it.
  promise.catch(() => {});
  const reason = "Interrupted: the running platform goes on with the import";
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.on(signal, () => reject(new FailureError(reason)));
  }
  return promise;
}

/** Wants the history of the platform that was started for it; resolves once it is over. */
function runImport(
  { tree, memory }: Platform,
  of: {
    readonly options: BackfillOptions;
    readonly progress: ImportProgress;
    readonly signal: AbortSignal;
  },
): Promise<ImportStatus> {
  const { options, progress, signal } = of;
  const { native_symbol, from_timestamp, to_timestamp } = options;
  const range = { from_timestamp, to_timestamp };
  const continuities = (memory?.exchanges ?? []).flatMap(
    (remembered) => remembered.continuities.get(native_symbol) ?? [],
  );
  for (const continuity of continuities) continuity.addImport(range);
  const { promise, resolve } = Promise.withResolvers<ImportStatus>();
  const timer = setInterval(() => {
    const status = progress.show(tree.node());
    if (status.kind === "running") return;
    // What cannot be had is not asked again by the next start.
    if (status.kind === "failed") for (const one of continuities) one.removeImport(range);
    resolve(status);
  }, poll_interval_ms);
  signal.addEventListener("abort", () => clearInterval(timer));
  return promise;
}
