/**
 * Goal: Coinbase's REST gives the market's trades newest first with cursors that lose none.
 * Method: requests in virtual time, compared with the market and with documented texts.
 */

import { expect, test } from "bun:test";
import { answerCoinbase, coinbaseSubject } from "../../../actors/simulator/coinbase_rest.ts";
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
const now_us = epoch_us + 3_600_000_000;

function get(path: string) {
  const url = new URL(path, "http://127.0.0.1");
  const request = {
    path: url.pathname,
    query: url.searchParams,
    headers: new Headers(),
    now_us,
  };
  const answer = answerCoinbase(request, markets);
  return { ...answer, value: JSON.parse(answer.body), subject: coinbaseSubject(request, markets) };
}

test("a trade has the documented form, the maker's side and microseconds", () => {
  const trade = bitcoin.tradesIn(bitcoin.indexAt(now_us) - 1, bitcoin.indexAt(now_us))[0]!;
  const { body } = get("/products/BTC-USD/trades?limit=1");
  expect(body).toBe(
    `[{"trade_id":${trade.trade_id},"side":"${trade.side === "BUY" ? "sell" : "buy"}",` +
      `"size":"${trade.quantity}","price":"${trade.price}","time":"${isoText(trade.timestamp)}"}]`,
  );
});

test("pages by CB-AFTER give every trade once, back to the first", () => {
  const ids: number[] = [];
  for (let path = "/products/BTC-USD/trades"; ; ) {
    const { value, headers } = get(path);
    if (value.length === 0) break;
    expect(value.length).toBeLessThanOrEqual(1_000);
    for (const { trade_id } of value) ids.push(trade_id);
    expect(headers).toMatchObject({
      "cb-before": String(value[0].trade_id),
      "cb-after": String(value.at(-1).trade_id),
    });
    path = `/products/BTC-USD/trades?after=${value.at(-1).trade_id}`;
  }
  const { first_trade_id } = bitcoin.instrument;
  const count = bitcoin.indexAt(now_us);
  expect(count).toBeGreaterThan(5_000);
  expect(ids).toEqual(Array.from({ length: count }, (_, at) => first_trade_id + count - 1 - at));
});

test("before gives only what is newer", () => {
  const { first_trade_id } = bitcoin.instrument;
  const newest = first_trade_id + bitcoin.indexAt(now_us) - 1;
  const { value } = get(`/products/BTC-USD/trades?before=${newest - 3}`);
  expect(value.map((trade: { trade_id: number }) => trade.trade_id)).toEqual([
    newest,
    newest - 1,
    newest - 2,
  ]);
});

test("products and the time", () => {
  const { value } = get("/products");
  expect(value).toHaveLength(12);
  expect(value[0]).toMatchObject({
    id: "BTC-USD",
    base_currency: "BTC",
    quote_currency: "USD",
    quote_increment: "0.01",
    base_increment: "0.00000001",
    status: "online",
    trading_disabled: false,
  });
  expect(get("/products/ETH-BTC").value.id).toBe("ETH-BTC");
  expect(get("/time").value).toEqual({ iso: isoText(now_us), epoch: now_us / 1_000_000 });
});

test("what Coinbase does not have, and what it cannot read", () => {
  for (const [path, status, message] of [
    ["/products/NO-PE/trades", 404, "NotFound"],
    ["/products/NO-PE", 404, "NotFound"],
    ["/products/BTC-USD/trades?after=x", 400, "Invalid after"],
    ["/products/BTC-USD/trades?limit=0", 400, "Invalid limit"],
  ] as const) {
    expect(get(path)).toMatchObject({ status, value: { message } });
  }
});

test("requests are known by what they are about", () => {
  expect(get("/products/BTC-USD/trades").subject).toEqual({
    kind: "trades",
    asked: "BTC-USD",
    native_symbol: "BTC-USD",
  });
  expect(get("/products").subject?.kind).toBe("instruments");
  expect(get("/time").subject?.kind).toBe("time");
  expect(get("/api/v3/time").subject).toBeUndefined();
});
