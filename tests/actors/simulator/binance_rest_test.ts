/**
 * Goal: Binance's REST gives the market's trades in the documented form, and weighs and refuses.
 * Method: requests in virtual time, compared with the market and with documented texts.
 */

import { beforeEach, expect, test } from "bun:test";
import { BinanceRest } from "../../../actors/simulator/binance_rest.ts";
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
const bitcoin = markets.get("BTCUSDT")!;
const now_us = epoch_us + 3_600_000_000;
let rest = new BinanceRest(markets);

beforeEach(() => {
  rest = new BinanceRest(markets);
});

function get(path: string, options: { now_us?: number; headers?: Record<string, string> } = {}) {
  const url = new URL(path, "http://127.0.0.1");
  const answer = rest.answer({
    path: url.pathname,
    query: url.searchParams,
    headers: new Headers(options.headers),
    now_us: options.now_us ?? now_us,
  });
  return { ...answer!, value: answer?.body ? JSON.parse(answer.body) : undefined };
}

test("ping and time", () => {
  expect(get("/api/v3/ping").body).toBe("{}");
  expect(get("/api/v3/time").value).toEqual({ serverTime: now_us / 1_000 });
  expect(get("/api/v3/time", { headers: { "X-MBX-TIME-UNIT": "MICROSECOND" } }).value).toEqual({
    serverTime: now_us,
  });
});

test("historicalTrades begins at fromId and has the documented form", () => {
  const { body } = get("/api/v3/historicalTrades?symbol=BTCUSDT&fromId=5700000000&limit=2");
  expect(body).toBe(
    `[{"id":5700000000,"price":"39432.48000000","qty":"0.00026300","quoteQty":"10.37074224",` +
      `"time":${epoch_us / 1_000},"isBuyerMaker":true,"isBestMatch":true},` +
      `{"id":5700000001,"price":"39439.44000000","qty":"0.00437600","quoteQty":"172.58698944",` +
      `"time":${epoch_us / 1_000 + 32},"isBuyerMaker":false,"isBestMatch":true}]`,
  );
});

test("pages by fromId give every trade that is due and none that is not", () => {
  const ids: number[] = [];
  const due = bitcoin.indexAt(now_us);
  let from_id = bitcoin.instrument.first_trade_id + due - 2_500;
  for (let page = 0; page < 4; page += 1) {
    const { value } = get(`/api/v3/historicalTrades?symbol=BTCUSDT&fromId=${from_id}&limit=1000`, {
      headers: { "X-MBX-TIME-UNIT": "MICROSECOND" },
    });
    for (const item of value) ids.push(item.id);
    from_id = ids.at(-1)! + 1;
    if (value.length > 0) expect(value.at(-1).time).toBeLessThanOrEqual(now_us);
  }
  expect(ids).toEqual(bitcoin.tradesIn(due - 2_500, due).map((trade) => trade.trade_id));
});

test("an id before the first begins there, one beyond the last gives nothing", () => {
  const first = bitcoin.instrument.first_trade_id;
  expect(get("/api/v3/historicalTrades?symbol=BTCUSDT&fromId=0&limit=1").value[0].id).toBe(first);
  expect(get("/api/v3/historicalTrades?symbol=BTCUSDT&fromId=9700000000").value).toEqual([]);
});

test("trades are the latest: 500 by default, at most 1,000", () => {
  const due = bitcoin.instrument.first_trade_id + bitcoin.indexAt(now_us);
  for (const [query, count] of [
    ["", 500],
    ["&limit=1", 1],
    ["&limit=5000", 1_000],
  ] as const) {
    const { value } = get(`/api/v3/trades?symbol=BTCUSDT${query}`);
    expect(value).toHaveLength(count);
    expect(value.at(-1).id).toBe(due - 1);
  }
});

test("exchangeInfo lists one symbol, several, or all", () => {
  const one = get("/api/v3/exchangeInfo?symbol=ETHBTC").value;
  expect(one.symbols).toHaveLength(1);
  expect(one.symbols[0]).toMatchObject({
    symbol: "ETHBTC",
    status: "TRADING",
    baseAsset: "ETH",
    quoteAsset: "BTC",
  });
  expect(one.rateLimits[0].limit).toBe(6_000);
  const two = get(`/api/v3/exchangeInfo?symbols=${encodeURIComponent('["BTCUSDT","ETHUSDT"]')}`);
  expect(two.value.symbols.map((item: { symbol: string }) => item.symbol)).toEqual([
    "BTCUSDT",
    "ETHUSDT",
  ]);
  expect(get("/api/v3/exchangeInfo").value.symbols).toHaveLength(12);
});

test("wrong requests get code and msg", () => {
  const cases: [string, number, string][] = [
    ["exchangeInfo?symbol=NOPE", -1121, "Invalid symbol."],
    ["trades?symbol=btcusdt", -1121, "Invalid symbol."],
    ["trades", -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."],
    [
      "historicalTrades?symbol=BTCUSDT&fromId=x",
      -1100,
      "Illegal characters found in parameter 'fromId'.",
    ],
    ["trades?symbol=BTCUSDT&limit=0", -1100, "Illegal characters found in parameter 'limit'."],
    ["exchangeInfo?symbols=BTCUSDT", -1100, "Illegal characters found in parameter 'symbols'."],
    ["exchangeInfo?symbol=A&symbols=B", -1128, "Combination of optional parameters invalid."],
  ];
  for (const [path, code, msg] of cases) {
    const { status, value } = get(`/api/v3/${path}`);
    expect([status, value]).toEqual([400, { code, msg }]);
  }
  expect(get("/api/v3/nothing").status).toBe(404);
  const query = new URLSearchParams();
  expect(rest.answer({ path: "/0/public/Time", query, headers: new Headers(), now_us })).toBe(
    undefined,
  );
});

test("weight adds up within a minute, is refused beyond the budget, and starts anew", () => {
  expect(get("/api/v3/exchangeInfo").headers["x-mbx-used-weight-1m"]).toBe("20");
  expect(get("/api/v3/trades?symbol=BTCUSDT").headers["x-mbx-used-weight-1m"]).toBe("45");
  for (let count = 0; count < 238; count += 1) get("/api/v3/trades?symbol=BTCUSDT&limit=1");
  const over = get("/api/v3/trades?symbol=BTCUSDT", { now_us: now_us + 17_500_000 });
  expect(over.status).toBe(429);
  expect(over.value.code).toBe(-1003);
  expect(over.headers["retry-after"]).toBe("43");
  const next = get("/api/v3/trades?symbol=BTCUSDT", { now_us: now_us + 60_000_000 });
  expect([next.status, next.headers["x-mbx-used-weight-1m"]]).toEqual([200, "25"]);
});
