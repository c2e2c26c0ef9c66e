/**
 * `bench feed [--to trade|acknowledged] [--seconds n]`: how fast the live feed reads its sockets,
 * as a share of the floor of the same machine.
 *
 * To trades, the floor is reading the same sockets with `JSON.parse`; to acknowledged, it is the
 * Kafka client alone with the records of the same feed. Feed and floor take turns, and turns go
 * on while they are short; the middle one by its share is told, the first ones left out, since
 * they warm up the compiler. A source that sends its trades but once has only one, and no floor.
 *
 * @module
 */

import { exchangeNamed } from "../exchanges/mod.ts";
import { Outbox } from "../producer/outbox.ts";
import { Budget } from "../rest/budget.ts";
import { hostClock } from "../settings/clock.ts";
import { exit_codes, FailureError, UsageError } from "../settings/exit.ts";
import type { Flags, Invocation } from "../settings/invocation.ts";
import type { Log } from "../settings/log.ts";
import { readSeconds } from "../settings/seconds.ts";
import type { ExchangeSettings } from "../settings/settings.ts";
import { warningsOnly } from "./bench_log.ts";
import { openFeedSource } from "./feed_source.ts";
import {
  type FeedTarget,
  type FeedTargetOptions,
  feedOutboxOptions,
  openKafkaTarget,
  openTradeTarget,
} from "./feed_target.ts";
import {
  type KeptFeed,
  keepFeed,
  type Turn,
  type TurnOptions,
  takeFloorTurn,
  takeTurn,
} from "./feed_turn.ts";
import { startKafka } from "./kafka.ts";
import { produceAlone } from "./kafka_floor.ts";
import type { FedExchange } from "./live_feed.ts";
import { countRecords } from "./load.ts";

const turns_max = 7;
/** Turns that only warm up the compiler, where there are more. */
const warm_up_turns = 2;
/** No further turn begins after this; with Kafka, one and its floor take some ten seconds. */
const bench_seconds_max = 60;
const seconds_default = 60;
/** A socket that takes longer to bring its first trade brings none. */
const first_seconds_max = 20;
const bytes_per_mb = 1e6;

/** A turn, and what the floor took for each frame as a share of what the feed took. */
interface MeasuredTurn extends Turn {
  readonly floor_ratio: number;
}

/** Makes the place where the records of one turn end. */
type OpenTarget = () => Promise<FeedTarget>;

/** Takes a turn of the floor for so many frames: nanoseconds of CPU a frame; null without one. */
type TakeFloor = (frames: number) => Promise<number | null>;

/** How a target is made and what it is measured against. */
interface Course {
  readonly openTarget: OpenTarget;
  readonly takeFloor: TakeFloor;
}

/** Runs the bench; its last line is the result. */
export async function benchFeed(invocation: Invocation): Promise<number> {
  const to = readTarget(invocation.flags);
  const seconds_max = readSeconds(invocation.flags) ?? seconds_default;
  const log = warningsOnly();
  const source = await openFeedSource(invocation);
  try {
    const { settings } = invocation;
    const turn = {
      exchanges: source.exchanges.map(fedExchange),
      seconds_max,
      first_seconds_max,
    };
    const target: FeedTargetOptions = {
      settings,
      exchanges: source.exchanges.map(({ exchange }) => exchange),
      now_us: hostClock(),
      now_ms: () => performance.now(),
      wait: Bun.sleep,
    };
    const turns =
      to === "trade"
        ? await takeTurns(turn, tradeCourse(turn, target), { ...target, log })
        : await takeTurnsWithKafka(turn, target, { log, root: invocation.root });
    await Bun.write(Bun.stdout, resultOf(turns));
    return exit_codes.done;
  } finally {
    await source.close();
  }
}

function readTarget({ to }: Flags): "trade" | "acknowledged" {
  if (to === undefined || to === "trade") return "trade";
  if (to === "acknowledged") return "acknowledged";
  throw new UsageError(`--to is "${to}": it must be trade or acknowledged`);
}

function fedExchange(settings: ExchangeSettings): FedExchange {
  const adapter = exchangeNamed(settings.exchange);
  if (adapter === undefined) throw new RangeError(`There is no exchange "${settings.exchange}"`);
  const attempts = new Budget({
    rules: [adapter.session.attempts],
    now_ms: () => performance.now(),
  });
  return { settings, adapter, attempts };
}

function tradeCourse(options: TurnOptions, target: FeedTargetOptions): Course {
  return {
    openTarget: async () => openTradeTarget(target),
    takeFloor: (frames) => takeFloorTurn(options, frames),
  };
}

async function takeTurnsWithKafka(
  options: TurnOptions,
  target: FeedTargetOptions,
  { log, root }: { readonly log: Log; readonly root: string },
): Promise<readonly MeasuredTurn[]> {
  const { exchanges } = target;
  const outbox = new Outbox(feedOutboxOptions(target));
  const kafka = await startKafka({ root, exchanges, outbox, log });
  let kept: KeptFeed | null = null;
  async function takeFloor(frames: number): Promise<number | null> {
    // After the first turn, because a source may send its trades but once.
    kept ??= await keepFeed(options, { ...target, log });
    if (kept === null) return null;
    const rounds = Math.max(1, Math.round(frames / kept.frames));
    const records = rounds * countRecords(kept.load);
    const { cpu_s } = await produceAlone(kafka, kept.load, records);
    return (cpu_s * 1e9) / (rounds * kept.frames);
  }
  try {
    const course = { openTarget: () => openKafkaTarget(kafka, target), takeFloor };
    return await takeTurns(options, course, { ...target, log });
  } finally {
    await kafka.stop();
  }
}

async function takeTurns(
  options: TurnOptions,
  course: Course,
  ground: { readonly log: Log; readonly now_us: () => number },
): Promise<readonly MeasuredTurn[]> {
  const begun_ms = performance.now();
  const turns: MeasuredTurn[] = [];
  do {
    const measured = await takeMeasuredTurn(options, course, ground);
    if (measured === null) break;
    turns.push(measured);
    if (Number.isNaN(measured.floor_ratio)) break;
  } while (turns.length < turns_max && performance.now() - begun_ms < bench_seconds_max * 1_000);
  if (turns.length > 0) return turns;
  throw new FailureError(
    `Cannot measure: no trade came within ${first_seconds_max} s from ` +
      options.exchanges.map(({ settings }) => settings.ws_url).join(", "),
  );
}

async function takeMeasuredTurn(
  options: TurnOptions,
  course: Course,
  ground: { readonly log: Log; readonly now_us: () => number },
): Promise<MeasuredTurn | null> {
  const target = await course.openTarget();
  let turn: Turn | null;
  try {
    turn = await takeTurn(options, target, ground);
  } finally {
    await target.close();
  }
  if (turn === null) return null;
  const floor_ns = await course.takeFloor(turn.frames);
  const our_ns = (turn.cpu_s * 1e9) / turn.frames;
  const port_ns = (turn.port_cpu_s * 1e9) / turn.frames;
  const share = turn.port_cpu_s > 0 ? `${port_ns.toFixed(0)} of it the port's, ` : "";
  const floor = floor_ns === null ? "no frame for the floor" : `the floor ${floor_ns.toFixed(0)}`;
  process.stderr.write(
    `${turn.trades} trades in ${turn.frames} frames, ${turn.seconds.toFixed(2)} s; ` +
      `${our_ns.toFixed(0)} ns of CPU a frame, ${share}${floor}\n`,
  );
  return { ...turn, floor_ratio: floor_ns === null ? Number.NaN : floor_ns / our_ns };
}

/** The last line. Memory is the first turn's, before the floor has taken any. */
function resultOf(turns: readonly MeasuredTurn[]): string {
  const { trades, seconds, cpu_s, floor_ratio, p50_us, p99_us } = middleOf(turns);
  const rss_mb = (turns[0]?.rss_bytes ?? 0) / bytes_per_mb;
  const lost = Math.max(...turns.map((turn) => turn.lost));
  return (
    `trades=${trades} seconds=${seconds.toFixed(4)} cpu_s=${cpu_s.toFixed(4)} ` +
    `rss_mb=${Math.round(rss_mb)} floor_ratio=${floor_ratio.toFixed(3)} lost=${lost} ` +
    `p50_ms=${(p50_us / 1_000).toFixed(3)} p99_ms=${(p99_us / 1_000).toFixed(3)}\n`
  );
}

/** The turn whose share is the middle one; the warm-up is left out where there are others. */
function middleOf(turns: readonly MeasuredTurn[]): MeasuredTurn {
  const warm = turns.slice(Math.min(warm_up_turns, turns.length - 1));
  const sorted = warm.toSorted((one, other) => one.floor_ratio - other.floor_ratio);
  const middle = sorted[sorted.length >> 1];
  if (middle === undefined) throw new Error("There is no turn");
  return middle;
}
