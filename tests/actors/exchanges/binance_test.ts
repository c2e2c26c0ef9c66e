/**
 * Goal: Binance's messages and pages mean what its documentation says, and one bad member costs
 * only its own trade.
 * Method: one whole frame, changed in one place for each reason; pages from the documentation.
 */

import { describe, expect, test } from "bun:test";
import { binance } from "../../../actors/exchanges/binance.ts";
import { fixtureText } from "../../fixtures/frames.ts";

const event =
  '{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100",' +
  '"T":1672515782136,"m":true,"M":true}';
const trade = {
  native_symbol: "BNBBTC",
  trade_id: "12345",
  side: "SELL",
  price: "0.001",
  quantity: "100",
  timestamp: 1_672_515_782_136_000,
  vendor_data: { event_time: "1672515782136000", is_best_match: "true" },
};
const changed = (from: string, to: string) => event.replace(from, to);

describe("parse() rejects an unreadable trade, verbatim", () => {
  test.each([
    ["symbol_unreadable", '"s":"BNBBTC"', '"s":""'],
    ["symbol_unreadable", '"s":"BNBBTC"', '"s":7'],
    ["symbol_unreadable", '"s":"BNBBTC",', ""],
    ["symbol_unreadable", '"s":"BNBBTC"', '"s":"\\ud800"'],
    ["trade_id_unreadable", '"t":12345', '"t":-1'],
    ["trade_id_unreadable", '"t":12345', '"t":1.5'],
    ["trade_id_unreadable", '"t":12345', '"t":9223372036854775808'],
    ["trade_id_unreadable", '"t":12345', '"t":"007"'],
    ["trade_id_unreadable", '"t":12345', '"t":null'],
    ["side_unreadable", '"m":true', '"m":"true"'],
    ["side_unreadable", '"m":true', '"m":null'],
    ["timestamp_unreadable", '"T":1672515782136', '"T":167251578213'],
    ["timestamp_unreadable", '"T":1672515782136', '"T":"now"'],
    ["price_unreadable", '"p":"0.001"', '"p":"0.00x"'],
    ["price_not_positive", '"p":"0.001"', '"p":"0.000"'],
    ["price_not_positive", '"p":"0.001"', '"p":"-1"'],
    ["price_out_of_range", '"p":"0.001"', '"p":"0.0000000000000000001"'],
    ["quantity_unreadable", '"q":"100"', '"q":""'],
    ["quantity_not_positive", '"q":"100"', '"q":"0"'],
    ["quantity_out_of_range", '"q":"100"', '"q":"1e99"'],
  ] as const)("%s: %s becomes %s", (reason, from, to) => {
    const item = changed(from, to);
    for (const frame of [item, `{"stream":"bnbbtc@trade","data":${item}}`]) {
      expect(binance.parse(frame)).toMatchObject({
        kind: "trades",
        trades: [],
        rejects: [{ reason, item }],
      });
    }
  });
});

test("parse() keeps a trade whose extras are unreadable, without them", () => {
  const frame = changed('"E":1672515782136', '"E":null').replace(',"M":true', "");
  expect(binance.parse(frame)).toMatchObject({ trades: [{ ...trade, vendor_data: {} }] });
});

test("parse() keeps ids beyond 2^53 exact, as a number and as text", () => {
  for (const id of ["9223372036854775807", "9007199254740993", '"9223372036854775807"', "0"]) {
    const trade_id = id.replaceAll('"', "");
    expect(binance.parse(changed("12345", id))).toMatchObject({ trades: [{ trade_id }] });
  }
});

test("parse() counts equal keys as JSON does: the last one is meant", () => {
  const frame = changed('"p":"0.001"', '"p":"5","p":"0.001"');
  expect(binance.parse(frame)).toMatchObject({ trades: [trade] });
  const other = changed('"q":"100",', '"q":"100","p":"7",');
  expect(binance.parse(other)).toMatchObject({ trades: [{ ...trade, price: "7" }] });
});

test.each([
  ['{"stream":"btcusdt@depth5","data":{"lastUpdateId":1,"bids":[],"asks":[]}}', "ignored"],
  ['{"u":400900217,"s":"BNBUSDT","b":"25.3","B":"31","a":"25.4","A":"40"}', "ignored"],
  ['{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker"}]}', "ignored"],
  ['[{"e":"24hrMiniTicker"}]', "ignored"],
  ['{"stream":"btcusdt@trade","data":null}', "unreadable"],
  ['{"stream":"btcusdt@trade"}', "unreadable"],
  ['{"e":"futureEvent"}', "unreadable"],
  ["[]", "unreadable"],
  ['{"result":null}', "unreadable"],
  ['{"id":1}', "unreadable"],
  ["pong", "unreadable"],
])("parse(%p) is %s", (frame, kind) => {
  expect(binance.parse(frame).kind).toBe(kind as never);
});

test("parse() calls a refusal for overload no last word", () => {
  const overload = '{"error":{"code":-1003,"msg":"Too many requests"},"id":1}';
  expect(binance.parse(overload)).toMatchObject({ kind: "refused", is_terminal: false });
});

test("subscribe() asks for lower-case streams, in microseconds by the URL", () => {
  const [request] = binance.subscribe(["BTCUSDT", "ETHUSDT"], 1);
  expect(JSON.parse(request!.text)).toEqual({
    method: "SUBSCRIBE",
    params: ["btcusdt@trade", "ethusdt@trade"],
    id: 1,
  });
  expect(binance.socketUrl("wss://host:9443")).toBe("wss://host:9443/stream?timeUnit=MICROSECOND");
});

test("subscribe() counts bytes, not characters", () => {
  const requests = binance.subscribe(Array(600).fill("币安人生USDT"), 1);
  expect(requests.every(({ text }) => Buffer.byteLength(text) <= 4096)).toBe(true);
  expect(requests.length).toBeGreaterThan(2);
});

describe("parsePage()", () => {
  const page = fixtureText("binance", "historical_trades.json");
  const request = "GET https://host/api/v3/historicalTrades?symbol=BNBBTC&fromId=28457";

  test("reads the trades of the symbol that was asked for", () => {
    expect(binance.parsePage(page, request, [])).toEqual({
      kind: "trades",
      trades: [
        {
          native_symbol: "BNBBTC",
          trade_id: "28457",
          side: "SELL",
          price: "4.00000100",
          quantity: "12.00000000",
          timestamp: 1_499_865_549_590_000,
          vendor_data: { is_best_match: "true" },
        },
      ],
      rejects: [],
    });
  });

  test("rejects items without harm to their neighbors", () => {
    const good = page.trim().slice(1, -1);
    const bad = good.replace('"4.00000100"', "null");
    const result = binance.parsePage(`[${bad},7,${good}]`, request, []);
    expect(result).toMatchObject({
      trades: [{ trade_id: "28457" }],
      rejects: [
        { reason: "price_unreadable", item: bad },
        { reason: "item_unreadable", item: "7" },
      ],
    });
  });

  test("rejects every item where nothing names the symbol", () => {
    expect(binance.parsePage(page, "", [])).toMatchObject({
      trades: [],
      rejects: [{ reason: "symbol_unreadable" }],
    });
  });

  test("tells the exchange's refusal, damage, and pages of other endpoints apart", () => {
    const refusal = '{"code":-1121,"msg":"Invalid symbol."}';
    expect(binance.parsePage(refusal, request, [])).toEqual({
      kind: "refused",
      reason: "Invalid symbol.",
    });
    expect(binance.parsePage("[", request, [])).toMatchObject({ reason: "not_json" });
    expect(binance.parsePage("{}", request, [])).toMatchObject({ reason: "trades_unreadable" });
    const other = "GET https://host/api/v3/exchangeInfo";
    expect(binance.parsePage("{}", other, [])).toMatchObject({ trades: [], rejects: [] });
  });
});

test("parseInstruments() takes base and quote from the exchange's list", () => {
  const result = binance.parseInstruments(fixtureText("binance", "exchange_info.json"));
  expect(result).toEqual({
    kind: "instruments",
    instruments: [
      {
        exchange: "binance",
        native_symbol: "ETHBTC",
        base_asset: "ETH",
        quote_asset: "BTC",
        status: "TRADING",
        rest_names: [],
      },
      {
        exchange: "binance",
        native_symbol: "BTCUSDT",
        base_asset: "BTC",
        quote_asset: "USDT",
        status: "HALT",
        rest_names: [],
      },
    ],
  });
  expect(binance.isTradable("HALT")).toBe(true);
  expect(binance.isTradable("")).toBe(false);
  expect(binance.parseInstruments("{}").kind).toBe("unreadable");
});
