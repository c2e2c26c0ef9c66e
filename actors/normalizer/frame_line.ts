/**
 * One line of NDJSON as `normalize` reads it and `record` writes it: which exchange's frame, when
 * it was received, and its verbatim text. A line that says something unreadable is a value with a
 * reason; one bad line never ends a run.
 *
 * A binary message has `frame_base64` in the place of `frame`: no exchange sends one, but what came
 * must be kept as it came, and a text would not give its bytes back.
 *
 * @module
 */

import type { FrameEntry, FrameSession } from "../messages.ts";
import { isObject } from "../plain_object.ts";

/** Why a line holds no frame. A closed list, beside that of `actors/exchanges/adapter.ts`. */
const line_reject_reasons = [
  "line_unreadable",
  "exchange_unreadable",
  "exchange_unknown",
  "received_us_unreadable",
  "frame_missing",
  "frame_base64_unreadable",
  "kind_unknown",
  "direction_unknown",
  "request_unreadable",
  "connection_id_unreadable",
  "frame_sequence_unreadable",
] as const;

/** One of `line_reject_reasons`. */
export type LineRejectReason = (typeof line_reject_reasons)[number];

/** A line that holds a frame. */
export interface FrameLine {
  readonly kind: "frame";
  readonly exchange: string;
  /** Microseconds since 1970, UTC. */
  readonly received_us: number;
  /** Verbatim; bytes where the message was binary. */
  readonly frame: string | Uint8Array;
  /** A WebSocket message, or a page fetched over REST. */
  readonly frame_kind: "MESSAGE" | "PAGE";
  readonly direction: "RECEIVED" | "SENT";
  /** Method and URL of a page; empty where the line does not say it. */
  readonly request: string;
  /** Empty where the line does not say it. */
  readonly connection_id: string;
  /** Null where the line does not say it. */
  readonly frame_sequence: number | null;
}

type LineReading = FrameLine | { readonly kind: "unreadable"; readonly reason: LineRejectReason };

/** Reads one line. Members that are missing or null count as not said. */
export function readFrameLine(text: string): LineReading {
  const line = parseObject(text);
  if (line === undefined) return unreadable("line_unreadable");
  const { exchange, received_us } = line;
  const { kind, direction, request, connection_id, frame_sequence } = withDefaults(line);
  if (typeof exchange !== "string") return unreadable("exchange_unreadable");
  if (!isCount(received_us)) return unreadable("received_us_unreadable");
  const frame = frameOf(line);
  if (frame === undefined) return unreadable("frame_missing");
  if (frame === null) return unreadable("frame_base64_unreadable");
  if (kind !== "MESSAGE" && kind !== "PAGE") return unreadable("kind_unknown");
  if (direction !== "RECEIVED" && direction !== "SENT") return unreadable("direction_unknown");
  if (typeof request !== "string") return unreadable("request_unreadable");
  if (typeof connection_id !== "string") return unreadable("connection_id_unreadable");
  if (frame_sequence !== null && !isCount(frame_sequence)) {
    return unreadable("frame_sequence_unreadable");
  }
  return {
    kind: "frame",
    exchange,
    received_us,
    frame,
    frame_kind: kind,
    direction,
    request,
    connection_id,
    frame_sequence,
  };
}

/**
 * Writes the line of one frame, without its end. `readFrameLine` gives the same frame back, to the
 * byte.
 */
export function writeFrameLine(
  { exchange, connection_id }: Pick<FrameSession, "exchange" | "connection_id">,
  entry: Omit<FrameEntry, "received_monotonic_ns">,
): string {
  const { frame, received_us, kind, request, direction, frame_sequence } = entry;
  return JSON.stringify({
    exchange,
    received_us,
    ...(typeof frame === "string" ? { frame } : { frame_base64: frame.toBase64() }),
    kind,
    request,
    direction,
    connection_id,
    frame_sequence,
  });
}

/** The line's frame; undefined where it has none, null where its bytes cannot be read. */
function frameOf({
  frame,
  frame_base64,
}: Readonly<Record<string, unknown>>): string | Uint8Array | undefined | null {
  if (typeof frame === "string") return frame;
  if (typeof frame_base64 !== "string") return undefined;
  try {
    return Uint8Array.fromBase64(frame_base64);
  } catch {
    return null;
  }
}

function withDefaults(line: Readonly<Record<string, unknown>>) {
  return {
    kind: line.kind ?? "MESSAGE",
    direction: line.direction ?? "RECEIVED",
    request: line.request ?? "",
    connection_id: line.connection_id ?? "",
    frame_sequence: line.frame_sequence ?? null,
  };
}

/** An integer that a number holds exactly, from 0. */
function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function unreadable(reason: LineRejectReason): LineReading {
  return { kind: "unreadable", reason };
}
