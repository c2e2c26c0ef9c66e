/**
 * One line of NDJSON as `normalize` reads it and `record` writes it: which exchange's frame, when
 * it was received, and its verbatim text. A line that says something unreadable is a value with a
 * reason; one bad line never ends a run.
 *
 * @module
 */

/** Why a line holds no frame. A closed list, beside that of `actors/exchanges/adapter.ts`. */
const line_reject_reasons = [
  "line_unreadable",
  "exchange_unreadable",
  "exchange_unknown",
  "received_us_unreadable",
  "frame_missing",
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
  /** Verbatim. */
  readonly frame: string;
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
  const { exchange, received_us, frame } = line;
  const { kind, direction, request, connection_id, frame_sequence } = withDefaults(line);
  if (typeof exchange !== "string") return unreadable("exchange_unreadable");
  if (!isCount(received_us)) return unreadable("received_us_unreadable");
  if (typeof frame !== "string") return unreadable("frame_missing");
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

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unreadable(reason: LineRejectReason): LineReading {
  return { kind: "unreadable", reason };
}
