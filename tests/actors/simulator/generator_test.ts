/**
 * Goal: a generated trade is a function of (seed, market, index) alone, its time can be inverted,
 * and rate, gaps, prices and digits look like a market's.
 * Method: random indexes from two instances, counts and statistics over spans of virtual time.
 */

import { expect, test } from "bun:test";
import { generatedMarket } from "../../../actors/simulator/generator.ts";
import { binance_instruments, kraken_instruments } from "../../../actors/simulator/instruments.ts";
import { epoch_us } from "../../../actors/simulator/trade.ts";

const ether = binance_instruments[1]!;
const doge = kraken_instruments[3]!;
const year_us = 365 * 86_400_000_000;

/** A fixed sequence, so that a failure can be repeated. */
function* randomIntegers(count: number, below: number): Generator<number> {
  let state = 12_345;
  for (let index = 0; index < count; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield Math.floor((state / 4_294_967_296) * below);
  }
}

test("two instances agree on every trade, whatever range it is asked in", () => {
  const options = { seed: 7, trades_per_second: 250 };
  const one = generatedMarket(ether, options);
  const other = generatedMarket(ether, options);
  for (const index of randomIntegers(300, 250 * 31_536_000)) {
    const [trade] = one.tradesIn(index, index + 1);
    const range = other.tradesIn(Math.max(0, index - 100), index + 1);
    expect(range.at(-1)).toEqual(trade);
    expect(trade?.trade_id).toBe(ether.first_trade_id + index);
  }
});

test("another seed and another market are other trades", () => {
  const seeds = [1, 2, 2 ** 32 + 1].map((seed) =>
    JSON.stringify(generatedMarket(ether, { seed, trades_per_second: 2 }).tradesIn(0, 20)),
  );
  const [first] = generatedMarket(
    { ...ether, native_symbol: "OTHER" },
    {
      seed: 1,
      trades_per_second: 2,
    },
  ).tradesIn(0, 1);
  expect(new Set(seeds).size).toBe(3);
  expect(seeds[0]).not.toContain(JSON.stringify(first));
});

test("indexAt() is the inverse of a trade's time", () => {
  for (const trades_per_second of [1, 333.3, 20_000, 1_000_000]) {
    const market = generatedMarket(ether, { seed: 1, trades_per_second });
    expect(market.indexAt(epoch_us - 1)).toBe(0);
    for (const index of randomIntegers(300, trades_per_second * 10_000_000)) {
      const [trade] = market.tradesIn(index, index + 1);
      const count = market.indexAt(trade!.timestamp);
      expect(count).toBeGreaterThan(index);
      const before = market.indexAt(trade!.timestamp - 1);
      expect(before).toBeLessThanOrEqual(index);
      const shared = market.tradesIn(before, count);
      expect(new Set(shared.map((one) => one.timestamp))).toEqual(new Set([trade!.timestamp]));
    }
  }
});

test("times never fall, have microseconds, and are sometimes shared", () => {
  const trades = generatedMarket(doge, { seed: 1, trades_per_second: 5 }).tradesIn(0, 20_000);
  let shared = 0;
  for (const [index, trade] of trades.entries()) {
    const before = trades[index - 1];
    if (before === undefined) continue;
    expect(trade.timestamp).toBeGreaterThanOrEqual(before.timestamp);
    if (trade.timestamp === before.timestamp) {
      shared += 1;
      expect([trade.side, trade.tail_ns]).toEqual([before.side, before.tail_ns]);
    }
  }
  expect(shared / trades.length).toBeCloseTo(0.2, 1);
  const odd = trades.filter((trade) => trade.timestamp % 1_000 !== 0);
  expect(odd.length / trades.length).toBeGreaterThan(0.99);
});

test("the rate holds over any span, and gaps vary as a Poisson process's do", () => {
  for (const trades_per_second of [2, 500, 20_000]) {
    const market = generatedMarket(ether, { seed: 3, trades_per_second });
    for (const start_us of [epoch_us, epoch_us + year_us / 3]) {
      const span_us = (64 * 1_000 * 1_000_000) / trades_per_second;
      const count = market.indexAt(start_us + span_us) - market.indexAt(start_us);
      expect(Math.abs(count - 64_000)).toBeLessThan(200);
    }
  }
  const trades = generatedMarket(ether, { seed: 3, trades_per_second: 10 }).tradesIn(0, 50_000);
  const gaps = trades.slice(1).map((trade, index) => trade.timestamp - trades[index]!.timestamp);
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const positive = gaps.filter((gap) => gap > 0);
  const above = positive.filter((gap) => gap > mean / 0.8).length / positive.length;
  expect(mean).toBeCloseTo(100_000, -3);
  expect(above).toBeCloseTo(Math.exp(-1), 1);
});

test("prices wander within a tenth of the instrument's, with the exchange's digits", () => {
  const on_binance = generatedMarket(ether, { seed: 1, trades_per_second: 2 });
  const on_kraken = generatedMarket(doge, { seed: 1, trades_per_second: 2 });
  const prices = new Set<string>();
  for (const index of randomIntegers(2_000, 50_000_000)) {
    const [trade] = on_binance.tradesIn(index, index + 1);
    expect(trade?.price).toMatch(/^\d+\.\d{2}0{6}$/);
    expect(trade?.quantity).toMatch(/^\d+\.\d{4}0{4}$/);
    expect(Math.abs(Number(trade?.price) / ether.price - 1)).toBeLessThan(0.1);
    expect(Number(trade?.quantity)).toBeGreaterThan(0);
    prices.add(trade!.price);
    const [other] = on_kraken.tradesIn(index, index + 1);
    expect(other?.price).toMatch(/^0\.(0|\d{0,6}[1-9])$/);
    expect(other?.quantity).toMatch(/^\d+\.(0|\d{0,7}[1-9])$/);
  }
  expect(prices.size).toBeGreaterThan(1_000);
});

test("a rate out of range is refused", () => {
  for (const trades_per_second of [0, -1, Number.NaN, 1_000_001]) {
    expect(() => generatedMarket(ether, { seed: 1, trades_per_second })).toThrow(
      "trades_per_second must be above 0",
    );
  }
});
