/**
 * Memory while Kafka is away and trades go on coming: the broker is stopped where it stands, what
 * memory has no room for goes to the spill, and once the broker goes on every trade that was taken
 * has to be acknowledged.
 *
 * @module
 */

import { join } from "node:path";
import { openSpillStore } from "../producer/spill_store.ts";
import { FailureError } from "../settings/exit.ts";
import type { Kafka } from "./kafka.ts";
import {
  type OpenProducer,
  openProducer,
  type ProducerGround,
  pace,
  type Result,
} from "./producer_ground.ts";

const per_s = 20_000;
const warm_up_seconds_max = 5;
const settle_seconds_max = 120;
const tell_seconds = 10;

/** Takes the broker away for so many seconds. */
export async function measureOutage(
  kafka: Kafka,
  ground: ProducerGround,
  seconds: number,
): Promise<Result> {
  const { now_ms } = ground.outbox;
  const spill = openSpillStore(join(kafka.data_dir, "spill.db"));
  const producer = await openProducer(kafka, ground, { spill });
  try {
    const warm_up_seconds = Math.min(warm_up_seconds_max, seconds);
    const warm = await pace(producer, ground, { per_s, seconds: warm_up_seconds });
    const before = await producer.usage();
    const begun_ms = now_ms();
    kafka.signal("SIGSTOP");
    const away = await paceAway(producer, ground, seconds);
    const { spilled_bytes } = producer.outbox.figures();
    kafka.signal("SIGCONT");
    await settle(producer, ground);
    const after = await producer.usage();
    const records = warm.taken + away.taken;
    const lost = records - Number(producer.outbox.figures().acknowledged_total);
    return {
      records,
      seconds: (now_ms() - begun_ms) / 1_000,
      cpu_s: after.cpu_s - before.cpu_s,
      rss_bytes: Math.max(...away.rss_bytes),
      floor_ratio: Number.NaN,
      further: {
        lost,
        withheld: away.due - away.taken,
        spilled_mb: mbOf(Number(spilled_bytes)),
        rss_before_mb: mbOf(before.rss_bytes),
        rss_half_mb: mbOf(away.rss_bytes[away.rss_bytes.length >> 1] ?? 0),
        rss_end_mb: mbOf(away.rss_bytes.at(-1) ?? 0),
      },
    };
  } finally {
    kafka.signal("SIGCONT");
    await producer.close();
    spill.close();
  }
}

/** Gives trades that nobody acknowledges, and looks at the memory once a second. */
async function paceAway(producer: OpenProducer, ground: ProducerGround, seconds: number) {
  const rss_bytes: number[] = [];
  let due = 0;
  let taken = 0;
  for (let second = 0; second < seconds; second += 1) {
    const paced = await pace(producer, ground, { per_s, seconds: Math.min(1, seconds - second) });
    due += paced.due;
    taken += paced.taken;
    rss_bytes.push((await producer.usage()).rss_bytes);
    if ((second + 1) % tell_seconds > 0) continue;
    ground.tell(`${second + 1} s: ${mbOf(rss_bytes.at(-1) ?? 0)} MB, ${due - taken} withheld`);
  }
  return { rss_bytes, due, taken };
}

async function settle(producer: OpenProducer, { wait }: ProducerGround): Promise<void> {
  const late = wait(settle_seconds_max * 1_000).then(() => {
    throw new FailureError(
      `Cannot measure: records are left ${settle_seconds_max} s after Kafka has come back`,
    );
  });
  await Promise.race([producer.drained(), late]);
}

function mbOf(bytes: number): number {
  return Math.round(bytes / 1e6);
}
