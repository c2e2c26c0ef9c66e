/**
 * Goal: what goes into a batch comes out of it, and what does not fit leaves no trace.
 * Method: records of every size around the edges of the buffer, read back one by one.
 */

import { expect, test } from "bun:test";
import { BatchWriter, packetBytes, readRecord } from "../../../actors/producer/batch.ts";
import { createTradeEncoder, decodeTrade } from "../../../schemas/mod.ts";
import { tradeOf } from "./records.ts";

const label = { id: 1, position: 1, outcome: "acknowledged" } as const;
const key = Buffer.from("kraken:BTC/USD");

test("a batch gives back its records in order", () => {
  const writer = new BatchWriter(4_096, 10);
  const encoder = createTradeEncoder(3);
  const trade = tradeOf("kraken", "BTC/USD", 7);
  expect(writer.addRecord(1, key, Buffer.from("first"))).toBe(true);
  expect(writer.addTrade(0, key, trade, encoder)).toBe(true);
  expect(writer.addRecord(2, Buffer.alloc(0), Buffer.alloc(0))).toBe(true);
  const batch = writer.close({ ...label, id: 2 ** 40 + 5 });
  expect(batch.packet.readUInt32LE(0)).toBe(batch.packet.length - 4);
  expect(batch.packet.readUIntLE(4, 6)).toBe(2 ** 40 + 5);
  expect(batch.packet.readUInt16LE(10)).toBe(3);
  expect(readRecord(batch, 0)).toEqual({ topic_index: 1, key, value: Buffer.from("first") });
  expect(decodeTrade(readRecord(batch, 1).value)).toEqual(trade);
  expect(readRecord(batch, 2).value.length).toBe(0);
  expect([...batch.received_us]).toEqual([0, trade.ingestion_timestamp, 0]);
  expect(() => readRecord(batch, 3)).toThrow(RangeError);
});

test("a closed batch does not change when the next one is written", () => {
  const writer = new BatchWriter(256, 10);
  writer.addRecord(0, key, Buffer.from("one"));
  const batch = writer.close(label);
  writer.addRecord(0, key, Buffer.from("two"));
  expect(readRecord(batch, 0).value.toString()).toBe("one");
  expect(writer.count).toBe(1);
});

test("a record that does not fit leaves the batch as it was, and fits exactly where it must", () => {
  const value = Buffer.alloc(100, 1);
  const size = packetBytes(key.length, value.length);
  for (let bytes = 12; bytes < size; bytes += 1) {
    const writer = new BatchWriter(bytes, 10);
    expect(writer.addRecord(0, key, value)).toBe(false);
    expect([writer.count, writer.bytes]).toEqual([0, 0]);
  }
  const writer = new BatchWriter(size, 10);
  expect(writer.addRecord(0, key, value)).toBe(true);
  expect(writer.bytes).toBe(size);
});

test("a batch takes no more records than it may", () => {
  const writer = new BatchWriter(4_096, 2);
  const taken = [1, 2, 3].map(() => writer.addRecord(0, key, key));
  expect(taken).toEqual([true, true, false]);
});

test("a trade that cannot be encoded leaves the batch as it was", () => {
  const writer = new BatchWriter(4_096, 10);
  const bad = { ...tradeOf("kraken", "BTC/USD", 1), quantity: "many" };
  expect(() => writer.addTrade(0, key, bad, createTradeEncoder(1))).toThrow(RangeError);
  expect(writer.count).toBe(0);
});
