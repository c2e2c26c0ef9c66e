/**
 * Goal: a record of every kind says where it came from.
 * Method: one record of each, encoded as it is sent.
 */

import { expect, test } from "bun:test";
import { originOf } from "../../../actors/producer/origin.ts";
import {
  createTradeEncoder,
  encodeEvent,
  encodeFrameBatch,
  feedEvent,
} from "../../../schemas/mod.ts";
import { eventOf, frameOf, tradeOf } from "./records.ts";

test("originOf() a trade is its frame", () => {
  const buffer = Buffer.alloc(4_096);
  const end = createTradeEncoder(1).encode(tradeOf("kraken", "a:b", 7), buffer, 0);
  expect(originOf("trade", buffer.subarray(0, end))).toEqual({
    exchange: "kraken",
    native_symbol: "a:b",
    connection_id: "test-0",
    frame_sequence: 7,
    ingestion_timestamp: 1_787_746_340_000_507,
  });
});

test("originOf() a batch of frames is its first frame", () => {
  const session = { exchange: "kraken", connection_id: "c", url: "wss://x" };
  const value = encodeFrameBatch(1, session, [frameOf(5), frameOf(6)]);
  expect(originOf("frames", value)).toEqual({
    exchange: "kraken",
    native_symbol: null,
    connection_id: "c",
    frame_sequence: 5,
    ingestion_timestamp: 1_787_746_340_000_505,
  });
});

test("originOf() an event is its symbol or its session", () => {
  expect(originOf("event", encodeEvent(1, eventOf("kraken", "A", 3)))).toEqual({
    exchange: "kraken",
    native_symbol: "A",
    connection_id: "",
    frame_sequence: 0,
    ingestion_timestamp: 1_787_746_340_000_003,
  });
  const closed = feedEvent({
    event: "session_closed",
    exchange: "kraken",
    timestamp: 8,
    connection_id: "c",
  });
  expect(originOf("event", encodeEvent(1, closed))).toMatchObject({
    native_symbol: null,
    connection_id: "c",
    ingestion_timestamp: 8,
  });
});
