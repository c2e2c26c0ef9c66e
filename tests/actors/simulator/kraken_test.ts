/**
 * Goal: a Kraken client hears what Kraken's documentation of WebSocket v2 says, to the letter.
 * Method: conversations in virtual time, without a socket; documented texts as expected values.
 */

import { expect, test } from "bun:test";
import { FrameCache } from "../../../actors/simulator/exchange.ts";
import { kraken_instruments } from "../../../actors/simulator/instruments.ts";
import { isoText, KrakenConversation, tradesFrame } from "../../../actors/simulator/kraken.ts";
import { createMarkets } from "../../../actors/simulator/market.ts";
import { readTapes } from "../../../actors/simulator/tape_files.ts";
import { epoch_us } from "../../../actors/simulator/trade.ts";

const markets = createMarkets(kraken_instruments, {
  all: kraken_instruments,
  tapes: readTapes(),
  seed: 1,
  rate: undefined,
  native_symbols: {},
});
const start_us = epoch_us + 86_400_000_000;
const second_us = 1_000_000;
const times = `"time_in":"2026-01-02T00:00:00.000000Z","time_out":"2026-01-02T00:00:00.000040Z"`;

function connect(): KrakenConversation {
  const cache = new FrameCache();
  const connection_id = 15_113_583_034_416_118_705n;
  const conversation = new KrakenConversation({ markets, cache, connection_id });
  expect(conversation.open(start_us).frames).toEqual([
    `{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online",` +
      `"api_version":"v2","connection_id":15113583034416118705}]}`,
  ]);
  return conversation;
}

function ask(conversation: KrakenConversation, message: unknown): readonly string[] {
  const text = typeof message === "string" ? message : JSON.stringify(message);
  return conversation.receive(text, start_us).frames;
}

function subscribe(symbol: unknown, more: Record<string, unknown> = {}) {
  return { method: "subscribe", params: { channel: "trade", symbol, ...more } };
}

test("each symbol of a request is answered by itself, refused or not", () => {
  const conversation = connect();
  const frames = ask(conversation, { ...subscribe(["BTC/USD", "XLM/GBP", "ETH/USD"]), req_id: 1 });
  expect(frames).toEqual([
    `{"method":"subscribe","req_id":1,"result":{"channel":"trade","snapshot":false,` +
      `"symbol":"BTC/USD"},"success":true,${times}}`,
    `{"error":"Currency pair not supported XLM/GBP","method":"subscribe","req_id":1,` +
      `"success":false,"symbol":"XLM/GBP",${times}}`,
    `{"method":"subscribe","req_id":1,"result":{"channel":"trade","snapshot":false,` +
      `"symbol":"ETH/USD"},"success":true,${times}}`,
  ]);
});

test("REST's names, and XBT, are no symbols here", () => {
  const conversation = connect();
  for (const symbol of ["XBT/USD", "XXBTZUSD", "XDG/USD", "btc/usd"]) {
    expect(ask(conversation, subscribe([symbol]))).toEqual([
      `{"error":"Currency pair not supported ${symbol}","method":"subscribe","success":false,` +
        `"symbol":"${symbol}",${times}}`,
    ]);
  }
});

test("a snapshot is the last 50 trades, and updates go on right after it", () => {
  const conversation = connect();
  const [ack, snapshot, ...rest] = ask(conversation, subscribe(["SOL/USD"], { snapshot: true }));
  expect(ack).toContain(`"snapshot":true`);
  expect(rest).toEqual([]);
  const { type, data } = JSON.parse(snapshot!);
  expect([type, data.length]).toEqual(["snapshot", 50]);
  const market = markets.get("SOL/USD")!;
  const due = market.indexAt(start_us);
  const native_symbol = "SOL/USD";
  expect(snapshot).toBe(
    tradesFrame("snapshot", { native_symbol, trades: market.tradesIn(due - 50, due) }),
  );

  const now_us = start_us + 30 * second_us;
  const { frames } = conversation.tick(now_us);
  const trades = market.tradesIn(due, market.indexAt(now_us));
  expect(trades.length).toBeGreaterThan(5);
  expect(frames).toEqual([tradesFrame("update", { native_symbol, trades })]);
});

test("a snapshot of a market without trades is empty", () => {
  const before_us = epoch_us - second_us;
  const options = { markets, cache: new FrameCache(), connection_id: 1n };
  const conversation = new KrakenConversation(options);
  conversation.open(before_us);
  const text = JSON.stringify(subscribe(["BTC/USD"], { snapshot: true }));
  expect(conversation.receive(text, before_us).frames[1]).toBe(
    `{"channel":"trade","type":"snapshot","data":[]}`,
  );
});

test("numbers are written digit by digit, and trades that fall together share a frame", () => {
  const market = markets.get("BTC/USDT")!;
  const frame = tradesFrame("update", {
    native_symbol: "BTC/USDT",
    trades: market.tradesIn(1, 4),
  });
  expect(frame).toBe(
    `{"channel":"trade","type":"update","data":[` +
      `{"symbol":"BTC/USDT","side":"buy","price":105410.1,"qty":0.00005,"ord_type":"market",` +
      `"trade_id":10400001,"timestamp":"2026-01-01T00:00:23.874992Z"},` +
      `{"symbol":"BTC/USDT","side":"buy","price":105383.8,"qty":0.0001246,"ord_type":"market",` +
      `"trade_id":10400002,"timestamp":"2026-01-01T00:00:39.965600Z"},` +
      `{"symbol":"BTC/USDT","side":"buy","price":105383.8,"qty":0.00885072,"ord_type":"market",` +
      `"trade_id":10400003,"timestamp":"2026-01-01T00:00:39.965600Z"}]}`,
  );
});

test("many trades become frames of at most 1,000 and every one is sent", () => {
  const conversation = connect();
  ask(conversation, subscribe(["ADA/USD"]));
  const now_us = start_us + 2_500 * second_us;
  const ids: number[] = [];
  for (const frame of conversation.tick(now_us).frames) {
    const { data } = JSON.parse(frame);
    expect(data.length).toBeLessThanOrEqual(1_000);
    for (const item of data) ids.push(item.trade_id);
  }
  const market = markets.get("ADA/USD")!;
  const trades = market.tradesIn(market.indexAt(start_us), market.indexAt(now_us));
  expect(trades.length).toBeGreaterThan(2_000);
  expect(ids).toEqual(trades.map((trade) => trade.trade_id));
});

test("a heartbeat comes a second after the last frame, only after a subscription", () => {
  const silent = connect();
  expect(silent.tick(start_us + 5 * second_us).frames).toEqual([]);
  // Refused, and still heartbeating: as the real exchange leaves it.
  const conversation = connect();
  ask(conversation, subscribe(["XLM/GBP"]));
  expect(conversation.tick(start_us + second_us - 1).frames).toEqual([]);
  expect(conversation.tick(start_us + second_us).frames).toEqual([`{"channel":"heartbeat"}`]);
  expect(conversation.tick(start_us + second_us + 10).frames).toEqual([]);
  expect(conversation.tick(start_us + 2 * second_us).frames).toHaveLength(1);
});

test("a connection that never subscribes is closed after a minute", () => {
  const conversation = connect();
  expect(conversation.tick(start_us + 59 * second_us).close).toBeUndefined();
  expect(conversation.tick(start_us + 60 * second_us).close?.code).toBe(1000);
});

test("unsubscribing ends the trades and is answered per symbol", () => {
  const conversation = connect();
  ask(conversation, subscribe(["SOL/USD"]));
  const message = { ...subscribe(["SOL/USD", "ETH/USD"]), method: "unsubscribe" };
  expect(ask(conversation, message)).toEqual([
    `{"method":"unsubscribe","result":{"channel":"trade","symbol":"SOL/USD"},` +
      `"success":true,${times}}`,
    `{"error":"Subscription Not Found","method":"unsubscribe","success":false,` +
      `"symbol":"ETH/USD",${times}}`,
  ]);
  expect(conversation.tick(start_us + 60 * second_us).frames).toEqual([`{"channel":"heartbeat"}`]);
});

test("ping, a second subscription, and what makes no sense", () => {
  const conversation = connect();
  const cases: [unknown, string][] = [
    [{ method: "ping", req_id: 101 }, `{"method":"pong","req_id":101,${times}}`],
    [{ method: "ping" }, `{"method":"pong",${times}}`],
    ["{", `{"error":"Malformed request","method":"error","success":false,${times}}`],
    [
      { method: "add_order" },
      `{"error":"Unsupported event","method":"add_order","success":false,${times}}`,
    ],
    [
      { method: "subscribe" },
      `{"error":"Missing params","method":"subscribe","success":false,${times}}`,
    ],
    [
      subscribe("BTC/USD"),
      `{"error":"Symbol(s) must be a list of strings","method":"subscribe",` +
        `"success":false,${times}}`,
    ],
  ];
  for (const [message, answer] of cases) expect(ask(conversation, message)).toEqual([answer]);
  ask(conversation, subscribe(["SOL/USD"]));
  expect(ask(conversation, subscribe(["SOL/USD"]))[0]).toContain(`"error":"Already subscribed"`);
  const book = { method: "subscribe", params: { channel: "book", symbol: ["BTC/USD"] } };
  expect(JSON.parse(ask(conversation, book)[0]!).success).toBe(false);
});

test("isoText() keeps every microsecond", () => {
  expect(isoText(1_787_746_340_684_123)).toBe("2026-08-26T12:12:20.684123Z");
  expect(isoText(epoch_us + 7)).toBe("2026-01-01T00:00:00.000007Z");
});
