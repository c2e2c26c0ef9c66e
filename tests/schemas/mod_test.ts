/**
 * Goal: the schemas are what the contract says, and records are framed as Confluent frames them.
 * Method: the schema texts read as JSON; one record of each kind there and back.
 */

import { expect, test } from "bun:test";
import {
  dead_letters_topic,
  deadLetterSchema,
  decodeDeadLetter,
  decodeEvent,
  decodeTrade,
  encodeDeadLetter,
  encodeEvent,
  event_kinds,
  eventSchema,
  events_topic,
  feedEvent,
  frameBatchSchema,
  framesTopic,
  readSchemaId,
  recordKey,
  schemasByTopic,
  subjectOf,
  tradeSchema,
  tradesTopic,
} from "../../schemas/mod.ts";

test("every field of every schema has a doc", () => {
  for (const text of [tradeSchema, frameBatchSchema, eventSchema, deadLetterSchema]) {
    const { namespace, doc, fields } = JSON.parse(text);
    expect(namespace).toBe("com.k2.marketdata");
    expect(doc).toBeString();
    for (const field of fields) expect(field.doc).toBeString();
  }
});

test("trade.avsc is the record TradeV3 with its fields in their order", () => {
  const { name, fields } = JSON.parse(tradeSchema);
  expect(name).toBe("TradeV3");
  expect(fields.map((field: { name: string }) => field.name).join(" ")).toBe(
    "message_id exchange symbol native_symbol base_asset quote_asset trade_id side price " +
      "quantity timestamp ingestion_timestamp source connection_id frame_sequence vendor_data",
  );
});

test("an event comes back as it went, framed with its schema id, whatever it speaks of", () => {
  const session = feedEvent({
    event: "session_opened",
    exchange: "kraken",
    timestamp: 1_787_746_340_684_123,
    connection_id: "kraken-0-1",
    url: "wss://ws.kraken.com/v2",
  });
  const gap = feedEvent({
    event: "gap_unfillable",
    exchange: "binance",
    native_symbol: "BTCUSDT",
    timestamp: 1,
    reason: "no longer given",
    gap_id: "binance:BTCUSDT:7",
    from_id: 7,
    to_id: Number.MAX_SAFE_INTEGER - 1,
    from_timestamp: 2,
    to_timestamp: 3,
    remaining: [],
    absent: [{ from_id: 7, to_id: 7 }],
    unfillable: [
      { from_id: 8, to_id: 9 },
      { from_id: 11, to_id: 12 },
    ],
    found_by: "jump",
  });
  const confirmed = feedEvent({
    event: "confirmed",
    exchange: "binance",
    native_symbol: "BTCUSDT",
    timestamp: 4,
    through_id: 5,
    through_timestamp: 6,
  });
  for (const event of [session, gap, confirmed]) {
    const value = encodeEvent(65_538, event);
    expect(readSchemaId(value)).toBe(65_538);
    expect(decodeEvent(value)).toEqual(event);
  }
});

test("event.avsc's doc lists every kind of event", () => {
  const { fields } = JSON.parse(eventSchema);
  const listed = new Set(fields[0].doc.match(/[a-z]+_?[a-z]+/g));
  expect(event_kinds.filter((kind) => !listed.has(kind))).toEqual([]);
});

test("schemasByTopic() has every topic of the exchanges", () => {
  expect(schemasByTopic(["binance", "kraken"])).toEqual({
    [tradesTopic("binance")]: tradeSchema,
    [tradesTopic("kraken")]: tradeSchema,
    [framesTopic("binance")]: frameBatchSchema,
    [framesTopic("kraken")]: frameBatchSchema,
    [events_topic]: eventSchema,
    [dead_letters_topic]: deadLetterSchema,
  });
});

test("a dead letter comes back as it went, framed with its schema id", () => {
  const letter = {
    exchange: "kraken",
    native_symbol: null,
    connection_id: "kraken-0-1",
    frame_sequence: 12,
    ingestion_timestamp: 1_787_746_340_684_123,
    reason: "not_json",
    payload: Buffer.from([0xff, 0x00, 0x7b]),
    topic: "market.crypto.trades.kraken",
  };
  const value = encodeDeadLetter(65_537, letter);
  expect(readSchemaId(value)).toBe(65_537);
  expect(decodeDeadLetter(value)).toEqual(letter);
});

test("a value without framing is refused", () => {
  for (const bytes of [[], [0, 0, 0, 0], [1, 0, 0, 0, 1, 2]]) {
    expect(() => decodeTrade(Buffer.from(bytes))).toThrow(/framing/);
  }
});

test("topics, subjects and keys are spelled as the contract spells them", () => {
  expect(tradesTopic("kraken")).toBe("market.crypto.trades.kraken");
  expect(framesTopic("kraken")).toBe("market.crypto.frames.kraken");
  expect(events_topic).toBe("market.crypto.events");
  expect(subjectOf(dead_letters_topic)).toBe("market.crypto.dead_letters-value");
  expect(recordKey("kraken", "BTC/USD")).toBe("kraken:BTC/USD");
});
