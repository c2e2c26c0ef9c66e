/**
 * Where a refused record came from, as far as its own bytes tell: what its dead letter says of it.
 *
 * @module
 */

import {
  decodeEvent,
  decodeFrameBatch,
  decodeTrade,
  events_topic,
  isFramesTopic,
  isTradesTopic,
} from "../../schemas/mod.ts";
import type { DeadLetter } from "../messages.ts";

/** What a topic's records are. */
export type RecordKind = "trade" | "frames" | "event" | "dead_letter";

/** What the records of a topic of ours are. */
export function kindOf(topic: string): RecordKind {
  if (isTradesTopic(topic)) return "trade";
  if (isFramesTopic(topic)) return "frames";
  return topic === events_topic ? "event" : "dead_letter";
}

/** The fields of a dead letter that say where its payload came from. */
export type Origin = Pick<
  DeadLetter,
  "exchange" | "native_symbol" | "connection_id" | "frame_sequence" | "ingestion_timestamp"
>;

/** Origin of a refused trade, batch of frames (its first one speaks for it) or event. */
export function originOf(kind: Exclude<RecordKind, "dead_letter">, value: Uint8Array): Origin {
  if (kind === "trade") {
    const { exchange, native_symbol, ...trade } = decodeTrade(value);
    const { connection_id, frame_sequence, ingestion_timestamp } = trade;
    return { exchange, native_symbol, connection_id, frame_sequence, ingestion_timestamp };
  }
  if (kind === "frames") {
    const { exchange, connection_id, frames } = decodeFrameBatch(value);
    const frame_sequence = frames[0]?.frame_sequence ?? 0;
    const ingestion_timestamp = frames[0]?.received_us ?? 0;
    return { exchange, native_symbol: null, connection_id, frame_sequence, ingestion_timestamp };
  }
  const { exchange, native_symbol, connection_id, timestamp } = decodeEvent(value);
  return {
    exchange,
    native_symbol,
    // An event may speak of no session, and is found in no frame.
    connection_id: connection_id ?? "",
    frame_sequence: 0,
    ingestion_timestamp: timestamp,
  };
}
