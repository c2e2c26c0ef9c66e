/**
 * The records' schemas as text for the registry, as avsc types for tools and tests, and the fast
 * way of the hot path. The `.avsc` files are the contract; nothing here repeats a field that
 * they do not have.
 *
 * @module
 */

import { type Schema, Type, types } from "avsc";
import { writeFraming } from "./avro.ts";
import dead_letter_text from "./dead_letter.avsc" with { type: "text" };
import { readDecimal, scale } from "./decimal.ts";
import event_text from "./event.avsc" with { type: "text" };
import type { EventRecord } from "./event.ts";
import frame_batch_text from "./frame_batch.avsc" with { type: "text" };
import type { FrameBatchSession, FrameRecord } from "./frame_encoder.ts";
import { dead_letters_topic, events_topic, framesTopic, tradesTopic } from "./topics.ts";
import trade_text from "./trade.avsc" with { type: "text" };
import type { TradeRecord } from "./trade_encoder.ts";

export { type EventKind, type EventRecord, event_kinds, feedEvent, type IdRange } from "./event.ts";
export {
  encodeFrameBatch,
  encodeFramesHead,
  type FrameBatchSession,
  type FrameRecord,
  frames_end_bytes,
  writeFrame,
  writeFramesEnd,
} from "./frame_encoder.ts";
export {
  dead_letters_topic,
  events_topic,
  framesTopic,
  isFramesTopic,
  isTradesTopic,
  recordKey,
  subjectOf,
  tradesTopic,
} from "./topics.ts";
export { createTradeEncoder, type TradeEncoder, type TradeRecord } from "./trade_encoder.ts";

/** `trade.avsc`: the record of the trades topics. */
export const tradeSchema: string = trade_text;
/** `frame_batch.avsc`: the record of the frames topics. */
export const frameBatchSchema: string = frame_batch_text;
/** `event.avsc`: the record of the events topic. */
export const eventSchema: string = event_text;
/** `dead_letter.avsc`: the record of the dead-letters topic. */
export const deadLetterSchema: string = dead_letter_text;

/** The schema text of every topic of these exchanges, by topic. */
export function schemasByTopic(exchanges: readonly string[]): Readonly<Record<string, string>> {
  const trades = exchanges.map((exchange) => [tradesTopic(exchange), tradeSchema] as const);
  const frames = exchanges.map((exchange) => [framesTopic(exchange), frameBatchSchema] as const);
  return {
    ...Object.fromEntries([...trades, ...frames]),
    [events_topic]: eventSchema,
    [dead_letters_topic]: deadLetterSchema,
  };
}

/** Fields of `dead_letter.avsc`, where each has its doc. */
export interface DeadLetterRecord {
  readonly exchange: string;
  readonly native_symbol: string | null;
  readonly connection_id: string;
  readonly frame_sequence: number;
  readonly ingestion_timestamp: number;
  /** A code from a closed list, see `actors/exchanges/adapter.ts`. */
  readonly reason: string;
  /** The frame or the item, verbatim. */
  readonly payload: Uint8Array;
  /** The topic that refused the record, else null. */
  readonly topic: string | null;
}

/** Fields of `frame_batch.avsc`, where each has its doc; frames as bytes. */
export interface FrameBatchRecord extends FrameBatchSession {
  readonly frames: readonly (FrameRecord & { readonly frame: Uint8Array })[];
}

const framing_bytes = 5;

/**
 * Avro's decimal for avsc, which has none: text in TypeScript, exact by BigInt. The platform
 * writes decimals by `decimal.ts`; this one reads, and is what that one is measured against.
 */
class DecimalType extends types.LogicalType {
  protected override _fromValue(value: Uint8Array): string {
    return readDecimal(value);
  }
  protected override _toValue(text: string): Buffer | undefined {
    const match = /^(-?)(\d+)(?:\.(\d{1,18})0*)?$/.exec(text);
    if (match === null) return undefined;
    const [, sign, integer = "", fraction = ""] = match;
    const unscaled = BigInt(`${integer}${fraction.padEnd(scale, "0")}`);
    return bytesOf(sign === "-" ? -unscaled : unscaled);
  }
}

function bytesOf(unscaled: bigint): Buffer {
  let bytes = 1;
  while (BigInt.asIntN(bytes * 8, unscaled) !== unscaled) bytes += 1;
  const hex = BigInt.asUintN(bytes * 8, unscaled).toString(16);
  return Buffer.from(hex.padStart(bytes * 2, "0"), "hex");
}

function parseSchema(text: string): Type {
  const schema: Schema = JSON.parse(text);
  return Type.forSchema(schema, { logicalTypes: { decimal: DecimalType } });
}

/** avsc's type of a trade; decimals are plain text. */
export const tradeType: Type = parseSchema(tradeSchema);
/** avsc's type of a batch of frames. */
export const frameBatchType: Type = parseSchema(frameBatchSchema);
const eventType: Type = parseSchema(eventSchema);
const deadLetterType: Type = parseSchema(deadLetterSchema);

/** A dead letter as it stands in Kafka, framing included. Rare, so avsc does it. */
export function encodeDeadLetter(schema_id: number, letter: DeadLetterRecord): Buffer {
  const payload = Buffer.from(letter.payload);
  return frameBody(schema_id, deadLetterType.toBuffer({ ...letter, payload }));
}

/** An event as it stands in Kafka, framing included. */
export function encodeEvent(schema_id: number, event: EventRecord): Buffer {
  return frameBody(schema_id, eventType.toBuffer(event));
}

function frameBody(schema_id: number, body: Buffer): Buffer {
  const framing = Buffer.alloc(framing_bytes);
  writeFraming(schema_id, framing, 0);
  return Buffer.concat([framing, body]);
}

/**
 * The schema id that a record's framing carries.
 *
 * @throws {RangeError} where the bytes are not framed.
 */
export function readSchemaId(value: Uint8Array): number {
  const framing = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (framing.length < framing_bytes || framing[0] !== 0) {
    throw new RangeError("Cannot read a record: it does not begin with Confluent's framing");
  }
  return framing.readUInt32BE(1);
}

/** A trade from a record's value, framing included, written with the current schema. */
export function decodeTrade(value: Uint8Array): TradeRecord {
  const trade: TradeRecord = tradeType.fromBuffer(bodyOf(value));
  return { ...trade };
}

/** A dead letter from a record's value, framing included, written with the current schema. */
export function decodeDeadLetter(value: Uint8Array): DeadLetterRecord {
  const letter: DeadLetterRecord = deadLetterType.fromBuffer(bodyOf(value));
  return { ...letter };
}

/** An event from a record's value, framing included, written with the current schema. */
export function decodeEvent(value: Uint8Array): EventRecord {
  const event: EventRecord = eventType.fromBuffer(bodyOf(value));
  return { ...event };
}

/** A batch of frames from a record's value, framing included, of the current schema. */
export function decodeFrameBatch(value: Uint8Array): FrameBatchRecord {
  const batch: FrameBatchRecord = frameBatchType.fromBuffer(bodyOf(value));
  return { ...batch, frames: batch.frames.map((frame) => ({ ...frame })) };
}

function bodyOf(value: Uint8Array): Buffer {
  readSchemaId(value);
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).subarray(framing_bytes);
}
