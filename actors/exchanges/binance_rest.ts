/**
 * Binance's REST pages: trades by id, and the instrument list.
 *
 * `GET /api/v3/historicalTrades` and `/trades` answer with a list that does not name its market;
 * the request does. Times are milliseconds, or microseconds where the request's header asked for
 * them, and we always ask: a trade must have the time that its stream gave it. The lists of assets
 * in `GET /api/v3/exchangeInfo` say what a symbol is made of.
 *
 * @see binance/binance-spot-api-docs, rest-api.md
 * @module
 */

import type { Instrument } from "../messages.ts";
import type { InstrumentsPage, Page, PageStart, RestRules } from "./adapter.ts";
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
import { requestUrl } from "./rest_request.ts";
import { microsecondsFromEpoch } from "./timestamp.ts";
import { addItem, addReject, type Items } from "./wire_trade.ts";

const trades_path = /\/(?:historicalTrades|trades)$/;
const api_path = /\/api\/v\d+\//;

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

/** Code -1003 says until when an address is banned, in milliseconds since 1970. */
const banned_until = /banned until (\d{13})(?!\d)/;

const page_trades_max = 1000;

/** How Binance's trades are read over REST. */
export const binance_rest: RestRules = {
  pages_by: "trade_id",
  // 6,000 a minute are allowed to an address. A sixth is left to whatever else runs behind it,
  // and to a minute of the exchange that begins while one of ours is not over.
  budgets: [{ weight_max: 5_000, window_ms: 60_000 }],
  page_weight: 25,
  instruments_weight: 20,
  time_weight: 1,
  page_trades_max,
  headers: { "X-MBX-TIME-UNIT": "MICROSECOND" },
  newestPageUrl,
  pageUrl,
  usedWeight,
  timeUrl: (rest_url) => `${rest_url}/api/v3/time`,
  parseTime: (text) =>
    microsecondsFromEpoch(numberOf(memberOf(readJson(text), "serverTime")) ?? "") ?? null,
};

function newestPageUrl(rest_url: string, { native_symbol }: Instrument): string {
  const symbol = encodeURIComponent(native_symbol);
  return `${rest_url}/api/v3/trades?symbol=${symbol}&limit=${page_trades_max}`;
}

/** `fromId` is inclusive: the page holds the trade it is asked to begin after. */
function pageUrl(rest_url: string, instrument: Instrument, { after_id }: PageStart): string {
  if (after_id === null) return newestPageUrl(rest_url, instrument);
  const symbol = encodeURIComponent(instrument.native_symbol);
  const query = `symbol=${symbol}&fromId=${after_id}&limit=${page_trades_max}`;
  return `${rest_url}/api/v3/historicalTrades?${query}`;
}

function usedWeight(headers: Headers): number | null {
  const used = headers.get("x-mbx-used-weight-1m") ?? "";
  return /^\d{1,9}$/.test(used) ? Number(used) : null;
}

/** Whether asking again cannot help after a refusal with this code. */
export function isTerminalCode(code: string): boolean {
  return !passing_codes.has(code);
}

/** Reads one page of trades. A page of another endpoint holds none. */
export function parseBinancePage(text: string, request: string): Page {
  const url = requestUrl(request);
  const page = readJson(text);
  if (page === undefined) return { kind: "unreadable", reason: "not_json" };
  const reason = stringOf(memberOf(page, "msg"));
  if (reason !== undefined) return refusalOf(reason, numberOf(memberOf(page, "code")));
  if (url !== undefined && api_path.test(url.pathname) && !trades_path.test(url.pathname)) {
    return { kind: "trades", trades: [], rejects: [], cursor: null };
  }
  if (page.kind !== "array") return { kind: "unreadable", reason: "trades_unreadable" };
  const native_symbol = url?.searchParams.get("symbol") ?? undefined;
  const items: Items = { trades: [], rejects: [] };
  for (const item of page.items) addPageItem(items, text, item, native_symbol);
  return { kind: "trades", ...items, cursor: null };
}

function refusalOf(reason: string, code: string | undefined): Page {
  const instant = banned_until.exec(reason)?.[1];
  const retry_at_ms = instant === undefined ? null : Number(instant);
  return {
    kind: "refused",
    reason,
    is_terminal: code !== undefined && isTerminalCode(code),
    retry_at_ms,
  };
}

function addPageItem(
  items: Items,
  text: string,
  item: JsonNode,
  native_symbol: string | undefined,
): void {
  const item_text = textOf(text, item);
  if (item.kind !== "object") {
    addReject(items, {
      reason: "item_unreadable",
      item: item_text,
      native_symbol: native_symbol ?? null,
    });
    return;
  }
  const is_buyer_maker = booleanOf(memberOf(item, "isBuyerMaker"));
  const is_best_match = booleanOf(memberOf(item, "isBestMatch"));
  addItem(items, {
    item: item_text,
    native_symbol,
    trade_id: memberOf(item, "id"),
    side: is_buyer_maker && (is_buyer_maker === "true" ? "SELL" : "BUY"),
    timestamp: microsecondsFromEpoch(numberOf(memberOf(item, "time")) ?? ""),
    price: memberOf(item, "price"),
    quantity: memberOf(item, "qty"),
    vendor_data: is_best_match === undefined ? {} : { is_best_match },
  });
}

/** Reads the instrument list. An entry that lacks a name is passed over. */
export function parseBinanceInstruments(text: string): InstrumentsPage {
  const page = readJson(text);
  const symbols = memberOf(page, "symbols");
  if (symbols?.kind !== "array") {
    const reason = stringOf(memberOf(page, "msg")) ?? "the answer holds no list of symbols";
    return { kind: "unreadable", reason };
  }
  return { kind: "instruments", instruments: symbols.items.flatMap(instrumentOf) };
}

function instrumentOf(entry: JsonNode): readonly Instrument[] {
  const native_symbol = stringOf(memberOf(entry, "symbol"));
  const base_asset = stringOf(memberOf(entry, "baseAsset"));
  const quote_asset = stringOf(memberOf(entry, "quoteAsset"));
  if (!native_symbol || !base_asset || !quote_asset) return [];
  return [
    {
      exchange: "binance",
      native_symbol,
      base_asset: commonAsset(base_asset),
      quote_asset: commonAsset(quote_asset),
      status: stringOf(memberOf(entry, "status")) ?? "",
      rest_names: [],
    },
  ];
}
