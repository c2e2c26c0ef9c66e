/**
 * Goal: the first trade at or after an instant is found on every kind of exchange, in few pages.
 * Method: exchanges made of random lists from a seed, with holes among their ids, trades of one
 * time and changing rates, asked by the real search; and one of billions of ids, which is a formula.
 */

import { expect, test } from "bun:test";
import {
  afterSearchPage,
  beginSearch,
  nextSearchPage,
  type SearchAsk,
  type SearchStep,
} from "../../../actors/backfiller/search.ts";
import type { Place } from "../../../actors/backfiller/walk.ts";
import { createRandom } from "../../schemas/random.ts";

interface Exchange {
  readonly pages_by: "trade_id" | "time";
  readonly page_trades_max: number;
  page(asked: SearchAsk): { readonly places: readonly Place[]; readonly cursor: string | null };
}

function search(exchange: Exchange, target_timestamp: number, known: readonly Place[] = []) {
  let step: SearchStep = {
    kind: "searching",
    search: beginSearch({ target_timestamp, rest: exchange, known }),
  };
  let pages = 0;
  while (step.kind === "searching") {
    pages += 1;
    step = afterSearchPage(step.search, exchange.page(nextSearchPage(step.search)));
  }
  return { step, pages };
}

function exchangeOf(pages_by: Exchange["pages_by"], places: readonly Place[]): Exchange {
  const page_trades_max = 10;
  return {
    pages_by,
    page_trades_max,
    page(asked) {
      if (asked.kind === "newest") return { places: places.slice(-page_trades_max), cursor: null };
      const { after_id, after_timestamp, cursor } = asked.start;
      const since = Number(cursor ?? after_timestamp);
      const page = places
        .filter((it) => (after_id === null ? it.timestamp >= since : it.trade_id >= after_id))
        .slice(0, page_trades_max);
      return { places: page, cursor: String(page.at(-1)?.timestamp ?? since) };
    },
  };
}

function randomPlaces(random: () => number): readonly Place[] {
  const places: Place[] = [];
  let trade_id = random() < 0.5 ? 1 : Math.floor(random() * 100_000);
  let timestamp = 1_000_000;
  let pace = 1_000;
  for (let count = 0; count < 400; count += 1) {
    places.push({ trade_id, timestamp });
    trade_id += random() < 0.9 ? 1 : Math.floor(random() * 500);
    if (random() < 0.02) pace = 10 ** (random() * 6);
    timestamp += random() < 0.3 ? 0 : Math.floor(random() * pace);
  }
  return places;
}

test.each(["trade_id", "time"] as const)("any instant is found, paged by %s", (pages_by) => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = createRandom(seed);
    const places = randomPlaces(random);
    const exchange = exchangeOf(pages_by, places);
    const last = places.at(-1)!;
    for (let turn = 0; turn < 10; turn += 1) {
      const target = Math.floor(900_000 + random() * (last.timestamp - 800_000));
      const known = random() < 0.5 ? [] : [places[Math.floor(random() * places.length)]!];
      const expected = places.find(({ timestamp }) => timestamp >= target);
      const { step, pages } = search(exchange, target, known);
      if (expected === undefined) expect(step).toEqual({ kind: "none", newest: last });
      else expect(step).toEqual({ kind: "found", place: expected });
      expect(pages).toBeLessThan(60);
    }
  }
});

test("among billions of ids a few pages are enough", () => {
  const newest_id = 6_621_701_993;
  // Three years at a rate that swells and shrinks.
  const timeOf = (id: number) => Math.floor(1.5e15 + (id + 4e8 * Math.sin(id / 4e8)) * 15_000);
  const exchange: Exchange = {
    pages_by: "trade_id",
    page_trades_max: 1_000,
    page(asked) {
      const from = asked.kind === "newest" ? newest_id - 999 : (asked.start.after_id ?? 0);
      const ids = Array.from({ length: 1_000 }, (_, index) => from + index);
      const places = ids
        .filter((id) => id >= 0 && id <= newest_id)
        .map((trade_id) => ({ trade_id, timestamp: timeOf(trade_id) }));
      return { places, cursor: null };
    },
  };
  for (const share of [0, 0.0001, 0.2, 0.5, 0.77, 0.999_999]) {
    const id = Math.floor(newest_id * share);
    const { step, pages } = search(exchange, timeOf(id));
    expect(step).toMatchObject({ kind: "found" });
    if (step.kind === "found") {
      expect(timeOf(step.place.trade_id)).toBe(timeOf(id));
      expect(timeOf(step.place.trade_id - 1)).toBeLessThan(timeOf(id));
    }
    expect(pages).toBeLessThan(40);
  }
});

test("an instant before the first trade gives the first trade", () => {
  const places = [7_000, 7_001, 7_002].map((trade_id) => ({ trade_id, timestamp: trade_id }));
  for (const pages_by of ["trade_id", "time"] as const) {
    const { step } = search(exchangeOf(pages_by, places), 5);
    expect(step).toEqual({ kind: "found", place: places[0]! });
  }
});

test("an exchange without a trade has none, and one that lies is given up", () => {
  for (const pages_by of ["trade_id", "time"] as const) {
    expect(search(exchangeOf(pages_by, []), 5).step).toEqual({ kind: "none", newest: null });
  }
  const liar: Exchange = {
    pages_by: "trade_id",
    page_trades_max: 10,
    page: (asked) => ({
      places: [
        asked.kind === "newest"
          ? { trade_id: 1_000_000_000, timestamp: 1_000 }
          : { trade_id: 5, timestamp: 2 },
      ],
      cursor: null,
    }),
  };
  expect(search(liar, 500).step.kind).toBe("failed");
});
