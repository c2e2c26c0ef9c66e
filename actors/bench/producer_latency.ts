/**
 * How long a trade takes from being received to being acknowledged, at paces that a busy hour and
 * a crash of the market have.
 *
 * @module
 */

import type { Kafka } from "./kafka.ts";
import { openProducer, type ProducerGround, pace, type Result } from "./producer_ground.ts";

const paces_per_s = [1_000, 20_000] as const;
/** Before it is measured: compilers warm up, and a broker's first records make its files. */
const warm_up_seconds_max = 3;

/** Measures each pace for so many seconds. */
export async function measureLatency(
  kafka: Kafka,
  ground: ProducerGround,
  seconds: number,
): Promise<Result> {
  const figures: Record<string, string> = {};
  let records = 0;
  let cpu_s = 0;
  let rss_bytes = 0;
  for (const per_s of paces_per_s) {
    const producer = await openProducer(kafka, ground);
    const { latency } = producer.outbox;
    try {
      const warm_up_seconds = Math.min(warm_up_seconds_max, seconds);
      await pace(producer, ground, { per_s, seconds: warm_up_seconds });
      // Both windows: what the warm-up took is forgotten.
      latency.rotate();
      latency.rotate();
      const before = await producer.usage();
      const { taken } = await pace(producer, ground, { per_s, seconds });
      const after = await producer.usage();
      await producer.drained();
      records += taken;
      cpu_s += after.cpu_s - before.cpu_s;
      rss_bytes = Math.max(rss_bytes, after.rss_bytes);
    } finally {
      await producer.close();
    }
    const [p50_ms, p99_ms] = [0.5, 0.99].map((share) =>
      ((latency.percentile(share) ?? Number.NaN) / 1_000).toFixed(3),
    );
    ground.tell(`${per_s} trades a second: p50 ${p50_ms} ms, p99 ${p99_ms} ms`);
    figures[`p50_ms_at_${per_s}`] = p50_ms ?? "";
    figures[`p99_ms_at_${per_s}`] = p99_ms ?? "";
  }
  return {
    records,
    seconds: seconds * paces_per_s.length,
    cpu_s,
    rss_bytes,
    floor_ratio: Number.NaN,
    further: figures,
  };
}
