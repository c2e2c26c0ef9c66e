/**
 * Records for the tests of the lake, and what each of them means: a trade, an invalid record with
 * the reason that the quarantine must give, an event, a frame, or a dead letter, which only Bronze
 * keeps. Pure: chance comes in as an argument, so that a seed tells a whole run.
 *
 * @module
 */

import {
  dead_letters_topic,
  type EventRecord,
  encodeDeadLetter,
  encodeEvent,
  encodeFrameBatch,
  events_topic,
  type FrameBatchSession,
  type FrameRecord,
  feedEvent,
  framesTopic,
  recordKey,
  type TradeRecord,
  tradeSchema,
  tradesTopic,
  tradeType,
} from "../../schemas/mod.ts";

/** What the lake has to make of a record. */
export type Meaning =
  | { readonly kind: "trade"; readonly trade: TradeRecord }
  | { readonly kind: "invalid"; readonly reason: string }
  | { readonly kind: "event"; readonly event: EventRecord }
  | { readonly kind: "frames"; readonly session: FrameBatchSession; readonly frame: TextFrame }
  | { readonly kind: "letter" };

/** A frame that is text. */
type TextFrame = FrameRecord & { readonly frame: string };

/** A record that is to be produced. */
export interface Outgoing {
  readonly topic: string;
  readonly partition: number;
  readonly key: Buffer;
  readonly value: Buffer | null;
  /** Milliseconds since 1970 that the producer gives it; left out: when it is sent. */
  readonly timestamp_ms?: number;
  readonly means: Meaning;
}

/** The registry's ids by topic; those of `odd_schemas` by their names. */
export type SchemaIds = Readonly<Record<string, number>>;

/** A market of one exchange. */
export interface Market {
  readonly exchange: string;
  readonly native_symbol: string;
}

/** Partitions of each topic of trades. */
export const trades_partitions = 3;

/** 2026-08-26T12:00:00Z. */
export const noon_us = 1_787_745_600_000_000;
export const second_us = 1_000_000;
export const minute_us = 60 * second_us;
export const hour_us = 60 * minute_us;
export const day_us = 24 * hour_us;

/**
 * Schemas of writers that know a side and a source that we do not know: what is written as BUY and
 * STREAM means these to them.
 */
export const odd_schemas: Readonly<Record<string, string>> = {
  odd_side: tradeSchema.replace('"BUY", "SELL"', '"AUCTION", "BUY", "SELL"'),
  odd_source: tradeSchema.replace('"STREAM", "SNAPSHOT"', '"RUMOR", "STREAM", "SNAPSHOT"'),
};

/** Trade number `number` of a market, with digits that chance gives. */
export function tradeOf(
  { exchange, native_symbol }: Market,
  number: number,
  random: () => number,
): TradeRecord {
  const timestamp = noon_us + number * second_us;
  const price_places = Math.floor(random() * 10);
  return {
    message_id: `${exchange}:${native_symbol}:${number}`,
    exchange,
    symbol: native_symbol.includes("/") ? native_symbol : `${native_symbol}/USD`,
    native_symbol,
    base_asset: native_symbol.split("/")[0]!,
    quote_asset: "USD",
    trade_id: String(number),
    side: random() < 0.5 ? "BUY" : "SELL",
    price: digitsOf(random, { whole: 1 + Math.floor(random() * 6), places: price_places }),
    quantity: digitsOf(random, { whole: 1 + Math.floor(random() * 4), places: 18 - price_places }),
    timestamp,
    ingestion_timestamp: timestamp + 5_000,
    source: "STREAM",
    connection_id: `${exchange}-1`,
    frame_sequence: number,
    vendor_data: { ord_type: "limit" },
  };
}

/** Plain decimal text without a zero at either end. */
function digitsOf(random: () => number, size: { whole: number; places: number }): string {
  const digits = (count: number) =>
    Array.from({ length: count }, () => 1 + Math.floor(random() * 9)).join("");
  return size.places === 0 ? digits(size.whole) : `${digits(size.whole)}.${digits(size.places)}`;
}

/** A record of a valid trade. Left out, the partition follows from the market, as in operation. */
export function tradeRecord(
  ids: SchemaIds,
  trade: TradeRecord,
  place: { readonly partition?: number; readonly timestamp_ms?: number } = {},
): Outgoing {
  const value = framed(ids[tradesTopic(trade.exchange)]!, tradeType.toBuffer(trade));
  return { ...tradePlace(trade), ...place, value, means: { kind: "trade", trade } };
}

/** One record of every reason that the quarantine knows, and more. */
export function invalidRecords(ids: SchemaIds, market: Market): readonly Outgoing[] {
  const valid = tradeOf(market, 1, () => 0.5);
  const id = ids[tradesTopic(market.exchange)]!;
  const plain = tradeType.toBuffer(valid);
  function changed(fields: Partial<TradeRecord>): Buffer {
    return framed(id, tradeType.toBuffer({ ...valid, ...fields }));
  }
  const values: readonly (readonly [string, Buffer | null])[] = [
    ["bad_header", Buffer.from('{"price": 1}')],
    ["unknown_schema", framed(2 ** 31 - 2, plain)],
    ["undecodable", framed(id, plain.subarray(0, -9))],
    ["id_missing", changed({ native_symbol: "" })],
    ["trade_id_unreadable", changed({ trade_id: "12a" })],
    ["message_id_mismatch", changed({ message_id: "binance:X:2" })],
    ["price_not_positive", changed({ price: "-1" })],
    ["quantity_not_positive", changed({ quantity: "0" })],
    ["timestamp_before_2009", changed({ timestamp: 1_230_767_999_999_999 })],
    ["timestamp_in_future", changed({ timestamp: valid.ingestion_timestamp + 300_000_001 })],
    ["out_of_range", changed({ price: "0.000000000000000001", quantity: "0.5" })],
    ["side_unknown", framed(ids.odd_side!, oddBody(valid))],
    ["source_unknown", framed(ids.odd_source!, oddBody(valid))],
    ["bad_header", null],
  ];
  return values.map(([reason, value]) => ({
    ...tradePlace(market),
    value,
    means: { kind: "invalid", reason },
  }));
}

/** Written as BUY and STREAM, the first symbols. */
function oddBody(trade: TradeRecord): Buffer {
  return tradeType.toBuffer({ ...trade, side: "BUY", source: "STREAM" });
}

/** A record of an event. */
export function eventRecord(ids: SchemaIds, said: Parameters<typeof feedEvent>[0]): Outgoing {
  const event = feedEvent(said);
  return {
    topic: events_topic,
    partition: 0,
    key: Buffer.from(recordKey(event.exchange, event.native_symbol ?? "")),
    value: encodeEvent(ids[events_topic]!, event),
    means: { kind: "event", event },
  };
}

/** A record of frames, and one of a dead letter. */
export function otherRecords(ids: SchemaIds, exchange: string, number: number): Outgoing[] {
  const topic = framesTopic(exchange);
  const session = { exchange, connection_id: `${exchange}-1`, url: "ws://127.0.0.1:1" };
  const frame = {
    frame_sequence: number,
    direction: "RECEIVED",
    kind: "MESSAGE",
    request: null,
    received_us: noon_us + number,
    received_monotonic_ns: number,
    frame: `{"number":${number}}`,
  } as const;
  const letter = {
    exchange,
    native_symbol: null,
    connection_id: session.connection_id,
    frame_sequence: number,
    ingestion_timestamp: noon_us + number,
    reason: "not_json",
    payload: Buffer.from([0, 255, number % 256]),
    topic: null,
  };
  const key = Buffer.from(session.connection_id);
  return [
    {
      topic,
      partition: 0,
      key,
      value: encodeFrameBatch(ids[topic]!, session, [frame]),
      means: { kind: "frames", session, frame },
    },
    {
      topic: dead_letters_topic,
      partition: 0,
      key,
      value: encodeDeadLetter(ids[dead_letters_topic]!, letter),
      means: { kind: "letter" },
    },
  ];
}

function tradePlace({ exchange, native_symbol }: Market) {
  const key = Buffer.from(recordKey(exchange, native_symbol));
  const sum = key.reduce((total, byte) => total + byte, 0);
  return { topic: tradesTopic(exchange), partition: sum % trades_partitions, key };
}

/** Confluent's framing. */
function framed(schema_id: number, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(schema_id, 1);
  return Buffer.concat([head, body]);
}
