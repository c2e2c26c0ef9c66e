/**
 * The frames of the open batch, of all sessions, in one buffer and in the order in which they
 * came. Closing the batch gathers those of each session into one record: sessions take turns, so
 * what a session wrote at a stretch is one run and is copied in one go. A buffer for each session
 * would copy as much and hold memory for each.
 *
 * @module
 */

import {
  encodeFramesHead,
  type FrameBatchSession,
  type FrameRecord,
  frames_end_bytes,
  writeFrame,
  writeFramesEnd,
} from "../../schemas/mod.ts";
import { key_bytes_max, record_overhead_bytes, writeRecordHead } from "./record_layout.ts";

/** One session's part of the open batch. Made by `createFrameSource`, changed only here. */
export interface FrameSource {
  readonly session: FrameBatchSession;
  readonly topic_index: number;
  readonly key: Buffer;
  /** What precedes the frames in each of its records. */
  head: Buffer;
  /** The schema id that the head carries. */
  schema_id: number;
  /** Bytes of its frames in the open batch. */
  pending_bytes: number;
  /** While the batch is closed: where its next run goes. */
  position: number;
}

/** Sessions with frames in one batch; each is a record. */
const sources_max = 1_000;

/**
 * A session that has no frames yet.
 *
 * @throws {RangeError} where its id is too long for a record's key.
 */
export function createFrameSource(session: FrameBatchSession, topic_index: number): FrameSource {
  const key = Buffer.from(session.connection_id);
  if (key.length > key_bytes_max) {
    throw new RangeError(`Cannot take frames: the connection id has ${key.length} bytes`);
  }
  const head = Buffer.alloc(0);
  return { session, topic_index, key, head, schema_id: -1, pending_bytes: 0, position: 0 };
}

/** The open batch's frames. */
export class FrameWriter {
  readonly #buffer: Buffer;
  /** Sessions that have frames here, in the order of their first one. */
  #sources: FrameSource[] = [];
  /** Runs: whose they are and where they begin; each ends where the next begins. */
  #run_sources: FrameSource[] = [];
  #run_starts: number[] = [];
  #offset = 0;
  #overhead_bytes = 0;

  /** @param bytes_max Most bytes of frames. */
  constructor(bytes_max: number) {
    this.#buffer = Buffer.alloc(bytes_max);
  }

  /** Records that the frames will be. */
  get count(): number {
    return this.#sources.length;
  }

  /** Bytes of those records in a packet. */
  get bytes(): number {
    return this.#offset + this.#overhead_bytes;
  }

  /**
   * Writes a frame after the others.
   *
   * @param bytes_max Most bytes that the records may then have in a packet.
   * @returns False where it does not fit; nothing is changed then.
   * @throws {RangeError} where it cannot be encoded exactly; nothing is changed then.
   */
  add(source: FrameSource, schema_id: number, frame: FrameRecord, bytes_max: number): boolean {
    const start = this.#offset;
    const end = writeFrame(frame, this.#buffer, start);
    if (end < 0) return false;
    if (source.pending_bytes > 0) {
      if (end + this.#overhead_bytes > bytes_max) return false;
    } else if (!this.#begin(source, schema_id, end, bytes_max)) {
      return false;
    }
    if (this.#run_sources[this.#run_sources.length - 1] !== source) {
      this.#run_sources.push(source);
      this.#run_starts.push(start);
    }
    source.pending_bytes += end - start;
    this.#offset = end;
    return true;
  }

  /** Writes all records into a packet, one a session; none is left here. */
  moveTo(packet: Buffer, offset: number): void {
    let position = offset;
    for (const source of this.#sources) {
      const { topic_index, key, head, pending_bytes } = source;
      const value_bytes = head.length + pending_bytes + frames_end_bytes;
      position = writeRecordHead({ topic_index, key, value_bytes }, packet, position);
      head.copy(packet, position);
      source.position = position + head.length;
      position = writeFramesEnd(packet, source.position + pending_bytes);
      source.pending_bytes = 0;
    }
    this.#run_sources.forEach((source, index) => {
      const start = this.#run_starts[index] ?? 0;
      const end = this.#run_starts[index + 1] ?? this.#offset;
      this.#buffer.copy(packet, source.position, start, end);
      source.position += end - start;
    });
    this.#sources = [];
    this.#run_sources = [];
    this.#run_starts = [];
    this.#offset = 0;
    this.#overhead_bytes = 0;
  }

  /** Makes room for a session's record. */
  #begin(source: FrameSource, schema_id: number, end: number, bytes_max: number): boolean {
    if (this.#sources.length === sources_max) return false;
    if (source.schema_id !== schema_id) {
      source.head = encodeFramesHead(schema_id, source.session);
      source.schema_id = schema_id;
    }
    const { key, head } = source;
    const overhead_bytes =
      this.#overhead_bytes + record_overhead_bytes + key.length + head.length + frames_end_bytes;
    if (end + overhead_bytes > bytes_max) return false;
    this.#overhead_bytes = overhead_bytes;
    this.#sources.push(source);
    return true;
  }
}
