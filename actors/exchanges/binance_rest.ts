/**
 * Binance's REST pages: trades by id, and the instrument list.
 *
 * `GET /api/v3/historicalTrades` and `/trades` answer with a list that does not name its market;
 * the request does. Times are milliseconds, or microseconds where the request's header asked for
 * them. The lists of assets in `GET /api/v3/exchangeInfo` say what a symbol is made of.
 *
 * @see binance/binance-spot-api-docs, rest-api.md
 * @module
 */

import type { Instrument } from "../messages.ts";
import type { InstrumentsPage, Page } from "./adapter.ts";
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

/** Reads one page of trades. A page of another endpoint holds none. */
export function parseBinancePage(text: string, request: string): Page {
  const url = requestUrl(request);
  const page = readJson(text);
  if (page === undefined) return { kind: "unreadable", reason: "not_json" };
  const reason = stringOf(memberOf(page, "msg"));
  if (reason !== undefined) return { kind: "refused", reason };
  if (url !== undefined && api_path.test(url.pathname) && !trades_path.test(url.pathname)) {
    return { kind: "trades", trades: [], rejects: [] };
  }
  if (page.kind !== "array") return { kind: "unreadable", reason: "trades_unreadable" };
  const native_symbol = url?.searchParams.get("symbol") ?? undefined;
  const items: Items = { trades: [], rejects: [] };
  for (const item of page.items) addPageItem(items, text, item, native_symbol);
  return { kind: "trades", ...items };
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
