/**
 * A batch: the records that go to the port together, in the very bytes that go down the pipe, so
 * that a record is encoded once and never copied field by field.
 *
 * Layout, integers little-endian; `kafka_port.cjs` reads the same:
 * ```
 * frame   u32 bytes after this field, u48 batch id, u16 records, record…
 * record  u8 topic index, u16 key bytes, key, u32 value bytes, value
 * ```
 *
 * @module
 */

import type { TradeEncoder, TradeRecord } from "../../schemas/mod.ts";

/** What becomes of a batch's records in the accounts once the broker has them. */
export type Outcome = "acknowledged" | "dead_lettered";

/** A closed batch: its bytes do not change any more. */
export interface Batch {
  readonly id: number;
  /** Records in it. */
  readonly count: number;
  /** The whole frame, its length included. */
  readonly frame: Buffer;
  readonly outcome: Outcome;
  /** When each record's frame was received, microseconds; 0 where latency is not counted. */
  readonly received_us: Float64Array;
}

/** One record of a batch, as views of its frame. */
export interface BatchRecord {
  readonly topic_index: number;
  readonly key: Buffer;
  readonly value: Buffer;
}

/** Longest key: its length is written in two bytes. */
const key_bytes_max = 2 ** 16 - 1;

const header_bytes = 12;
const length_bytes = 4;
const record_overhead_bytes = 7;

/** The open batch. One buffer serves all batches: closing copies what is used. */
export class BatchWriter {
  readonly #buffer: Buffer;
  readonly #received_us: Float64Array;
  #offset = header_bytes;
  #count = 0;

  /**
   * @param bytes_max Longest frame.
   * @param count_max Most records of a batch, up to 65,535: the frame counts them in 16 bits.
   */
  constructor(bytes_max: number, count_max: number) {
    this.#buffer = Buffer.alloc(bytes_max);
    this.#received_us = new Float64Array(count_max);
  }

  /** Records in the open batch. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of the open batch; 0 where it has no record. */
  get bytes(): number {
    return this.#count === 0 ? 0 : this.#offset;
  }

  /**
   * Encodes a trade at the batch's end.
   *
   * @returns False where it does not fit; the batch is then as it was.
   * @throws {RangeError} where it cannot be encoded exactly; the batch is then as it was.
   */
  addTrade(
    topic_index: number,
    key: Uint8Array,
    trade: TradeRecord,
    encoder: TradeEncoder,
  ): boolean {
    if (this.#count === this.#received_us.length) return false;
    const start = this.#writeKey(topic_index, key);
    if (start < 0) return false;
    const end = encoder.encode(trade, this.#buffer, start);
    if (end < 0) return false;
    this.#finishRecord(start, end, trade.source === "STREAM" ? trade.ingestion_timestamp : 0);
    return true;
  }

  /** Adds a record whose value is already encoded. False where it does not fit. */
  addRecord(topic_index: number, key: Uint8Array, value: Uint8Array): boolean {
    if (this.#count === this.#received_us.length) return false;
    const start = this.#writeKey(topic_index, key);
    if (start < 0 || start + value.length > this.#buffer.length) return false;
    this.#buffer.set(value, start);
    this.#finishRecord(start, start + value.length, 0);
    return true;
  }

  /** Closes the batch and opens the next. */
  close(id: number, outcome: Outcome): Batch {
    const frame = Buffer.from(this.#buffer.subarray(0, this.#offset));
    frame.writeUInt32LE(frame.length - length_bytes, 0);
    frame.writeUIntLE(id, 4, 6);
    frame.writeUInt16LE(this.#count, 10);
    const received_us = this.#received_us.slice(0, this.#count);
    const batch = { id, count: this.#count, frame, outcome, received_us };
    this.#offset = header_bytes;
    this.#count = 0;
    return batch;
  }

  /** Where the record's value begins, or -1 where there is no room for what precedes it. */
  #writeKey(topic_index: number, key: Uint8Array): number {
    const buffer = this.#buffer;
    const offset = this.#offset;
    const length = key.length;
    if (length > key_bytes_max) throw new RangeError(`A key has more than ${key_bytes_max} bytes`);
    if (offset + record_overhead_bytes + length > buffer.length) return -1;
    buffer[offset] = topic_index;
    buffer[offset + 1] = length;
    buffer[offset + 2] = length >>> 8;
    for (let index = 0; index < length; index += 1) buffer[offset + 3 + index] = key[index] ?? 0;
    return offset + record_overhead_bytes + length;
  }

  #finishRecord(start: number, end: number, received_us: number): void {
    const buffer = this.#buffer;
    const length = end - start;
    buffer[start - 4] = length;
    buffer[start - 3] = length >>> 8;
    buffer[start - 2] = length >>> 16;
    buffer[start - 1] = length >>> 24;
    this.#received_us[this.#count] = received_us;
    this.#offset = end;
    this.#count += 1;
  }
}

/** Bytes of a frame that holds one record. */
export function frameBytes(key_bytes: number, value_bytes: number): number {
  return header_bytes + record_overhead_bytes + key_bytes + value_bytes;
}

/**
 * Reads one record of a batch.
 *
 * @throws {RangeError} where the batch has no such record.
 */
export function readRecord(batch: Batch, index: number): BatchRecord {
  if (!Number.isInteger(index) || index < 0 || index >= batch.count) {
    throw new RangeError(`Cannot read record ${index} of a batch of ${batch.count}`);
  }
  const { frame } = batch;
  let offset = header_bytes;
  for (let passed = 0; ; passed += 1) {
    const key_start = offset + 3;
    const key_end = key_start + frame.readUInt16LE(offset + 1);
    const value_start = key_end + 4;
    const value_end = value_start + frame.readUInt32LE(key_end);
    if (passed === index) {
      return {
        topic_index: frame.readUInt8(offset),
        key: frame.subarray(key_start, key_end),
        value: frame.subarray(value_start, value_end),
      };
    }
    offset = value_end;
  }
}
