/**
 * The simulator's own list of trades, for whoever checks what came out at the other end:
 * `GET /simulator/trades?exchange=&symbol=` with `from_id` and `to_id`, or `from_us` and `to_us`,
 * all inclusive and each of them optional. It holds what the exchange has traded, whatever
 * sockets and REST were made to say: ids that it skips are missing here too. Decimals are plain,
 * exponents expanded. The answer is NDJSON in order of id, at most
 * `trades_per_page_max` lines; the next page begins at the last id plus one.
 *
 * @module
 */

import { plainText } from "./digits.ts";
import type { RestAnswer, RestRequest, SimulatedExchange } from "./exchange.ts";
import type { Market } from "./trade.ts";

/** Lines of one page, and the default of `limit`. */
export const trades_per_page_max = 50_000;

/** Answers a request for the list; a wrong one with 400 and a sentence. */
export function listTrades(
  exchanges: readonly SimulatedExchange[],
  request: RestRequest,
): RestAnswer {
  const { query, now_us } = request;
  const name = query.get("exchange");
  const exchange = exchanges.find((one) => one.exchange === name);
  if (exchange === undefined) {
    const allowed = exchanges.map((one) => one.exchange).join(", ");
    return wrong(
      `Cannot list trades as exchange must be one of ${allowed}: current value is ${name}`,
    );
  }
  const symbol = query.get("symbol");
  const market = exchange.markets.get(symbol ?? "");
  if (market === undefined) {
    const allowed = [...exchange.markets.keys()].join(", ");
    return wrong(
      `Cannot list trades as symbol must be one of ${allowed}: current value is ${symbol}`,
    );
  }
  const range = rangeIn(query, { market, now_us });
  if (typeof range === "string") return wrong(range);

  const { native_symbol } = market.instrument;
  let body = "";
  for (const trade of market.tradesIn(range.from, range.to)) {
    body +=
      `{"exchange":"${name}","native_symbol":"${native_symbol}","trade_id":"${trade.trade_id}",` +
      `"price":"${plainText(trade.price)}","quantity":"${plainText(trade.quantity)}",` +
      `"side":"${trade.side}",` +
      `"timestamp":${trade.timestamp}}\n`;
  }
  return { status: 200, body, headers: { "content-type": "application/x-ndjson" } };
}

/** The indexes asked for, cut to what has happened and to one page, or what is wrong with them. */
function rangeIn(
  query: URLSearchParams,
  { market, now_us }: { readonly market: Market; readonly now_us: number },
): { readonly from: number; readonly to: number } | string {
  const figures: Record<string, number | undefined> = {};
  for (const name of ["from_id", "to_id", "from_us", "to_us", "limit"]) {
    const text = query.get(name);
    if (text === null) continue;
    if (!/^\d{1,16}$/.test(text))
      return `Cannot list trades as ${name} must be a whole number: current value is ${text}`;
    figures[name] = Number(text);
  }
  const { from_id, to_id, from_us, to_us, limit = trades_per_page_max } = figures;
  const { first_trade_id } = market.instrument;
  let from = 0;
  if (from_id !== undefined) from = Math.max(from, from_id - first_trade_id);
  if (from_us !== undefined) from = Math.max(from, market.indexAt(from_us - 1));
  let to = market.indexAt(now_us);
  if (to_id !== undefined) to = Math.min(to, to_id - first_trade_id + 1);
  if (to_us !== undefined) to = Math.min(to, market.indexAt(to_us));
  return { from, to: Math.min(to, from + Math.min(limit, trades_per_page_max)) };
}

function wrong(error: string): RestAnswer {
  return {
    status: 400,
    body: JSON.stringify({ error }),
    headers: { "content-type": "application/json" },
  };
}
