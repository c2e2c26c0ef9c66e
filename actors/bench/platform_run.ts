/**
 * The whole platform in a data directory, as a user starts it with the simulator, and what its
 * status tree says.
 *
 * @module
 */

import type { Figures } from "../messages.ts";
import { createLineSplitter } from "../port/lines.ts";
import { FailureError } from "../settings/exit.ts";
import { findNode, type StatusNode } from "../status/node.ts";
import { readStatus } from "../status/status_command.ts";

/** How to start it. */
export interface PlatformOptions {
  /** The checkout. */
  readonly root: string;
  readonly data_dir: string;
  /** Trades a second, over all symbols. */
  readonly rate: number;
}

/** A running platform. */
export interface RunningPlatform {
  /** Of its status server. */
  readonly url: string;
  /** Of K2's own process. */
  readonly pid: number;
}

const start_ms_max = 180_000;
const stop_ms_max = 40_000;
const look_ms = 1_000;

/** Starts the platform, has it used, and ends it. */
export async function usePlatform<Result>(
  options: PlatformOptions,
  use: (platform: RunningPlatform) => Promise<Result>,
): Promise<Result> {
  const rate = ["--rate", String(options.rate)];
  const start = ["--no-env-file", "main.ts", "start", "--simulate", ...rate];
  const child = Bun.spawn([process.execPath, ...start], {
    cwd: options.root,
    env: { ...withoutSettings(process.env), K2_DATA_DIR: options.data_dir, K2_STATUS_PORT: "0" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const address = addressIn(child.stderr);
  try {
    const url = await withDeadline(address, "show its status page", start_ms_max);
    return await Promise.race([use({ url, pid: child.pid }), endOf(child.exited)]);
  } finally {
    child.kill("SIGTERM");
    await Promise.race([child.exited, Bun.sleep(stop_ms_max)]);
    child.kill("SIGKILL");
  }
}

/** The tree, once the refining query has taken so many trades; fails after `wait_ms_max`. */
export async function refined(
  url: string,
  rows: number,
  wait_ms_max = start_ms_max,
): Promise<StatusNode> {
  return await withDeadline(treeWith(url, rows), `refine ${rows} trades`, wait_ms_max);
}

async function treeWith(url: string, rows: number): Promise<StatusNode> {
  for (;;) {
    const tree = await treeAt(url).catch(() => null);
    const taken = numberIn(findSpark(tree)?.figures ?? {}, "refine_rows_total");
    if (tree !== null && taken >= rows) return tree;
    await Bun.sleep(look_ms);
  }
}

/** What the driver says of itself now. */
export async function sparkFigures(url: string): Promise<Readonly<Figures>> {
  const node = findSpark(await treeAt(url));
  if (node === undefined) throw new FailureError("Cannot measure: the platform has no lake");
  return node.figures;
}

/** A figure that is a number; NaN for any other. */
export function numberIn(figures: Readonly<Figures>, name: string): number {
  const value = figures[name];
  return typeof value === "number" ? value : Number.NaN;
}

async function endOf(exited: Promise<number>): Promise<never> {
  throw new FailureError(`Cannot measure: the platform ended with exit code ${await exited}`);
}

/** What is measured has the default settings. */
function withoutSettings(environment: Readonly<Record<string, string | undefined>>) {
  const kept = Object.entries(environment).filter(([name]) => !name.startsWith("K2_"));
  return Object.fromEntries(kept);
}

/** The address of the status page, once the platform's log says it; reads the log to its end. */
function addressIn(log: ReadableStream<Uint8Array>): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const lines = createLineSplitter((line) => {
    const found = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
    if (found !== undefined) resolve(found);
  });
  (async () => {
    for await (const chunk of log) lines.push(chunk);
    reject(new FailureError("Cannot measure: the platform ended"));
  })().catch(reject);
  return promise;
}

async function treeAt(url: string): Promise<StatusNode> {
  return (await readStatus(`${url}/status`)).tree;
}

function findSpark(tree: StatusNode | null): StatusNode | undefined {
  return tree === null
    ? undefined
    : findNode(tree, ({ id, kind }) => id === "spark" && kind === "port");
}

async function withDeadline<T>(promise: Promise<T>, what: string, wait_ms_max: number): Promise<T> {
  const deadline = Bun.sleep(wait_ms_max).then(() => {
    throw new FailureError(`Cannot measure: the platform did not ${what}`);
  });
  return await Promise.race([promise, deadline]);
}
