/**
 * Goal: of a page only what is missing goes on, in order, and what nobody can place proves nothing.
 * Method: a continuity that the test says what it knows.
 */

import { expect, test } from "bun:test";
import {
  type Known,
  missingTrades,
  newTrades,
  sortedTrades,
} from "../../../actors/backfiller/page_trades.ts";
import type { WireTrade } from "../../../actors/messages.ts";
import { tradeOf } from "./rig.ts";

/** Coverage from 10, head 20, missing 13 to 15. */
const known: Known = {
  coverage: { from_id: 10, from_timestamp: 0 },
  head: { trade_id: 20, timestamp: 0 },
  judge(trade_id) {
    const id = Number(trade_id);
    if (id < 10) return "new";
    return (id >= 13 && id <= 15) || id > 20 ? "new" : "duplicate";
  },
};

function page(...ids: readonly number[]): readonly WireTrade[] {
  return ids.map((id) => tradeOf("AB", id));
}

function idsOf(trades: readonly WireTrade[]): number[] {
  return trades.map(({ trade_id }) => Number(trade_id));
}

test("a page that comes newest first, twice the same, with others among it, is put in order", () => {
  const { has_strays, trades } = sortedTrades([...page(9, 100, 10, 9), tradeOf("CD", 50)], "AB");
  expect([idsOf(trades), has_strays]).toEqual([[9, 10, 100], false]);
});

test("ids that belong nowhere are strays", () => {
  expect(sortedTrades(page(0, 66_432_458, 66_432_459), "AB")).toEqual({
    trades: page(66_432_458, 66_432_459),
    has_strays: true,
  });
  const far = { ...tradeOf("AB", 1), trade_id: "1787746340684123" };
  expect(sortedTrades([...page(66_432_458, 66_432_459), far], "AB")).toEqual({
    trades: page(66_432_458, 66_432_459),
    has_strays: true,
  });
  expect(sortedTrades(page(0, 1, 2), "AB")).toEqual({ trades: page(0, 1, 2), has_strays: false });
  const large = { ...tradeOf("AB", 1), trade_id: "9223372036854775807" };
  expect(sortedTrades([large], "AB")).toEqual({ trades: [], has_strays: true });
});

test("only what is missing is taken, and nothing from before the coverage", () => {
  const trades = page(8, 9, 12, 13, 14, 20, 21, 22);
  expect(idsOf(missingTrades(trades, known))).toEqual([13, 14]);
  expect(idsOf(newTrades(trades, known))).toEqual([13, 14, 21, 22]);
});

test("a symbol without a trade begins with the newest", () => {
  const blank: Known = { coverage: null, head: null, judge: () => "new" };
  expect(idsOf(newTrades(page(8, 9), blank))).toEqual([9]);
  expect(newTrades([], blank)).toEqual([]);
  expect(missingTrades(page(8, 9), blank)).toEqual([]);
});
