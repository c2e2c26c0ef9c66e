/**
 * Goal: Kraken's messages and pages mean what its documentation says, and one bad item never
 * costs its neighbors.
 * Method: a batch whose middle item is changed in one place for each reason; a recorded page.
 */

import { describe, expect, test } from "bun:test";
import { kraken } from "../../../actors/exchanges/kraken.ts";
import type { Instrument } from "../../../actors/messages.ts";
import { fixtureText } from "../../fixtures/frames.ts";

const item =
  '{"symbol":"BTC/USD","side":"buy","price":77120.0,"qty":0.00048389,"ord_type":"limit",' +
  '"trade_id":105702534,"timestamp":"2026-08-22T17:30:53.355059Z"}';
const trade = {
  native_symbol: "BTC/USD",
  trade_id: "105702534",
  side: "BUY",
  price: "77120.0",
  quantity: "0.00048389",
  timestamp: 1_787_419_853_355_059,
  vendor_data: { ord_type: "limit" },
};
const batch = (...items: readonly string[]) =>
  `{"channel":"trade","type":"update","data":[${items.join(",")}]}`;

describe("parse() rejects one item of a batch, verbatim, and keeps its neighbors", () => {
  test.each([
    ["symbol_unreadable", '"symbol":"BTC/USD",', ""],
    ["symbol_unreadable", '"BTC/USD"', "null"],
    ["trade_id_unreadable", ":105702534", ":105702534.5"],
    ["trade_id_unreadable", ":105702534", ":1e3"],
    ["trade_id_unreadable", ":105702534", ":-0"],
    ["trade_id_unreadable", ":105702534", ":9223372036854775808"],
    ["side_unreadable", '"buy"', '"BUY"'],
    ["side_unreadable", '"buy"', '"hold"'],
    ["timestamp_unreadable", "2026-08-22T", "2026-02-30T"],
    ["timestamp_unreadable", "17:30:53", "25:61:00"],
    ["timestamp_unreadable", "17:30:53", "17:30:60"],
    ["timestamp_unreadable", '"2026-08-22T17:30:53.355059Z"', "1787419853"],
    ["price_unreadable", ":77120.0", ":true"],
    ["price_not_positive", ":77120.0", ":0.0"],
    ["price_not_positive", ":77120.0", ":-1"],
    ["price_out_of_range", ":77120.0", ":1e20"],
    ["quantity_unreadable", ":0.00048389", ':"0.1.2"'],
    ["quantity_not_positive", ":0.00048389", ":0"],
    ["quantity_out_of_range", ":0.00048389", ":1e-19"],
  ] as const)("%s: %s becomes %s", (reason, from, to) => {
    const bad = item.replace(from, to);
    expect(bad).not.toBe(item);
    expect(kraken.parse(batch(item, bad, item))).toMatchObject({
      kind: "trades",
      source: "STREAM",
      trades: [trade, trade],
      rejects: [{ reason, item: bad }],
    });
  });
});

test("parse() rejects an item that is no object", () => {
  expect(kraken.parse(batch("7", item, "[1]"))).toMatchObject({
    trades: [trade],
    rejects: [
      { reason: "item_unreadable", item: "7" },
      { reason: "item_unreadable", item: "[1]" },
    ],
  });
});

test.each([
  ["4e-8", "0.00000004"],
  ["1E+3", "1000"],
  ["118837.0", "118837.0"],
  ["12345678901.12345678", "12345678901.12345678"],
  ['"77120.00"', "77120.00"],
])("parse() reads the price %s as %s", (lexeme, price) => {
  expect(kraken.parse(batch(item.replace("77120.0", lexeme)))).toMatchObject({
    trades: [{ ...trade, price }],
  });
});

test("parse() tells a snapshot from an update, also an empty one", () => {
  const snapshot = batch(item).replace("update", "snapshot");
  expect(kraken.parse(snapshot)).toMatchObject({ source: "SNAPSHOT", trades: [trade] });
  expect(kraken.parse(batch())).toEqual({
    kind: "trades",
    source: "STREAM",
    trades: [],
    rejects: [],
  });
});

test.each([
  ['{"channel":"trade","type":"update","data":{}}', { reason: "trades_unreadable" }],
  ['{"channel":"trade","type":"other","data":[]}', { reason: "unknown_message" }],
  ['{"channel":"book","type":"snapshot","data":[]}', { kind: "ignored" }],
  ['{"channel":"news"}', { reason: "unknown_message" }],
  [
    '{"channel":"status","data":[{"system":"maintenance"}]}',
    { kind: "status", status: "maintenance", is_closing: true },
  ],
  [
    '{"channel":"status","data":[{"system":"post_only"}]}',
    { kind: "status", status: "post_only", is_closing: false },
  ],
  ['{"channel":"status","data":[]}', { reason: "unknown_message" }],
  ['{"method":"unsubscribe","success":true,"result":{}}', { kind: "ignored" }],
  [
    '{"error":"Subscription Not Found","method":"unsubscribe","success":false,"symbol":"BTC/USD"}',
    { kind: "ignored" },
  ],
  ['{"method":"pong"}', { kind: "pong", request_id: null, exchange_time_us: null }],
  [
    '{"method":"pong","req_id":7,"time_in":"2026-08-22T17:30:53.000000Z"}',
    { kind: "pong", request_id: 7, exchange_time_us: null },
  ],
  [
    '{"method":"pong","time_in":"2026-08-22T17:30:53Z","time_out":"2026-08-22T17:30:55.000001Z"}',
    { kind: "pong", exchange_time_us: 1_787_419_854_000_001 },
  ],
  ['{"method":"subscribe","success":true,"result":{"channel":"book"}}', { kind: "ignored" }],
  ['{"method":"subscribe","success":false}', { kind: "refused", is_terminal: false }],
  ['{"method":"subscribe"}', { reason: "unknown_message" }],
  ['{"error":"EService:Unavailable","success":false}', { kind: "refused", is_terminal: false }],
] as const)("parse(%s) is %p", (frame, expected) => {
  expect(kraken.parse(frame)).toMatchObject(expected);
});

test("subscribe() asks for snapshots and says so", () => {
  const [request] = kraken.subscribe(["BTC/USD", "ETH/USD"], 3);
  expect(JSON.parse(request!.text)).toEqual({
    method: "subscribe",
    params: { channel: "trade", symbol: ["BTC/USD", "ETH/USD"], snapshot: true },
    req_id: 3,
  });
});

test("unsubscribe() ends what subscribe() began", () => {
  const [request] = kraken.unsubscribe(["BTC/USD"], 3);
  expect(JSON.parse(request!.text)).toEqual({
    method: "unsubscribe",
    params: { channel: "trade", symbol: ["BTC/USD"] },
    req_id: 3,
  });
});

test("isHalted() knows the statuses in which nothing trades, all of them tradable", () => {
  for (const status of ["cancel_only", "post_only", "maintenance", "work_in_progress"]) {
    expect([kraken.isHalted(status), kraken.isTradable(status)]).toEqual([true, true]);
  }
  for (const status of ["online", "limit_only", "reduce_only", "delisted"]) {
    expect(kraken.isHalted(status)).toBe(false);
  }
});

describe("parsePage()", () => {
  const page = fixtureText("kraken", "trades_page.json");
  const request = "GET https://host/0/public/Trades?pair=XBTUSDT&since=0";
  const instruments: readonly Instrument[] = [
    {
      exchange: "kraken",
      native_symbol: "BTC/USDT",
      base_asset: "BTC",
      quote_asset: "USDT",
      status: "online",
      rest_names: ["XBTUSDT", "XBT/USDT"],
    },
  ];
  const one = '["30243.40000","0.34507674",1688669597.8277369,"b","m","",61044952]';
  const pageOf = (key: string) =>
    `{"error":[],"result":{"${key}":[${one}],"last":"1688671969993150842"}}`;

  test("reads every item of a recorded page, with the wire's digits", () => {
    const result = kraken.parsePage(page, request, instruments);
    if (result.kind !== "trades") throw new Error("The page is not read");
    const lines = page.split("\n").filter((line) => line.startsWith('["'));
    expect(result.rejects).toEqual([]);
    expect(result.trades.length).toBe(1000);
    for (const [index, read] of result.trades.entries()) {
      const [price, quantity, time, side, type, , trade_id] = lines[index]!.replace(/[[\]",]+$/, "")
        .slice(1)
        .split(",")
        .map((field) => field.replaceAll('"', ""));
      const [seconds = "", fraction = ""] = time!.split(".");
      expect(read).toEqual({
        native_symbol: "BTC/USDT",
        trade_id: trade_id!,
        side: side === "b" ? "BUY" : "SELL",
        price: price!,
        quantity: quantity!,
        timestamp: Number(seconds + fraction.padEnd(6, "0").slice(0, 6)),
        vendor_data: { ord_type: type === "m" ? "market" : "limit" },
      });
    }
    expect(new Set(result.trades.map(({ timestamp }) => Math.floor(timestamp / 1000))).size).toBe(
      543,
    );
  });

  test.each([
    ["XBTUSDT", request, "BTC/USDT"],
    ["XXBTZUSD", "GET https://host/0/public/Trades?pair=XBT/USDT", "BTC/USDT"],
    ["XBT/EUR", request.replace("XBTUSDT", "XBTEUR"), "BTC/EUR"],
    ["XXDGZUSD", "GET https://host/0/public/Trades?pair=XDG%2FUSD", "DOGE/USD"],
    ["ETH/XBT", "", "ETH/BTC"],
    ["XXBTZUSD", "GET https://host/0/public/Trades?pair=XXBTZUSD#symbol=BTC%2FUSD", "BTC/USD"],
  ])("maps %s, asked for by %s, to %s", (key, asked, native_symbol) => {
    expect(kraken.parsePage(pageOf(key), asked, instruments)).toMatchObject({
      trades: [{ native_symbol, trade_id: "61044952", timestamp: 1_688_669_597_827_736 }],
    });
  });

  test("rejects every item where nothing names the symbol", () => {
    expect(kraken.parsePage(pageOf("XXBTZUSD"), "", [])).toMatchObject({
      trades: [],
      rejects: [{ reason: "symbol_unreadable", item: one }],
    });
  });

  test("rejects items without harm to their neighbors", () => {
    const old = one.replace(",61044952]", "]");
    const text = pageOf("XBTUSDT").replace(one, `${old},{},${one}`);
    expect(kraken.parsePage(text, request, instruments)).toMatchObject({
      trades: [{ trade_id: "61044952" }],
      rejects: [
        { reason: "trade_id_unreadable", item: old },
        { reason: "item_unreadable", item: "{}" },
      ],
    });
  });

  test("tells the exchange's refusal, damage, and pages of other endpoints apart", () => {
    expect(kraken.parsePage('{"error":["EQuery:Unknown asset pair"]}', request, [])).toEqual({
      kind: "refused",
      reason: "EQuery:Unknown asset pair",
      is_terminal: true,
      retry_at_ms: null,
    });
    expect(kraken.parsePage("<html>", request, [])).toMatchObject({ reason: "not_json" });
    const no_list = '{"error":[],"result":{"last":"1"}}';
    expect(kraken.parsePage(no_list, request, [])).toMatchObject({ reason: "trades_unreadable" });
    const other = "GET https://host/0/public/AssetPairs";
    expect(kraken.parsePage(pageOf("x"), other, [])).toMatchObject({ trades: [], rejects: [] });
  });
});

describe("rest", () => {
  const { rest } = kraken;
  const instrument: Instrument = {
    exchange: "kraken",
    native_symbol: "BTC/USD",
    base_asset: "BTC",
    quote_asset: "USD",
    status: "online",
    rest_names: ["XXBTZUSD", "XBTUSD", "XBT/USD"],
  };
  const start = { after_id: 61_044_952, after_timestamp: 1_688_669_597_827_736, cursor: null };
  const trades = "http://host/0/public/Trades?pair=XXBTZUSD&count=1000";
  const fragment = "#symbol=BTC%2FUSD";
  const request = `GET ${trades}`;

  test.each([
    [1_688_669_597_827_736, "1688669597827735000"],
    [Number.MAX_SAFE_INTEGER, "9007199254740990000"],
    [0, "0"],
  ])("asks from a microsecond before %p on, in exact nanoseconds: %p", (after_timestamp, since) => {
    expect(rest.pageUrl("http://host", instrument, { ...start, after_timestamp })).toBe(
      `${trades}&since=${since}${fragment}`,
    );
  });

  test("asks for the newest page without a time", () => {
    expect(rest.newestPageUrl("http://host", instrument)).toBe(`${trades}${fragment}`);
  });

  test("asks for the next page by the cursor verbatim", () => {
    const next = { ...start, cursor: "1688671969993150842" };
    expect(rest.pageUrl("http://host", instrument, next)).toBe(
      `${trades}&since=1688671969993150842${fragment}`,
    );
  });

  test("asks for a market without REST names by its own name", () => {
    const plain = { ...instrument, rest_names: [] };
    expect(rest.newestPageUrl("http://host", plain)).toBe(
      `http://host/0/public/Trades?pair=BTC%2FUSD&count=1000${fragment}`,
    );
  });

  test.each([
    ["its last", '"last":"1688671969993150842"', "1688671969993150842"],
    ["its last as a number", '"last":1688671969993150842', "1688671969993150842"],
    ["10 ns before its last trade", '"other":1', "1688669597827736890"],
    ["10 ns before its last trade", '"last":""', "1688669597827736890"],
  ])("a page's cursor is %s: %s", (_, last, cursor) => {
    const item = '["30243.40000","0.34507674",1688669597.8277369,"b","m","",61044952]';
    const page = `{"error":[],"result":{"XXBTZUSD":[${item}],${last}}}`;
    expect(kraken.parsePage(page, request, [instrument])).toMatchObject({ cursor });
  });

  test("a page without trades and without its last has no cursor", () => {
    expect(kraken.parsePage('{"error":[],"result":{"XXBTZUSD":[]}}', request, [])).toEqual({
      kind: "trades",
      trades: [],
      rejects: [],
      cursor: null,
    });
  });

  test.each([
    ["EAPI:Rate limit exceeded", false, null],
    ["EGeneral:Too many requests", false, null],
    ["EGeneral:Temporary lockout", false, null],
    ["EGeneral:Internal error", false, null],
    ["EService:Unavailable", false, null],
    ["EService:Throttled: 1688671969", false, 1_688_671_969_000],
    ["EService:Throttled: 1688671969993", false, 1_688_671_969_993],
    ["EService:Throttled: soon", false, null],
    ["EGeneral:Invalid arguments", true, null],
    ["EQuery:Unknown asset pair", true, null],
  ])("%s is a refusal, terminal: %p, until %p", (error, is_terminal, retry_at_ms) => {
    expect(kraken.parsePage(JSON.stringify({ error: [error] }), request, [])).toEqual({
      kind: "refused",
      reason: error,
      is_terminal,
      retry_at_ms,
    });
  });

  test("a warning is no refusal, and does not hide one", () => {
    const page = '{"error":["WGeneral:Note"],"result":{"XXBTZUSD":[],"last":"1"}}';
    expect(kraken.parsePage(page, request, [])).toMatchObject({ kind: "trades", cursor: "1" });
    expect(kraken.parsePage(page.replace('"]', '","EService:Busy"]'), request, [])).toMatchObject({
      kind: "refused",
      reason: "EService:Busy",
    });
  });

  test("reads the clock, which tells whole seconds, as their middle", () => {
    expect(rest.timeUrl("http://host")).toBe("http://host/0/public/Time");
    const time =
      '{"error":[],"result":{"unixtime":1688669448,"rfc1123":"Thu, 06 Jul 23 18:50:48"}}';
    expect(rest.parseTime(time)).toBe(1_688_669_448_500_000);
    expect(rest.parseTime('{"error":["EService:Busy"]}')).toBeNull();
    expect(rest.parseTime('{"result":{"unixtime":1688669448.5}}')).toBeNull();
  });
});

test("parseInstruments() names XBT and XDG as the field does, on both legs, by table", () => {
  const result = kraken.parseInstruments(fixtureText("kraken", "instruments.json"));
  if (result.kind !== "instruments") throw new Error("The list is not read");
  expect(result.instruments.map(({ native_symbol }) => native_symbol)).toEqual([
    "BTC/USD",
    "ETH/BTC",
    "DOGE/USD",
    "XTZ/USD",
    "BTC/USDT",
  ]);
  expect(result.instruments[1]).toEqual({
    exchange: "kraken",
    native_symbol: "ETH/BTC",
    base_asset: "ETH",
    quote_asset: "BTC",
    status: "cancel_only",
    rest_names: ["XETHXXBT", "ETHXBT", "ETH/XBT"],
  });
  expect(kraken.isTradable("maintenance")).toBe(true);
  expect(kraken.isTradable("delisted")).toBe(false);
  expect(kraken.parseInstruments('{"error":["EService:Busy"]}')).toEqual({
    kind: "unreadable",
    reason: "EService:Busy",
  });
});
