/**
 * `start`: runs the platform until the first signal drains it, and tells on the terminal how far it
 * has come.
 *
 * @module
 */

import { begun_variable, type Run } from "../actors/settings/invocation.ts";
import { createLog, type Log } from "../actors/settings/log.ts";
import { announcer } from "./announce.ts";
import { type Platform, runPlatform } from "./platform.ts";
import { readStartOptions, type StartOptions } from "./start_options.ts";

const announce_interval_ms = 500;

/** Runs the platform until the first signal drains it; exit code 1 where its tree gives up. */
export const run: Run = async ({ flags, settings, root, environment }) => {
  const started_ms = Date.now();
  const begun_ms = Number(environment[begun_variable] ?? performance.timeOrigin);
  const options = readStartOptions(flags, settings);
  const log = createLog({
    format: options.log_format,
    write: (line) => process.stderr.write(line),
    now_ms: Date.now,
  });
  return await runPlatform({
    options,
    fed: options.settings.exchanges,
    feeding: "live",
    root,
    log,
    started_ms,
    watch: (platform, signal) => announceProgress(platform, { options, log, begun_ms, signal }),
  });
};

/** Tells each milestone once. A start does not end by itself, so this never resolves. */
function announceProgress(
  { tree, token }: Platform,
  start: {
    readonly options: StartOptions;
    readonly log: Log;
    /** When the command began, set-up included; milliseconds since 1970. */
    readonly begun_ms: number;
    readonly signal: AbortSignal;
  },
): Promise<never> {
  const { options, log, begun_ms, signal } = start;
  const exchanges = options.settings.exchanges.map(({ exchange }) => exchange);
  const news = announcer(exchanges);
  let is_address_told = false;
  const timer = setInterval(() => {
    const node = tree.node();
    const url = node.children.find(({ id }) => id === "status")?.figures.url;
    if (!is_address_told && typeof url === "string") {
      is_address_told = true;
      log.info(`Status page: ${url}`);
      // A secret belongs on a terminal, never into a log file.
      if (process.stderr.isTTY) process.stderr.write(`Token for its commands: ${token}\n`);
    }
    const seconds = ((Date.now() - begun_ms) / 1000).toFixed(1);
    for (const line of news(node)) log.info(`${line} (after ${seconds} s)`);
  }, announce_interval_ms);
  signal.addEventListener("abort", () => clearInterval(timer));
  return new Promise(() => {});
}
