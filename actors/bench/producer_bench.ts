/**
 * `bench producer [--to throughput|latency|outage|events] [--seconds n]`: what the way from an
 * encoded trade to its acknowledgement takes - outbox, pipe, the Node port, a real Kafka - with
 * nothing before it.
 *
 * @module
 */

import { exchanges } from "../exchanges/mod.ts";
import { Outbox } from "../producer/outbox.ts";
import { hostClock } from "../settings/clock.ts";
import { exit_codes, UsageError } from "../settings/exit.ts";
import type { Invocation } from "../settings/invocation.ts";
import { readSeconds } from "../settings/seconds.ts";
import type { Settings } from "../settings/settings.ts";
import { warningsOnly } from "./bench_log.ts";
import { measureEvents } from "./event_cost.ts";
import { type Kafka, startKafka } from "./kafka.ts";
import type { ProducerGround, Result } from "./producer_ground.ts";
import { measureLatency } from "./producer_latency.ts";
import { measureOutage } from "./producer_outage.ts";
import { measureThroughput } from "./producer_throughput.ts";
import { seedFrames } from "./seed_frames.ts";
import { readTrades } from "./stretch.ts";

/** Measures with a broker that has just been started. */
type MeasureWithKafka = (kafka: Kafka, ground: ProducerGround, seconds: number) => Promise<Result>;

/** What a stretch runs, and how many seconds of each of its parts where no flag says it. */
const stretches: ReadonlyMap<string, readonly [MeasureWithKafka, number]> = new Map([
  ["throughput", [measureThroughput, 3]],
  ["latency", [measureLatency, 10]],
  ["outage", [measureOutage, 60]],
]);
const frames_count = 50_000;
const bytes_per_mb = 1e6;

/** Runs the bench; its last line is the result. */
export async function benchProducer(invocation: Invocation): Promise<number> {
  const result = await measureStretch(invocation);
  await Bun.write(Bun.stdout, lineOf(result));
  return exit_codes.done;
}

async function measureStretch({ flags, root, settings }: Invocation): Promise<Result> {
  const seconds = readSeconds(flags);
  const { to = "throughput" } = flags;
  const ground = groundOf(settings);
  if (to === "events") {
    if (seconds === null) return measureEvents(ground.outbox);
    throw new UsageError("--seconds does not belong to bench producer --to events");
  }
  const [measureWithKafka, seconds_default = 0] = stretches.get(String(to)) ?? [];
  if (measureWithKafka === undefined) {
    const allowed = [...stretches.keys()].join(", ");
    throw new UsageError(`--to is "${to}": it must be ${allowed} or events`);
  }
  const kafka = await startKafka({
    root,
    exchanges: ground.outbox.exchanges,
    outbox: new Outbox(ground.outbox),
    log: warningsOnly(),
  });
  try {
    return await measureWithKafka(kafka, ground, seconds ?? seconds_default);
  } finally {
    await kafka.stop();
  }
}

function groundOf(settings: Settings): ProducerGround {
  const { buffer_bytes_max, flush_count, flush_ms, spill_bytes_max } = settings;
  const trades = readTrades(seedFrames(frames_count), exchanges);
  return {
    // Latency counts of what a stream brings.
    trades: trades.map((trade) => ({ ...trade, source: "STREAM" })),
    outbox: {
      exchanges: exchanges.map(({ exchange }) => exchange),
      flush_count,
      flush_ms,
      buffer_bytes_max,
      spill_bytes_max,
      now_ms: () => performance.now(),
      now_us: hostClock(),
    },
    wait: Bun.sleep,
    nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
    cpu_s() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    rss_bytes: process.memoryUsage.rss,
    tell: (line) => process.stderr.write(`${line}\n`),
  };
}

/** The last line. */
function lineOf({ records, seconds, cpu_s, rss_bytes, floor_ratio, further }: Result): string {
  const rest = Object.entries(further).map(([name, value]) => ` ${name}=${value}`);
  return (
    `records=${records} seconds=${seconds.toFixed(4)} cpu_s=${cpu_s.toFixed(4)} ` +
    `rss_mb=${Math.round(rss_bytes / bytes_per_mb)} floor_ratio=${floor_ratio.toFixed(3)}` +
    `${rest.join("")}\n`
  );
}
