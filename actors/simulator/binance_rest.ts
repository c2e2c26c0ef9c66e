/**
 * Binance spot's REST as far as market data of trades needs it: ping, time, exchangeInfo, trades
 * and historicalTrades under `/api/v3`, with the request weights, the weight header, the refusal
 * over the budget and the error bodies of the real one. Its trades are those of the streams.
 *
 * @see {@link https://developers.binance.com/docs/binance-spot-api-docs/rest-api}
 * @module
 */

import { timeIn } from "./binance.ts";
import { productText } from "./digits.ts";
import { parseJson, type RestAnswer, type RestRequest, type RestSubject } from "./exchange.ts";
import {
  latestTrades,
  type Market,
  type Markets,
  type SimulatedTrade,
  tradesFrom,
} from "./trade.ts";

/** Weight that one address may use in a minute. */
const weight_per_minute_max = 6_000;
const limit_default = 500;
const limit_max = 1_000;

interface Failure {
  readonly status: number;
  readonly code: number;
  readonly msg: string;
}

type Endpoint = (request: RestRequest) => unknown;

/** What a request is about, or undefined if its path is not under `/api/v3`. */
export function binanceSubject(request: RestRequest, markets: Markets): RestSubject | undefined {
  const { path, query } = request;
  if (!path.startsWith("/api/v3/")) return undefined;
  const asked = query.get("symbol");
  const native_symbol = asked !== null && markets.has(asked) ? asked : null;
  switch (path.slice("/api/v3".length)) {
    case "/trades":
    case "/historicalTrades":
      return { kind: "trades", asked, native_symbol };
    case "/exchangeInfo":
      return { kind: "instruments", asked, native_symbol };
    case "/time":
      return { kind: "time", asked, native_symbol };
    default:
      return { kind: "other", asked, native_symbol };
  }
}

/** Binance's REST over some markets. Keeps the weight used in the current minute. */
export class BinanceRest {
  readonly #markets: Markets;
  #minute = 0;
  #weight_used = 0;

  constructor(markets: Markets) {
    this.#markets = markets;
  }

  /** The answer, or undefined if the path is not under `/api/v3`. */
  answer(request: RestRequest): RestAnswer | undefined {
    if (!request.path.startsWith("/api/v3/")) return undefined;
    const endpoint = this.#endpoint(request.path.slice("/api/v3".length));
    if (endpoint === undefined) return { status: 404, body: "", headers: {} };

    const minute = Math.floor(request.now_us / 60_000_000);
    if (minute !== this.#minute) this.#weight_used = 0;
    this.#minute = minute;
    this.#weight_used += endpoint.weight;
    const headers = {
      "content-type": "application/json;charset=UTF-8",
      "x-mbx-used-weight": String(this.#weight_used),
      "x-mbx-used-weight-1m": String(this.#weight_used),
    };
    if (this.#weight_used > weight_per_minute_max) {
      const retry_after = String(60 - Math.floor((request.now_us / 1_000_000) % 60));
      return {
        status: 429,
        body: JSON.stringify({
          code: -1003,
          msg:
            `Too much request weight used; current limit is ${weight_per_minute_max} request ` +
            "weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling.",
        }),
        headers: { ...headers, "retry-after": retry_after },
        broken: ["binance.rest_weight"],
      };
    }
    const value = endpoint.perform(request);
    const { weight } = endpoint;
    if (!isFailure(value)) return { status: 200, body: JSON.stringify(value), headers, weight };
    const { code, msg } = value;
    return { status: value.status, body: JSON.stringify({ code, msg }), headers, weight };
  }

  #endpoint(path: string): { weight: number; perform: Endpoint } | undefined {
    switch (path) {
      case "/ping":
        return { weight: 1, perform: () => ({}) };
      case "/time":
        return { weight: 1, perform: (request) => ({ serverTime: serverTime(request) }) };
      case "/exchangeInfo":
        return { weight: 20, perform: (request) => this.#exchangeInfo(request) };
      case "/trades":
        return { weight: 25, perform: (request) => this.#trades(request, "latest") };
      case "/historicalTrades":
        return { weight: 25, perform: (request) => this.#trades(request, "by id") };
      default:
        return undefined;
    }
  }

  #exchangeInfo(request: RestRequest): unknown {
    const { query } = request;
    if (query.has("symbol") && query.has("symbols"))
      return failure(-1128, "Combination of optional parameters invalid.");
    const symbols = query.has("symbols") ? namesIn(query.get("symbols")) : query.getAll("symbol");
    if (symbols === undefined)
      return failure(-1100, "Illegal characters found in parameter 'symbols'.");
    const wanted = symbols.length > 0 ? symbols : [...this.#markets.keys()];
    const listed = [];
    for (const symbol of wanted) {
      const market = this.#markets.get(symbol);
      if (market === undefined) return failure(-1121, "Invalid symbol.");
      listed.push(symbolInfo(market));
    }
    return {
      timezone: "UTC",
      serverTime: serverTime(request),
      rateLimits: [
        {
          rateLimitType: "REQUEST_WEIGHT",
          interval: "MINUTE",
          intervalNum: 1,
          limit: weight_per_minute_max,
        },
      ],
      exchangeFilters: [],
      symbols: listed,
    };
  }

  #trades(request: RestRequest, order: "latest" | "by id"): unknown {
    const { query, now_us } = request;
    const symbol = query.get("symbol");
    if (symbol === null || symbol === "") {
      return failure(
        -1102,
        "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
      );
    }
    const market = this.#markets.get(symbol);
    if (market === undefined) return failure(-1121, "Invalid symbol.");
    const limit = integerIn(query, "limit") ?? limit_default;
    if (typeof limit === "string" || limit < 1) return illegal("limit");
    const from_id = order === "by id" ? integerIn(query, "fromId") : undefined;
    if (typeof from_id === "string") return illegal("fromId");

    const count = Math.min(limit, limit_max);
    const trades =
      from_id === undefined
        ? latestTrades(market, { count, time_us: now_us })
        : tradesFrom(market, {
            from: Math.max(0, from_id - market.instrument.first_trade_id),
            to: market.indexAt(now_us),
            count,
          });
    const unit = unitOf(request);
    return trades.map((trade) => tradeItem(trade, unit));
  }
}

function tradeItem(trade: SimulatedTrade, unit: "milliseconds" | "microseconds"): unknown {
  return {
    id: trade.trade_id,
    price: trade.price,
    qty: trade.quantity,
    quoteQty: productText(trade.price, trade.quantity, 8),
    time: timeIn(unit, trade.timestamp),
    isBuyerMaker: trade.side === "SELL",
    isBestMatch: true,
  };
}

function symbolInfo({ instrument, is_halted = false }: Market): unknown {
  const { native_symbol, base, quote, price_decimals, quantity_decimals } = instrument;
  return {
    symbol: native_symbol,
    status: is_halted ? "HALT" : "TRADING",
    baseAsset: base,
    baseAssetPrecision: 8,
    quoteAsset: quote,
    quotePrecision: 8,
    quoteAssetPrecision: 8,
    baseCommissionPrecision: 8,
    quoteCommissionPrecision: 8,
    orderTypes: ["LIMIT", "LIMIT_MAKER", "MARKET"],
    isSpotTradingAllowed: true,
    isMarginTradingAllowed: false,
    filters: [
      { filterType: "PRICE_FILTER", tickSize: stepText(price_decimals) },
      { filterType: "LOT_SIZE", stepSize: stepText(quantity_decimals) },
    ],
    permissions: [],
    permissionSets: [["SPOT"]],
  };
}

/** 10^-decimals in Binance's eight digits. */
function stepText(decimals: number): string {
  return (10 ** -decimals).toFixed(8);
}

/** The names in `["A","B"]`, or undefined if it is not such a list. */
function namesIn(text: string | null): string[] | undefined {
  const value = parseJson(text ?? "");
  if (!Array.isArray(value)) return undefined;
  const names = value.filter((name) => typeof name === "string");
  return names.length === value.length && names.length > 0 ? names : undefined;
}

/** An integer of the query, undefined if it was not sent, its text if it is not one. */
function integerIn(query: URLSearchParams, name: string): number | string | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}

function unitOf(request: RestRequest): "milliseconds" | "microseconds" {
  const unit = request.headers.get("x-mbx-time-unit")?.toUpperCase();
  return unit === "MICROSECOND" ? "microseconds" : "milliseconds";
}

function serverTime(request: RestRequest): number {
  return timeIn(unitOf(request), request.now_us);
}

function illegal(name: string): Failure {
  return failure(-1100, `Illegal characters found in parameter '${name}'.`);
}

function failure(code: number, msg: string): Failure {
  return { status: 400, code, msg };
}

function isFailure(value: unknown): value is Failure {
  return typeof value === "object" && value !== null && "code" in value && "msg" in value;
}
