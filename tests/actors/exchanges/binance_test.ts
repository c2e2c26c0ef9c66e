/**
 * Goal: Binance's messages and pages mean what its documentation says, and one bad member costs
 * only its own trade.
 * Method: one whole frame, changed in one place for each reason; pages from the documentation.
 */

import { describe, expect, test } from "bun:test";
import { binance } from "../../../actors/exchanges/binance.ts";
import type { Instrument } from "../../../actors/messages.ts";
import { fixturePages, fixtureText } from "../../fixtures/frames.ts";

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

test("parse() lists the trade streams that the server holds, by their symbols", () => {
  const streams = ["btcusdt@trade", "ethusdt@aggTrade", "币安人生usdt@trade", "!ticker@arr"];
  expect(binance.parse(JSON.stringify({ result: streams, id: 4 }))).toEqual({
    kind: "subscriptions",
    request_id: 4,
    native_symbols: ["BTCUSDT", "币安人生USDT"],
  });
  expect(binance.parse('{"result":[],"id":4}')).toMatchObject({ native_symbols: [] });
  expect(binance.parse('{"result":["btcusdt@trade",null],"id":4}').kind).toBe("unreadable");
  expect(binance.listSubscriptions(4)).toBe('{"method":"LIST_SUBSCRIPTIONS","id":4}');
});

test("unsubscribe() ends what subscribe() began", () => {
  expect(binance.unsubscribe(["BTCUSDT"], 312)).toEqual([
    {
      request_id: 312,
      text: '{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":312}',
      native_symbols: ["BTCUSDT"],
    },
  ]);
});

test.each([
  ["1787733299756", 1_787_733_299_756_000],
  ["1787733299756123", 1_787_733_299_756_123],
  ["", null],
  ["178773329975", null],
  ["17877332997561", null],
  ["1787733299756 ", null],
  ["ping", null],
])("pingTime(%p) is %p", (payload, time_us) => {
  expect(binance.pingTime(payload)).toBe(time_us);
});

test("isHalted() knows the statuses in which nothing trades, all of them tradable", () => {
  for (const status of ["HALT", "BREAK", "CANCEL_ONLY", "PRE_TRADING", "END_OF_DAY"]) {
    expect([binance.isHalted(status), binance.isTradable(status)]).toEqual([true, true]);
  }
  for (const status of ["TRADING", "AUCTION_MATCH"]) expect(binance.isHalted(status)).toBe(false);
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
  const page = fixturePages("binance")[0]!.page;
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
      cursor: null,
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
      is_terminal: true,
      retry_at_ms: null,
    });
    expect(binance.parsePage("[", request, [])).toMatchObject({ reason: "not_json" });
    expect(binance.parsePage("{}", request, [])).toMatchObject({ reason: "trades_unreadable" });
    const other = "GET https://host/api/v3/exchangeInfo";
    expect(binance.parsePage("{}", other, [])).toMatchObject({ trades: [], rejects: [] });
  });
});

describe("rest", () => {
  const { rest } = binance;
  const instrument: Instrument = {
    exchange: "binance",
    native_symbol: "BTCUSDT",
    base_asset: "BTC",
    quote_asset: "USDT",
    status: "TRADING",
    rest_names: [],
  };
  const start = { after_id: 6_621_701_993, after_timestamp: 1_787_746_340_684_000, cursor: null };

  test("asks for the page from an id on, which is inclusive, and for microseconds", () => {
    expect(rest.pageUrl("http://host", instrument, start)).toBe(
      "http://host/api/v3/historicalTrades?symbol=BTCUSDT&fromId=6621701993&limit=1000",
    );
    expect(rest.newestPageUrl("http://host", instrument)).toBe(
      "http://host/api/v3/trades?symbol=BTCUSDT&limit=1000",
    );
    expect(rest.headers).toEqual({ "X-MBX-TIME-UNIT": "MICROSECOND" });
  });

  test("reads times of both units, in pages as in the clock", () => {
    const { page, request } = fixturePages("binance")[0]!;
    const finer = page.replace("1499865549590", "1499865549590123");
    expect(binance.parsePage(finer, request, [])).toMatchObject({
      trades: [{ timestamp: 1_499_865_549_590_123 }],
    });
    expect(rest.timeUrl("http://host")).toBe("http://host/api/v3/time");
    expect(rest.parseTime('{"serverTime":1499827319559}')).toBe(1_499_827_319_559_000);
    expect(rest.parseTime('{"serverTime":1499827319559123}')).toBe(1_499_827_319_559_123);
    expect(rest.parseTime('{"serverTime":"1499827319559"}')).toBeNull();
  });

  test("reads the used weight from its header", () => {
    expect(rest.usedWeight(new Headers({ "X-MBX-USED-WEIGHT-1M": "1250" }))).toBe(1_250);
    expect(rest.usedWeight(new Headers({ "X-MBX-USED-WEIGHT-1M": "-1" }))).toBeNull();
  });

  test.each([
    ['{"code":-1003,"msg":"Too many requests."}', false, null],
    [
      '{"code":-1003,"msg":"Way too much request weight used; IP banned until 1787746340684. X"}',
      false,
      1_787_746_340_684,
    ],
    ['{"code":-1100,"msg":"Illegal characters found in parameter \'symbol\'"}', true, null],
    ['{"msg":"Service unavailable"}', false, null],
  ])("%s is a refusal, terminal: %p, until %p", (text, is_terminal, retry_at_ms) => {
    const request = "GET http://host/api/v3/trades?symbol=BTCUSDT";
    expect(binance.parsePage(text, request, [])).toMatchObject({
      kind: "refused",
      is_terminal,
      retry_at_ms,
    });
  });
});

test("parseInstruments() takes base and quote from the exchange's list", () => {
  const result = binance.parseInstruments(fixtureText("binance", "instruments.json"));
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
