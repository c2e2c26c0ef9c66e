/**
 * Goal: the schemas are what the contract says, and records are framed as Confluent frames them.
 * Method: the schema texts read as JSON; one record of each kind there and back.
 */

import { expect, test } from "bun:test";
import {
  dead_letters_topic,
  deadLetterSchema,
  decodeDeadLetter,
  decodeTrade,
  encodeDeadLetter,
  readSchemaId,
  recordKey,
  subjectOf,
  tradeSchema,
  tradesTopic,
} from "../../schemas/mod.ts";

test("every field of every schema has a doc", () => {
  for (const text of [tradeSchema, deadLetterSchema]) {
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
  expect(subjectOf(dead_letters_topic)).toBe("market.crypto.dead_letters-value");
  expect(recordKey("kraken", "BTC/USD")).toBe("kraken:BTC/USD");
});
