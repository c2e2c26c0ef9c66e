/**
 * Goal: Kraken's REST gives the market's trades in the documented form, by its names and cursors.
 * Method: requests in virtual time; pages followed by `last` must give every trade once, in order,
 * although many trades share a microsecond.
 */

import { expect, test } from "bun:test";
import { kraken_instruments } from "../../../actors/simulator/instruments.ts";
import { KrakenRest } from "../../../actors/simulator/kraken_rest.ts";
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
const rest = new KrakenRest(markets, kraken_instruments);
const now_us = epoch_us + 86_400_000_000;

function get(path: string): { body: string; error: string[]; result: Record<string, never> } {
  const url = new URL(path, "http://127.0.0.1/0/public/");
  const answer = rest.answer({
    path: url.pathname,
    query: url.searchParams,
    headers: new Headers(),
    now_us,
  });
  expect(answer?.status).toBe(200);
  return { body: answer!.body, ...JSON.parse(answer!.body) };
}

test("time and status", () => {
  expect(get("Time").body).toBe(
    `{"error":[],"result":{"unixtime":1767312000,"rfc1123":"Fri, 02 Jan 2026 00:00:00 +0000"}}`,
  );
  expect(get("SystemStatus").body).toBe(
    `{"error":[],"result":{"status":"online","timestamp":"2026-01-02T00:00:00Z"}}`,
  );
});

test("AssetPairs maps the names, Assets the legs", () => {
  const pairs: Record<string, Record<string, unknown>> = get("AssetPairs").result;
  expect(Object.keys(pairs)).toHaveLength(12);
  expect(pairs.XXBTZUSD).toMatchObject({
    altname: "XBTUSD",
    wsname: "XBT/USD",
    base: "XXBT",
    quote: "ZUSD",
    pair_decimals: 1,
    lot_decimals: 8,
    status: "online",
  });
  expect(pairs.XDGUSD).toMatchObject({ wsname: "XDG/USD", base: "XXDG" });
  expect(pairs.XETHXXBT).toMatchObject({ wsname: "ETH/XBT", quote: "XXBT" });
  expect(Object.keys(get("AssetPairs?pair=XBTUSD,XBT/USDT").result)).toEqual([
    "XXBTZUSD",
    "XBTUSDT",
  ]);
  const assets: Record<string, Record<string, unknown>> = get("Assets").result;
  expect(assets.XXDG?.altname).toBe("XDG");
  for (const pair of Object.values(pairs)) {
    expect(assets).toHaveProperty(String(pair.base));
    expect(assets).toHaveProperty(String(pair.quote));
  }
  expect(Object.keys(get("Assets?asset=XBT,ZUSD").result)).toEqual(["XXBT", "ZUSD"]);
});

test("Trades has the recorded form under the pair's key, whichever name was asked", () => {
  const page =
    `{"error":[],"result":{"XXBTZUSD":[` +
    `["105433.60000","0.00027625",1767225600,"b","l","",94000000],` +
    `["105410.10000","0.00005000",1767225623.8749929,"b","m","",94000001]],` +
    `"last":"1767225623874992900"}}`;
  for (const pair of ["XXBTZUSD", "XBTUSD", "XBT/USD"])
    expect(get(`Trades?pair=${pair}&since=0&count=2`).body).toBe(page);
});

test("pages followed by `last` overlap by it and together are every trade", () => {
  const market = markets.get("BTC/USDT")!;
  const expected = market.tradesIn(0, market.indexAt(now_us));
  expect(expected.length).toBeGreaterThan(3_000);
  const ids = new Set<number>();
  let since = "0";
  for (let page = 0; page < 1_000; page += 1) {
    const { result } = get(`Trades?pair=XBTUSDT&since=${since}&count=50`);
    const items: unknown[][] = result.XBTUSDT!;
    for (const item of items) ids.add(Number(item[6]));
    if (result.last === since) break;
    since = result.last!;
  }
  expect([...ids]).toEqual(expected.map((trade) => trade.trade_id));
});

test("since in nanoseconds is at or after, in seconds it also gives earlier trades", () => {
  const first = `"b","m","",94000001]`;
  const at = get("Trades?pair=XBTUSD&since=1767225623874992900&count=1");
  expect(at.body).toContain(first);
  const after = get("Trades?pair=XBTUSD&since=1767225623874992901&count=1");
  expect(after.body).toContain(`"",94000002]`);
  const seconds = get("Trades?pair=XBTUSD&since=1767225623.99&count=1");
  expect(seconds.body).toContain(first);
});

test("without since it is the latest 1,000; a cursor in the future comes back", () => {
  const market = markets.get("BTC/USD")!;
  const items: unknown[][] = get("Trades?pair=XBTUSD").result.XXBTZUSD!;
  expect(items).toHaveLength(1_000);
  expect(items.at(-1)![6]).toBe(market.instrument.first_trade_id + market.indexAt(now_us) - 1);
  expect(get("Trades?pair=XBTUSD&since=1899999999000000000").body).toBe(
    `{"error":[],"result":{"XXBTZUSD":[],"last":"1899999999000000000"}}`,
  );
});

test("errors come with HTTP 200", () => {
  const cases: [string, string][] = [
    ["Trades?pair=BTC/XYZ", "EQuery:Unknown asset pair"],
    ["Trades", "EGeneral:Invalid arguments"],
    ["Trades?pair=XBTUSD&count=1001", "EGeneral:Invalid arguments:count"],
    ["Trades?pair=XBTUSD&count=0", "EGeneral:Invalid arguments:count"],
    ["Trades?pair=XBTUSD&since=yesterday", "EGeneral:Invalid arguments:since"],
    ["AssetPairs?pair=NOPE", "EQuery:Unknown asset pair"],
    ["Assets?asset=NOPE", "EQuery:Unknown asset"],
    ["Nothing", "EGeneral:Unknown method"],
  ];
  for (const [path, error] of cases) expect(get(path).body).toBe(`{"error":["${error}"]}`);
});
