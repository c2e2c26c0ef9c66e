/**
 * Records a second from an encoded trade to its acknowledgement, against the Kafka client alone
 * with the same bytes. Both take turns, since a machine is not as fast in one minute as in the
 * next, and each turn is compared with its neighbor.
 *
 * @module
 */

import type { Kafka } from "./kafka.ts";
import { produceAlone } from "./kafka_floor.ts";
import { packTrades } from "./load.ts";
import { openProducer, type ProducerGround, type Result } from "./producer_ground.ts";

const turns_count = 6;
/** Turns that only warm up the broker and the compilers. */
const warm_up_turns = 1;
/** Enough to keep the port busy; what waits beyond it would only cost memory. */
const buffer_bytes_max = 16 * 2 ** 20;
/** Trades given at a stretch, before acknowledgements may come in between: a socket's share. */
const stretch_trades = 500;

interface Turn {
  readonly records: number;
  readonly seconds: number;
  readonly cpu_s: number;
  readonly rss_bytes: number;
  readonly floor_per_s: number;
  /** CPU time of the floor for as many records. */
  readonly floor_cpu_s: number;
}

/** Takes the turns, of `seconds` each. */
export async function measureThroughput(
  kafka: Kafka,
  ground: ProducerGround,
  seconds: number,
): Promise<Result> {
  const load = await packTrades(ground.trades, { ...ground.outbox, buffer_bytes_max: 2 ** 30 });
  const turns: Turn[] = [];
  for (let turn = 0; turn < turns_count; turn += 1) {
    const ours = await takeTurn(kafka, ground, seconds);
    const floor = await produceAlone(kafka, load, ours.records);
    const floor_per_s = floor.records / floor.seconds;
    turns.push({ ...ours, floor_per_s, floor_cpu_s: floor.cpu_s });
    ground.tell(
      `${ours.records} records; ${(ours.records / ours.seconds).toFixed(0)} a second at ` +
        `${nsOf(ours.cpu_s, ours.records)} ns of CPU, the floor ${floor_per_s.toFixed(0)} at ` +
        `${nsOf(floor.cpu_s, floor.records)}`,
    );
  }
  return resultOf(turns.slice(warm_up_turns));
}

/** What the turn whose share is the middle one came to. */
function resultOf(turns: readonly Turn[]): Result {
  const middle = turns.toSorted((one, other) => ratioOf(one) - ratioOf(other))[turns.length >> 1];
  if (middle === undefined) throw new Error("There is no turn");
  const { floor_per_s, floor_cpu_s, ...ours } = middle;
  return {
    ...ours,
    floor_ratio: ratioOf(middle),
    further: {
      records_per_s: Math.round(ours.records / ours.seconds),
      floor_records_per_s: Math.round(floor_per_s),
      cpu_ratio: (floor_cpu_s / ours.cpu_s).toFixed(3),
    },
  };
}

function ratioOf({ records, seconds, floor_per_s }: Turn): number {
  return records / seconds / floor_per_s;
}

/** As many as are acknowledged in a time, while there is always one more. */
async function takeTurn(kafka: Kafka, ground: ProducerGround, seconds_min: number) {
  const { now_ms } = ground.outbox;
  const producer = await openProducer(kafka, ground, { buffer_bytes_max });
  try {
    const before = await producer.usage();
    const begun_ms = now_ms();
    let records = 0;
    while (now_ms() - begun_ms < seconds_min * 1_000) {
      records += producer.give(stretch_trades);
      await ground.nextTurn();
      await producer.relieved();
    }
    await producer.drained();
    const seconds = (now_ms() - begun_ms) / 1_000;
    const after = await producer.usage();
    const { rss_bytes } = after;
    return { records, seconds, cpu_s: after.cpu_s - before.cpu_s, rss_bytes };
  } finally {
    await producer.close();
  }
}

function nsOf(cpu_s: number, records: number): string {
  return ((cpu_s * 1e9) / records).toFixed(0);
}
