/**
 * Goal: Coinbase Exchange's messages and pages mean what its documentation says: the side is the
 * maker's, lists of subscriptions acknowledge, and pages are asked for from above.
 * Method: one whole match, changed in one place for each reason; pages from the documentation.
 */

import { describe, expect, test } from "bun:test";
import { coinbase } from "../../../actors/exchanges/coinbase.ts";
import type { Instrument } from "../../../actors/messages.ts";
import { fixturePages, fixtureText } from "../../fixtures/frames.ts";

const match =
  '{"type":"match","trade_id":10,"maker_order_id":"a","taker_order_id":"b","side":"sell",' +
  '"size":"5.23512","price":"400.23","product_id":"BTC-USD","sequence":50,' +
  '"time":"2014-11-07T08:19:27.028459Z"}';
const trade = {
  native_symbol: "BTC-USD",
  trade_id: "10",
  side: "BUY",
  price: "400.23",
  quantity: "5.23512",
  timestamp: 1_415_348_367_028_459,
  vendor_data: { sequence: "50" },
};

test("parse() tells the taker's side, which is not the maker's", () => {
  expect(coinbase.parse(match)).toMatchObject({ source: "STREAM", trades: [trade] });
  expect(coinbase.parse(match.replace("sell", "buy"))).toMatchObject({
    trades: [{ ...trade, side: "SELL" }],
  });
});

test("parse() calls the match from before the subscription a snapshot", () => {
  const last = match.replace('"match"', '"last_match"');
  expect(coinbase.parse(last)).toMatchObject({ source: "SNAPSHOT", trades: [trade] });
});

describe("parse() rejects an unreadable match, verbatim", () => {
  test.each([
    ["symbol_unreadable", '"product_id":"BTC-USD",', ""],
    ["symbol_unreadable", '"BTC-USD"', '""'],
    ["trade_id_unreadable", '"trade_id":10', '"trade_id":-10'],
    ["trade_id_unreadable", '"trade_id":10', '"trade_id":9223372036854775808'],
    ["side_unreadable", '"sell"', '"SELL"'],
    ["side_unreadable", '"side":"sell",', ""],
    ["timestamp_unreadable", "2014-11-07T", "2014-11-31T"],
    ["timestamp_unreadable", '"2014-11-07T08:19:27.028459Z"', "1415348367"],
    ["price_unreadable", '"400.23"', '"400,23"'],
    ["price_not_positive", '"400.23"', '"0.00"'],
    ["quantity_unreadable", '"5.23512"', "null"],
    ["quantity_out_of_range", '"5.23512"', '"1e20"'],
  ] as const)("%s: %s becomes %s", (reason, from, to) => {
    const item = match.replace(from, to);
    expect(item).not.toBe(match);
    expect(coinbase.parse(item)).toMatchObject({ trades: [], rejects: [{ reason, item }] });
  });
});

test("parse() reads times of fewer digits, and ids and numbers beyond 2^53", () => {
  const coarse = match.replace(".028459Z", ".5Z").replace('"sequence":50', '"sequence":1e30');
  expect(coinbase.parse(coarse)).toMatchObject({
    trades: [{ ...trade, timestamp: 1_415_348_367_500_000, vendor_data: { sequence: "1e30" } }],
  });
  const high = match.replace(":10,", ":9223372036854775807,");
  expect(coinbase.parse(high)).toMatchObject({ trades: [{ trade_id: "9223372036854775807" }] });
});

describe("parse() takes a heartbeat for progress only where it says which trade when", () => {
  const heartbeat =
    '{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD",' +
    '"time":"2014-11-07T08:19:28.464459Z"}';

  test("with all members", () => {
    expect(coinbase.parse(heartbeat)).toEqual({
      kind: "heartbeat",
      progress: {
        native_symbol: "BTC-USD",
        trade_id: "20",
        timestamp: 1_415_348_368_464_459,
      },
    });
  });

  test.each([
    [':20,"product_id"', ':0,"product_id"'],
    ['"last_trade_id":20,', ""],
    [":20,", ":2.5,"],
    [":20,", ":null,"],
    ["2014-11-07T", "2014-11-31T"],
    ['"product_id":"BTC-USD",', ""],
  ])("not with %s as %s", (from, to) => {
    expect(heartbeat.replace(from, to)).not.toBe(heartbeat);
    expect(coinbase.parse(heartbeat.replace(from, to))).toEqual({
      kind: "heartbeat",
      progress: null,
    });
  });
});

test.each([
  ['{"type":"subscriptions","channels":[]}', { kind: "subscriptions", native_symbols: [] }],
  [
    '{"type":"subscriptions","channels":[{"name":"heartbeat","product_ids":["BTC-USD"]}]}',
    { kind: "subscriptions", native_symbols: [] },
  ],
  ['{"type":"subscriptions"}', { reason: "unknown_message" }],
  [
    '{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD",7]}]}',
    { reason: "unknown_message" },
  ],
  [
    '{"type":"error","message":"Failed to subscribe","reason":"rate limit exceeded"}',
    { kind: "refused", native_symbol: null, is_terminal: false },
  ],
  ['{"type":"error"}', { kind: "refused", reason: "no reason given", is_terminal: false }],
  ['{"type":"ticker","product_id":"BTC-USD"}', { kind: "ignored" }],
  ['{"type":"snapshot"}', { reason: "unknown_message" }],
  ['{"type":"news"}', { reason: "unknown_message" }],
  ["{}", { reason: "unknown_message" }],
] as const)("parse(%s) is %p", (frame, expected) => {
  expect(coinbase.parse(frame)).toMatchObject(expected);
});

test("subscribe() asks for each product by itself: a refusal takes a whole request with it", () => {
  const requests = coinbase.subscribe(["BTC-USD", "ETH-USD"], 1);
  expect(requests.map(({ native_symbols }) => native_symbols)).toEqual([["BTC-USD"], ["ETH-USD"]]);
  expect(requests[0]!.text).toBe(
    '{"type":"subscribe","product_ids":["BTC-USD"],"channels":["matches","heartbeat"]}',
  );
  expect(coinbase.unsubscribe(["BTC-USD"], 1)[0]!.text).toBe(
    '{"type":"unsubscribe","product_ids":["BTC-USD"],"channels":["matches","heartbeat"]}',
  );
});

describe("rest", () => {
  const { rest } = coinbase;
  const { page, request } = fixturePages("coinbase")[0]!;
  const instrument: Instrument = {
    exchange: "coinbase",
    native_symbol: "BTC-USD",
    base_asset: "BTC",
    quote_asset: "USD",
    status: "online",
    rest_names: [],
  };

  test("asks for the page that has the start at its lower end", () => {
    const start = { after_id: 1_081_862_674, after_timestamp: 0, cursor: null };
    // The exchange gives the thousand ids below 1081863674: from 1081862674 on, itself included.
    expect(rest.pageUrl("http://host", instrument, start)).toBe(
      "http://host/products/BTC-USD/trades?limit=1000&after=1081863674",
    );
    expect(rest.newestPageUrl("http://host", instrument)).toBe(
      "http://host/products/BTC-USD/trades?limit=1000",
    );
  });

  test("reads a page's items, newest first, and rejects one without harm to its neighbors", () => {
    const bad = page.replace('"100.00000000"', '"-1"').slice(0, -1);
    expect(coinbase.parsePage(`${bad},7]`, request, [])).toMatchObject({
      kind: "trades",
      trades: [{ trade_id: "74", side: "SELL", native_symbol: "BTC-USD" }],
      rejects: [
        { reason: "price_not_positive", native_symbol: "BTC-USD" },
        { reason: "item_unreadable", item: "7", native_symbol: "BTC-USD" },
      ],
    });
  });

  test.each([
    "",
    "GET http://host/products//trades",
    "GET http://host/products/%ff/trades",
    "GET http://host/products/%/trades",
    "no request",
  ])("rejects every item of a page whose request %p names no product", (asked) => {
    expect(coinbase.parsePage(page, asked, [])).toMatchObject({
      trades: [],
      rejects: [
        { reason: "symbol_unreadable", native_symbol: null },
        { reason: "symbol_unreadable", native_symbol: null },
      ],
    });
  });

  test.each([
    ['{"message":"Public rate limit exceeded"}', false],
    ['{"message":"Internal server error"}', false],
    ['{"message":"NotFound"}', true],
    ['{"message":"Invalid value for after"}', true],
  ])("%s is a refusal, terminal: %p", (text, is_terminal) => {
    expect(coinbase.parsePage(text, request, [])).toMatchObject({ kind: "refused", is_terminal });
  });

  test("tells damage and pages of other endpoints apart", () => {
    expect(coinbase.parsePage("<html>", request, [])).toMatchObject({ reason: "not_json" });
    expect(coinbase.parsePage("{}", request, [])).toMatchObject({ reason: "trades_unreadable" });
    for (const path of ["/products", "/products/BTC-USD", "/time"]) {
      expect(coinbase.parsePage("{}", `GET http://host${path}`, [])).toMatchObject({ trades: [] });
    }
  });

  test("reads the clock", () => {
    expect(rest.timeUrl("http://host")).toBe("http://host/time");
    const time = '{"iso":"2015-01-07T23:47:25.201Z","epoch":1420674445.201}';
    expect(rest.parseTime(time)).toBe(1_420_674_445_201_000);
    expect(rest.parseTime('{"epoch":1420674445.201}')).toBeNull();
  });
});

describe("parseInstruments()", () => {
  const listed = (change: object) => {
    const entry = { id: "BTC-USD", base_currency: "BTC", quote_currency: "USD", status: "online" };
    const result = coinbase.parseInstruments(JSON.stringify([{ ...entry, ...change }]));
    return result.kind === "instruments" ? result.instruments : [];
  };

  test("takes base and quote from the exchange's list", () => {
    const result = coinbase.parseInstruments(fixtureText("coinbase", "instruments.json"));
    expect(result).toMatchObject({
      instruments: [
        { native_symbol: "BTC-GBP", base_asset: "BTC", quote_asset: "GBP", status: "online" },
        { native_symbol: "DAI-USD", base_asset: "DAI", quote_asset: "USD", status: "online" },
      ],
    });
    expect(coinbase.parseInstruments('{"message":"Forbidden"}')).toEqual({
      kind: "unreadable",
      reason: "Forbidden",
    });
    expect(listed({ base_currency: "" })).toEqual([]);
  });

  test.each([
    [{}, "online", true, false],
    [{ limit_only: true, auction_mode: true }, "online", true, false],
    [{ post_only: true }, "post_only", true, true],
    [{ cancel_only: true }, "cancel_only", true, true],
    [{ trading_disabled: true, post_only: true }, "trading_disabled", true, true],
    [{ status: "offline", trading_disabled: true }, "offline", true, true],
    [{ status: "delisted", trading_disabled: true }, "delisted", false, false],
    [{ status: null }, "", false, false],
  ])("%p has status %p, tradable: %p, halted: %p", (change, status, is_tradable, is_halted) => {
    expect(listed(change)[0]?.status).toBe(status);
    expect([coinbase.isTradable(status), coinbase.isHalted(status)]).toEqual([
      is_tradable,
      is_halted,
    ]);
  });
});
