/**
 * Goal: the simulator's own list is the markets' trades, in bounded pages, and refuses clearly.
 * Method: requests in virtual time, compared with the market.
 */

import { expect, test } from "bun:test";
import { createExchanges } from "../../../actors/simulator/exchanges.ts";
import { listTrades, trades_per_page_max } from "../../../actors/simulator/list.ts";
import { readTapes } from "../../../actors/simulator/tape_files.ts";
import { epoch_us } from "../../../actors/simulator/trade.ts";

const now_us = epoch_us + 86_400_000_000;
const { exchanges } = createExchanges({
  tapes: readTapes(),
  seed: 1,
  rate: undefined,
  native_symbols: {},
  started_us: now_us,
  flood: null,
});
const bitcoin = exchanges[0]!.markets.get("BTCUSDT")!;

function get(query: string) {
  return listTrades(exchanges, {
    path: "/simulator/trades",
    query: new URLSearchParams(query),
    headers: new Headers(),
    now_us,
  });
}

function idsOf(body: string): number[] {
  return body
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Number(JSON.parse(line).trade_id));
}

test("a line is a trade with the record's names", () => {
  expect(get("exchange=binance&symbol=BTCUSDT&limit=1").body).toBe(
    `{"exchange":"binance","native_symbol":"BTCUSDT","trade_id":"5700000000",` +
      `"price":"39432.48000000","quantity":"0.00026300","side":"SELL",` +
      `"timestamp":${epoch_us}}\n`,
  );
  expect(get("exchange=kraken&symbol=BTC/USD&limit=1").body).toBe(
    `{"exchange":"kraken","native_symbol":"BTC/USD","trade_id":"94000000",` +
      `"price":"105433.6","quantity":"0.00027625","side":"BUY","timestamp":${epoch_us}}\n`,
  );
});

test("ranges of ids and of times are inclusive", () => {
  const [first, last] = bitcoin.tradesIn(1_000, 1_051).filter((_, at) => at === 0 || at === 50);
  const ids = idsOf(
    get(`exchange=binance&symbol=BTCUSDT&from_id=${first!.trade_id}&to_id=${last!.trade_id}`).body,
  );
  expect([ids.length, ids[0], ids.at(-1)]).toEqual([51, first!.trade_id, last!.trade_id]);
  const by_time = idsOf(
    get(`exchange=binance&symbol=BTCUSDT&from_us=${first!.timestamp}&to_us=${last!.timestamp}`)
      .body,
  );
  expect(by_time).toContain(first!.trade_id);
  expect(by_time).toContain(last!.trade_id);
  for (const trade of bitcoin.tradesIn(900, 1_200)) {
    const is_within = trade.timestamp >= first!.timestamp && trade.timestamp <= last!.timestamp;
    expect(by_time.includes(trade.trade_id)).toBe(is_within);
  }
});

test("pages are bounded, follow one another, and end at what is due", () => {
  const whole: number[] = [];
  let from_id = 0;
  for (;;) {
    const ids = idsOf(get(`exchange=binance&symbol=BTCUSDT&from_id=${from_id}&limit=9999999`).body);
    expect(ids.length).toBeLessThanOrEqual(trades_per_page_max);
    if (ids.length === 0) break;
    for (const id of ids) whole.push(id);
    from_id = ids.at(-1)! + 1;
    if (whole.length > 120_000) break;
  }
  expect(whole).toEqual(whole.map((_, index) => 5_700_000_000 + index));
  const due_id = 5_700_000_000 + bitcoin.indexAt(now_us);
  const end = idsOf(get(`exchange=binance&symbol=BTCUSDT&from_id=${due_id - 3}`).body);
  expect(end).toEqual([due_id - 3, due_id - 2, due_id - 1]);
});

test("wrong requests say what is allowed", () => {
  for (const [query, sentence] of [
    [
      "exchange=nyse&symbol=X",
      "exchange must be one of binance, kraken, coinbase: current value is nyse",
    ],
    ["exchange=kraken&symbol=XBT/USD", "symbol must be one of BTC/USD,"],
    ["exchange=kraken&symbol=BTC/USD&from_id=-1", "from_id must be a whole number"],
  ] as const) {
    const { status, body } = get(query);
    expect(status).toBe(400);
    expect(JSON.parse(body).error).toContain(sentence);
  }
});
