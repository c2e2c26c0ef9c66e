/**
 * Goal: each symbol plays what the options say: tapes by default, and a rate divided evenly.
 * Method: count trades over spans of virtual time.
 */

import { expect, test } from "bun:test";
import { binance_instruments, kraken_instruments } from "../../../actors/simulator/instruments.ts";
import { createMarkets } from "../../../actors/simulator/market.ts";
import { readTapes } from "../../../actors/simulator/tape_files.ts";
import { epoch_us, latestTrades, type Market } from "../../../actors/simulator/trade.ts";

const all = [...binance_instruments, ...kraken_instruments];
const base = { all, tapes: readTapes(), seed: 1 };

function rateOf(market: Market | undefined): number {
  const start_us = epoch_us + 86_400_000_000;
  return (market!.indexAt(start_us + 10_000_000_000) - market!.indexAt(start_us)) / 10_000;
}

test("by default recorded symbols play their recordings, the others their modest rates", () => {
  const options = { ...base, rate: undefined, native_symbols: {} };
  const binance = createMarkets(binance_instruments, options);
  const kraken = createMarkets(kraken_instruments, options);
  expect(binance.get("BTCUSDT")?.tradesIn(0, 1)[0]?.price).toBe("39432.48000000");
  expect(kraken.get("BTC/USD")?.tradesIn(0, 1)[0]?.price).toBe("105433.6");
  expect(kraken.get("BTC/USDT")?.tradesIn(0, 1)[0]?.price).toBe("105433.6");
  expect(rateOf(binance.get("BTCUSDT"))).toBeCloseTo(43.4, 0);
  for (const [symbol, market] of [...binance, ...kraken]) {
    if (!symbol.startsWith("BTC"))
      expect(rateOf(market)).toBeCloseTo(market.instrument.trades_per_second, 1);
  }
});

test("a rate is divided evenly over the named symbols that exist; all are generated", () => {
  const native_symbols = { binance: ["BTCUSDT", "ETHUSDT", "MISSPELT"], kraken: ["BTC/USD"] };
  const options = { ...base, rate: 900, native_symbols };
  const binance = createMarkets(binance_instruments, options);
  const kraken = createMarkets(kraken_instruments, options);
  expect(rateOf(binance.get("BTCUSDT"))).toBeCloseTo(300, 1);
  expect(rateOf(binance.get("ETHUSDT"))).toBeCloseTo(300, 1);
  expect(rateOf(kraken.get("BTC/USD"))).toBeCloseTo(300, 1);
  expect(rateOf(binance.get("SOLUSDT"))).toBeCloseTo(2, 1);
  expect(rateOf(kraken.get("BTC/USDT"))).toBeCloseTo(1, 1);
});

test("a rate out of range is refused even if no symbol would play it", () => {
  for (const rate of [0, -5, Number.NaN, 2e6]) {
    expect(() => createMarkets(binance_instruments, { ...base, rate, native_symbols: {} })).toThrow(
      "Cannot simulate as rate must be above 0",
    );
  }
});

test("latestTrades() ends at the instant and begins where the market does", () => {
  const options = { ...base, rate: undefined, native_symbols: {} };
  const market = createMarkets(binance_instruments, options).get("BTCUSDT")!;
  expect(latestTrades(market, { count: 50, time_us: epoch_us - 1 })).toEqual([]);
  const few = latestTrades(market, { count: 50, time_us: epoch_us + 32_000 });
  expect(few.map((trade) => trade.timestamp - epoch_us)).toEqual([0, 32_000]);
  expect(latestTrades(market, { count: 50, time_us: epoch_us + 40_000_000 })).toHaveLength(50);
});
