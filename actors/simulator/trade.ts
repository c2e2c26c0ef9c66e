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

/** All trades of one instrument, past and to come, counted from 0. */
export interface Market {
  readonly instrument: Instrument;
  /** How many trades there are up to `time_us` inclusive: the index of the first one after it. */
  indexAt(time_us: number): number;
  /** The trades `from` (inclusive) to `to` (exclusive). Costs what the range costs. */
  tradesIn(from: number, to: number): SimulatedTrade[];
}

/** An exchange's markets by native symbol. */
export type Markets = ReadonlyMap<string, Market>;

/** The last `count` trades up to `time_us` inclusive, in order; fewer where the market begins. */
export function latestTrades(
  market: Market,
  options: { readonly count: number; readonly time_us: number },
): SimulatedTrade[] {
  const to = market.indexAt(options.time_us);
  return market.tradesIn(Math.max(0, to - options.count), to);
}
