/**
 * Goal: the default tape is the recordings, digit by digit, and plays them without a seam.
 * Method: rebuild the recorded files from the shipped ones and compare their hashes; then compare
 * several loops of the played market with the shipped lines, read here by other code.
 */

import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { withDecimals } from "../../../actors/simulator/digits.ts";
import { binance_instruments, kraken_instruments } from "../../../actors/simulator/instruments.ts";
import {
  loopDurationUs,
  parseBinanceTape,
  parseKrakenTape,
  tapeMarket,
} from "../../../actors/simulator/tape.ts";
import { readTapes } from "../../../actors/simulator/tape_files.ts";
import { epoch_us } from "../../../actors/simulator/trade.ts";

const folder = `${import.meta.dir}/../../../actors/simulator/tape`;
const tapes = readTapes();
const bitcoin = binance_instruments[0]!;
const kraken_bitcoin = kraken_instruments[0]!;

async function rowsOf(file: string): Promise<string[][]> {
  const text = await Bun.file(`${folder}/${file}`).text();
  return text
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(","));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

test("the shipped Binance tape is the recorded file", async () => {
  const text = await Bun.file(`${folder}/binance_btcusdt.csv`).text();
  expect(sha256(text)).toBe("225c8a7347026d1605d97996198a78de2755ae6ce1d6598c339f431facbf93d3");
});

test("the recorded Kraken page can be rebuilt from the shipped tape", async () => {
  const items = (await rowsOf("kraken_xbtusdt.csv")).map(
    ([id, price, quantity, time, side, type]) =>
      `["${price}","${quantity}",${time},"${side}","${type}","",${id}]`,
  );
  const page =
    `{"error":[],"result":{"XBTUSDT":[\n${items.join(",\n")}\n],` +
    `"last":"1762820035982277754"}}\n`;
  expect(sha256(page)).toBe("36305416dd1f086943660e197a2c782f7a079474f31f6fa6ff241a244e4b5eb0");
});

test("Binance's tape plays with its digits, sides and rhythm, loop after loop", async () => {
  const rows = await rowsOf("binance_btcusdt.csv");
  const market = tapeMarket(bitcoin, tapes.binance_btcusdt);
  expect(rows).toHaveLength(2_001);
  for (const loop of [0, 1, 610_000]) {
    const trades = market.tradesIn(loop * rows.length, (loop + 1) * rows.length);
    const start = trades[0]!.timestamp;
    expect(
      trades.map((trade) => [
        trade.price,
        trade.quantity,
        String(trade.timestamp - start + Number(rows[0]![3])),
        String(trade.side === "SELL"),
      ]),
    ).toEqual(rows.map((row) => row.slice(1)));
    expect(trades.map((trade) => trade.trade_id)).toEqual(
      rows.map((_, index) => bitcoin.first_trade_id + loop * rows.length + index),
    );
  }
});

test("Kraken's tape plays with its digits, sides and rhythm to the 100 ns", async () => {
  const rows = await rowsOf("kraken_xbtusdt.csv");
  const market = tapeMarket(kraken_bitcoin, tapes.kraken_xbtusdt);
  function nanoseconds(time_s: string): bigint {
    const [seconds = "", fraction = ""] = time_s.split(".");
    return BigInt(seconds + fraction.padEnd(9, "0"));
  }
  const recorded_start = nanoseconds(rows[0]![3]!);
  for (const loop of [0, 1_143]) {
    const trades = market.tradesIn(loop * rows.length, (loop + 1) * rows.length);
    const start = BigInt(trades[0]!.timestamp);
    expect(
      trades.map((trade) => [
        withDecimals(trade.price, 5),
        withDecimals(trade.quantity, 8),
        (BigInt(trade.timestamp) - start) * 1_000n + BigInt(trade.tail_ns) + recorded_start,
        trade.side === "BUY" ? "b" : "s",
        trade.order_type === "market" ? "m" : "l",
      ]),
    ).toEqual(
      rows.map(([, price, qty, time, ...rest]) => [price!, qty!, nanoseconds(time!), ...rest]),
    );
  }
});

test("a loop lasts the span and one mean gap", () => {
  expect(loopDurationUs(tapes.binance_btcusdt)).toBe(46_077_000 + 23_039);
  expect(loopDurationUs(tapes.kraken_xbtusdt)).toBe(24_602_010_533 + 24_626_637);
});

test("indexAt() is the inverse of a trade's time across loops, equal times included", () => {
  for (const market of [
    tapeMarket(bitcoin, tapes.binance_btcusdt),
    tapeMarket(kraken_bitcoin, tapes.kraken_xbtusdt),
  ]) {
    expect(market.indexAt(epoch_us - 1)).toBe(0);
    for (let index = 0; index < 500_000; index += 251) {
      const [trade, next] = market.tradesIn(index, index + 2);
      const count = market.indexAt(trade!.timestamp);
      expect(count).toBeGreaterThan(index);
      if (next!.timestamp > trade!.timestamp) expect(count).toBe(index + 1);
      expect(market.indexAt(trade!.timestamp - 1)).toBeLessThanOrEqual(index);
    }
  }
});

test("a file that is no tape is refused", () => {
  expect(() => parseBinanceTape("id,price\n1,2\n")).toThrow("Cannot read a tape");
  expect(() => parseKrakenTape("id\nx\n")).toThrow("Cannot read a tape");
  expect(() => tapeMarket(bitcoin, [])).toThrow("holds no trade");
});
