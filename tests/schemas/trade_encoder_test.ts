/**
 * Goal: the fast encoder writes exactly what avsc writes, and knows when there is no room.
 * Method: random trades, with strings and integers from the edges, encoded both ways.
 */

import { expect, test } from "bun:test";
import { createTradeEncoder, decodeTrade, type TradeRecord, tradeType } from "../../schemas/mod.ts";
import { createRandom } from "./random.ts";

const random = createRandom(7);

function pick<Item>(items: readonly Item[]): Item {
  return items[Math.floor(random() * items.length)]!;
}

function randomText(): string {
  const alphabet = pick(["abcXYZ019:/", "äß€", "中文🚀", "a\u0000\n\u007f\u0080"]);
  const length = pick([0, 1, 5, 21, 62, 63, 64, 65, 200]);
  return Array.from({ length }, () => pick([...alphabet])).join("");
}

function randomDecimal(): string {
  const digits = (count: number) =>
    Array.from({ length: count }, () => Math.floor(random() * 10)).join("");
  return `${digits(1 + Math.floor(random() * 20))}.${digits(1 + Math.floor(random() * 18))}`;
}

function randomLong(): number {
  const sign = pick([1, 1, 1, -1]);
  const edge = 2 ** Math.floor(random() * 52) - pick([0, 1]);
  return (
    sign * pick([0, 1, 63, 64, 65, 1_787_746_340_684_123, edge, Math.floor(random() * 2 ** 52)])
  );
}

function randomTrade(): TradeRecord {
  // Few names, so that the kept encodings are used and also replaced.
  const names = pick(["one", "two", "three"]);
  return {
    message_id: randomText(),
    exchange: pick(["binance", "kraken"]),
    symbol: pick([`${names}/USD`, randomText()]),
    native_symbol: names,
    base_asset: pick(["BTC", "XÄ"]),
    quote_asset: "USD",
    trade_id: randomText(),
    side: pick(["BUY", "SELL"]),
    price: randomDecimal(),
    quantity: randomDecimal(),
    timestamp: randomLong(),
    ingestion_timestamp: randomLong(),
    source: pick(["STREAM", "SNAPSHOT", "BACKFILL"]),
    connection_id: pick(["c1", "c2", randomText()]),
    frame_sequence: randomLong(),
    vendor_data: Object.fromEntries(
      Array.from({ length: pick([0, 1, 3]) }, () => [randomText(), randomText()]),
    ),
  };
}

test("encode() writes Confluent's framing and then what avsc writes, byte for byte", () => {
  const { encode } = createTradeEncoder(0x01020304);
  const buffer = Buffer.alloc(8_192);
  for (let round = 0; round < 5_000; round += 1) {
    const trade = randomTrade();
    const offset = Math.floor(random() * 100);
    const end = encode(trade, buffer, offset);
    const written = buffer.subarray(offset, end).toString("hex");
    const body = tradeType.toBuffer(trade).toString("hex");
    if (written !== `0001020304${body}`) throw new Error(JSON.stringify(trade));
  }
});

test("encode() says that a trade does not fit, and fits into exactly its own size", () => {
  const { encode } = createTradeEncoder(1);
  for (let round = 0; round < 200; round += 1) {
    const trade = randomTrade();
    const bytes = encode(trade, Buffer.alloc(8_192), 0);
    for (let size = 0; size < bytes; size += 7) {
      expect(encode(trade, Buffer.alloc(size), 0)).toBe(-1);
    }
    expect(encode(trade, Buffer.alloc(bytes - 1), 0)).toBe(-1);
    expect(encode(trade, Buffer.alloc(bytes), 0)).toBe(bytes);
  }
});

test("encode() refuses numbers that are not exact", () => {
  const { encode } = createTradeEncoder(1);
  const trade = randomTrade();
  const buffer = Buffer.alloc(8_192);
  expect(() => encode({ ...trade, price: "1e-7" }, buffer, 0)).toThrow(RangeError);
  expect(() => encode({ ...trade, timestamp: 1.5 }, buffer, 0)).toThrow(RangeError);
  expect(() => encode({ ...trade, timestamp: 2 ** 53 }, buffer, 0)).toThrow(RangeError);
});

test("decodeTrade() gives back what was encoded", () => {
  const { encode } = createTradeEncoder(9);
  const trade = { ...randomTrade(), price: "64012.34", quantity: "0.00000001" };
  const buffer = Buffer.alloc(8_192);
  const decoded = decodeTrade(buffer.subarray(0, encode(trade, buffer, 0)));
  expect(decoded).toEqual(trade);
});
