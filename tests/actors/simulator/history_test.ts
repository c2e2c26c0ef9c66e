/**
 * Goal: halts, skipped ids, extreme digits and hidden trades are the same on socket, REST and list,
 * and never change what was told before.
 * Method: all exchanges in virtual time, one market before and after.
 */

import { expect, test } from "bun:test";
import { FaultRig } from "./fault_rig.ts";

const markets = [
  ["binance", "BTCUSDT", "/api/v3/trades?symbol=BTCUSDT&limit=1000", /"id":(\d+)/g],
  ["kraken", "BTC/USD", "/0/public/Trades?pair=XBTUSD", /"",(\d+)\]/g],
  ["coinbase", "BTC-USD", "/products/BTC-USD/trades", /"trade_id":(\d+)/g],
] as const;

function idsOn(body: string, pattern: RegExp): number[] {
  return [...body.matchAll(pattern)].map(([, id]) => Number(id)).sort((a, b) => a - b);
}

test("absent_ids: the ids are nowhere, and pages are full nevertheless", () => {
  for (const [exchange, symbol, path, pattern] of markets) {
    const rig = new FaultRig({ rate: 100 });
    const from_us = rig.now_us + 1;
    const socket = rig.socket(exchange);
    socket.subscribe(symbol);
    rig.plan({ fault: "absent_ids", exchange, native_symbol: symbol, trades: 7 });
    socket.run(10);
    const listed = rig
      .list(exchange, symbol, `from_us=${from_us}`)
      .map((one) => Number(one.trade_id));
    const [before] = rig
      .list(exchange, symbol, `to_us=${from_us - 1}&from_us=${from_us - 60_000_000}`)
      .slice(-1);
    expect(listed[0]).toBe(Number(before!.trade_id) + 8);
    expect(socket.ids(symbol)).toEqual(listed);
    const page = idsOn(rig.rest(exchange)(path).body, pattern);
    expect(page).toHaveLength(1_000);
    expect(page.filter((id) => id >= Number(before!.trade_id))).toEqual([
      Number(before!.trade_id),
      ...listed,
    ]);
  }
});

test("halted: no trades meanwhile, contiguous ids after it, and the status says so", () => {
  for (const [exchange, symbol, path, pattern] of markets) {
    const rig = new FaultRig({ rate: 100 });
    const from_us = rig.now_us + 1;
    const socket = rig.socket(exchange);
    socket.subscribe(symbol);
    socket.run(3);
    const before = rig.list(exchange, symbol, `from_us=${from_us}`);
    rig.plan({ fault: "halted", exchange, native_symbol: symbol, for_s: 20 });
    const halted_us = rig.now_us;
    socket.run(10);
    expect(rig.list(exchange, symbol, `from_us=${from_us}`)).toEqual(before);
    const statuses = {
      binance: ["/api/v3/exchangeInfo?symbol=BTCUSDT", `"status":"HALT"`],
      kraken: ["/0/public/AssetPairs?pair=XBTUSD", `"status":"cancel_only"`],
      coinbase: ["/products/BTC-USD", `"trading_disabled":true`],
    };
    const [where, what] = statuses[exchange];
    const get = rig.rest(exchange);
    expect(get(where!).body).toContain(what!);
    socket.run(15);
    expect(get(where!).body).not.toContain(what!);
    const listed = rig.list(exchange, symbol, `from_us=${from_us}`);
    const ids = listed.map((one) => Number(one.trade_id));
    expect(ids.length).toBeGreaterThan(before.length + 50);
    expect(ids).toEqual(ids.map((_, at) => ids[0]! + at));
    for (const trade of listed) {
      const is_within = trade.timestamp > halted_us && trade.timestamp <= halted_us + 20_000_000;
      expect(is_within).toBe(false);
    }
    expect(socket.ids(symbol)).toEqual(ids);
    const page = idsOn(get(path).body, pattern);
    expect(page.slice(-ids.length)).toEqual(ids);
  }
});

test("a halt without an end lasts until faults are cleared", () => {
  const rig = new FaultRig({ rate: 100 });
  const socket = rig.socket("binance");
  socket.subscribe("BTCUSDT");
  rig.plan({ fault: "halted", exchange: "binance" });
  socket.run(100);
  expect(socket.ids("BTCUSDT")).toEqual([]);
  rig.clear();
  socket.run(5);
  const ids = socket.ids("BTCUSDT");
  expect(ids.length).toBeGreaterThan(20);
  expect(ids).toEqual(ids.map((_, at) => ids[0]! + at));
});

test("extreme_digits: the same value on socket, REST and list, digit by digit", () => {
  const rig = new FaultRig({ rate: 100 });
  const from_us = rig.now_us + 1;
  rig.plan({ fault: "extreme_digits", trades: 40 });
  const sockets = markets.map(([exchange, symbol]) => {
    const socket = rig.socket(exchange);
    socket.subscribe(symbol);
    return socket;
  });
  for (let step = 0; step < 50; step += 1) {
    rig.now_us += 100_000;
    for (const socket of sockets) socket.tick();
  }
  const fields = {
    binance: [
      /"t":(\d+),"p":"([^"]+)","q":"([^"]+)"/g,
      /"id":(\d+),"price":"([^"]+)","qty":"([^"]+)"/g,
    ],
    kraken: [
      /"price":([^,]+),"qty":([^,]+),"ord_type":"\w+","trade_id":(\d+)/g,
      /\["([\d.]+)","([\d.]+)",[\d.]+,"[bs]","[lm]","",(\d+)\]/g,
    ],
    coinbase: [
      /"trade_id":(\d+),.*"size":"([^"]+)","price":"([^"]+)"/g,
      /"trade_id":(\d+),"side":"\w+","size":"([^"]+)","price":"([^"]+)"/g,
    ],
  };
  for (const [at, [exchange, symbol, path]] of markets.entries()) {
    const listed = rig.list(exchange, symbol, `from_us=${from_us}`).slice(0, 40);
    const values = new Map(
      listed.map((one) => [one.trade_id, [exact(one.price), exact(one.quantity)]]),
    );
    const [on_socket, on_rest] = fields[exchange];
    const texts = sockets[at]!.frames.join("\n");
    for (const [text, pattern] of [
      [texts, on_socket],
      [rig.rest(exchange)(path).body, on_rest],
    ] as const) {
      let found = 0;
      for (const [, a, b, c] of text.matchAll(pattern!)) {
        const [id, price, quantity] =
          exchange === "kraken" ? [c, a, b] : exchange === "coinbase" ? [a, c, b] : [a, b, c];
        const wanted = values.get(id!);
        if (wanted === undefined) continue;
        found += 1;
        expect([exact(price!), exact(quantity!)]).toEqual(wanted);
      }
      expect(found).toBeGreaterThanOrEqual(40);
    }
    expect(texts.includes("e-8")).toBe(exchange === "kraken");
    const significant = listed.map((one) => one.price.replace(/^0?\.?0*|\./g, "").length);
    for (const digits of [16, 17, 18, 19]) expect(significant).toContain(digits);
    expect(listed.some((one) => BigInt(one.quantity.split(".")[0]!) > 10n ** 10n)).toBe(true);
    for (const { price, quantity } of listed) {
      for (const text of [price, quantity]) expect(text).toMatch(/^\d{1,20}\.\d{1,18}$/);
    }
  }
});

/** A decimal in units of 10^-30, exponents read by hand. */
function exact(text: string): bigint {
  const [, whole = "", fraction = "", exponent = "0"] =
    /^(\d+)(?:\.(\d+))?(?:e-(\d+))?$/.exec(text) ?? [];
  return BigInt(whole + fraction) * 10n ** BigInt(30 - fraction.length - Number(exponent));
}

test("what was told before a change is told so after it", () => {
  const rig = new FaultRig({ rate: 100 });
  const query = `to_us=${rig.now_us}&from_us=${rig.now_us - 60_000_000}`;
  const before = rig.list("kraken", "BTC/USD", query);
  rig.plan(
    { fault: "absent_ids" },
    { fault: "extreme_digits" },
    { fault: "drop_trades" },
    { fault: "halted", for_s: 5 },
  );
  rig.now_us += 60_000_000;
  rig.made.plan.advance(rig.now_us);
  rig.clear();
  expect(rig.list("kraken", "BTC/USD", query)).toEqual(before);
});
