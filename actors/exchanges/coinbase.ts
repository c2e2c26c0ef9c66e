/**
 * Coinbase Exchange's spot trades: the `matches` and `heartbeat` channels, and its REST pages.
 *
 * | message | means | source |
 * |---|---|---|
 * | `type: "match"` | one execution; `side` is the maker's, so that `sell` is a BUY | [1] |
 * | `type: "last_match"` | the newest one on subscribing, for each product | [1] |
 * | `type: "heartbeat"` | every second for each product, with its newest trade's id | [2] |
 * | `type: "subscriptions"` | all that the socket is subscribed to: answers each request | [3] |
 * | `type: "error"` | a request is refused; which one stands in the text if anywhere | [3] |
 * | any other documented type | not wanted | [1] |
 *
 * Prices and sizes are text, times have microseconds. `sequence` counts all events of a product's
 * book, not its trades: only `trade_id` tells that one is missing. REST pages are newest first.
 *
 * [1]: docs.cdp.coinbase.com/exchange/websocket-feed/channels (matches), [2]: the same (heartbeat),
 * [3]: …/websocket-feed/overview; REST: …/rest-api/products/get-product-trades and
 * …/get-all-known-trading-pairs
 *
 * @module
 */

import type { Instrument, Side, WireTrade } from "../messages.ts";
import type {
  ExchangeAdapter,
  Frame,
  InstrumentsPage,
  Page,
  PageStart,
  Request,
  RestRules,
} from "./adapter.ts";
import { commonAsset } from "./assets.ts";
import {
  booleanOf,
  type JsonNode,
  memberOf,
  numberOf,
  readJson,
  stringOf,
  textOf,
} from "./json_text.ts";
import {
  gap,
  integer,
  iso_microseconds,
  name,
  plain_text,
  positive_decimal,
  trade_id,
} from "./lexeme.ts";
import { requestUrl } from "./rest_request.ts";
import { microsecondsAt, microsecondsFromIso } from "./timestamp.ts";
import { addItem, addReject, type Items, readTradeId } from "./wire_trade.ts";

/** Of an instrument that is `online`, the members that keep orders from meeting. */
const halting_flags = ["trading_disabled", "cancel_only", "post_only"] as const;

/** Statuses of products that trade or may again; a halt must not look like a typo. */
const tradable_statuses: ReadonlySet<string> = new Set(["online", "offline", ...halting_flags]);

/** Types of documented channels, of a product each, that nobody here subscribes to. */
const unwanted_types: ReadonlySet<string> = new Set([
  "ticker",
  "snapshot",
  "l2update",
  "received",
  "open",
  "done",
  "change",
  "activate",
  "auction",
  "rfq_match",
]);

/** Refusals that asking again cannot change. */
const terminal_refusal = /not a valid|invalid|not ?found|authenticat|unauthori|forbidden|at least/i;
/** How a refusal names the product that it is about. */
const refused_product = /^(\S+) is not a valid product$/;

const trades_path = /\/products\/([^/]+)\/trades$/;
const other_path = /\/(?:products|time)(?:\/[^/]+)?$/;
const page_trades_max = 1000;
const no_rejects: readonly [] = [];

/** How Coinbase's trades are read over REST. */
const rest: RestRules = {
  pages_by: "trade_id",
  // Ten a second are allowed to an address; two are left to others and to requests that a network
  // brings closer together than they were sent.
  budgets: [{ weight_max: 8, window_ms: 1_000 }],
  page_weight: 1,
  instruments_weight: 1,
  time_weight: 1,
  page_trades_max,
  headers: {},
  newestPageUrl,
  pageUrl,
  usedWeight: () => null,
  timeUrl: (rest_url) => `${rest_url}/time`,
  parseTime: (text) => microsecondsFromIso(stringOf(memberOf(readJson(text), "iso")) ?? "") ?? null,
};

/** Coinbase Exchange's spot market. */
export const coinbase: ExchangeAdapter = {
  exchange: "coinbase",
  native_symbols_default: ["BTC-USD", "ETH-USD"],
  ws_url_default: "wss://ws-feed.exchange.coinbase.com",
  rest_url_default: "https://api.exchange.coinbase.com",
  // Consecutive per product: heartbeats tell the last one to show that none was missed.
  are_ids_dense: true,
  socketUrl: (ws_url) => ws_url,
  subscribe: (native_symbols, first_request_id) =>
    requestsOf("subscribe", native_symbols, first_request_id),
  unsubscribe: (native_symbols, first_request_id) =>
    requestsOf("unsubscribe", native_symbols, first_request_id),
  // Nothing asks for the list; each request is answered with it.
  listSubscriptions: () => null,
  parse: (text) => parseUsualMatch(text) ?? parseMessage(text),
  pingTime: () => null,
  parsePage,
  instrumentsUrl: (rest_url) => `${rest_url}/products`,
  parseInstruments,
  isTradable: (status) => tradable_statuses.has(status),
  isHalted: (status) => status !== "online" && tradable_statuses.has(status),
  ping: () => null,
  session: {
    // No number is published. A request for each at ten a second: all are asked for in ten seconds.
    symbols_max: 100,
    // Eight a second are allowed to an address.
    attempts: { weight_max: 5, window_ms: 1_000 },
    life_ms_max: null,
    // A heartbeat comes every second for each product.
    silence_ms_max: 15_000,
    // A hundred messages a second are allowed.
    request_interval_ms: 100,
  },
  rest,
};

/** One product a request: one that is refused takes the whole request with it. */
function requestsOf(
  type: "subscribe" | "unsubscribe",
  native_symbols: readonly string[],
  first_request_id: number,
): readonly Request[] {
  const channels = ["matches", "heartbeat"];
  return native_symbols.map((symbol, index) => ({
    // Answers name no request; the number is only for whoever counts them.
    request_id: first_request_id + index,
    text: JSON.stringify({ type, product_ids: [symbol], channels }),
    native_symbols: [symbol],
  }));
}

/** The usual match, captured: type, trade_id, side, size, price, product_id, sequence. */
const usual_match = new RegExp(
  [
    String.raw`^\{"type":${gap}"(match|last_match)",${gap}"trade_id":${gap}(${trade_id}),`,
    `${gap}"maker_order_id":${gap}"${plain_text}",${gap}"taker_order_id":${gap}"${plain_text}",`,
    `${gap}"side":${gap}"(buy|sell)",${gap}"size":${gap}"(${positive_decimal})",`,
    `${gap}"price":${gap}"(${positive_decimal})",${gap}"product_id":${gap}"(${name})",`,
    `${gap}"sequence":${gap}(${integer}),`,
    String.raw`${gap}"time":${gap}"${iso_microseconds}Z"\}$`,
  ].join(""),
);
/** Characters from the timestamp's first digit to the end of the message. */
const usual_tail_length = '2026-08-25T03:35:57.198335Z"}'.length;

/** Recognizes a match in its usual form at once; undefined leaves it to `parseMessage`. */
function parseUsualMatch(text: string): Frame | undefined {
  const match = usual_match.exec(text);
  if (match === null) return undefined;
  const timestamp = microsecondsAt(text, text.length - usual_tail_length);
  if (timestamp === undefined) return undefined;
  const trade: WireTrade = {
    native_symbol: match[6] ?? "",
    trade_id: match[2] ?? "",
    side: match[3] === "sell" ? "BUY" : "SELL",
    price: match[5] ?? "",
    quantity: match[4] ?? "",
    timestamp,
    vendor_data: { sequence: match[7] ?? "" },
  };
  const source = match[1] === "match" ? "STREAM" : "SNAPSHOT";
  return { kind: "trades", source, trades: [trade], rejects: no_rejects };
}

/** Reads any message, member by member. */
function parseMessage(text: string): Frame {
  const message = readJson(text);
  if (message === undefined) return { kind: "unreadable", reason: "not_json" };
  const type = stringOf(memberOf(message, "type")) ?? "";
  if (type === "match" || type === "last_match") return parseMatch(text, message, type);
  if (type === "heartbeat") return parseHeartbeat(message);
  if (type === "error") return parseError(message);
  const product = stringOf(memberOf(message, "product_id"));
  if (unwanted_types.has(type) && product !== undefined) return { kind: "ignored" };
  const subscriptions = type === "subscriptions" ? parseSubscriptions(message) : undefined;
  return subscriptions ?? { kind: "unreadable", reason: "unknown_message" };
}

function parseMatch(text: string, message: JsonNode, type: "match" | "last_match"): Frame {
  const items: Items = { trades: [], rejects: [] };
  const sequence = numberOf(memberOf(message, "sequence"));
  addItem(items, {
    item: textOf(text, message),
    native_symbol: stringOf(memberOf(message, "product_id")),
    trade_id: memberOf(message, "trade_id"),
    side: takerSide(message),
    timestamp: microsecondsFromIso(stringOf(memberOf(message, "time")) ?? ""),
    price: memberOf(message, "price"),
    quantity: memberOf(message, "size"),
    vendor_data: sequence === undefined ? {} : { sequence },
  });
  return { kind: "trades", source: type === "match" ? "STREAM" : "SNAPSHOT", ...items };
}

/** The exchange tells the maker's side; the taker's is the other one. */
function takerSide(item: JsonNode): Side | undefined {
  const side = stringOf(memberOf(item, "side"));
  return side === "sell" ? "BUY" : side === "buy" ? "SELL" : undefined;
}

/** The id has been 0 for everyone at times (go-coinbasepro, issue 89): that says nothing. */
function parseHeartbeat(message: JsonNode): Frame {
  const native_symbol = stringOf(memberOf(message, "product_id")) ?? "";
  const newest_id = readTradeId(memberOf(message, "last_trade_id")) ?? "0";
  const timestamp = microsecondsFromIso(stringOf(memberOf(message, "time")) ?? "");
  if (native_symbol === "" || newest_id === "0" || timestamp === undefined) {
    return { kind: "heartbeat", progress: null };
  }
  return { kind: "heartbeat", progress: { native_symbol, trade_id: newest_id, timestamp } };
}

/** Products whose matches come; a list of anything but names is not believed at all. */
function parseSubscriptions(message: JsonNode): Frame | undefined {
  const channels = memberOf(message, "channels");
  if (channels?.kind !== "array") return undefined;
  const native_symbols: string[] = [];
  for (const channel of channels.items) {
    const product_ids = memberOf(channel, "product_ids");
    const channel_name = stringOf(memberOf(channel, "name"));
    if (channel_name === undefined) return undefined;
    if (channel_name !== "matches") continue;
    if (product_ids?.kind !== "array") return undefined;
    const names = product_ids.items.map(stringOf);
    if (names.includes(undefined)) return undefined;
    native_symbols.push(...names.filter((product) => product !== undefined));
  }
  return { kind: "subscriptions", request_id: null, native_symbols };
}

function parseError(message: JsonNode): Frame {
  const what = stringOf(memberOf(message, "message"));
  const why = stringOf(memberOf(message, "reason"));
  const reason = [what, why].filter((part) => part).join(": ") || "no reason given";
  const native_symbol = refused_product.exec(why ?? "")?.[1] ?? null;
  const is_terminal = terminal_refusal.test(reason);
  return { kind: "refused", request_id: null, native_symbol, reason, is_terminal };
}

function newestPageUrl(rest_url: string, { native_symbol }: Instrument): string {
  const product = encodeURIComponent(native_symbol);
  return `${rest_url}/products/${product}/trades?limit=${page_trades_max}`;
}

/** `after` gives the trades before an id: the page that ends a page's length above the start. */
function pageUrl(rest_url: string, instrument: Instrument, { after_id }: PageStart): string {
  const newest = newestPageUrl(rest_url, instrument);
  return after_id === null ? newest : `${newest}&after=${after_id + page_trades_max}`;
}

/** Reads one page of trades, newest first. A page of another endpoint holds none. */
function parsePage(text: string, request: string): Page {
  const path = requestUrl(request)?.pathname ?? "";
  const page = readJson(text);
  if (page === undefined) return { kind: "unreadable", reason: "not_json" };
  const reason = stringOf(memberOf(page, "message"));
  if (reason !== undefined) {
    const is_terminal = terminal_refusal.test(reason);
    return { kind: "refused", reason, is_terminal, retry_at_ms: null };
  }
  if (other_path.test(path)) return { kind: "trades", trades: [], rejects: [], cursor: null };
  if (page.kind !== "array") return { kind: "unreadable", reason: "trades_unreadable" };
  const native_symbol = productOf(path);
  const items: Items = { trades: [], rejects: [] };
  for (const item of page.items) addPageItem(items, textOf(text, item), item, native_symbol);
  return { kind: "trades", ...items, cursor: null };
}

/** The product in the path, as the page does not name it; a path may hold what is no text. */
function productOf(path: string): string | undefined {
  try {
    return decodeURIComponent(trades_path.exec(path)?.[1] ?? "") || undefined;
  } catch {
    return undefined;
  }
}

function addPageItem(
  items: Items,
  item_text: string,
  item: JsonNode,
  native_symbol: string | undefined,
): void {
  if (item.kind !== "object") {
    const reason = "item_unreadable";
    addReject(items, { reason, item: item_text, native_symbol: native_symbol ?? null });
    return;
  }
  addItem(items, {
    item: item_text,
    native_symbol,
    trade_id: memberOf(item, "trade_id"),
    side: takerSide(item),
    timestamp: microsecondsFromIso(stringOf(memberOf(item, "time")) ?? ""),
    price: memberOf(item, "price"),
    quantity: memberOf(item, "size"),
    vendor_data: {},
  });
}

/** Reads the instrument list. An entry that lacks a name is passed over. */
function parseInstruments(text: string): InstrumentsPage {
  const page = readJson(text);
  if (page?.kind !== "array") {
    const reason = stringOf(memberOf(page, "message")) ?? "the answer holds no list of products";
    return { kind: "unreadable", reason };
  }
  return { kind: "instruments", instruments: page.items.flatMap(instrumentOf) };
}

function instrumentOf(entry: JsonNode): readonly Instrument[] {
  const native_symbol = stringOf(memberOf(entry, "id"));
  const base_asset = stringOf(memberOf(entry, "base_currency"));
  const quote_asset = stringOf(memberOf(entry, "quote_currency"));
  if (!native_symbol || !base_asset || !quote_asset) return [];
  return [
    {
      exchange: "coinbase",
      native_symbol,
      base_asset: commonAsset(base_asset),
      quote_asset: commonAsset(quote_asset),
      status: statusOf(entry),
      rest_names: [],
    },
  ];
}

/** The exchange's word, or the name of the flag that keeps an `online` product from trading. */
function statusOf(entry: JsonNode): string {
  const status = stringOf(memberOf(entry, "status")) ?? "";
  if (status !== "online") return status;
  return halting_flags.find((flag) => booleanOf(memberOf(entry, flag)) === "true") ?? status;
}
