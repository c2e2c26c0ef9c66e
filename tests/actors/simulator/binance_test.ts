/**
 * Goal: a Binance client hears what Binance's documentation says, to the letter.
 * Method: conversations in virtual time, without a socket; documented texts as expected values.
 */

import { expect, test } from "bun:test";
import { BinanceConversation, readAddress } from "../../../actors/simulator/binance.ts";
import { FrameCache } from "../../../actors/simulator/exchange.ts";
import { binance_instruments } from "../../../actors/simulator/instruments.ts";
import { createMarkets } from "../../../actors/simulator/market.ts";
import { readTapes } from "../../../actors/simulator/tape_files.ts";
import { epoch_us } from "../../../actors/simulator/trade.ts";

const markets = createMarkets(binance_instruments, {
  all: binance_instruments,
  tapes: readTapes(),
  seed: 1,
  rate: undefined,
  native_symbols: {},
});
const start_us = epoch_us + 3_600_000_000;
const second_us = 1_000_000;

/** Each question is a second after the last one: five a second are the most. */
let asked_us = start_us;

function connect(path: string): BinanceConversation {
  asked_us = start_us;
  const address = readAddress(new URL(path, "ws://127.0.0.1"));
  if (address === undefined) throw new Error(`${path} is not an address of Binance`);
  const conversation = new BinanceConversation({ markets, cache: new FrameCache(), ...address });
  conversation.open(start_us);
  return conversation;
}

function ask(conversation: BinanceConversation, message: unknown): string {
  const text = typeof message === "string" ? message : JSON.stringify(message);
  const { frames } = conversation.receive(text, asked_us);
  asked_us += second_us;
  expect(frames).toHaveLength(1);
  return frames[0]!;
}

function dueTrades(symbol: string, to_us: number) {
  const market = markets.get(symbol)!;
  return market.tradesIn(market.indexAt(start_us), market.indexAt(to_us));
}

test("the three addresses decide wrapping, streams and unit", () => {
  expect(
    readAddress(new URL("ws://x/stream?streams=a@trade/b@trade&timeUnit=MICROSECOND")),
  ).toEqual({ streams: ["a@trade", "b@trade"], form: { is_combined: true, unit: "microseconds" } });
  expect(readAddress(new URL("ws://x/ws/btcusdt@trade?timeUnit=microsecond"))).toEqual({
    streams: ["btcusdt@trade"],
    form: { is_combined: false, unit: "microseconds" },
  });
  expect(readAddress(new URL("ws://x/ws"))).toEqual({
    streams: [],
    form: { is_combined: false, unit: "milliseconds" },
  });
  expect(readAddress(new URL("ws://x/v2"))).toBeUndefined();
  expect(readAddress(new URL("ws://x/wsx"))).toBeUndefined();
});

test("a raw stream in milliseconds has the documented form", () => {
  const conversation = connect("/ws/btcusdt@trade");
  const now_us = start_us + second_us;
  const { frames } = conversation.tick(now_us);
  const trades = dueTrades("BTCUSDT", now_us);
  expect(trades.length).toBeGreaterThan(5);
  expect(frames).toEqual(
    trades.map(
      (trade) =>
        `{"e":"trade","E":${now_us / 1_000},"s":"BTCUSDT","t":${trade.trade_id},` +
        `"p":"${trade.price}","q":"${trade.quantity}","T":${Math.floor(trade.timestamp / 1_000)},` +
        `"m":${trade.side === "SELL"},"M":true}`,
    ),
  );
});

test("a combined stream in microseconds has the documented form, one trade a frame", () => {
  const conversation = connect("/stream?streams=btcusdt@trade/ethusdt@trade&timeUnit=MICROSECOND");
  const now_us = start_us + 5 * second_us;
  const { frames } = conversation.tick(now_us);
  const [first] = dueTrades("BTCUSDT", now_us);
  expect(frames[0]).toBe(
    `{"stream":"btcusdt@trade","data":{"e":"trade","E":${now_us},"s":"BTCUSDT",` +
      `"t":${first!.trade_id},"p":"${first!.price}","q":"${first!.quantity}",` +
      `"T":${first!.timestamp},"m":${first!.side === "SELL"},"M":true}}`,
  );
  expect(frames).toHaveLength(
    dueTrades("BTCUSDT", now_us).length + dueTrades("ETHUSDT", now_us).length,
  );
});

test("every trade is sent once, in order, however the ticks fall", () => {
  const conversation = connect("/ws/btcusdt@trade");
  const ids: number[] = [];
  let now_us = start_us;
  for (let tick = 0; tick < 400; tick += 1) {
    now_us += ((tick * 7_919) % 50) * 1_000;
    for (const frame of conversation.tick(now_us).frames) ids.push(JSON.parse(frame).t);
  }
  expect(ids).toEqual(dueTrades("BTCUSDT", now_us).map((trade) => trade.trade_id));
});

test("connections that are owed the same share one encoding", () => {
  const cache = new FrameCache();
  const address = readAddress(new URL("ws://x/ws/btcusdt@trade"))!;
  const [one, other] = [1, 2].map(() => new BinanceConversation({ markets, cache, ...address }));
  one!.open(start_us);
  other!.open(start_us);
  const now_us = start_us + second_us;
  const [a, b] = [one!.tick(now_us).frames, other!.tick(now_us).frames];
  expect(a.length).toBeGreaterThan(5);
  expect(b).toEqual(a);
});

test("the methods are answered as documented", () => {
  const conversation = connect("/ws");
  const params = ["btcusdt@trade", "btcusdt@depth"];
  expect(ask(conversation, { method: "SUBSCRIBE", params, id: 1 })).toBe(`{"result":null,"id":1}`);
  expect(ask(conversation, { method: "LIST_SUBSCRIPTIONS", id: 3 })).toBe(
    `{"result":["btcusdt@trade","btcusdt@depth"],"id":3}`,
  );
  expect(ask(conversation, { method: "UNSUBSCRIBE", params: ["btcusdt@depth"], id: 312 })).toBe(
    `{"result":null,"id":312}`,
  );
  expect(ask(conversation, { method: "GET_PROPERTY", params: ["combined"], id: 2 })).toBe(
    `{"result":false,"id":2}`,
  );
  expect(ask(conversation, { method: "SET_PROPERTY", params: ["combined", true], id: 5 })).toBe(
    `{"result":null,"id":5}`,
  );
  expect(ask(conversation, { method: "GET_PROPERTY", params: ["combined"], id: "a1" })).toBe(
    `{"result":true,"id":"a1"}`,
  );
  expect(conversation.tick(start_us + second_us).frames[0]).toStartWith(
    `{"stream":"btcusdt@trade","data":`,
  );
  expect(ask(conversation, { method: "UNSUBSCRIBE", params: ["btcusdt@trade"], id: null })).toBe(
    `{"result":null,"id":null}`,
  );
  expect(conversation.tick(start_us + 2 * second_us).frames).toEqual([]);
});

test("errors are answered as documented", () => {
  const conversation = connect("/ws");
  const method = "GET_PROPERTY";
  const cases: [unknown, string][] = [
    [{ method, params: ["x"], id: 4 }, `{"code":0,"msg":"Unknown property","id":4}`],
    [
      { method: "SET_PROPERTY", params: ["combined", "yes"], id: 4 },
      `{"code":1,"msg":"Invalid value type: expected Boolean"}`,
    ],
    [
      { method, params: [1], id: 4 },
      `{"code":2,"msg":"Invalid request: property name must be a string"}`,
    ],
    [{ method, id: 4 }, `{"code":2,"msg":"Invalid request: property name must be a string"}`],
    [
      { method: "LIST_SUBSCRIPTIONS" },
      `{"code":2,"msg":"Invalid request: request ID must be an unsigned integer"}`,
    ],
    [
      { method: "LIST_SUBSCRIPTIONS", params: ["x"], id: 1 },
      `{"code":2,"msg":"Invalid request: too many parameters"}`,
    ],
    [
      { method: "subscribe", id: 1 },
      `{"code":2,"msg":"Invalid request: unknown variant \`subscribe\`, expected one of ` +
        "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY` " +
        `at line 1 column 28"}`,
    ],
    [
      `{"params":["combined"],"id":5}`,
      `{"code":2,"msg":"Invalid request: missing field \`method\` at line 1 column 30"}`,
    ],
    ["{", `{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}`],
  ];
  for (const [message, answer] of cases) expect(ask(conversation, message)).toBe(answer);
});

test("a misspelt, upper-case or other stream is accepted, listed, and silent", () => {
  const conversation = connect("/ws/btcusdtt@trade/BTCUSDT@trade/btcusdt@aggTrade/btcusdt");
  expect(conversation.tick(start_us + 10 * second_us)).toEqual({ frames: [] });
  expect(JSON.parse(ask(conversation, { method: "LIST_SUBSCRIPTIONS", id: 1 })).result).toEqual([
    "btcusdtt@trade",
    "BTCUSDT@trade",
    "btcusdt@aggTrade",
    "btcusdt",
  ]);
});

test("a message of 4,096 bytes is read, a longer one ends the connection with 3001", () => {
  const conversation = connect("/ws");
  const text = JSON.stringify({ method: "LIST_SUBSCRIPTIONS", id: 1 });
  expect(ask(conversation, text.padEnd(4_096))).toBe(`{"result":[],"id":1}`);
  expect(conversation.receive(text.padEnd(4_097), start_us).close?.code).toBe(3_001);
  expect(conversation.receive("€".repeat(1_366), start_us).close?.code).toBe(3_001);
});

test("pings come every 20 s with the milliseconds; only their own payload counts as a pong", () => {
  const conversation = connect("/ws");
  expect(conversation.tick(start_us + 19 * second_us).ping).toBeUndefined();
  const first = conversation.tick(start_us + 20 * second_us).ping;
  expect(first).toBe(String((start_us + 20 * second_us) / 1_000));
  expect(conversation.tick(start_us + 39 * second_us).ping).toBeUndefined();
  conversation.pong(first!, start_us + 39 * second_us);
  const second = conversation.tick(start_us + 40 * second_us).ping;
  expect(second).toBe(String((start_us + 40 * second_us) / 1_000));
  conversation.pong("", start_us + 50 * second_us);
  expect(conversation.tick(start_us + 99 * second_us).close).toBeUndefined();
  expect(conversation.tick(start_us + 100 * second_us)).toMatchObject({
    close: { code: 1008, reason: "Pong timeout" },
    broken: ["binance.pong_late"],
  });
});

test("a connection ends after 24 hours", () => {
  const conversation = connect("/ws");
  const { close } = conversation.tick(start_us + 24 * 3_600 * second_us);
  expect(close?.code).toBe(1001);
});

test("the shutdown frame follows the connection's form", () => {
  expect(connect("/ws").shutdown(start_us).frames).toEqual([
    `{"e":"serverShutdown","E":${start_us / 1_000}}`,
  ]);
  expect(connect("/stream?timeUnit=MICROSECOND").shutdown(start_us).frames).toEqual([
    `{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":${start_us}}}`,
  ]);
});
