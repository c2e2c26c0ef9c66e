/**
 * Frames into bytes as they stand in Kafka, one by one, as they come: Confluent's framing and the
 * body of `frame_batch.avsc`. A record's value is
 * ```
 * head (framing, exchange, connection_id, url)   frame…   end
 * ```
 * where each frame is a block of Avro's array by itself: a block's count stands before its items,
 * and how many frames a record gets is not known while they come. A reader cannot tell the
 * difference, which a property test holds against avsc; it costs a byte a frame.
 *
 * @module
 */

import { encodeStrings, writeFraming, writeLong, writeText } from "./avro.ts";

/** The session's part of `frame_batch.avsc`, where each field has its doc. */
export interface FrameBatchSession {
  readonly exchange: string;
  readonly connection_id: string;
  readonly url: string;
}

/** A frame of `frame_batch.avsc`, where each field has its doc. */
export interface FrameRecord {
  readonly frame_sequence: number;
  readonly direction: "RECEIVED" | "SENT";
  readonly kind: "MESSAGE" | "PAGE";
  readonly request: string | null;
  readonly received_us: number;
  readonly received_monotonic_ns: number;
  /** Text is written as UTF-8, bytes as they are. */
  readonly frame: string | Uint8Array;
}

/** Bytes of a record's end. */
export const frames_end_bytes = 1;

const framing_bytes = 5;
/** Most bytes of a frame besides its texts: a count, two enums, a union, five longs. */
const frame_overhead_bytes = 64;

/** What precedes the frames of a record; the same for every record of a session. */
export function encodeFramesHead(schema_id: number, session: FrameBatchSession): Buffer {
  const framing = Buffer.alloc(framing_bytes);
  writeFraming(schema_id, framing, 0);
  const { exchange, connection_id, url } = session;
  return Buffer.concat([framing, encodeStrings([exchange, connection_id, url])]);
}

/**
 * Writes a frame at the offset.
 *
 * @returns The offset after it, or -1 where it does not fit: what was written is then garbage.
 * @throws {RangeError} where an integer of it is not exact.
 */
export function writeFrame(frame: FrameRecord, buffer: Buffer, offset: number): number {
  let position = offset;
  // A block of one item.
  buffer[position++] = 2;
  position = writeLong(frame.frame_sequence, buffer, position);
  buffer[position++] = frame.direction === "RECEIVED" ? 0 : 2;
  buffer[position++] = frame.kind === "MESSAGE" ? 0 : 2;
  if (frame.request === null) {
    buffer[position++] = 0;
  } else {
    buffer[position++] = 2;
    position = writeText(frame.request, buffer, position);
  }
  position = writeLong(frame.received_us, buffer, position);
  position = writeLong(frame.received_monotonic_ns, buffer, position);
  const body = frame.frame;
  if (typeof body === "string") {
    position = writeText(body, buffer, position);
  } else {
    position = writeLong(body.length, buffer, position);
    if (position + body.length <= buffer.length) buffer.set(body, position);
    position += body.length;
  }
  return position <= buffer.length ? position : -1;
}

/** Ends a record after its last frame; returns the offset after it. There has to be room. */
export function writeFramesEnd(buffer: Buffer, offset: number): number {
  buffer[offset] = 0;
  return offset + frames_end_bytes;
}

/** A whole record's value in a buffer of its own, for frames that are larger than any buffer. */
export function encodeFrameBatch(
  schema_id: number,
  session: FrameBatchSession,
  frames: readonly FrameRecord[],
): Buffer {
  const head = encodeFramesHead(schema_id, session);
  const bytes = frames.reduce((sum, frame) => sum + frameBytesMax(frame), head.length);
  const buffer = Buffer.alloc(bytes + frames_end_bytes);
  head.copy(buffer);
  let position = head.length;
  for (const frame of frames) position = writeFrame(frame, buffer, position);
  return buffer.subarray(0, writeFramesEnd(buffer, position));
}

function frameBytesMax({ frame, request }: FrameRecord): number {
  const bytes = typeof frame === "string" ? Buffer.byteLength(frame) : frame.length;
  return frame_overhead_bytes + bytes + Buffer.byteLength(request ?? "");
}
