/**
 * Kraken spot trades: the `trade` channel of WebSocket v2.
 *
 * | message | means | source |
 * |---|---|---|
 * | `channel: "trade"`, `type: "update"` | new trades, many in one; `side` is the taker's | [1] |
 * | the same with `type: "snapshot"` | the last 50 trades, on subscribing; may be empty | [1] |
 * | `method: "subscribe"` with `success` | the answer for one symbol | [2] |
 * | `channel: "heartbeat"` | about every second when nothing else flows | [3] |
 * | `channel: "status"` | the exchange's state: `online`, `maintenance`, … | [4] |
 * | `method: "pong"` | the answer to a ping, with its clock's `time_in` and `time_out` | [5] |
 * | `method: "unsubscribe"` | the subscription is gone, also where it is refused | [2] |
 * | `{"Error":…}` | too many requests | seen on the wire |
 *
 * Prices and quantities are JSON numbers with the engine's precision, trailing zeros not padded:
 * their text is the value. `connection_id` and trade ids may exceed 2^53.
 *
 * [1]: docs.kraken.com/api/docs/websocket-v2/trade, [2]: …/websocket-v2/trade (subscribe ack),
 * [3]: …/heartbeat, [4]: …/status, [5]: …/ping
 *
 * @module
 */

import type { WireTrade } from "../messages.ts";
import type { ExchangeAdapter, Frame, Request } from "./adapter.ts";
import {
  booleanOf,
  type JsonNode,
  memberOf,
  numberOf,
  readJson,
  stringOf,
  textOf,
} from "./json_text.ts";
import { kraken_rest, parseKrakenInstruments, parseKrakenPage } from "./kraken_rest.ts";
import { gap, iso_microseconds, name, positive_decimal, trade_id } from "./lexeme.ts";
import { microsecondsAt, microsecondsFromIso } from "./timestamp.ts";
import { addItem, addReject, type Items } from "./wire_trade.ts";

/** Symbols in one request: a burst of requests makes the exchange refuse a random part of them. */
const request_symbols_max = 100;

const tradable_statuses: ReadonlySet<string> = new Set([
  "online",
  "cancel_only",
  "post_only",
  "limit_only",
  "reduce_only",
  "maintenance",
  "work_in_progress",
]);

/** Of these, the statuses in which no order can meet another, so that nothing trades. */
const halted_statuses: ReadonlySet<string> = new Set([
  "cancel_only",
  "post_only",
  "maintenance",
  "work_in_progress",
]);

/** Documented channels that nobody here subscribes to. */
const unwanted_channels: ReadonlySet<string> = new Set([
  "ticker",
  "book",
  "level3",
  "ohlc",
  "instrument",
  "executions",
  "balances",
]);

/** Refusals that asking again cannot change. */
const terminal_refusal = /not supported|not found|invalid|malformed|unknown|unrecognized/i;
/** The wish is fulfilled, though the answer is a refusal. */
const already_subscribed = /^already subscribed/i;

const no_rejects: readonly [] = [];

/** Kraken's spot market, by version 2 of its WebSocket API. */
export const kraken: ExchangeAdapter = {
  exchange: "kraken",
  native_symbols_default: ["BTC/USD", "ETH/USD"],
  ws_url_default: "wss://ws.kraken.com/v2",
  rest_url_default: "https://api.kraken.com",
  // "Sequence number, unique per book": nobody promises that none is left out.
  are_ids_dense: false,
  socketUrl: (ws_url) => ws_url,
  subscribe: (native_symbols, first_request_id) =>
    requestsOf("subscribe", native_symbols, first_request_id),
  unsubscribe: (native_symbols, first_request_id) =>
    requestsOf("unsubscribe", native_symbols, first_request_id),
  listSubscriptions: () => null,
  parse: (text) => parseUsualTrades(text) ?? parseMessage(text),
  pingTime: () => null,
  parsePage: parseKrakenPage,
  instrumentsUrl: (rest_url) => `${rest_url}/0/public/AssetPairs`,
  parseInstruments: parseKrakenInstruments,
  isTradable: (status) => tradable_statuses.has(status),
  isHalted: (status) => halted_statuses.has(status),
  ping: (request_id) => JSON.stringify({ method: "ping", req_id: request_id }),
  session: {
    // No number is published. Two requests' worth: what one socket's end can cost stays small,
    // and all of the exchange's markets still need only a handful of sockets.
    symbols_max: 2 * request_symbols_max,
    // About 150 in ten minutes are allowed to an address, REST included, then it is banned for
    // ten; the exchange's own client stays below 120.
    attempts: { weight_max: 120, window_ms: 10 * 60_000 },
    life_ms_max: null,
    // A heartbeat comes about every second once anything is subscribed.
    silence_ms_max: 20_000,
    request_interval_ms: 100,
  },
  rest: kraken_rest,
};

function requestsOf(
  method: "subscribe" | "unsubscribe",
  native_symbols: readonly string[],
  first_request_id: number,
): readonly Request[] {
  const requests: Request[] = [];
  for (let first = 0; first < native_symbols.length; first += request_symbols_max) {
    const symbol = native_symbols.slice(first, first + request_symbols_max);
    const request_id = first_request_id + requests.length;
    const params = { channel: "trade", symbol, ...(method === "subscribe" && { snapshot: true }) };
    const text = JSON.stringify({ method, params, req_id: request_id });
    requests.push({ request_id, text, native_symbols: symbol });
  }
  return requests;
}

const usual_head = new RegExp(
  [
    String.raw`^\{"channel":${gap}"trade",${gap}"type":${gap}"(update|snapshot)",`,
    String.raw`${gap}"data":${gap}\[`,
  ].join(""),
);
/** The usual item, its members captured: symbol, side, price, qty, ord_type, trade_id. */
const usual_item = new RegExp(
  [
    String.raw`\{"symbol":${gap}"(${name})",${gap}"side":${gap}"(buy|sell)",`,
    `${gap}"price":${gap}(${positive_decimal}),${gap}"qty":${gap}(${positive_decimal}),`,
    `${gap}"ord_type":${gap}"(limit|market)",${gap}"trade_id":${gap}(${trade_id}),`,
    String.raw`${gap}"timestamp":${gap}"${iso_microseconds}Z"\}`,
  ].join(""),
  "y",
);
/** Characters from a timestamp's first digit to the end of its item: the digits and `Z"}`. */
const usual_tail_length = '2026-08-22T17:30:53.355059Z"}'.length;
const comma = 0x2c;
const space = 0x20;

/** Recognizes trades in their usual form at once; undefined leaves them to `parseMessage`. */
function parseUsualTrades(text: string): Frame | undefined {
  const head = usual_head.exec(text);
  if (head === null) return undefined;
  const trades: WireTrade[] = [];
  let at = head[0].length;
  for (;;) {
    usual_item.lastIndex = at;
    const match = usual_item.exec(text);
    if (match === null) return undefined;
    at = usual_item.lastIndex;
    const timestamp = microsecondsAt(text, at - usual_tail_length);
    if (timestamp === undefined) return undefined;
    trades.push({
      native_symbol: match[1] ?? "",
      trade_id: match[6] ?? "",
      side: match[2] === "buy" ? "BUY" : "SELL",
      price: match[3] ?? "",
      quantity: match[4] ?? "",
      timestamp,
      vendor_data: { ord_type: match[5] ?? "" },
    });
    if (text.charCodeAt(at) !== comma) break;
    at += text.charCodeAt(at + 1) === space ? 2 : 1;
  }
  if (text.length !== at + 2 || !text.endsWith("]}")) return undefined;
  const source = head[1] === "update" ? "STREAM" : "SNAPSHOT";
  return { kind: "trades", source, trades, rejects: no_rejects };
}

/** Reads any message, member by member. */
function parseMessage(text: string): Frame {
  const message = readJson(text);
  if (message === undefined) return { kind: "unreadable", reason: "not_json" };
  const channel = stringOf(memberOf(message, "channel"));
  if (channel === undefined) {
    return parseAnswer(message) ?? { kind: "unreadable", reason: "unknown_message" };
  }
  if (channel === "trade") return parseTrades(text, message);
  if (channel === "heartbeat") return { kind: "heartbeat", progress: null };
  if (unwanted_channels.has(channel)) return { kind: "ignored" };
  const status = channel === "status" ? statusOf(message) : undefined;
  // Sockets are closed in maintenance, and none is accepted before its end.
  if (status !== undefined) return { kind: "status", status, is_closing: status === "maintenance" };
  return { kind: "unreadable", reason: "unknown_message" };
}

function parseTrades(text: string, message: JsonNode): Frame {
  const type = stringOf(memberOf(message, "type"));
  const data = memberOf(message, "data");
  if (type !== "update" && type !== "snapshot") {
    return { kind: "unreadable", reason: "unknown_message" };
  }
  if (data?.kind !== "array") return { kind: "unreadable", reason: "trades_unreadable" };
  const items: Items = { trades: [], rejects: [] };
  for (const item of data.items) addTrade(items, textOf(text, item), item);
  return { kind: "trades", source: type === "update" ? "STREAM" : "SNAPSHOT", ...items };
}

function addTrade(items: Items, item_text: string, item: JsonNode): void {
  if (item.kind !== "object") {
    addReject(items, { reason: "item_unreadable", item: item_text, native_symbol: null });
    return;
  }
  const side = stringOf(memberOf(item, "side"));
  const ord_type = stringOf(memberOf(item, "ord_type"));
  addItem(items, {
    item: item_text,
    native_symbol: stringOf(memberOf(item, "symbol")),
    trade_id: memberOf(item, "trade_id"),
    side: side === "buy" ? "BUY" : side === "sell" ? "SELL" : undefined,
    timestamp: microsecondsFromIso(stringOf(memberOf(item, "timestamp")) ?? ""),
    price: memberOf(item, "price"),
    quantity: memberOf(item, "qty"),
    vendor_data: ord_type === undefined ? {} : { ord_type },
  });
}

/** The newest state of the exchange that a status message tells. */
function statusOf(message: JsonNode): string | undefined {
  const data = memberOf(message, "data");
  return data?.kind === "array" ? stringOf(memberOf(data.items.at(-1), "system")) : undefined;
}

/** The middle between the exchange's receiving a request and answering it. */
function timeOf(answer: JsonNode): number | null {
  const time_in = microsecondsFromIso(stringOf(memberOf(answer, "time_in")) ?? "");
  const time_out = microsecondsFromIso(stringOf(memberOf(answer, "time_out")) ?? "");
  if (time_in === undefined || time_out === undefined) return null;
  return time_in + Math.round((time_out - time_in) / 2);
}

/** Reads the answer to a request; undefined where it is none. */
function parseAnswer(message: JsonNode): Frame | undefined {
  const method = stringOf(memberOf(message, "method"));
  const id = Number(numberOf(memberOf(message, "req_id")) ?? Number.NaN);
  const request_id = Number.isSafeInteger(id) ? id : null;
  if (method === "pong") return { kind: "pong", request_id, exchange_time_us: timeOf(message) };
  // Accepted, or refused because there was no subscription: either way it is gone.
  if (method === "unsubscribe") return { kind: "ignored" };
  const error = stringOf(memberOf(message, "error")) ?? stringOf(memberOf(message, "Error"));
  const success = booleanOf(memberOf(message, "success"));
  if (error !== undefined || (method !== undefined && success === "false")) {
    const native_symbol = stringOf(memberOf(message, "symbol")) ?? null;
    const reason = error ?? "no reason given";
    if (method === "subscribe" && already_subscribed.test(reason)) {
      return { kind: "acknowledged", request_id, native_symbol };
    }
    const is_terminal = terminal_refusal.test(reason);
    return { kind: "refused", request_id, native_symbol, reason, is_terminal };
  }
  if (method === undefined || success !== "true") return undefined;
  const result = memberOf(message, "result");
  const is_ours = method === "subscribe" && stringOf(memberOf(result, "channel")) === "trade";
  const native_symbol = stringOf(memberOf(result, "symbol")) ?? null;
  return is_ours ? { kind: "acknowledged", request_id, native_symbol } : { kind: "ignored" };
}
