/**
 * Binance spot trades: the `@trade` streams of the combined WebSocket, in microseconds.
 *
 * | message | means | source |
 * |---|---|---|
 * | `e: "trade"` | one execution; `m: true` says that the buyer was the maker: a SELL | [1] |
 * | `result: null` with an `id` | that request is accepted | [1] |
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
import { parseBinanceInstruments, parseBinancePage } from "./binance_rest.ts";
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

/** Codes of refusals that pass: overload, timeouts, too many requests. */
const passing_codes: ReadonlySet<string> = new Set([
  "-1000",
  "-1001",
  "-1003",
  "-1006",
  "-1007",
  "-1008",
  "-1015",
  "-1016",
  "-1034",
]);

const no_rejects: readonly [] = [];

/** Binance's spot market. */
export const binance: ExchangeAdapter = {
  exchange: "binance",
  native_symbols_default: ["BTCUSDT", "ETHUSDT"],
  ws_url_default: "wss://stream.binance.com:9443",
  rest_url_default: "https://api.binance.com",
  socketUrl: (ws_url) => `${ws_url}/stream?timeUnit=MICROSECOND`,
  subscribe,
  parse: (text) => parseUsualTrade(text) ?? parseMessage(text),
  parsePage: parseBinancePage,
  instrumentsUrl: (rest_url) => `${rest_url}/api/v3/exchangeInfo`,
  parseInstruments: parseBinanceInstruments,
  isTradable: (status) => tradable_statuses.has(status),
  // The server pings every 20 s: two pings missed, and a little.
  silence_ms_max: 45_000,
  // Five messages a second are allowed, pongs included.
  request_interval_ms: 250,
  ping: () => null,
};

function subscribe(
  native_symbols: readonly string[],
  first_request_id: number,
): readonly Request[] {
  const requests: Request[] = [];
  let batch: string[] = [];
  function requestOf(symbols: readonly string[]): Request {
    const request_id = first_request_id + requests.length;
    // Stream names are lower case, the symbols in their events upper case.
    const params = symbols.map((symbol) => `${symbol.toLowerCase()}@trade`);
    const text = JSON.stringify({ method: "SUBSCRIBE", params, id: request_id });
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
  if (stream?.endsWith("@trade")) return { kind: "unreadable", reason: "trades_unreadable" };
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
    const is_terminal = !passing_codes.has(code);
    return { kind: "refused", request_id, native_symbol: null, reason, is_terminal };
  }
  const result = memberOf(message, "result");
  if (result === undefined || memberOf(message, "id") === undefined) return undefined;
  // Only null accepts a subscription; lists and properties answer questions nobody here asks.
  if (result.kind !== "literal" || result.value !== "null") return { kind: "ignored" };
  return { kind: "acknowledged", request_id, native_symbol: null };
}

function readRequestId(node: JsonNode | undefined): number | null {
  const request_id = Number(numberOf(node) ?? Number.NaN);
  return Number.isSafeInteger(request_id) ? request_id : null;
}
