/**
 * Binance spot trades: the `@trade` streams of the combined WebSocket, in microseconds.
 *
 * | message | means | source |
 * |---|---|---|
 * | `e: "trade"` | one execution; `m: true` says that the buyer was the maker: a SELL | [1] |
 * | `result: null` with an `id` | that request is accepted | [1] |
 * | `result: […]` with an `id` | the streams that the server holds for the socket | [1] |
 * | `code` and `msg`, or the same in `error` | a request is refused | [1] |
 * | `e: "serverShutdown"` | the server is about to end, bare or as stream `!serverShutdown` | [1] |
 * | any other documented event or stream | not wanted | [1] |
 *
 * Frames come wrapped, `{"stream":…,"data":…}`, from `/stream` and bare from `/ws`; both are read.
 * The unit of `E` and `T` depends on the URL that asked, so it is told from the digits.
 *
 * [1]: binance/binance-spot-api-docs, web-socket-streams.md
 *
 * @module
 */

import type { WireTrade } from "../messages.ts";
import type { ExchangeAdapter, Frame, Request } from "./adapter.ts";
import {
  binance_rest,
  isTerminalCode,
  parseBinanceInstruments,
  parseBinancePage,
} from "./binance_rest.ts";
import {
  booleanOf,
  type JsonNode,
  memberOf,
  numberOf,
  readJson,
  stringOf,
  textOf,
} from "./json_text.ts";
import { epoch, gap, integer, name, plain_text, positive_decimal, trade_id } from "./lexeme.ts";
import { microsecondsFromEpoch } from "./timestamp.ts";
import { addItem, type Items } from "./wire_trade.ts";

/** The server refuses longer frames with close code 3001. */
const request_bytes_max = 4096;

/** What a trade stream's name ends with, after the symbol in lower case. */
const trade_stream = "@trade";

/** Statuses of markets that trade or will again; a system-wide halt must not look like a typo. */
const tradable_statuses: ReadonlySet<string> = new Set([
  "PRE_TRADING",
  "TRADING",
  "POST_TRADING",
  "END_OF_DAY",
  "HALT",
  "AUCTION_MATCH",
  "BREAK",
  "CANCEL_ONLY",
]);

/**
 * Of these, the statuses in which orders do not meet, so that nothing trades: `HALT` and `BREAK`
 * say so, `CANCEL_ONLY` takes no orders, the others stand before or after trading.
 */
const halted_statuses: ReadonlySet<string> = new Set([
  "PRE_TRADING",
  "POST_TRADING",
  "END_OF_DAY",
  "HALT",
  "BREAK",
  "CANCEL_ONLY",
]);

/** Events of documented streams that nobody here subscribes to. */
const unwanted_events: ReadonlySet<string> = new Set([
  "aggTrade",
  "blockTrade",
  "kline",
  "24hrMiniTicker",
  "24hrTicker",
  "1hTicker",
  "4hTicker",
  "1dTicker",
  "avgPrice",
  "referencePrice",
  "depthUpdate",
  "eventStreamTerminated",
]);

/** Documented streams, some of whose events carry no name: book tickers, partial depth, arrays. */
const unwanted_stream =
  /@(?:aggTrade|blockTrade|kline_|miniTicker|ticker|bookTicker|avgPrice|referencePrice|depth|arr)/;

/** Members by which the bare events without a name are known. */
const unnamed_events: readonly (readonly string[])[] = [
  ["u", "s", "b", "B", "a", "A"],
  ["lastUpdateId", "bids", "asks"],
];

const no_rejects: readonly [] = [];

/** Binance's spot market. */
export const binance: ExchangeAdapter = {
  exchange: "binance",
  native_symbols_default: ["BTCUSDT", "ETHUSDT"],
  ws_url_default: "wss://stream.binance.com:9443",
  rest_url_default: "https://api.binance.com",
  // Consecutive per symbol: so `historicalTrades` pages by them.
  are_ids_dense: true,
  socketUrl: (ws_url) => `${ws_url}/stream?timeUnit=MICROSECOND`,
  subscribe: (native_symbols, first_request_id) =>
    requestsOf("SUBSCRIBE", native_symbols, first_request_id),
  unsubscribe: (native_symbols, first_request_id) =>
    requestsOf("UNSUBSCRIBE", native_symbols, first_request_id),
  listSubscriptions: (request_id) =>
    JSON.stringify({ method: "LIST_SUBSCRIPTIONS", id: request_id }),
  parse: (text) => parseUsualTrade(text) ?? parseMessage(text),
  // The payload of the server's pings is its clock, in milliseconds when it was recorded.
  pingTime: (payload) => microsecondsFromEpoch(payload) ?? null,
  parsePage: parseBinancePage,
  // Permissions are most of the list's bytes, and reading them would hold the sockets up.
  instrumentsUrl: (rest_url) => `${rest_url}/api/v3/exchangeInfo?showPermissionSets=false`,
  parseInstruments: parseBinanceInstruments,
  isTradable: (status) => tradable_statuses.has(status),
  isHalted: (status) => halted_statuses.has(status),
  ping: () => null,
  session: {
    // 1,024 streams a connection, one for each symbol.
    symbols_max: 1024,
    // 300 in five minutes are allowed; the rest is left to others behind the same address.
    attempts: { weight_max: 250, window_ms: 5 * 60_000 },
    life_ms_max: 24 * 3_600_000,
    // The server pings every 20 s: two pings missed, and a little.
    silence_ms_max: 45_000,
    // Five messages a second are allowed, pongs included.
    request_interval_ms: 250,
  },
  rest: binance_rest,
};

function requestsOf(
  method: "SUBSCRIBE" | "UNSUBSCRIBE",
  native_symbols: readonly string[],
  first_request_id: number,
): readonly Request[] {
  const requests: Request[] = [];
  let batch: string[] = [];
  function requestOf(symbols: readonly string[]): Request {
    const request_id = first_request_id + requests.length;
    // Stream names are lower case, the symbols in their events upper case.
    const params = symbols.map((symbol) => `${symbol.toLowerCase()}${trade_stream}`);
    const text = JSON.stringify({ method, params, id: request_id });
    return { request_id, text, native_symbols: symbols };
  }
  for (const symbol of native_symbols) {
    const longer = requestOf([...batch, symbol]);
    if (batch.length > 0 && Buffer.byteLength(longer.text) > request_bytes_max) {
      requests.push(requestOf(batch));
      batch = [];
    }
    batch.push(symbol);
  }
  if (batch.length > 0) requests.push(requestOf(batch));
  return requests;
}

/** The usual event, its members captured: E, s, t, p, q, T, m, M. */
const usual_event = [
  String.raw`\{"e":${gap}"trade",${gap}"E":${gap}(${epoch}),${gap}"s":${gap}"(${name})",`,
  `${gap}"t":${gap}(${trade_id}),${gap}"p":${gap}"(${positive_decimal})",`,
  `${gap}"q":${gap}"(${positive_decimal})",`,
  // Order ids, which the exchange sent until 2024.
  `(?:${gap}"b":${gap}${integer},${gap}"a":${gap}${integer},)?`,
  `${gap}"T":${gap}(${epoch}),${gap}"m":${gap}(true|false),`,
  String.raw`${gap}"M":${gap}(true|false)\}`,
].join("");
const wrapper = String.raw`\{"stream":${gap}"${plain_text}",${gap}"data":${gap}`;
const usual_wrapped = new RegExp(`^${wrapper}${usual_event}\\}$`);
const usual_bare = new RegExp(`^${usual_event}$`);

/** Recognizes a trade in its usual form at once; undefined leaves it to `parseMessage`. */
function parseUsualTrade(text: string): Frame | undefined {
  const match = usual_wrapped.exec(text) ?? usual_bare.exec(text);
  if (match === null) return undefined;
  const event_time = match[1] ?? "";
  const time = match[6] ?? "";
  const trade: WireTrade = {
    native_symbol: match[2] ?? "",
    trade_id: match[3] ?? "",
    side: match[7] === "true" ? "SELL" : "BUY",
    price: match[4] ?? "",
    quantity: match[5] ?? "",
    timestamp: time.length === 13 ? Number(time) * 1000 : Number(time),
    vendor_data: {
      event_time: event_time.length === 13 ? `${event_time}000` : event_time,
      is_best_match: match[8] ?? "",
    },
  };
  return { kind: "trades", source: "STREAM", trades: [trade], rejects: no_rejects };
}

/** Reads any message, member by member. */
function parseMessage(text: string): Frame {
  const message = readJson(text);
  if (message === undefined) return { kind: "unreadable", reason: "not_json" };
  const stream = stringOf(memberOf(message, "stream"));
  const event = stream === undefined ? message : memberOf(message, "data");
  const event_name = stringOf(memberOf(event, "e"));
  if (event !== undefined && event_name === "trade") return parseTrade(text, event);
  if (event_name === "serverShutdown") return { kind: "shutdown" };
  if (stream?.endsWith(trade_stream)) return { kind: "unreadable", reason: "trades_unreadable" };
  if (stream !== undefined && unwanted_stream.test(stream)) return { kind: "ignored" };
  if (isUnwanted(event)) return { kind: "ignored" };
  return parseAnswer(message) ?? { kind: "unreadable", reason: "unknown_message" };
}

function parseTrade(text: string, event: JsonNode): Frame {
  const items: Items = { trades: [], rejects: [] };
  const event_time = microsecondsFromEpoch(numberOf(memberOf(event, "E")) ?? "");
  const is_best_match = booleanOf(memberOf(event, "M"));
  const is_buyer_maker = booleanOf(memberOf(event, "m"));
  addItem(items, {
    item: textOf(text, event),
    native_symbol: stringOf(memberOf(event, "s")),
    trade_id: memberOf(event, "t"),
    side: is_buyer_maker && (is_buyer_maker === "true" ? "SELL" : "BUY"),
    timestamp: microsecondsFromEpoch(numberOf(memberOf(event, "T")) ?? ""),
    price: memberOf(event, "p"),
    quantity: memberOf(event, "q"),
    vendor_data: {
      ...(event_time !== undefined && { event_time: String(event_time) }),
      ...(is_best_match !== undefined && { is_best_match }),
    },
  });
  return { kind: "trades", source: "STREAM", ...items };
}

function isUnwanted(event: JsonNode | undefined): boolean {
  if (event?.kind === "array") return event.items.length > 0 && event.items.every(isUnwanted);
  if (unwanted_events.has(stringOf(memberOf(event, "e")) ?? "")) return true;
  return unnamed_events.some((keys) => keys.every((key) => memberOf(event, key) !== undefined));
}

/** Reads the answer to a request; undefined where it is none. */
function parseAnswer(message: JsonNode): Frame | undefined {
  const request_id = readRequestId(memberOf(message, "id"));
  const error = memberOf(message, "error") ?? message;
  const code = numberOf(memberOf(error, "code"));
  const reason = stringOf(memberOf(error, "msg"));
  if (code !== undefined && reason !== undefined) {
    const is_terminal = isTerminalCode(code);
    return { kind: "refused", request_id, native_symbol: null, reason, is_terminal };
  }
  const result = memberOf(message, "result");
  if (result === undefined || memberOf(message, "id") === undefined) return undefined;
  if (result.kind === "array") return subscriptionsOf(result.items, request_id);
  // Only null accepts a subscription; properties answer questions nobody here asks.
  if (result.kind !== "literal" || result.value !== "null") return { kind: "ignored" };
  return { kind: "acknowledged", request_id, native_symbol: null };
}

/** Streams of other kinds are passed over; anything but a list of names is no answer. */
function subscriptionsOf(items: readonly JsonNode[], request_id: number | null): Frame | undefined {
  const native_symbols: string[] = [];
  for (const item of items) {
    const stream = stringOf(item);
    if (stream === undefined) return undefined;
    if (!stream.endsWith(trade_stream)) continue;
    native_symbols.push(stream.slice(0, -trade_stream.length).toUpperCase());
  }
  return { kind: "subscriptions", request_id, native_symbols };
}

function readRequestId(node: JsonNode | undefined): number | null {
  const request_id = Number(numberOf(node) ?? Number.NaN);
  return Number.isSafeInteger(request_id) ? request_id : null;
}
