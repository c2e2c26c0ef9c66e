/**
 * Runs the Kafka client alone, `kafka_floor.cjs`, with records as the outbox packs them: the least
 * that any program needs to have them acknowledged.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { producerProperties } from "../producer/kafka_properties.ts";
import { FailureError } from "../settings/exit.ts";
import type { Kafka } from "./kafka.ts";
import type { Load } from "./load.ts";

/** What the client alone took for a load, from the first record to the last delivery. */
interface FloorRun {
  readonly records: number;
  readonly seconds: number;
  /** Of its whole process. */
  readonly cpu_s: number;
}

const script = fileURLToPath(new URL("./kafka_floor.cjs", import.meta.url));

/** Sends a load's records, again and again, until `records` are acknowledged. */
export async function produceAlone(
  { brokers }: Kafka,
  { topics, packets }: Load,
  records: number,
): Promise<FloorRun> {
  const properties = producerProperties({ brokers, properties: {} });
  const child = Bun.spawn(["node", script], {
    stdin: new Blob([`${JSON.stringify({ properties, topics, records })}\n`, ...packets]),
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await child.stdout.text();
  if ((await child.exited) !== 0) throw new FailureError("Cannot measure: the floor did not end");
  return JSON.parse(text);
}
