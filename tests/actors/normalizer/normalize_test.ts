/**
 * Goal: a trade gets its names, its id and its frame, and keeps everything else untouched.
 * Method: one trade, with and without an instrument.
 */

import { expect, test } from "bun:test";
import type { Trade, WireTrade } from "../../../actors/messages.ts";
import {
  namesOf,
  namesWithoutInstrument,
  normalizeTrade,
} from "../../../actors/normalizer/normalize.ts";

const wire: WireTrade = {
  native_symbol: "BTCUSDT",
  trade_id: "9007199254740993",
  side: "SELL",
  price: "64522.19000000",
  quantity: "0.00775000",
  timestamp: 1_784_213_910_202_000,
  vendor_data: { is_best_match: "true" },
};
const receipt = {
  source: "SNAPSHOT" as const,
  connection_id: "socket-1",
  frame_sequence: 7,
  ingestion_timestamp: 1_784_213_910_203_456,
};

test("normalizeTrade() names the market by its instrument", () => {
  const names = namesOf({
    exchange: "binance",
    native_symbol: "BTCUSDT",
    base_asset: "BTC",
    quote_asset: "USDT",
    status: "TRADING",
    rest_names: [],
  });
  const trade: Trade = normalizeTrade(wire, names, receipt);
  expect(trade).toEqual({
    ...wire,
    ...receipt,
    message_id: "binance:BTCUSDT:9007199254740993",
    exchange: "binance",
    symbol: "BTC/USDT",
    base_asset: "BTC",
    quote_asset: "USDT",
  });
});

test("normalizeTrade() leaves names null that no instrument list tells", () => {
  const trade = normalizeTrade(wire, namesWithoutInstrument("binance", "BTCUSDT"), receipt);
  expect(trade).toMatchObject({
    message_id: "binance:BTCUSDT:9007199254740993",
    symbol: null,
    base_asset: null,
    quote_asset: null,
  });
});
