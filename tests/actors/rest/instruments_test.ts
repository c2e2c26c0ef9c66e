/**
 * Goal: whoever misspells a symbol reads the one that was meant.
 * Method: the mistakes people make - another separator, another case, an old asset name, a quote
 * cut short, legs exchanged, a wrong letter - against markets as the two exchanges name them.
 */

import { expect, test } from "bun:test";
import { nearMatches, unknownSymbolReason } from "../../../actors/rest/instruments.ts";
import { instrument } from "../connection/fake_exchange.ts";

const binance = [
  ["BTC", "USDT"],
  ["BTC", "USDC"],
  ["BTC", "FDUSD"],
  ["ETH", "USDT"],
  ["ETH", "BTC"],
  ["DOGE", "USDT"],
  ["BNB", "USDT"],
  ["WBTC", "USDT"],
].map(([base, quote]) => instrument(`${base}${quote}`, base!, quote!));
const kraken = [
  ["BTC", "USD"],
  ["BTC", "EUR"],
  ["ETH", "USD"],
  ["DOGE", "USD"],
  ["XRP", "USD"],
].map(([base, quote]) => ({
  ...instrument(`${base}/${quote}`, base!, quote!),
  rest_names: base === "BTC" ? [`XXBTZ${quote}`, `XBT${quote}`] : [],
}));

test.each([
  ["BTCUSD", "BTCUSDT"],
  ["btcusdt", "BTCUSDT"],
  ["BTC/USDT", "BTCUSDT"],
  ["BTC-USDT", "BTCUSDT"],
  ["XBTUSDT", "BTCUSDT"],
  ["XDGUSDT", "DOGEUSDT"],
  ["USDTBTC", "BTCUSDT"],
  ["BTCETH", "ETHBTC"],
  ["BTCUSTD", "BTCUSDT"],
  ["ETHUSD", "ETHUSDT"],
])("at Binance %s may mean %s", (asked, meant) => {
  expect(nearMatches(asked, binance)[0]).toBe(meant);
});

test.each([
  ["XBT/USD", "BTC/USD"],
  ["XXBTZUSD", "BTC/USD"],
  ["XDG/USD", "DOGE/USD"],
  ["BTCUSD", "BTC/USD"],
  ["BTC/USDT", "BTC/USD"],
  ["btc/usd", "BTC/USD"],
  ["XPR/USD", "XRP/USD"],
])("at Kraken %s may mean %s", (asked, meant) => {
  expect(nearMatches(asked, kraken)).toContain(meant);
});

test("of equals the one with the usual quote comes first, and there are at most five", () => {
  expect(nearMatches("BTC", binance)).toEqual(["BTCUSDT", "BTCUSDC", "BTCFDUSD"]);
  const many = Array.from({ length: 20 }, (_, index) => instrument(`AB${index}`, "AB", `${index}`));
  expect(nearMatches("AB", many)).toHaveLength(5);
});

test("what is near nothing names nothing", () => {
  expect(nearMatches("ZZZZZZ", binance)).toEqual([]);
  expect(nearMatches("", binance)).toEqual([]);
  expect(nearMatches("BTCUSDT", [])).toEqual([]);
});

test("unknownSymbolReason() is a sentence with and without near matches", () => {
  expect(unknownSymbolReason("BTCUSD", "binance", binance)).toBe(
    "binance does not list BTCUSD (near matches: BTCUSDT, BTCUSDC, WBTCUSDT, BTCFDUSD)",
  );
  expect(unknownSymbolReason("ZZZ", "binance", binance)).toBe(
    "binance does not list ZZZ (nothing is near it)",
  );
});
