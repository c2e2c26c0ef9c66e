/**
 * The whole platform at a rate, as a user starts it: simulator, feed, broker, Spark. Its status
 * tree says how fresh Gold is, whether its lag stays flat, and which processes there are.
 *
 * @module
 */

import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Figures } from "../messages.ts";
import { FailureError } from "../settings/exit.ts";
import type { StatusNode } from "../status/node.ts";
import { groupUsage, processUsage } from "./kafka.ts";
import {
  numberIn,
  type RunningPlatform,
  refined,
  sparkFigures,
  usePlatform,
} from "./platform_run.ts";

/** What was seen of the platform. */
export interface Live {
  /** Trades that reached Gold while it was measured. */
  readonly rows: number;
  readonly seconds: number;
  /** From exchange time to visible in Gold, of the last five minutes at most. */
  readonly fresh_p50_s: number;
  readonly fresh_p99_s: number;
}

interface LiveOptions {
  /** The checkout. */
  readonly root: string;
  /** Trades a second, over all symbols. */
  readonly rate: number;
  readonly seconds: number;
  /** Takes a line of details. */
  readonly tell: (line: string) => void;
}

/** One look at the platform. */
interface Look {
  readonly at_ms: number;
  readonly figures: Readonly<Figures>;
}

/** The first batches are slow, while compilers warm up. */
const warm_up_ms = 120_000;
const look_ms = 1_000;

/** Starts the platform in a folder of its own, measures it, and ends it. */
export async function measureLive(options: LiveOptions): Promise<Live> {
  const { root, rate } = options;
  const data_dir = join(tmpdir(), `k2-bench-live-${process.pid}`);
  try {
    return await usePlatform({ root, rate, data_dir }, (platform) => measureAt(platform, options));
  } finally {
    await rm(data_dir, { recursive: true, force: true });
  }
}

async function measureAt({ url, pid }: RunningPlatform, options: LiveOptions): Promise<Live> {
  const { tell, rate, seconds } = options;
  const looks: Look[] = [];
  const begun = await refined(url, 1);
  tell(`Gold has its first trades; measured from ${warm_up_ms / 1_000} s later`);
  await Bun.sleep(warm_up_ms);
  const before = await usages(begun, pid);
  const started_ms = performance.now();
  while (performance.now() - started_ms < seconds * 1_000) {
    looks.push({ at_ms: performance.now(), figures: await sparkFigures(url) });
    await Bun.sleep(look_ms);
  }
  const after = await usages(begun, pid);
  const measured_s = (performance.now() - started_ms) / 1_000;
  for (const [name, { cpu_s, rss_bytes }] of after) {
    const cores = (cpu_s - (before.get(name)?.cpu_s ?? 0)) / measured_s;
    tell(`${name}: ${cores.toFixed(2)} cores, ${Math.round(rss_bytes / 1e6)} MB`);
  }
  return resultOf(looks, { rate, tell });
}

function resultOf(
  looks: readonly Look[],
  { rate, tell }: Pick<LiveOptions, "rate" | "tell">,
): Live {
  const first = looks[0];
  const last = looks.at(-1);
  if (first === undefined || last === undefined) throw new FailureError("Nothing was measured");
  const third = Math.ceil(looks.length / 3);
  const lags = [looks.slice(0, third), looks.slice(third, -third), looks.slice(-third)].map(
    (part) => averageOf(part, "refine_lag_s").toFixed(1),
  );
  const batches = looks.map(({ figures }) => numberIn(figures, "refine_batch_ms"));
  const ordered = batches.toSorted((one, other) => one - other);
  tell(
    `${rate} trades/s: lag ${lags.join(", ")} s in the thirds of the run; batches ` +
      `p50 ${ordered[ordered.length >> 1]} ms, longest ${ordered.at(-1)} ms`,
  );
  const total = (look: Look) => numberIn(look.figures, "refine_rows_total");
  return {
    rows: total(last) - total(first),
    seconds: (last.at_ms - first.at_ms) / 1_000,
    fresh_p50_s: numberIn(last.figures, "refine_fresh_p50_s"),
    fresh_p99_s: numberIn(last.figures, "refine_fresh_p99_s"),
  };
}

/** CPU time and memory of K2 and of each of its ports with what it has started, by name. */
async function usages(tree: StatusNode, pid: number) {
  const found = new Map([["k2", await processUsage(pid)]]);
  const stack = [tree];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    // A port leads a group of its own.
    if (typeof node.pid === "number") found.set(node.id, await groupUsage(node.pid));
    stack.push(...node.children);
  }
  return found;
}

function averageOf(looks: readonly Look[], name: string): number {
  return looks.reduce((sum, { figures }) => sum + numberIn(figures, name), 0) / looks.length;
}
