/**
 * What the simulator's parts say of a trade and of a market. A market is a pure function of the
 * trade's index on a fixed epoch: nothing is remembered, so a restarted simulator continues where
 * the clock is, every process agrees with every other, and REST can serve all that ever was.
 *
 * These types are the simulator's own and share nothing with `actors/exchanges`, because the
 * simulator is the judge of what is written there.
 *
 * @module
 */

import type { Instrument } from "./instruments.ts";

/** 2026-01-01T00:00:00Z in microseconds since 1970: trade 0 of every market is not earlier. */
export const epoch_us = 1_767_225_600_000_000;

/** One execution. Decimals are the digits that the exchange's WebSocket writes. */
export interface SimulatedTrade {
  /** Dense per market: the market's first id plus the trade's index. Below 2^53. */
  readonly trade_id: number;
  /** Microseconds since 1970, UTC. Never falls from one trade to the next. */
  readonly timestamp: number;
  /** What the exchange knows of the time beyond the microsecond: 0 to 999 nanoseconds. */
  readonly tail_ns: number;
  readonly price: string;
  readonly quantity: string;
  /** The taker's. */
  readonly side: "BUY" | "SELL";
  /** Of the taker's order; only Kraken tells it. */
  readonly order_type: "limit" | "market";
}

/**
 * All trades of one instrument, past and to come, counted from 0. What sockets and REST are given
 * may be a view of it: the optional members say what a view changes.
 */
export interface Market {
  readonly instrument: Instrument;
  /** How many trades there are up to `time_us` inclusive: the index of the first one after it. */
  indexAt(time_us: number): number;
  /**
   * The trades `from` (inclusive) to `to` (exclusive), fewer where the exchange has skipped ids.
   * Costs what the range costs.
   */
  tradesIn(from: number, to: number): SimulatedTrade[];
  /** Index of the oldest trade that can still be asked for; 0 where it is not said. */
  readonly first?: number;
  /** Whether trading is halted now; it is not where it is not said. */
  readonly is_halted?: boolean;
  /** Index of the first trade that a subscription of this time is sent; `indexAt` by default. */
  subscribedFrom?(time_us: number): number;
  /** The indexes that a subscription is sent at once, whatever the time; then it is silent. */
  readonly flood?: IndexRange;
}

/** `from` inclusive, `to` exclusive. */
export interface IndexRange {
  readonly from: number;
  readonly to: number;
}

/** An exchange's markets by native symbol. */
export type Markets = ReadonlyMap<string, Market>;

/** The last `count` trades below index `to`, in order; fewer where the market begins. */
export function tradesBefore(
  market: Market,
  options: { readonly count: number; readonly to: number },
): SimulatedTrade[] {
  const { first = 0 } = market;
  let trades: SimulatedTrade[] = [];
  let to = options.to;
  // Again, because a range that holds skipped ids gives fewer trades than asked for.
  while (trades.length < options.count && to > first) {
    const from = Math.max(first, to - (options.count - trades.length));
    trades = [...market.tradesIn(from, to), ...trades];
    to = from;
  }
  return trades;
}

/** The first `count` trades from index `from` on, below index `to`. */
export function tradesFrom(
  market: Market,
  options: { readonly count: number; readonly from: number; readonly to: number },
): SimulatedTrade[] {
  const { count, to } = options;
  const trades: SimulatedTrade[] = [];
  let from = Math.max(options.from, market.first ?? 0);
  while (trades.length < count && from < to) {
    const next = Math.min(to, from + count - trades.length);
    for (const trade of market.tradesIn(from, next)) trades.push(trade);
    from = next;
  }
  return trades;
}

/** The last `count` trades up to `time_us` inclusive, in order; fewer where the market begins. */
export function latestTrades(
  market: Market,
  options: { readonly count: number; readonly time_us: number },
): SimulatedTrade[] {
  return tradesBefore(market, { count: options.count, to: market.indexAt(options.time_us) });
}

/** Index of the first trade that a subscription of this time is sent. */
export function subscribedFrom(market: Market, time_us: number): number {
  if (market.flood !== undefined) return market.flood.from;
  return market.subscribedFrom?.(time_us) ?? market.indexAt(time_us);
}
