/**
 * `bench normalize [--frames FILE] [--to trade|record] [--count n]`: how fast raw frames become
 * trades or encoded records, as a share of the floor of the same machine, measured in one run.
 * `bench feed` is the same from the sockets on, `bench producer` from the encoded record on,
 * `bench lake` from Kafka on, and `bench checks` on the lake; each has a file of its name.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { exchanges } from "../exchanges/mod.ts";
import { exit_codes, FailureError, reasonOf, UsageError } from "../settings/exit.ts";
import type { Flags, Invocation } from "../settings/invocation.ts";
import { readNumber } from "../settings/number.ts";
import { type BenchFrame, exchangeOf } from "./bench_frame.ts";
import { benchChecks } from "./checks_bench.ts";
import { benchFeed } from "./feed_bench.ts";
import { benchLake } from "./lake_bench.ts";
import { measure } from "./measure.ts";
import { benchProducer } from "./producer_bench.ts";
import { seedFrames } from "./seed_frames.ts";
import { recordStretch, tradeStretch } from "./stretch.ts";

const stretches = { trade: tradeStretch, record: recordStretch };
const frames_default = 200_000;
const frames_max = 5_000_000;
const bytes_per_mb = 1e6;

/** A bench, and the flags that belong to it. */
interface Bench {
  readonly flags: readonly string[];
  readonly run: (invocation: Invocation) => Promise<number>;
}

const benches: Readonly<Record<string, Bench>> = {
  normalize: { flags: ["frames", "to", "count"], run: ({ flags }) => benchNormalize(flags) },
  feed: { flags: ["to", "seconds"], run: benchFeed },
  producer: { flags: ["to", "seconds"], run: benchProducer },
  lake: { flags: ["to", "rows", "rate", "seconds"], run: benchLake },
  checks: { flags: ["rows"], run: benchChecks },
};

/** Runs the bench that the first argument names. */
export async function run(invocation: Invocation): Promise<number> {
  const { flags, positionals } = invocation;
  const [name = ""] = positionals;
  const bench = positionals.length === 1 ? benches[name] : undefined;
  if (bench === undefined) {
    const current = positionals.length === 0 ? "none is named" : `"${positionals.join(" ")}"`;
    const allowed = Object.keys(benches).join(", ");
    throw new UsageError(`Cannot run this bench: ${current}, it must be one of ${allowed}`);
  }
  const foreign = Object.keys(flags).find(
    (flag) => flags[flag] !== undefined && !bench.flags.includes(flag),
  );
  if (foreign !== undefined) throw new UsageError(`--${foreign} does not belong to bench ${name}`);
  return await bench.run(invocation);
}

async function benchNormalize(flags: Flags): Promise<number> {
  const stretch = stretches[readTarget(flags.to)];
  const frames = await readFrames(
    flags.frames,
    readNumber(flags, "count", frames_max) ?? frames_default,
  );
  const measurement = measure(stretch(frames, exchanges));
  const { trades, seconds, cpu_s, floor_cpu_s, rss_bytes, floor_ratio } = measurement;
  if (trades === 0) throw new FailureError("Cannot measure: the frames hold no readable trade");
  const [our_ns, floor_ns] = [cpu_s, floor_cpu_s].map((value) => nsPerTrade(value, trades));
  process.stderr.write(`${our_ns} ns of CPU a trade, the floor ${floor_ns}\n`);
  await Bun.write(
    Bun.stdout,
    `trades=${trades} seconds=${seconds.toFixed(4)} cpu_s=${cpu_s.toFixed(4)} ` +
      `rss_mb=${Math.round(rss_bytes / bytes_per_mb)} floor_ratio=${floor_ratio.toFixed(3)}\n`,
  );
  return exit_codes.done;
}

function readTarget(to: string | boolean | undefined): keyof typeof stretches {
  if (to === undefined || to === "trade") return "trade";
  if (to === "record") return "record";
  throw new UsageError(`--to is "${to}": it must be trade or record`);
}

async function readFrames(
  path: string | boolean | undefined,
  count: number,
): Promise<readonly BenchFrame[]> {
  if (path === undefined) return seedFrames(count);
  if (typeof path === "boolean" || path === "") {
    throw new UsageError("--frames needs the name of a file");
  }
  try {
    return framesOf(await readFile(path));
  } catch (error) {
    throw new FailureError(`Cannot read "${path}": ${reasonOf(error)}`, { cause: error });
  }
}

/** Each line gets memory of its own, as a frame from a socket has. */
function framesOf(bytes: Buffer): readonly BenchFrame[] {
  const frames: BenchFrame[] = [];
  let start = 0;
  while (start < bytes.length) {
    const found = bytes.indexOf("\n", start);
    const end = found === -1 ? bytes.length : found;
    const text = bytes.toString("utf8", start, end).trim();
    if (text !== "") frames.push({ exchange: exchangeOf(text, exchanges), text });
    start = end + 1;
  }
  return frames;
}

function nsPerTrade(cpu_s: number, trades: number): string {
  return ((cpu_s * 1e9) / trades).toFixed(0);
}
