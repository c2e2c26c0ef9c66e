/**
 * Goal: a line gives the trades and rejects that the live feed would make of its frame.
 * Method: lines around fixture frames, by the real adapters.
 */

import { expect, test } from "bun:test";
import { exchangeNamed } from "../../../actors/exchanges/mod.ts";
import { createLineNormalizer } from "../../../actors/normalizer/line_normalizer.ts";
import { fixtureFrames, fixtureText } from "../../fixtures/frames.ts";

const received_us = 1_787_746_340_684_123;
const kraken = exchangeNamed("kraken")!;
const instruments = [
  {
    exchange: "kraken",
    native_symbol: "BTC/USD",
    base_asset: "BTC",
    quote_asset: "USD",
    status: "online",
    rest_names: [],
  },
];
const normalizeLine = createLineNormalizer([{ adapter: kraken, instruments }]);

function lineOf(frame: string, more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ exchange: "kraken", received_us, frame, ...more });
}

test("a line's trades carry its receipt, and names where the list has them", () => {
  const [recorded] = fixtureFrames("kraken");
  const result = normalizeLine(lineOf(recorded!.frame), 5);
  expect(result.rejects).toEqual([]);
  expect(result.trades).toMatchObject([
    {
      message_id: "kraken:BTC/USD:105702534",
      symbol: "BTC/USD",
      base_asset: "BTC",
      source: "STREAM",
      connection_id: "",
      frame_sequence: 4,
      ingestion_timestamp: received_us,
      price: "77120.0",
    },
  ]);
  const other = recorded!.frame.replace("BTC/USD", "BTC/USDT");
  const numbered = lineOf(other, { connection_id: "socket-1", frame_sequence: 9 });
  expect(normalizeLine(numbered, 6).trades).toMatchObject([
    { symbol: null, base_asset: null, connection_id: "socket-1", frame_sequence: 9 },
  ]);
});

test("control messages and what was sent give neither trades nor rejects", () => {
  const nothing = { trades: [], rejects: [] };
  expect(normalizeLine(lineOf('{"channel":"heartbeat"}'), 1)).toEqual(nothing);
  expect(normalizeLine(lineOf('{"Error":"Exceeded msg rate"}'), 1)).toEqual(nothing);
  const sent = lineOf("not even JSON", { direction: "SENT" });
  expect(normalizeLine(sent, 1)).toEqual(nothing);
});

test("a page's trades are backfilled ones", () => {
  const page = lineOf(fixtureText("kraken", "trades_page.json"), {
    kind: "PAGE",
    request: "GET https://host/0/public/Trades?pair=BTC/USDT",
  });
  const result = normalizeLine(page, 1);
  expect(result.trades).toHaveLength(1000);
  expect(result.trades[0]).toMatchObject({ source: "BACKFILL", native_symbol: "BTC/USDT" });
});

test.each([
  ["line_unreadable", "nonsense", "nonsense"],
  ["exchange_unknown", lineOf("{}", { exchange: "mtgox" }), lineOf("{}", { exchange: "mtgox" })],
  ["not_json", lineOf("{"), "{"],
  ["unknown_message", lineOf('{"a":1}'), '{"a":1}'],
  ["not_json", lineOf("", { frame: null, frame_base64: "AAE=" }), "AAE="],
  ["item_unreadable", lineOf('{"channel":"trade","type":"update","data":[ 7 ]}'), "7"],
])("%s: %s is rejected with its own text", (reason, text, item) => {
  expect(normalizeLine(text, 1)).toEqual({ trades: [], rejects: [{ reason, item }] } as never);
});
