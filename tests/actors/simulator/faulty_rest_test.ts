/**
 * Goal: REST lags, forgets, refuses and breaks off as asked, and who asks too early is counted.
 * Method: all exchanges in virtual time; pages are compared with the list of trades.
 */

import { expect, test } from "bun:test";
import { FaultRig } from "./fault_rig.ts";

const pages = [
  ["binance", "BTCUSDT", "/api/v3/trades?symbol=BTCUSDT&limit=1000", /"id":(\d+)/g],
  ["kraken", "BTC/USD", "/0/public/Trades?pair=BTC/USD", /"",(\d+)\]/g],
  ["coinbase", "BTC-USD", "/products/BTC-USD/trades", /"trade_id":(\d+)/g],
] as const;

function idsOf(body: string, pattern: RegExp): number[] {
  return [...body.matchAll(pattern)].map(([, id]) => Number(id)).sort((a, b) => a - b);
}

function listed(rig: FaultRig, exchange: string, symbol: string, more: string): number[] {
  return rig.list(exchange, symbol, more).map((trade) => Number(trade.trade_id));
}

test("without faults the newest page is the list's end", () => {
  for (const [exchange, symbol, path, pattern] of pages) {
    const rig = new FaultRig({ rate: 100 });
    const ids = idsOf(rig.rest(exchange)(path).body, pattern);
    expect(ids).toHaveLength(1_000);
    expect(ids).toEqual(listed(rig, exchange, symbol, `from_id=${ids[0]}`));
  }
});

test("rest_lag: REST knows trades only seconds later", () => {
  for (const [exchange, symbol, path, pattern] of pages) {
    const rig = new FaultRig({ rate: 100 });
    const get = rig.rest(exchange);
    rig.plan({ fault: "rest_lag", exchange, native_symbol: symbol, lag_s: 7, for_s: 60 });
    const known = listed(
      rig,
      exchange,
      symbol,
      `to_us=${rig.now_us - 7_000_000}&from_us=${rig.now_us - 30_000_000}`,
    );
    expect(idsOf(get(path).body, pattern).at(-1)).toBe(known.at(-1)!);
    rig.now_us += 60_000_000;
    const all = listed(rig, exchange, symbol, `from_us=${rig.now_us - 30_000_000}`);
    expect(idsOf(get(path).body, pattern).at(-1)).toBe(all.at(-1)!);
  }
});

test("rest_history: what is older can no longer be asked for, by id, by time, or backwards", () => {
  const rig = new FaultRig({ rate: 100 });
  rig.plan({ fault: "rest_history", older_s: 30 });
  const from_us = rig.now_us - 60_000_000;
  for (const [exchange, symbol, pattern, path] of [
    [
      "binance",
      "BTCUSDT",
      pages[0][3],
      (id: number) => `/api/v3/historicalTrades?symbol=BTCUSDT&fromId=${id}&limit=1000`,
    ],
    ["kraken", "BTC/USD", pages[1][3], () => `/0/public/Trades?pair=XBTUSD&since=${from_us}000`],
    ["coinbase", "BTC-USD", pages[2][3], () => "/products/BTC-USD/trades"],
  ] as const) {
    const [oldest] = listed(rig, exchange, symbol, `from_us=${from_us}`);
    const [first] = listed(rig, exchange, symbol, `from_us=${rig.now_us - 30_000_000 + 1}`);
    const ids = idsOf(rig.rest(exchange)(path(oldest!)).body, pattern);
    expect(ids[0]).toBe(first!);
    expect(ids.length).toBeGreaterThan(100);
  }
  const [oldest] = listed(rig, "coinbase", "BTC-USD", `from_us=${from_us}`);
  expect(rig.rest("coinbase")(`/products/BTC-USD/trades?after=${oldest}`).body).toBe("[]");
});

test("rest_empty: a page without trades, in each exchange's form", () => {
  const rig = new FaultRig();
  rig.plan({ fault: "rest_empty", count: 3 });
  const since = `${rig.now_us - 60_000_000}000`;
  expect(rig.rest("binance")("/api/v3/trades?symbol=BTCUSDT").body).toBe("[]");
  expect(rig.rest("coinbase")("/products/BTC-USD/trades").body).toBe("[]");
  const page = JSON.parse(rig.rest("kraken")(`/0/public/Trades?pair=XBTUSD&since=${since}`).body);
  expect(page).toEqual({ error: [], result: { XXBTZUSD: [], last: since } });
  expect(rig.rest("binance")("/api/v3/trades?symbol=BTCUSDT").body).not.toBe("[]");
});

test("rest_truncated: a body that breaks off", () => {
  for (const [exchange, , path] of pages) {
    const rig = new FaultRig();
    const get = rig.rest(exchange);
    const whole = get(path).body;
    rig.plan({ fault: "rest_truncated", exchange });
    const cut = get(path).body;
    expect(cut).toBe(whole.slice(0, Math.floor(whole.length / 2)));
    expect(() => JSON.parse(cut)).toThrow();
    expect(get(path).body).toBe(whole);
  }
});

test("rest_refused: 429 holds for its time, and asking before then breaks a rule", () => {
  for (const [exchange, , path] of pages) {
    const rig = new FaultRig();
    const get = rig.rest(exchange);
    rig.plan({ fault: "rest_refused", exchange, retry_after_s: 10 });
    const refused = get(path);
    expect([refused.status, refused.headers["retry-after"], refused.broken]).toEqual([
      429,
      "10",
      [],
    ]);
    rig.now_us += 9_000_000;
    expect(get(path)).toMatchObject({ status: 429, broken: [`${exchange}.rest_during_refusal`] });
    rig.now_us += 1_000_000;
    expect(get(path)).toMatchObject({ status: 200, broken: [] });
  }
});

test("rest_refused: other statuses, Kraken's words with HTTP 200, and only what is meant", () => {
  const rig = new FaultRig();
  const binance = rig.rest("binance");
  const kraken = rig.rest("kraken");
  rig.plan({ fault: "rest_refused", exchange: "binance", status: 418, retry_after_s: 120 });
  expect(binance("/api/v3/exchangeInfo").status).toBe(200);
  expect(binance("/api/v3/trades?symbol=BTCUSDT").status).toBe(418);
  // A ban is one of everything.
  expect(binance("/api/v3/exchangeInfo").status).toBe(418);
  const refused = { fault: "rest_refused", exchange: "kraken" };
  rig.plan({ ...refused, status: 200 }, { ...refused, status: 503, requests: "time" });
  expect(kraken("/0/public/Time").status).toBe(503);
  expect(kraken("/0/public/Trades?pair=XBTUSD")).toMatchObject({
    status: 200,
    body: `{"error":["EAPI:Rate limit exceeded"]}`,
  });
  rig.plan({ ...refused, status: 200, error: "EService:Throttled", retry_after_s: 5 });
  const until_s = Math.ceil(rig.now_us / 1_000_000) + 5;
  expect(kraken("/0/public/Trades?pair=XBTUSD").body).toBe(
    `{"error":["EService:Throttled: ${until_s}"]}`,
  );
  expect(kraken("/0/public/Time").broken).toEqual(["kraken.rest_during_refusal"]);
});

test("an unknown symbol that is asked again within a minute breaks a rule", () => {
  for (const [exchange, path] of [
    ["binance", "/api/v3/trades?symbol=NOPE"],
    ["kraken", "/0/public/Trades?pair=NOPE"],
    ["coinbase", "/products/NO-PE/trades"],
  ] as const) {
    const rig = new FaultRig();
    const get = rig.rest(exchange);
    expect(get(path).broken).toEqual([]);
    rig.now_us += 59_000_000;
    expect(get(path).broken).toEqual([`${exchange}.unknown_symbol_again`]);
    rig.now_us += 61_000_000;
    expect(get(path).broken).toEqual([]);
  }
});

test("budgets: Binance's weight, Kraken's request a second, Coinbase's ten", () => {
  const rig = new FaultRig();
  const binance = rig.rest("binance");
  const path = "/api/v3/trades?symbol=BTCUSDT&limit=1";
  for (let count = 0; count < 240; count += 1) expect(binance(path).broken).toEqual([]);
  expect(binance(path)).toMatchObject({ status: 429, broken: ["binance.rest_weight"] });
  expect(binance(path).broken).toContain("binance.rest_during_refusal");

  const kraken = rig.rest("kraken");
  for (let count = 0; count < 5; count += 1) expect(kraken("/0/public/Time").broken).toEqual([]);
  expect(kraken("/0/public/Time")).toMatchObject({ status: 200, broken: ["kraken.rest_rate"] });
  for (let count = 0; count < 20; count += 1) {
    rig.now_us += 1_000_000;
    expect(kraken("/0/public/Time").broken).toEqual([]);
  }

  const coinbase = rig.rest("coinbase");
  for (let count = 0; count < 15; count += 1) expect(coinbase("/time").status).toBe(200);
  expect(coinbase("/time")).toMatchObject({ status: 429, broken: ["coinbase.rest_rate"] });
  for (let count = 0; count < 30; count += 1) {
    rig.now_us += 100_000;
    expect(coinbase("/time").status).toBe(200);
  }
});
