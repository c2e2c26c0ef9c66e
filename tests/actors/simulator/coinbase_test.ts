/**
 * Goal: a Coinbase client hears what Coinbase Exchange's documentation of the feed says.
 * Method: conversations in virtual time, without a socket; documented texts as expected values.
 */

import { expect, test } from "bun:test";
import { CoinbaseConversation } from "../../../actors/simulator/coinbase.ts";
import { FrameCache } from "../../../actors/simulator/exchange.ts";
import { coinbase_instruments } from "../../../actors/simulator/instruments.ts";
import { isoText } from "../../../actors/simulator/kraken.ts";
import { createMarkets } from "../../../actors/simulator/market.ts";
import { readTapes } from "../../../actors/simulator/tape_files.ts";
import { epoch_us } from "../../../actors/simulator/trade.ts";

const markets = createMarkets(coinbase_instruments, {
  all: coinbase_instruments,
  tapes: readTapes(),
  seed: 1,
  rate: undefined,
  native_symbols: {},
});
const bitcoin = markets.get("BTC-USD")!;
const start_us = epoch_us + 86_400_000_000;
const second_us = 1_000_000;

function connect(): CoinbaseConversation {
  const conversation = new CoinbaseConversation({ markets, cache: new FrameCache() });
  expect(conversation.open(start_us).frames).toEqual([]);
  return conversation;
}

function ask(conversation: CoinbaseConversation, message: unknown): readonly string[] {
  const text = typeof message === "string" ? message : JSON.stringify(message);
  return conversation.receive(text, start_us).frames;
}

function subscribe(...product_ids: string[]) {
  return { type: "subscribe", product_ids, channels: ["matches", "heartbeat"] };
}

test("a subscription is answered with all of them and the last match of each product", () => {
  const conversation = connect();
  const [answer, match, ...rest] = ask(conversation, subscribe("BTC-USD"));
  expect(answer).toBe(
    `{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD"],` +
      `"account_ids":null},{"name":"heartbeat","product_ids":["BTC-USD"],"account_ids":null}]}`,
  );
  const last = bitcoin.tradesIn(bitcoin.indexAt(start_us) - 1, bitcoin.indexAt(start_us))[0]!;
  expect(JSON.parse(match!)).toMatchObject({ type: "last_match", trade_id: last.trade_id });
  expect(rest).toEqual([]);
  const more = ask(conversation, {
    type: "subscribe",
    channels: [{ name: "matches", product_ids: ["ETH-USD"] }],
  });
  expect(JSON.parse(more[0]!).channels[0].product_ids).toEqual(["BTC-USD", "ETH-USD"]);
  expect(more).toHaveLength(2);
});

test("matches have the documented form, and the maker's side", () => {
  const conversation = connect();
  ask(conversation, { ...subscribe("BTC-USD"), channels: ["matches"] });
  const now_us = start_us + 10 * second_us;
  const { frames } = conversation.tick(now_us);
  const trades = bitcoin.tradesIn(bitcoin.indexAt(start_us), bitcoin.indexAt(now_us));
  expect(trades.length).toBeGreaterThan(5);
  expect(frames).toHaveLength(trades.length);
  for (const [at, trade] of trades.entries()) {
    const match = JSON.parse(frames[at]!);
    expect(Object.keys(match)).toEqual([
      "type",
      "trade_id",
      "maker_order_id",
      "taker_order_id",
      "side",
      "size",
      "price",
      "product_id",
      "sequence",
      "time",
    ]);
    expect(match).toMatchObject({
      type: "match",
      trade_id: trade.trade_id,
      side: trade.side === "BUY" ? "sell" : "buy",
      size: trade.quantity,
      price: trade.price,
      product_id: "BTC-USD",
      time: isoText(trade.timestamp),
    });
  }
});

test("a heartbeat a second and product names the newest trade and the time", () => {
  const conversation = connect();
  ask(conversation, subscribe("BTC-USD", "ETH-USD"));
  expect(conversation.tick(start_us + second_us - 1).frames.join()).not.toContain("heartbeat");
  const now_us = start_us + second_us;
  const beats = conversation
    .tick(now_us)
    .frames.map((frame) => JSON.parse(frame))
    .filter((frame) => frame.type === "heartbeat");
  expect(beats).toHaveLength(2);
  expect(beats[0]).toMatchObject({
    product_id: "BTC-USD",
    last_trade_id: bitcoin.instrument.first_trade_id + bitcoin.indexAt(now_us) - 1,
    time: isoText(now_us),
  });
});

test("one unknown product refuses the whole request", () => {
  const conversation = connect();
  expect(ask(conversation, subscribe("BTC-USD", "NO-PE"))).toEqual([
    `{"type":"error","message":"Failed to subscribe","reason":"NO-PE is not a valid product"}`,
  ]);
  const again = conversation.receive(JSON.stringify(subscribe("NO-PE")), start_us + second_us);
  expect(again.broken).toEqual(["coinbase.unknown_symbol_again"]);
  expect(conversation.tick(start_us + second_us).frames).toEqual([]);
});

test("whoever does not subscribe within five seconds is closed, and has broken a rule", () => {
  const conversation = connect();
  expect(conversation.tick(start_us + 5 * second_us - 1)).toEqual({ frames: [] });
  expect(conversation.tick(start_us + 5 * second_us)).toMatchObject({
    close: { code: 1008 },
    broken: ["coinbase.subscribe_late"],
  });
});

test("unsubscribing ends a channel and is answered with what is left", () => {
  const conversation = connect();
  ask(conversation, subscribe("BTC-USD"));
  const [answer] = ask(conversation, { ...subscribe("BTC-USD"), type: "unsubscribe" });
  expect(answer).toBe(`{"type":"subscriptions","channels":[]}`);
  expect(conversation.tick(start_us + 60 * second_us)).toEqual({ frames: [] });
});

test("what makes no sense is an error, and a hundred messages a second are the most", () => {
  const conversation = connect();
  for (const [message, reason] of [
    ["{", "Malformed JSON"],
    [{ type: "order" }, `\\"order\\" is not a valid type`],
    [{ type: "subscribe", product_ids: ["BTC-USD"] }, "No channels provided"],
    [{ type: "subscribe", channels: ["matches"] }, " is not a valid product"],
    [{ ...subscribe("BTC-USD"), channels: ["nothing"] }, `\\"nothing\\" is not a valid channel`],
  ] as const) {
    expect(ask(conversation, message)).toEqual([
      `{"type":"error","message":"Failed to subscribe","reason":"${reason}"}`,
    ]);
  }
  for (let count = 5; count < 100; count += 1) ask(conversation, subscribe("BTC-USD"));
  expect(conversation.receive("{}", start_us).broken).toEqual(["coinbase.messages_per_second"]);
});
