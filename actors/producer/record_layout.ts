/**
 * How a record stands in a packet; `kafka_port.cjs` reads the same. Integers are little-endian:
 * ```
 * record  u8 topic index, u16 key bytes, key, u32 value bytes, value
 * ```
 *
 * @module
 */

/** What a record has in a packet besides its key and value. */
export const record_overhead_bytes = 7;

/** Longest key: its length is written in two bytes. */
export const key_bytes_max = 2 ** 16 - 1;

/** Writes what precedes a record's value; returns where the value begins. There has to be room. */
export function writeRecordHead(
  record: { readonly topic_index: number; readonly key: Uint8Array; readonly value_bytes: number },
  packet: Uint8Array,
  offset: number,
): number {
  const start = writeKey(record.topic_index, record.key, packet, offset);
  writeValueBytes(record.value_bytes, packet, start);
  return start;
}

/**
 * Writes the topic and the key.
 *
 * @returns Where the value begins, or -1 where there is no room for what precedes it.
 * @throws {RangeError} where the key is too long.
 */
export function writeKey(
  topic_index: number,
  key: Uint8Array,
  packet: Uint8Array,
  offset: number,
): number {
  const length = key.length;
  if (length > key_bytes_max) throw new RangeError(`A key has more than ${key_bytes_max} bytes`);
  if (offset + record_overhead_bytes + length > packet.length) return -1;
  packet[offset] = topic_index;
  packet[offset + 1] = length;
  packet[offset + 2] = length >>> 8;
  for (let index = 0; index < length; index += 1) packet[offset + 3 + index] = key[index] ?? 0;
  return offset + record_overhead_bytes + length;
}

/** Writes a value's length before its start. */
export function writeValueBytes(bytes: number, packet: Uint8Array, start: number): void {
  packet[start - 4] = bytes;
  packet[start - 3] = bytes >>> 8;
  packet[start - 2] = bytes >>> 16;
  packet[start - 1] = bytes >>> 24;
}
