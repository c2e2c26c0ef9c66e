/**
 * Coinbase Exchange's REST as far as market data of trades needs it: products, a product's trades
 * and the time. Pages of trades run from the newest to the oldest; `after` asks for what is older
 * than an id, `before` for what is newer, and the headers CB-AFTER and CB-BEFORE carry the next
 * cursors. Its trades are those of the feed, the maker's side included.
 *
 * @see {@link https://docs.cdp.coinbase.com/exchange/rest-api/pagination}
 * @module
 */

import { makerSide } from "./coinbase.ts";
import type { RestAnswer, RestRequest, RestSubject } from "./exchange.ts";
import { isoText } from "./kraken.ts";
import { type Market, type Markets, type SimulatedTrade, tradesBefore } from "./trade.ts";

const limit_default = 1_000;
const limit_max = 1_000;
const headers = { "content-type": "application/json; charset=utf-8" } as const;

/** What a request is about, or undefined if its path is none of Coinbase's. */
export function coinbaseSubject({ path }: RestRequest, markets: Markets): RestSubject | undefined {
  if (path === "/time") return { kind: "time", asked: null, native_symbol: null };
  const [, name, is_trades] = /^\/products(?:\/([^/]+)(\/trades)?)?$/.exec(path) ?? [path];
  if (name === undefined) {
    if (path !== "/products") return undefined;
    return { kind: "instruments", asked: null, native_symbol: null };
  }
  const asked = decodeURIComponent(name);
  const native_symbol = markets.has(asked) ? asked : null;
  return { kind: is_trades === undefined ? "instruments" : "trades", asked, native_symbol };
}

/** The answer to a request; 404 for what Coinbase does not have. */
export function answerCoinbase(request: RestRequest, markets: Markets): RestAnswer {
  const subject = coinbaseSubject(request, markets);
  const market = markets.get(subject?.native_symbol ?? "");
  switch (subject?.kind) {
    case "time": {
      const iso = isoText(request.now_us);
      return done(JSON.stringify({ iso, epoch: request.now_us / 1_000_000 }));
    }
    case "instruments":
      if (subject.asked === null)
        return done(JSON.stringify([...markets.values()].map(productInfo)));
      return market === undefined ? failed(404, "NotFound") : done(infoText(market));
    case "trades":
      return market === undefined ? failed(404, "NotFound") : tradesPage(request, market);
    default:
      return failed(404, "NotFound");
  }
}

function tradesPage({ query, now_us }: RestRequest, market: Market): RestAnswer {
  const limit = integerIn(query, "limit") ?? limit_default;
  const after = integerIn(query, "after");
  const before = integerIn(query, "before");
  if (Number.isNaN(limit) || limit < 1) return failed(400, "Invalid limit");
  if (Number.isNaN(after)) return failed(400, "Invalid after");
  if (Number.isNaN(before)) return failed(400, "Invalid before");
  const { first_trade_id } = market.instrument;
  let to = market.indexAt(now_us);
  if (after !== undefined) to = Math.min(to, Math.max(0, after - first_trade_id));
  const count = Math.min(limit, limit_max);
  const trades = tradesBefore(market, { count, to })
    .filter(({ trade_id }) => before === undefined || trade_id > before)
    .reverse();
  const newest = trades[0];
  const oldest = trades.at(-1);
  const cursors =
    newest === undefined || oldest === undefined
      ? {}
      : { "cb-before": String(newest.trade_id), "cb-after": String(oldest.trade_id) };
  const body = `[${trades.map(tradeItem).join(",")}]`;
  return { status: 200, body, headers: { ...headers, ...cursors } };
}

function tradeItem(trade: SimulatedTrade): string {
  return (
    `{"trade_id":${trade.trade_id},"side":"${makerSide(trade)}","size":"${trade.quantity}",` +
    `"price":"${trade.price}","time":"${isoText(trade.timestamp)}"}`
  );
}

function infoText(market: Market): string {
  return JSON.stringify(productInfo(market));
}

function productInfo({ instrument, is_halted = false }: Market): unknown {
  const { native_symbol, base, quote, price_decimals, quantity_decimals } = instrument;
  return {
    id: native_symbol,
    base_currency: base,
    quote_currency: quote,
    quote_increment: incrementText(price_decimals),
    base_increment: incrementText(quantity_decimals),
    display_name: `${base}-${quote}`,
    min_market_funds: "1",
    margin_enabled: false,
    post_only: false,
    limit_only: false,
    cancel_only: false,
    status: "online",
    status_message: "",
    trading_disabled: is_halted,
    fx_stablecoin: false,
    max_slippage_percentage: "0.02000000",
    auction_mode: false,
    high_bid_limit_percentage: "",
  };
}

/** 10^-decimals. */
function incrementText(decimals: number): string {
  return decimals === 0 ? "1" : `0.${"1".padStart(decimals, "0")}`;
}

/** An integer of the query, undefined if it was not sent, NaN if it is none. */
function integerIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
}

function done(body: string): RestAnswer {
  return { status: 200, body, headers };
}

function failed(status: number, message: string): RestAnswer {
  return { status, body: JSON.stringify({ message }), headers };
}
