/**
 * Kraken's REST pages: trades by time, and the instrument list.
 *
 * REST names markets otherwise than WebSocket v2: `XXBTZUSD` or `XBTUSD` for `BTC/USD`. The
 * instrument list holds all of a market's names, so a page is mapped through it; its `wsname`,
 * `XBT/USD`, is the one that says where base and quote part. Errors come with HTTP 200.
 * An item is [price, volume, seconds, b|s, m|l, misc, trade_id]; the time has up to 100 ns digits.
 *
 * Pages go by time. More trades than a page holds can share one millisecond, so that a cursor of
 * milliseconds would ask for the same page for ever: the next page is asked for by `last`, in
 * nanoseconds, as the text that came. `since` is inclusive, so that pages overlap.
 *
 * @see docs.kraken.com/api/docs/rest-api/get-recent-trades and …/get-tradable-asset-pairs
 * @module
 */

import type { Instrument } from "../messages.ts";
import type { InstrumentsPage, Page, PageStart, RestRules } from "./adapter.ts";
import { commonAsset } from "./assets.ts";
import { readPositiveDecimal } from "./decimal.ts";
import { type JsonNode, memberOf, numberOf, readJson, stringOf, textOf } from "./json_text.ts";
import { requestUrl } from "./rest_request.ts";
import { microsecondsFromSeconds } from "./timestamp.ts";
import { addItem, addReject, type Items } from "./wire_trade.ts";

const order_types: ReadonlyMap<string, string> = new Map([
  ["m", "market"],
  ["l", "limit"],
]);

/** Refusals that asking again cannot change: the question itself is wrong. */
const terminal_error = /^EQuery:|^EGeneral:(?:Invalid|Unknown|Permission)|^EAPI:(?:Invalid|Bad)/;
/** The exchange names the instant before which it does not want to be asked. */
const throttled_until = /^EService:Throttled: ?(\d{10,13})(?!\d)/;

const page_trades_max = 1000;
/** A trade's time has 100 ns digits; this is safely before it and not before the one before. */
const cursor_margin_ns = 10n;

/** How Kraken's trades are read over REST. */
export const kraken_rest: RestRules = {
  pages_by: "time",
  // About one public request a second is allowed to an address, and no bursts. A tenth more, so
  // that two of them that a network brings closer together are still a second apart.
  budgets: [{ weight_max: 1, window_ms: 1_100 }],
  page_weight: 1,
  instruments_weight: 1,
  time_weight: 1,
  page_trades_max,
  headers: {},
  newestPageUrl,
  pageUrl,
  usedWeight: () => null,
  timeUrl: (rest_url) => `${rest_url}/0/public/Time`,
  parseTime,
};

function newestPageUrl(rest_url: string, instrument: Instrument): string {
  return tradesUrl(rest_url, instrument, "");
}

/** Without a cursor from a microsecond before the time, whose finer digits have been cut. */
function pageUrl(rest_url: string, instrument: Instrument, start: PageStart): string {
  const { after_timestamp, cursor } = start;
  const since = cursor ?? String(BigInt(Math.max(1, after_timestamp) - 1) * 1000n);
  return tradesUrl(rest_url, instrument, `&since=${encodeURIComponent(since)}`);
}

/**
 * The fragment, which is never sent, names the market as the socket does: with it a page that was
 * kept beside its request can be read without the instrument list.
 */
function tradesUrl(rest_url: string, instrument: Instrument, since: string): string {
  const { native_symbol, rest_names } = instrument;
  const pair = encodeURIComponent(rest_names[0] ?? native_symbol);
  const query = `pair=${pair}&count=${page_trades_max}${since}`;
  return `${rest_url}/0/public/Trades?${query}#symbol=${encodeURIComponent(native_symbol)}`;
}

/** The middle of the whole second that the exchange tells, which is cut. */
function parseTime(text: string): number | null {
  const seconds = numberOf(memberOf(memberOf(readJson(text), "result"), "unixtime")) ?? "";
  return /^[1-9]\d{9}$/.test(seconds) ? Number(seconds) * 1_000_000 + 500_000 : null;
}

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
  if (error !== undefined) return refusalOf(error);
  if (url?.pathname.includes("/public/") && !url.pathname.endsWith("/Trades")) {
    return { kind: "trades", trades: [], rejects: [], cursor: null };
  }
  const result = memberOf(page, "result");
  const lists = result?.kind === "object" ? [...result.members].filter(isList) : [];
  if (lists.length === 0) return { kind: "unreadable", reason: "trades_unreadable" };
  const items: Items = { trades: [], rejects: [] };
  const asked = url?.searchParams.get("pair") ?? "";
  const fragment = new URLSearchParams(url?.hash.slice(1)).get("symbol") ?? "";
  for (const [key, list] of lists) {
    const native_symbol = nativeSymbol([key, asked, fragment], instruments);
    if (list.kind !== "array") continue;
    for (const item of list.items) addPageItem(items, textOf(text, item), item, native_symbol);
  }
  return { kind: "trades", ...items, cursor: cursorOf(result, lists) };
}

/** `last`, which is missing now and then: then a little before the page's last trade. */
function cursorOf(
  result: JsonNode | undefined,
  lists: readonly (readonly [string, JsonNode])[],
): string | null {
  const last = memberOf(result, "last");
  const cursor = stringOf(last) ?? numberOf(last) ?? "";
  if (cursor !== "") return cursor;
  const items = lists.flatMap(([, list]) => (list.kind === "array" ? list.items : []));
  const last_item = items.at(-1);
  const time = numberOf(last_item?.kind === "array" ? last_item.items[2] : undefined) ?? "";
  const decimal = readPositiveDecimal(time);
  if (decimal.kind === "fault") return null;
  const [whole = "", fraction = ""] = decimal.text.split(".");
  return String(BigInt(whole + fraction.slice(0, 9).padEnd(9, "0")) - cursor_margin_ns);
}

function refusalOf(reason: string): Page {
  const instant = throttled_until.exec(reason)?.[1];
  return {
    kind: "refused",
    reason,
    is_terminal: terminal_error.test(reason),
    retry_at_ms: instant === undefined ? null : millisecondsOf(instant),
  };
}

/** Ten digits count seconds until the year 2286, more of them milliseconds. */
function millisecondsOf(digits: string): number {
  return digits.length === 10 ? Number(digits) * 1000 : Number(digits);
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

/** The exchange's errors as one text; undefined where it tells of none. `W…` is but a warning. */
function errorOf(page: JsonNode | undefined): string | undefined {
  const error = memberOf(page, "error");
  if (error?.kind !== "array") return undefined;
  const texts = error.items.map((item) => stringOf(item) ?? "an error without a text");
  const errors = texts.filter((text) => !text.startsWith("W"));
  return errors.length > 0 ? errors.join(", ") : undefined;
}
