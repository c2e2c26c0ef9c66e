/**
 * A packet for the Kafka client's process made of records that are bytes already; `batch.ts` says
 * how a packet is laid out.
 *
 * @module
 */

import { allocatePacket, packet_header_bytes } from "./batch.ts";
import { record_overhead_bytes, writeRecordHead } from "./record_layout.ts";

/** A record, as it is to stand in Kafka. */
export interface RawRecord {
  readonly topic: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * The packet of a batch of records.
 *
 * @param topics The topics as the process was told them.
 * @throws {RangeError} where a record goes to none of them.
 */
export function packetOf(
  id: number,
  records: readonly RawRecord[],
  topics: readonly string[],
): Buffer {
  let bytes = packet_header_bytes;
  for (const { key, value } of records) bytes += record_overhead_bytes + key.length + value.length;
  const packet = allocatePacket({ id }, records.length, bytes);
  let offset = packet_header_bytes;
  for (const { topic, key, value } of records) {
    const topic_index = topics.indexOf(topic);
    if (topic_index < 0) throw new RangeError(`Cannot send to ${topic}: it was not announced`);
    const head = { topic_index, key, value_bytes: value.length };
    const start = writeRecordHead(head, packet, offset);
    packet.set(value, start);
    offset = start + value.length;
  }
  return packet;
}
