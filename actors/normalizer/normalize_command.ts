/**
 * `normalize [FILE] [--rejects FILE]`: frames as NDJSON to trades as NDJSON, by the code of the
 * live feed and without network, broker or lake.
 *
 * It streams: memory does not grow with the file, and a slow reader of its output slows it down.
 * A reader that goes away (`| head`) ends it quietly.
 *
 * @module
 */

import { close, open } from "node:fs";
import { realpath } from "node:fs/promises";
import { promisify } from "node:util";
import { instrumentCachePath, readInstrumentCache } from "../exchanges/instrument_cache.ts";
import { exchanges } from "../exchanges/mod.ts";
import { exit_codes, FailureError, reasonOf, UsageError } from "../settings/exit.ts";
import type { Invocation } from "../settings/invocation.ts";
import { createLineNormalizer, type LineResult, type NormalizeLine } from "./line_normalizer.ts";
import { type Line, readLines } from "./lines.ts";
import { PipeClosedError, TextOutput } from "./text_output.ts";

const openFile = promisify(open);
const closeFile = promisify(close);
const stdin_fd = 0;

/** Counts of the closing line. */
interface Counts {
  frames: number;
  trades: number;
  /** Frames that gave neither a trade nor a reject. */
  control: number;
  rejected: number;
}

/** Runs the command. The closing line on stderr is its only word beside the results. */
export async function run(invocation: Invocation): Promise<number> {
  const started_ms = performance.now();
  const { input, rejects_path } = readArguments(invocation);
  await requireDistinct(input, rejects_path);
  const input_fd = await openInput(input);
  const normalizeLine = createLineNormalizer(await knownExchanges(invocation.settings.data_dir));
  const rejects_fd = rejects_path === undefined ? undefined : await openRejects(rejects_path);
  const counts: Counts = { frames: 0, trades: 0, control: 0, rejected: 0 };
  try {
    const trades = new TextOutput(process.stdout.fd);
    const rejects = rejects_fd === undefined ? undefined : new TextOutput(rejects_fd);
    await normalizeAll({ input, input_fd, normalizeLine, trades, rejects, counts });
  } finally {
    if (rejects_fd !== undefined) await closeFile(rejects_fd);
  }
  const seconds = ((performance.now() - started_ms) / 1000).toFixed(3);
  const { frames, trades, control, rejected } = counts;
  process.stderr.write(
    `frames=${frames} trades=${trades} control=${control} rejected=${rejected} ` +
      `seconds=${seconds}\n`,
  );
  return exit_codes.done;
}

function readArguments({ flags, positionals }: Invocation) {
  const { rejects } = flags;
  if (positionals.length > 1) {
    throw new UsageError(`normalize reads one file, not ${positionals.length}: name one, or none`);
  }
  if (typeof rejects === "boolean" || rejects === "") {
    throw new UsageError("--rejects needs the name of a file");
  }
  const [input = "-"] = positionals;
  return { input, rejects_path: rejects };
}

/** Opened once: to open a named pipe twice would end its writer. */
async function openInput(path: string): Promise<number> {
  if (path === "-") return stdin_fd;
  try {
    return await openFile(path, "r");
  } catch (error) {
    throw new FailureError(`Cannot read "${path}": ${reasonOf(error)}`, { cause: error });
  }
}

async function requireDistinct(input: string, rejects_path: string | undefined): Promise<void> {
  if (input === "-" || rejects_path === undefined) return;
  const rejects_realpath = await realpath(rejects_path).catch(() => undefined);
  const input_realpath = await realpath(input).catch(() => null);
  if (rejects_realpath === input_realpath) {
    throw new UsageError(`--rejects "${rejects_path}" is the input itself: name another file`);
  }
}

async function openRejects(path: string): Promise<number> {
  try {
    return await openFile(path, "w");
  } catch (error) {
    throw new FailureError(`Cannot write "${path}": ${reasonOf(error)}`, { cause: error });
  }
}

function knownExchanges(data_dir: string) {
  return Promise.all(
    exchanges.map(async (adapter) => ({
      adapter,
      instruments: await cachedInstruments(data_dir, adapter.exchange),
    })),
  );
}

/** Names of assets are a courtesy here: without a cached list they are null. */
async function cachedInstruments(data_dir: string, exchange: string) {
  const cached = await readInstrumentCache(instrumentCachePath(data_dir, exchange));
  return cached?.instruments ?? [];
}

interface Work {
  readonly input: string;
  readonly input_fd: number;
  readonly normalizeLine: NormalizeLine;
  readonly trades: TextOutput;
  readonly rejects: TextOutput | undefined;
  readonly counts: Counts;
}

async function normalizeAll(work: Work): Promise<void> {
  const chunks = Bun.file(work.input_fd).stream();
  try {
    for await (const lines of readLines(chunks)) {
      for (const line of lines) await normalizeOne(work, line);
    }
    await work.trades.flush();
    await work.rejects?.flush();
  } catch (error) {
    await work.rejects?.flush().catch(() => {});
    if (error instanceof PipeClosedError) return;
    throw new FailureError(`Cannot normalize "${work.input}": ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

async function normalizeOne(work: Work, line: Line): Promise<void> {
  const { counts, trades, rejects } = work;
  const result: LineResult =
    line.text === undefined
      ? { trades: [], rejects: [{ reason: "line_unreadable", item: line.lossy_text }] }
      : work.normalizeLine(line.text, line.number);
  counts.frames += 1;
  counts.trades += result.trades.length;
  counts.rejected += result.rejects.length;
  if (result.trades.length + result.rejects.length === 0) counts.control += 1;
  for (const trade of result.trades) {
    await trades.addLine(JSON.stringify({ line: line.number, ...trade }));
  }
  if (rejects === undefined) return;
  for (const { reason, item } of result.rejects) {
    await rejects.addLine(JSON.stringify({ line: line.number, reason, item }));
  }
}
