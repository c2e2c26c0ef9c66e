/**
 * A batch: the records that go to the port together, in the very bytes that go down the pipe, so
 * that a record is encoded once and never copied field by field. Frames precede all other records:
 * what a trade was found in goes out before the trade.
 *
 * Layout of these bytes, the packet, integers little-endian; `kafka_port.cjs` reads the same:
 * ```
 * packet  u32 bytes after this field, u48 batch id, u16 records, record…
 * ```
 * and `record_layout.ts` says what a record is.
 *
 * @module
 */

import type { FrameRecord, TradeEncoder, TradeRecord } from "../../schemas/mod.ts";
import { type FrameSource, FrameWriter } from "./frame_writer.ts";
import {
  record_overhead_bytes,
  writeKey,
  writeRecordHead,
  writeValueBytes,
} from "./record_layout.ts";

/** What becomes of a batch's records in the accounts once the broker has them. */
export type Outcome = "acknowledged" | "dead_lettered";

/** How a batch is told from others, and what becomes of it. */
export interface BatchLabel {
  readonly id: number;
  /** Its place in the order of what was taken; a refused record's dead letter has the record's. */
  readonly position: number;
  readonly outcome: Outcome;
}

/** A closed batch: its bytes do not change any more. */
export interface Batch extends BatchLabel {
  /** Records in it. */
  readonly count: number;
  /** All its bytes, their length included. */
  readonly packet: Buffer;
  /**
   * Of each record but those of frames: when it was received, microseconds; 0 where latency is not
   * counted.
   */
  readonly received_us: Float64Array;
  /** Whether its first trades may have been found in a frame of the batch before. */
  readonly is_continuation: boolean;
}

/** One record of a batch, as views of its packet. */
export interface BatchRecord {
  readonly topic_index: number;
  readonly key: Buffer;
  readonly value: Buffer;
}

/** What precedes a packet's records. */
export const packet_header_bytes = 12;
const length_bytes = 4;

/** The open batch. The same buffers serve all batches: closing copies what is used. */
export class BatchWriter {
  readonly #buffer: Buffer;
  readonly #received_us: Float64Array;
  readonly #frames: FrameWriter;
  #offset = packet_header_bytes;
  #count = 0;
  /** What the frames' records will take of the packet. */
  #frames_bytes = 0;
  #is_continuation = false;

  /**
   * @param bytes_max Longest packet.
   * @param count_max Most records of a batch besides those of frames, up to 60,000: a packet
   *   counts its records in 16 bits.
   */
  constructor(bytes_max: number, count_max: number) {
    this.#buffer = Buffer.alloc(bytes_max);
    this.#received_us = new Float64Array(count_max);
    this.#frames = new FrameWriter(bytes_max);
  }

  /** Records in the open batch besides those of frames. */
  get count(): number {
    return this.#count;
  }

  /** Records that the open batch's frames will be. */
  get frames_count(): number {
    return this.#frames.count;
  }

  get is_empty(): boolean {
    return this.#count === 0 && this.#frames.count === 0;
  }

  /** Bytes of the open batch; 0 where it has no record. */
  get bytes(): number {
    const bytes = this.#offset + this.#frames_bytes;
    return bytes === packet_header_bytes ? 0 : bytes;
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
    const start = writeKey(topic_index, key, this.#buffer, this.#offset);
    if (start < 0) return false;
    const end = encoder.encode(trade, this.#buffer, start);
    if (end < 0 || end + this.#frames_bytes > this.#buffer.length) return false;
    if (this.#frames.count === 0) this.#is_continuation = true;
    this.#finishRecord(start, end, trade.source === "STREAM" ? trade.ingestion_timestamp : 0);
    return true;
  }

  /** Adds a record whose value is already encoded. False where it does not fit. */
  addRecord(topic_index: number, key: Uint8Array, value: Uint8Array): boolean {
    if (this.#count === this.#received_us.length) return false;
    const start = writeKey(topic_index, key, this.#buffer, this.#offset);
    if (start < 0) return false;
    const end = start + value.length;
    if (end + this.#frames_bytes > this.#buffer.length) return false;
    this.#buffer.set(value, start);
    this.#finishRecord(start, end, 0);
    return true;
  }

  /**
   * Encodes a frame after the frames that came before.
   *
   * @returns False where it does not fit; the batch is then as it was.
   * @throws {RangeError} where it cannot be encoded exactly; the batch is then as it was.
   */
  addFrame(source: FrameSource, schema_id: number, frame: FrameRecord): boolean {
    const bytes_max = this.#buffer.length - this.#offset;
    if (!this.#frames.add(source, schema_id, frame, bytes_max)) return false;
    this.#frames_bytes = this.#frames.bytes;
    return true;
  }

  /** Closes the batch and opens the next. */
  close(label: BatchLabel): Batch {
    const count = this.#frames.count + this.#count;
    const frames_bytes = this.#frames_bytes;
    const packet = allocatePacket(label, count, this.#offset + frames_bytes);
    this.#frames.moveTo(packet, packet_header_bytes);
    this.#buffer.copy(
      packet,
      packet_header_bytes + frames_bytes,
      packet_header_bytes,
      this.#offset,
    );
    const received_us = this.#received_us.slice(0, this.#count);
    this.#offset = packet_header_bytes;
    this.#count = 0;
    this.#frames_bytes = 0;
    const is_continuation = this.#is_continuation;
    this.#is_continuation = false;
    return { ...label, count, packet, received_us, is_continuation };
  }

  #finishRecord(start: number, end: number, received_us: number): void {
    writeValueBytes(end - start, this.#buffer, start);
    this.#received_us[this.#count] = received_us;
    this.#offset = end;
    this.#count += 1;
  }
}

/** A batch of one record, of any size. */
export function batchOf(
  label: BatchLabel,
  topic_index: number,
  key: Uint8Array,
  value: Uint8Array,
): Batch {
  const packet = allocatePacket(label, 1, packetBytes(key.length, value.length));
  const record = { topic_index, key, value_bytes: value.length };
  packet.set(value, writeRecordHead(record, packet, packet_header_bytes));
  return { ...label, count: 1, packet, received_us: new Float64Array(), is_continuation: true };
}

/** A packet whose header is written. */
export function allocatePacket(
  { id }: Pick<BatchLabel, "id">,
  count: number,
  bytes: number,
): Buffer {
  const packet = Buffer.allocUnsafeSlow(bytes);
  packet.writeUInt32LE(bytes - length_bytes, 0);
  packet.writeUIntLE(id, 4, 6);
  packet.writeUInt16LE(count, 10);
  return packet;
}

/** Bytes of a packet that holds one record. */
export function packetBytes(key_bytes: number, value_bytes: number): number {
  return packet_header_bytes + record_overhead_bytes + key_bytes + value_bytes;
}

/**
 * Reads one record of a batch.
 *
 * @throws {RangeError} where the batch has no such record.
 */
export function readRecord({ count, packet }: Batch, index: number): BatchRecord {
  let passed = 0;
  for (const record of recordsOf(packet)) {
    if (passed === index) return record;
    passed += 1;
  }
  throw new RangeError(`Cannot read record ${index} of a batch of ${count}`);
}

/** The records of a packet, in their order. */
export function* recordsOf(packet: Buffer): Generator<BatchRecord> {
  let offset = packet_header_bytes;
  for (let left = packet.readUInt16LE(packet_header_bytes - 2); left > 0; left -= 1) {
    const key_start = offset + 3;
    const key_end = key_start + packet.readUInt16LE(offset + 1);
    const value_start = key_end + 4;
    const value_end = value_start + packet.readUInt32LE(key_end);
    yield {
      topic_index: packet.readUInt8(offset),
      key: packet.subarray(key_start, key_end),
      value: packet.subarray(value_start, value_end),
    };
    offset = value_end;
  }
}
