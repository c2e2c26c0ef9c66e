/**
 * One turn of the feed and one of its floor, each over sockets of its own, measured alike: what
 * the process spent until the source fell silent.
 *
 * @module
 */

import type { Continuity } from "../continuity/continuity.ts";
import type { Log } from "../settings/log.ts";
import { type FeedTarget, type FeedTargetOptions, openKeepingTarget } from "./feed_target.ts";
import { openFloorFeed } from "./floor_feed.ts";
import { type FedExchange, startLiveFeed } from "./live_feed.ts";
import type { Load } from "./load.ts";
import { watch } from "./watch.ts";

/** One turn of the feed. */
export interface Turn {
  readonly trades: number;
  /** Messages received up to the last trade. */
  readonly frames: number;
  /** From the first frame until the last trade was done. */
  readonly seconds: number;
  /** Of this process and the port's, and of the port's alone. */
  readonly cpu_s: number;
  readonly port_cpu_s: number;
  readonly rss_bytes: number;
  /** Ids of all symbols that were passed over, and records that were not done. */
  readonly lost: number;
  /** From received to done. */
  readonly p50_us: number;
  readonly p99_us: number;
}

/** What both kinds of turns need. */
export interface TurnOptions {
  readonly exchanges: readonly FedExchange[];
  readonly seconds_max: number;
  readonly first_seconds_max: number;
}

/** Runs the feed until its sockets fall silent; null where no trade came. */
export async function takeTurn(
  options: TurnOptions,
  target: FeedTarget,
  ground: { readonly log: Log; readonly now_us: () => number },
): Promise<Turn | null> {
  const { counts, latency, sink } = target;
  Bun.gc(true);
  const before = await target.usage();
  const feed = startLiveFeed({ ...ground, exchanges: options.exchanges, sink });
  try {
    const watched = await watch({
      ...options,
      count: () => target.progress(),
      count_max: Number.POSITIVE_INFINITY,
      failed: feed.failed,
    });
    feed.stop();
    if (watched === null || counts.trades === 0) return null;
    const begun = process.cpuUsage();
    await target.settle();
    const { user, system } = process.cpuUsage(begun);
    const after = await target.usage();
    const port_cpu_s = after.cpu_s - before.cpu_s;
    const missing = feed.continuities.reduce((sum, continuity) => sum + missingOf(continuity), 0);
    return {
      trades: counts.trades,
      frames: counts.frames_to_last,
      seconds: (target.doneUs() - counts.first_us) / 1e6,
      cpu_s: watched.cpu_s + (user + system) / 1e6 + port_cpu_s,
      port_cpu_s,
      rss_bytes: watched.rss_bytes + after.rss_bytes,
      lost: missing + target.undone(),
      p50_us: latency.percentile(0.5) ?? 0,
      p99_us: latency.percentile(0.99) ?? 0,
    };
  } finally {
    feed.stop();
  }
}

/** Ids of a symbol that are missing. */
function missingOf(continuity: Continuity): number {
  const ranges = (continuity.state()?.gaps ?? []).flatMap(({ remaining }) => remaining);
  return ranges.reduce((sum, { from_id, to_id }) => sum + to_id - from_id + 1, 0);
}

/**
 * Reads as many frames for the floor: nanoseconds of CPU that one costs. Null where not even half
 * of them came, since what is left is what a socket costs and not what a frame does.
 */
export async function takeFloorTurn(
  options: TurnOptions,
  frames_max: number,
): Promise<number | null> {
  Bun.gc(true);
  const feed = openFloorFeed(options.exchanges);
  try {
    const watched = await watch({
      ...options,
      count: feed.frames,
      count_max: frames_max,
      failed: new Promise(() => {}),
    });
    const frames = feed.frames();
    return watched === null || frames < frames_max / 2 ? null : (watched.cpu_s * 1e9) / frames;
  } finally {
    feed.close();
  }
}

/** Records of a feed, and how many frames they were found in. */
export interface KeptFeed {
  readonly load: Load;
  readonly frames: number;
}

/** More of them would only be more of the same. */
const kept_frames_max = 100_000;

/** Runs the feed once more and keeps what it sends to Kafka; null where no trade came. */
export async function keepFeed(
  options: TurnOptions,
  target: Omit<FeedTargetOptions, "wait"> & { readonly log: Log },
): Promise<KeptFeed | null> {
  const { counts, load, sink } = openKeepingTarget(target);
  const feed = startLiveFeed({ ...target, exchanges: options.exchanges, sink });
  try {
    await watch({
      ...options,
      count: () => counts.frames,
      count_max: kept_frames_max,
      failed: feed.failed,
    });
  } finally {
    feed.stop();
  }
  return counts.trades === 0 ? null : { load: await load(), frames: counts.frames };
}
