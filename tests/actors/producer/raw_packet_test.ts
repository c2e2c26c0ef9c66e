/**
 * Goal: a packet of raw records is read by the port's process as any other.
 * Method: written here, read back by the reader of the packets of batches.
 */

import { expect, test } from "bun:test";
import { recordsOf } from "../../../actors/producer/batch.ts";
import { packetOf } from "../../../actors/producer/raw_packet.ts";

const topics = ["a", "b"];
const records = [
  { topic: "b", key: Buffer.from("key"), value: Buffer.from("value") },
  { topic: "a", key: Buffer.alloc(0), value: Buffer.alloc(70_000, 7) },
];

test("records come back with topic, key and value, an empty key included", () => {
  const packet = packetOf(9, records, topics);
  expect(packet.readUInt32LE(0)).toBe(packet.length - 4);
  expect(packet.readUIntLE(4, 6)).toBe(9);
  const read = [...recordsOf(packet)];
  expect(read.map(({ topic_index }) => topics[topic_index])).toEqual(["b", "a"]);
  expect(read.map(({ key }) => key.toString())).toEqual(["key", ""]);
  expect(read.map(({ value }) => value)).toEqual(records.map(({ value }) => value));
});

test("a topic that the process does not know is refused", () => {
  expect(() => packetOf(1, records, ["a"])).toThrow("Cannot send to b");
});
