/**
 * Where the records of the bench's feed end: in memory, once they are trades, or in a real Kafka.
 *
 * Either way frames are encoded and batched as they always are; for trades that end in memory,
 * a broker takes the frames at once.
 *
 * @module
 */

import type { RecordSink, Trade } from "../messages.ts";
import { Latency } from "../producer/latency.ts";
import { Outbox, type OutboxOptions } from "../producer/outbox.ts";
import type { Settings } from "../settings/settings.ts";
import type { Kafka, ProcessUsage } from "./kafka.ts";
import { emptied, type Load, openTakenOutbox, schemaIds } from "./load.ts";

/** What has come. */
export interface FeedCounts {
  trades: number;
  /** Messages received, in all and up to the last trade. */
  frames: number;
  frames_to_last: number;
  /** When the frames of the first and of the last trade were received, microseconds since 1970. */
  first_us: number;
  last_us: number;
}

/** Where the records of one turn end. */
export interface FeedTarget {
  readonly sink: RecordSink;
  readonly counts: FeedCounts;
  /** Rises with everything that comes and everything that is done. */
  progress(): number;
  /** Resolves once everything that came is done, or cannot be in a minute. */
  settle(): Promise<void>;
  /** When the last one was done, microseconds since 1970. */
  doneUs(): number;
  /** Records that came and are not done. */
  undone(): number;
  /** From received to done, microseconds. */
  readonly latency: Latency;
  /** What processes besides this one have used. */
  usage(): Promise<ProcessUsage>;
  close(): Promise<void>;
}

/** What a target is made for. */
export interface FeedTargetOptions {
  readonly settings: Settings;
  /** Names of those that are fed. */
  readonly exchanges: readonly string[];
  /** Wall clock, microseconds since 1970. */
  readonly now_us: () => number;
  /** Monotonic clock, milliseconds. */
  readonly now_ms: () => number;
  /** Resolves after a pause. */
  readonly wait: (delay_ms: number) => Promise<void>;
}

/** Of as many trades one has its latency taken: a look at the clock is not the platform's work. */
const sampled_trades = 64;
/** A flood comes faster than any broker takes it, and what waits for that must not be lost. */
const buffer_bytes_max = 2 ** 30;
const settle_ms_max = 60_000;
const settle_look_ms = 5;

/** An outbox as the settings want it, but for its size. */
export function feedOutboxOptions(options: Omit<FeedTargetOptions, "wait">): OutboxOptions {
  const { exchanges, settings, now_ms, now_us } = options;
  const { flush_count, flush_ms } = settings;
  return { exchanges, flush_count, flush_ms, buffer_bytes_max, now_ms, now_us };
}

/** Trades end where they are made. */
export function openTradeTarget(options: FeedTargetOptions): FeedTarget {
  const { now_us } = options;
  const outbox = openTakenOutbox(feedOutboxOptions(options), () => {});
  const latency = new Latency();
  const counts = noCounts();
  let digits = 0;
  const sink = counted(outbox, counts, ({ ingestion_timestamp, price, quantity }) => {
    if (counts.trades % sampled_trades === 0) latency.add(now_us() - ingestion_timestamp);
    // Added up, so that no work can be optimized away.
    digits += price.length + quantity.length;
  });
  return {
    sink,
    counts,
    latency,
    progress: () => counts.trades,
    async settle() {
      if (digits < counts.trades) throw new Error("Cannot trust the bench: a trade was not made");
    },
    doneUs: () => counts.last_us,
    undone: () => 0,
    usage: async () => ({ cpu_s: 0, rss_bytes: 0 }),
    async close() {},
  };
}

/** Nothing ends anywhere: what would go down the pipe is kept. */
export function openKeepingTarget(options: Omit<FeedTargetOptions, "wait">): {
  readonly sink: RecordSink;
  readonly counts: FeedCounts;
  /** All that came. */
  load(): Promise<Load>;
} {
  const packets: Buffer[] = [];
  const outbox = openTakenOutbox(feedOutboxOptions(options), (packet) => packets.push(packet));
  const counts = noCounts();
  return {
    sink: counted(outbox, counts, (trade) => outbox.addTrade(trade)),
    counts,
    async load() {
      await emptied(outbox);
      return { topics: outbox.topics, packets };
    },
  };
}

/** Trades end once the broker has acknowledged them. */
export async function openKafkaTarget(
  kafka: Kafka,
  options: FeedTargetOptions,
): Promise<FeedTarget> {
  const { now_ms, now_us, wait } = options;
  const outbox = new Outbox(feedOutboxOptions(options));
  outbox.setSchemaIds(schemaIds(outbox.topics));
  const connection = await kafka.connect(outbox);
  const counts = noCounts();
  // Positions of the outbox: heartbeats go on being acknowledged when the trades have ended.
  let last_position = 0;
  let done_position = 0;
  let done_us = 0;
  function progress(): number {
    const position = Math.min(outbox.settled_through, last_position);
    if (position > done_position) done_us = now_us();
    done_position = position;
    return counts.trades + done_position;
  }
  return {
    sink: counted(outbox, counts, (trade) => {
      outbox.addTrade(trade);
      last_position = outbox.mark();
    }),
    counts,
    latency: outbox.latency,
    progress,
    async settle() {
      const deadline_ms = now_ms() + settle_ms_max;
      outbox.closeAll();
      progress();
      while (done_position < last_position && now_ms() < deadline_ms) {
        await wait(settle_look_ms);
        progress();
      }
    },
    doneUs: () => done_us,
    undone() {
      const { acknowledged_total, dead_lettered_total, received_total } = outbox.figures();
      if (done_position >= last_position) return Number(dead_lettered_total);
      return Number(received_total) - Number(acknowledged_total);
    },
    usage: () => connection.usage(),
    close: () => connection.stop(),
  };
}

function noCounts(): FeedCounts {
  return { trades: 0, frames: 0, frames_to_last: 0, first_us: 0, last_us: 0 };
}

/** The outbox, with what comes counted on its way, and trades taken by `takeTrade`. */
function counted(
  outbox: Outbox,
  counts: FeedCounts,
  takeTrade: (trade: Trade) => void,
): RecordSink {
  return {
    addTrade(trade) {
      if (counts.trades === 0) counts.first_us = trade.ingestion_timestamp;
      counts.last_us = trade.ingestion_timestamp;
      counts.frames_to_last = counts.frames;
      takeTrade(trade);
      counts.trades += 1;
    },
    addDeadLetter: (letter) => outbox.addDeadLetter(letter),
    addEvent: (event) => outbox.addEvent(event),
    openFrames(session) {
      const frames = outbox.openFrames(session);
      return {
        add(entry) {
          if (entry.direction === "RECEIVED") counts.frames += 1;
          frames.add(entry);
        },
        close: () => frames.close(),
      };
    },
  };
}
