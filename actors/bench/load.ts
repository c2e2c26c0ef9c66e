/**
 * Records for a bench in the very bytes that go down the pipe to the Kafka client, so that what
 * the client is given alone is what it is given by the platform.
 *
 * @module
 */

import type { Trade } from "../messages.ts";
import { Outbox, type OutboxOptions } from "../producer/outbox.ts";

/** Records, packed. */
export interface Load {
  /** Topics by the index that a packet carries. */
  readonly topics: readonly string[];
  readonly packets: readonly Buffer[];
}

const id_offset = 4;
const id_bytes = 6;
const count_offset = 10;

/** An outbox that loses no time: whoever takes its packets is said to have them acknowledged. */
export function openTakenOutbox(options: OutboxOptions, take: (packet: Buffer) => void): Outbox {
  const outbox = new Outbox(options);
  outbox.setSchemaIds(schemaIds(outbox.topics));
  const attachment = outbox.attach({
    send(packet) {
      take(packet);
      const batch_id = packet.readUIntLE(id_offset, id_bytes);
      queueMicrotask(() => attachment.acknowledge(batch_id, []));
    },
  });
  return outbox;
}

/** Packs trades as the outbox does. */
export async function packTrades(trades: readonly Trade[], options: OutboxOptions): Promise<Load> {
  const packets: Buffer[] = [];
  const outbox = openTakenOutbox(options, (packet) => packets.push(packet));
  for (const trade of trades) outbox.addTrade(trade);
  await emptied(outbox);
  return { topics: outbox.topics, packets };
}

/** Closes the open batch; resolves once such an outbox has nothing left. */
export async function emptied(outbox: Outbox): Promise<void> {
  outbox.closeAll();
  while (!outbox.is_empty) await Promise.resolve();
}

/** Records of a load. */
export function countRecords({ packets }: Load): number {
  return packets.reduce((sum, packet) => sum + packet.readUInt16LE(count_offset), 0);
}

/** Ids as a registry would give them. */
export function schemaIds(topics: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries(topics.map((topic, index) => [topic, index + 1]));
}
