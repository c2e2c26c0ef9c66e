/**
 * Kraken spot's REST as far as market data of trades needs it: Time, SystemStatus, AssetPairs,
 * Assets and Trades under `/0/public`. Errors come with HTTP 200, markets go by their REST names
 * (XXBTZUSD, XBTUSD, XBT/USD), `since` and `last` are nanoseconds as text, and a trade's time is a
 * number of seconds with up to 7 digits after the point. Its trades are those of the WebSocket.
 *
 * @see {@link https://docs.kraken.com/api/docs/rest-api/get-recent-trades}
 * @module
 */

import { decimalText, plainText, withDecimals } from "./digits.ts";
import type { RestAnswer, RestRequest, RestSubject } from "./exchange.ts";
import { type KrakenInstrument, kraken_assets } from "./instruments.ts";
import { isoText } from "./kraken.ts";
import {
  latestTrades,
  type Market,
  type Markets,
  type SimulatedTrade,
  tradesFrom,
} from "./trade.ts";

const count_default = 1_000;
const count_max = 1_000;
/** Seconds have 10 digits, nanoseconds 19: an integer longer than this is nanoseconds. */
const seconds_digits_max = 13;

/** An instant finer than a microsecond, in two exact integers. */
interface Instant {
  readonly us: number;
  readonly tail_ns: number;
}

/** Kraken's REST over some markets. */
export class KrakenRest {
  readonly #markets: Markets;
  readonly #instruments: readonly KrakenInstrument[];
  readonly #by_name = new Map<string, KrakenInstrument>();

  constructor(markets: Markets, instruments: readonly KrakenInstrument[]) {
    this.#markets = markets;
    this.#instruments = instruments;
    for (const instrument of instruments) {
      const { key, altname, wsname, native_symbol } = instrument;
      for (const name of [key, altname, wsname, native_symbol]) this.#by_name.set(name, instrument);
    }
  }

  /** What a request is about, or undefined if its path is not under `/0`. */
  subjectOf({ path, query }: RestRequest): RestSubject | undefined {
    if (!path.startsWith("/0/")) return undefined;
    const asked = query.get("pair");
    const native_symbol = this.#by_name.get(asked ?? "")?.native_symbol ?? null;
    switch (path.slice("/0/public".length)) {
      case "/Trades":
        return { kind: "trades", asked, native_symbol };
      case "/AssetPairs":
      case "/Assets":
        return { kind: "instruments", asked, native_symbol };
      case "/Time":
        return { kind: "time", asked, native_symbol };
      default:
        return { kind: "other", asked, native_symbol };
    }
  }

  /** The answer, or undefined if the path is not under `/0/public`. */
  answer(request: RestRequest): RestAnswer | undefined {
    const { path, query, now_us } = request;
    if (!path.startsWith("/0/")) return undefined;
    switch (path.slice("/0".length)) {
      case "/public/Time":
        return done({
          unixtime: Math.floor(now_us / 1_000_000),
          rfc1123: new Date(now_us / 1_000).toUTCString().replace("GMT", "+0000"),
        });
      case "/public/SystemStatus":
        return done({ status: "online", timestamp: `${isoText(now_us).slice(0, 19)}Z` });
      case "/public/AssetPairs":
        return this.#assetPairs(query);
      case "/public/Assets":
        return assets(query);
      case "/public/Trades":
        return this.#trades(query, now_us);
      default:
        return refused("EGeneral:Unknown method");
    }
  }

  #assetPairs(query: URLSearchParams): RestAnswer {
    const names = query.get("pair")?.split(",");
    const wanted = names?.map((name) => this.#by_name.get(name)) ?? this.#instruments;
    const result: Record<string, unknown> = {};
    for (const instrument of wanted) {
      if (instrument === undefined) return refused("EQuery:Unknown asset pair");
      const market = this.#markets.get(instrument.native_symbol);
      result[instrument.key] = pairInfo(instrument, market?.is_halted ? "cancel_only" : "online");
    }
    return done(result);
  }

  #trades(query: URLSearchParams, now_us: number): RestAnswer {
    const pair = query.get("pair");
    if (pair === null) return refused("EGeneral:Invalid arguments");
    const instrument = this.#by_name.get(pair);
    const market = this.#markets.get(instrument?.native_symbol ?? "");
    if (instrument === undefined || market === undefined)
      return refused("EQuery:Unknown asset pair");
    const count = countIn(query.get("count"));
    if (count === undefined) return refused("EGeneral:Invalid arguments:count");
    const since_text = query.get("since");
    const since = since_text === null ? undefined : instantIn(since_text);
    if (since_text !== null && since === undefined)
      return refused("EGeneral:Invalid arguments:since");

    const trades =
      since === undefined
        ? latestTrades(market, { count, time_us: now_us })
        : tradesSince(market, { since, count, now_us });
    const items = trades.map((trade) => tradeItem(trade, instrument)).join(",");
    const last = trades.at(-1);
    const next = last === undefined ? (since_text ?? "0") : nanoseconds(last);
    // Written by hand because a time's digits would not survive a float.
    const body = `{"error":[],"result":{"${instrument.key}":[${items}],"last":"${next}"}}`;
    return { status: 200, body, headers };
  }
}

const headers = { "content-type": "application/json" } as const;

function done(result: unknown): RestAnswer {
  return { status: 200, body: JSON.stringify({ error: [], result }), headers };
}

function refused(error: string): RestAnswer {
  return { status: 200, body: JSON.stringify({ error: [error] }), headers };
}

function tradesSince(
  market: Market,
  options: { readonly since: Instant; readonly count: number; readonly now_us: number },
): SimulatedTrade[] {
  const { since, count, now_us } = options;
  const end = market.indexAt(now_us);
  let from = market.indexAt(since.us - 1);
  // Of the trades within the cursor's microsecond, those before its nanoseconds are left out.
  const same_us = market.tradesIn(from, Math.min(end, market.indexAt(since.us)));
  const before = same_us.filter((trade) => trade.tail_ns < since.tail_ns).at(-1);
  if (before !== undefined) from = before.trade_id - market.instrument.first_trade_id + 1;
  return tradesFrom(market, { count, from, to: end });
}

/** `["30243.40000","0.34507674",1688669597.8277369,"b","m","",61044952]`. */
function tradeItem(trade: SimulatedTrade, instrument: KrakenInstrument): string {
  const price = withDecimals(plainText(trade.price), Math.max(5, instrument.price_decimals));
  const quantity = withDecimals(plainText(trade.quantity), 8);
  const side = trade.side === "BUY" ? "b" : "s";
  const order_type = trade.order_type === "market" ? "m" : "l";
  return (
    `["${price}","${quantity}",${secondsText(trade)},` +
    `"${side}","${order_type}","",${trade.trade_id}]`
  );
}

/** Seconds with up to 7 digits after the point, trailing zeros dropped, as recorded pages have. */
function secondsText({ timestamp, tail_ns }: SimulatedTrade): string {
  const tail = Math.floor(tail_ns / 100);
  return `${decimalText(timestamp, 6)}${tail}`.replace(/\.?0+$/, "");
}

function nanoseconds({ timestamp, tail_ns }: SimulatedTrade): string {
  return `${timestamp}${String(tail_ns).padStart(3, "0")}`;
}

/**
 * The instant of a `since`: nanoseconds exactly; seconds cut to the whole second, which is why that
 * form also returns earlier trades. Undefined if it is neither.
 */
function instantIn(text: string): Instant | undefined {
  const [, whole, fraction] = /^(\d{1,19})(\.\d+)?$/.exec(text) ?? [];
  if (whole === undefined) return undefined;
  if (whole.length <= seconds_digits_max) return { us: Number(whole) * 1_000_000, tail_ns: 0 };
  if (fraction !== undefined) return undefined;
  return { us: Number(whole.slice(0, -3)), tail_ns: Number(whole.slice(-3)) };
}

function countIn(text: string | null): number | undefined {
  if (text === null) return count_default;
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  return count >= 1 && count <= count_max ? count : undefined;
}

function pairInfo(instrument: KrakenInstrument, status: "online" | "cancel_only"): unknown {
  const { altname, wsname, base, quote, price_decimals, quantity_decimals } = instrument;
  return {
    altname,
    wsname,
    aclass_base: "currency",
    base,
    aclass_quote: "currency",
    quote,
    lot: "unit",
    cost_decimals: 5,
    pair_decimals: price_decimals,
    lot_decimals: quantity_decimals,
    lot_multiplier: 1,
    fees: [[0, 0.4]],
    fees_maker: [[0, 0.25]],
    fee_volume_currency: "ZUSD",
    margin_call: 80,
    margin_stop: 40,
    costmin: "0.5",
    tick_size: (10 ** -price_decimals).toFixed(price_decimals),
    status,
  };
}

function assets(query: URLSearchParams): RestAnswer {
  const names = query.get("asset")?.split(",");
  const result: Record<string, unknown> = {};
  for (const [name, altname] of Object.entries(kraken_assets)) {
    if (names !== undefined && !names.includes(name) && !names.includes(altname)) continue;
    result[name] = {
      aclass: "currency",
      altname,
      decimals: 10,
      display_decimals: 5,
      status: "enabled",
    };
  }
  if (names !== undefined && Object.keys(result).length !== names.length)
    return refused("EQuery:Unknown asset");
  return done(result);
}
