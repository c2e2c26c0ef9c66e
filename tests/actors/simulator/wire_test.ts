/**
 * Goal: every frame of trades can be taken apart and put together again to the letter.
 * Method: frames of all exchanges' conversations, and requests as clients send them.
 */

import { expect, test } from "bun:test";
import { frameOf, spoiltItem, wires, withUnknownField } from "../../../actors/simulator/wire.ts";
import { FaultRig } from "./fault_rig.ts";

test("a frame of trades is its head, its items and its tail; other frames are none", () => {
  for (const [exchange, symbol] of [
    ["binance", "BTCUSDT"],
    ["kraken", "BTC/USD"],
    ["coinbase", "BTC-USD"],
  ] as const) {
    const socket = new FaultRig({ rate: 500 }).socket(exchange);
    socket.subscribe(symbol);
    socket.run(3);
    const wire = wires[exchange]!;
    let trades = 0;
    for (const frame of socket.frames) {
      const read = wire.readTrades(frame);
      if (read === undefined) {
        expect(frame).not.toMatch(/"(t|trade_id)":/);
        continue;
      }
      expect(frameOf(read.items, read)).toBe(frame);
      for (const item of read.items) {
        const value = JSON.parse(item.text);
        expect(item.native_symbol).toBe(symbol);
        expect(item.trade_id).toBe(value[wire.fields.trade_id!]);
        for (const field of Object.values(wire.fields)) {
          const spoilt = JSON.parse(spoiltItem(item, field).text);
          expect(spoilt).toEqual({ ...value, [field]: "spoilt" });
        }
        trades += 1;
      }
    }
    expect(trades).toBeGreaterThan(100);
  }
});

test("a bare frame of Binance is one item", () => {
  const frame = `{"e":"trade","E":1,"s":"BTCUSDT","t":2,"p":"1","q":"1","T":1,"m":true,"M":true}`;
  expect(wires.binance?.readTrades(frame)).toEqual({
    head: "",
    items: [{ text: frame, native_symbol: "BTCUSDT", trade_id: 2 }],
    tail: "",
  });
});

test("withUnknownField() keeps what was there", () => {
  const { new_field, ...rest } = JSON.parse(withUnknownField(`{"a":1}`));
  expect(new_field).toBeDefined();
  expect(rest).toEqual({ a: 1 });
});

test("a request goes on without some of its symbols, or not at all", () => {
  for (const [exchange, message, left] of [
    [
      "binance",
      { method: "SUBSCRIBE", params: ["a@trade", "b@trade"], id: 1 },
      { method: "SUBSCRIBE", params: ["b@trade"], id: 1 },
    ],
    [
      "kraken",
      { method: "subscribe", params: { channel: "trade", symbol: ["A", "B"] }, req_id: 1 },
      { method: "subscribe", params: { channel: "trade", symbol: ["B"] }, req_id: 1 },
    ],
    [
      "coinbase",
      { type: "subscribe", product_ids: ["A", "B"], channels: ["matches"] },
      { type: "subscribe", product_ids: ["B"], channels: ["matches"] },
    ],
  ] as const) {
    const request = wires[exchange]!.readRequest(JSON.stringify(message))!;
    expect([request.kind, request.native_symbols]).toEqual(["subscribe", ["A", "B"]]);
    expect(JSON.parse(request.without(new Set(["A"]))!)).toEqual(left);
    const none = request.without(new Set(["A", "B"]));
    expect(none === undefined).toBe(exchange !== "binance");
    for (const text of ["{", "[]", `{"method":"ping"}`, `{"type":"x"}`])
      expect(wires[exchange]!.readRequest(text)).toBeUndefined();
  }
});
