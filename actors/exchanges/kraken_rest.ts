/**
 * Kraken's REST pages: trades by time, and the instrument list.
 *
 * REST names markets otherwise than WebSocket v2: `XXBTZUSD` or `XBTUSD` for `BTC/USD`. The
 * instrument list holds all of a market's names, so a page is mapped through it; its `wsname`,
 * `XBT/USD`, is the one that says where base and quote part. Errors come with HTTP 200.
 * An item is [price, volume, seconds, b|s, m|l, misc, trade_id]; the time has up to 100 ns digits.
 *
 * @see docs.kraken.com/api/docs/rest-api/get-recent-trades and …/get-tradable-asset-pairs
 * @module
 */

import type { Instrument } from "../messages.ts";
import type { InstrumentsPage, Page } from "./adapter.ts";
import { commonAsset } from "./assets.ts";
import { type JsonNode, memberOf, numberOf, readJson, stringOf, textOf } from "./json_text.ts";
import { requestUrl } from "./rest_request.ts";
import { microsecondsFromSeconds } from "./timestamp.ts";
import { addItem, addReject, type Items } from "./wire_trade.ts";

const order_types: ReadonlyMap<string, string> = new Map([
  ["m", "market"],
  ["l", "limit"],
]);

/** Reads one page of trades. A page of another endpoint holds none. */
export function parseKrakenPage(
  text: string,
  request: string,
  instruments: readonly Instrument[],
): Page {
  const url = requestUrl(request);
  const page = readJson(text);
  if (page === undefined) return { kind: "unreadable", reason: "not_json" };
  const error = errorOf(page);
  if (error !== undefined) return { kind: "refused", reason: error };
  if (url?.pathname.includes("/public/") && !url.pathname.endsWith("/Trades")) {
    return { kind: "trades", trades: [], rejects: [] };
  }
  const result = memberOf(page, "result");
  const lists = result?.kind === "object" ? [...result.members].filter(isList) : [];
  if (lists.length === 0) return { kind: "unreadable", reason: "trades_unreadable" };
  const items: Items = { trades: [], rejects: [] };
  for (const [key, list] of lists) {
    const names = [key, url?.searchParams.get("pair") ?? ""];
    const native_symbol = nativeSymbol(names, instruments);
    if (list.kind !== "array") continue;
    for (const item of list.items) addPageItem(items, textOf(text, item), item, native_symbol);
  }
  return { kind: "trades", ...items };
}

function isList([, value]: readonly [string, JsonNode]): boolean {
  return value.kind === "array";
}

/** The market's name in WebSocket v2: from the list, else where a name says it by its slash. */
function nativeSymbol(
  names: readonly string[],
  instruments: readonly Instrument[],
): string | undefined {
  for (const pair of names) {
    const listed = instruments.find(
      ({ native_symbol, rest_names }) => native_symbol === pair || rest_names.includes(pair),
    );
    if (listed !== undefined) return listed.native_symbol;
  }
  return names
    .map(assetsOf)
    .find((assets) => assets !== undefined)
    ?.join("/");
}

/** Base and quote of `XBT/USD` by their common names; undefined for a name without one slash. */
function assetsOf(pair: string): readonly [string, string] | undefined {
  const [base, quote, ...rest] = pair.split("/");
  return base && quote && rest.length === 0 ? [commonAsset(base), commonAsset(quote)] : undefined;
}

function addPageItem(
  items: Items,
  item_text: string,
  item: JsonNode,
  native_symbol: string | undefined,
): void {
  if (item.kind !== "array") {
    const reason = "item_unreadable";
    addReject(items, { reason, item: item_text, native_symbol: native_symbol ?? null });
    return;
  }
  const [price, quantity, time, side_node, type, misc_node, trade_id] = item.items;
  const side = stringOf(side_node);
  const ord_type = order_types.get(stringOf(type) ?? "");
  const misc = stringOf(misc_node);
  addItem(items, {
    item: item_text,
    native_symbol,
    trade_id,
    side: side === "b" ? "BUY" : side === "s" ? "SELL" : undefined,
    timestamp: microsecondsFromSeconds(numberOf(time) ?? ""),
    price,
    quantity,
    vendor_data: { ...(ord_type !== undefined && { ord_type }), ...(misc && { misc }) },
  });
}

/** Reads the instrument list. Pairs without a `wsname` trade in dark pools, not on the feed. */
export function parseKrakenInstruments(text: string): InstrumentsPage {
  const page = readJson(text);
  const result = memberOf(page, "result");
  if (result?.kind !== "object") {
    const reason = errorOf(page) ?? "the answer holds no list of pairs";
    return { kind: "unreadable", reason };
  }
  return { kind: "instruments", instruments: [...result.members].flatMap(instrumentOf) };
}

function instrumentOf([key, entry]: readonly [string, JsonNode]): readonly Instrument[] {
  const wsname = stringOf(memberOf(entry, "wsname")) ?? "";
  const assets = assetsOf(wsname);
  if (assets === undefined) return [];
  const [base_asset, quote_asset] = assets;
  const altname = stringOf(memberOf(entry, "altname"));
  return [
    {
      exchange: "kraken",
      native_symbol: `${base_asset}/${quote_asset}`,
      base_asset,
      quote_asset,
      // The list is of pairs that can be traded; older answers do not say more of them.
      status: stringOf(memberOf(entry, "status")) ?? "online",
      rest_names: [...new Set([key, ...(altname ? [altname] : []), wsname])],
    },
  ];
}

/** The exchange's errors as one text; undefined where it tells of none. */
function errorOf(page: JsonNode | undefined): string | undefined {
  const error = memberOf(page, "error");
  if (error?.kind !== "array" || error.items.length === 0) return undefined;
  return error.items.map((item) => stringOf(item) ?? "an error without a text").join(", ");
}
