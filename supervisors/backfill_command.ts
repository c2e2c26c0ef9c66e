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
import { createImportProgress, type ImportProgress } from "./import_progress.ts";
import { type Platform, runPlatform, statusToken } from "./platform.ts";

const poll_interval_ms = 500;
const answer_ms_max = 5_000;

/** Imports history; exit code 0 once all of it is acknowledged. */
export const run: Run = async ({ flags, settings, root }) => {
  const started_ms = Date.now();
  const options = readBackfillOptions(flags, settings, started_ms);
  const log = createLog({
    format: options.start.log_format,
    write: (line) => process.stderr.write(line),
    now_ms: Date.now,
  });
  const progress = createImportProgress({
    exchange: options.exchange.exchange,
    native_symbol: options.native_symbol,
    is_terminal: process.stderr.isTTY,
    write: (text) => process.stderr.write(text),
    now_ms: Date.now,
  });
  if (lockHolder(settings.data_dir) !== null) return await askPlatform(options, progress);
  const { exchange, native_symbol } = options;
  return await runPlatform({
    // The lake takes the trades out of Kafka when the platform runs the next time.
    options: { ...options.start, role: "feed" },
    fed: [{ ...exchange, native_symbols: [native_symbol] }],
    feeding: "history",
    root,
    log,
    started_ms,
    watch: (platform, signal) => runImport(platform, { options, progress, signal }),
  });
};

/** Lets the running platform import, and shows how far it is. */
async function askPlatform(options: BackfillOptions, progress: ImportProgress): Promise<number> {
  const { settings } = options.start;
  const url = statusUrl(settings.status_host, settings.status_port);
  await readStatus(url);
  const { exchange, native_symbol, from_timestamp, to_timestamp } = options;
  const response = await fetch(new URL("/imports", url), {
    method: "POST",
    headers: { authorization: `Bearer ${statusToken(settings)}` },
    body: JSON.stringify({
      exchange: exchange.exchange,
      native_symbol,
      from_timestamp,
      to_timestamp,
    }),
    signal: AbortSignal.timeout(answer_ms_max),
  });
  if (!response.ok) throw new FailureError(await refusalOf(response));
  for (;;) {
    await Bun.sleep(poll_interval_ms);
    const { tree } = await readStatus(url).catch((error: unknown) => {
      throw new FailureError(
        `The platform does not answer any more: its next start goes on with the import ` +
          `(${reasonOf(error)})`,
      );
    });
    if (progress.show(tree) === "done") return exit_codes.done;
  }
}

async function refusalOf(response: Response): Promise<string> {
  const body: unknown = await response.json().catch(() => null);
  const is_told = typeof body === "object" && body !== null && "error" in body;
  return is_told ? String(body.error) : `The platform answered with HTTP ${response.status}`;
}

/** Wants the history of the platform that was started for it; resolves once it is acknowledged. */
function runImport(
  { tree, memory }: Platform,
  of: {
    readonly options: BackfillOptions;
    readonly progress: ImportProgress;
    readonly signal: AbortSignal;
  },
): Promise<number> {
  const { options, progress, signal } = of;
  const { native_symbol, from_timestamp, to_timestamp } = options;
  for (const { continuities } of memory?.exchanges ?? []) {
    continuities.get(native_symbol)?.addImport({ from_timestamp, to_timestamp });
  }
  const { promise, resolve } = Promise.withResolvers<number>();
  const timer = setInterval(() => {
    if (progress.show(tree.node()) === "done") resolve(exit_codes.done);
  }, poll_interval_ms);
  signal.addEventListener("abort", () => clearInterval(timer));
  return promise;
}
