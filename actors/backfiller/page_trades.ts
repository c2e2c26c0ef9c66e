/**
 * Which trades of a page go to the normalizer. Pages overlap what is known, may come newest first,
 * and may show what the socket is about to deliver: only what is missing is taken from them.
 *
 * @module
 */

import { type Continuity, leap_ids_max } from "../continuity/continuity.ts";
import type { WireTrade } from "../messages.ts";
import type { Place } from "./walk.ts";

/** What is asked of a symbol's continuity. */
export type Known = Pick<Continuity, "coverage" | "head" | "judge">;

/**
 * A page's trades of one symbol, ascending by id, each id once. Strays are left out, because nobody
 * knows where they belong: ids that are no safe integers or wildly far from the page's others, and
 * a zero before others that do not follow it, as Kraken gave it to trades before June 2024.
 */
export function sortedTrades(
  trades: readonly WireTrade[],
  native_symbol: string,
): { readonly trades: readonly WireTrade[]; readonly has_strays: boolean } {
  const own = trades.filter((trade) => trade.native_symbol === native_symbol);
  const by_id = new Map(own.map((trade) => [Number(trade.trade_id), trade]));
  const ids = [...by_id.keys()].filter(Number.isSafeInteger).sort((left, right) => left - right);
  const [first, second] = ids;
  if (first === 0 && second !== undefined && second > 1) ids.shift();
  const middle = ids[Math.floor((ids.length - 1) / 2)] ?? 0;
  const near = ids.filter((id) => Math.abs(id - middle) <= leap_ids_max);
  const sorted = near.map((id) => by_id.get(id)).filter((trade) => trade !== undefined);
  return { trades: sorted, has_strays: sorted.length < by_id.size };
}

/** A trade's place. */
export function placeOf({ trade_id, timestamp }: WireTrade): Place {
  return { trade_id: Number(trade_id), timestamp };
}

/**
 * The missing ones among a page's trades: within the coverage, and no newer than the newest known,
 * which are the socket's to deliver.
 *
 * @param trades Ascending by id.
 */
export function missingTrades(trades: readonly WireTrade[], known: Known): readonly WireTrade[] {
  const { head } = known;
  if (head === null) return [];
  return newTrades(trades, known).filter(({ trade_id }) => Number(trade_id) <= head.trade_id);
}

/**
 * The same with those newer than the newest known: the socket has missed them, or is about to
 * deliver them. Of a symbol that has no trade yet, only the newest one, with which it begins.
 *
 * @param trades Ascending by id.
 */
export function newTrades(trades: readonly WireTrade[], known: Known): readonly WireTrade[] {
  const { coverage } = known;
  if (coverage === null) return trades.slice(-1);
  return trades.filter(
    ({ trade_id }) => Number(trade_id) >= coverage.from_id && known.judge(trade_id) === "new",
  );
}
