/**
 * Goal: a walk asks for what is missing, ascending, comes to an end, and says of a page only what
 * it was asked to begin with.
 * Method: a stretch written down, and pages given to it by hand.
 */

import { expect, test } from "bun:test";
import { afterPage, nextPage, type Stretch, type Walk } from "../../../actors/backfiller/walk.ts";
import type { IdRange } from "../../../schemas/mod.ts";

function stretch(...remaining: readonly (readonly [number, number])[]): Stretch {
  const ranges: readonly IdRange[] = remaining.map(([from_id, to_id]) => ({ from_id, to_id }));
  return {
    key: "g",
    gap_ids: ["g"],
    native_symbol: "AB",
    remaining: ranges,
    start: { trade_id: 10, timestamp: 1_000 },
    is_start_known: true,
  };
}

function places(...ids: readonly number[]) {
  return ids.map((trade_id) => ({ trade_id, timestamp: trade_id * 100 }));
}

function page(asked_after: number, ...ids: readonly number[]) {
  const asked = { after_id: asked_after, after_timestamp: 0, cursor: null };
  return { places: places(...ids), cursor: "c", asked };
}

test("by id the page begins with the trade before the first missing one", () => {
  expect(nextPage(stretch([11, 20], [31, 40]), undefined, "trade_id")).toEqual({
    start: { after_id: 10, after_timestamp: 1_000, cursor: null },
    after_id: 10,
  });
  const onward: Walk = { kind: "onward", trade_id: 25, timestamp: 2_500, cursor: "c" };
  expect(nextPage(stretch([11, 11], [31, 40]), onward, "trade_id")).toEqual({
    start: { after_id: 30, after_timestamp: 2_500, cursor: null },
    after_id: 30,
  });
  expect(nextPage(stretch([11, 20]), onward, "trade_id")).toBeNull();
});

test("no page is asked for from before a market's first trade, which may be number 0", () => {
  const first = { ...stretch([0, 5]), start: { trade_id: -1, timestamp: 0 } };
  expect(nextPage(first, undefined, "trade_id")?.start.after_id).toBe(0);
  const asked = { after_id: 0, after_timestamp: 0, cursor: null };
  const step = afterPage(stretch([3, 5]), undefined, { ...page(0, 0, 1, 2), asked });
  expect(step).toMatchObject({ walk: { kind: "onward", trade_id: 2 }, is_over: false });
});

test("by time it begins at a known time, then goes on by the page's cursor and proves no start", () => {
  expect(nextPage(stretch([15, 20]), undefined, "time")).toEqual({
    start: { after_id: 10, after_timestamp: 1_000, cursor: null },
    after_id: 10,
  });
  const onward: Walk = { kind: "onward", trade_id: 14, timestamp: 1_400, cursor: "c" };
  expect(nextPage(stretch([15, 20]), onward, "time")).toEqual({
    start: { after_id: 14, after_timestamp: 1_400, cursor: "c" },
    after_id: null,
  });
  expect(nextPage(stretch([12, 13]), onward, "time")).toBeNull();
});

test("a trade that is not known to exist proves nothing", () => {
  for (const pages_by of ["trade_id", "time"] as const) {
    const asked = nextPage({ ...stretch([11, 20]), is_start_known: false }, undefined, pages_by);
    expect(asked?.after_id).toBeNull();
  }
});

test("a walk goes on behind a page, and is over when nothing is missing behind it", () => {
  expect(afterPage(stretch([16, 20]), undefined, page(10, 11, 12, 15))).toEqual({
    walk: { kind: "onward", trade_id: 15, timestamp: 1_500, cursor: "c" },
    is_over: false,
  });
  expect(afterPage(stretch([13, 14]), undefined, page(10, 12, 15))).toEqual({
    walk: { kind: "again", trade_id: 12, timestamp: 1_200 },
    is_over: true,
  });
  expect(afterPage(stretch([11, 14]), undefined, page(10, 12, 15))).toEqual({
    walk: undefined,
    is_over: true,
  });
});

test("a page that comes no further is the end for now, and a good place to go on from", () => {
  const onward: Walk = { kind: "onward", trade_id: 15, timestamp: 1_500, cursor: "c" };
  expect(afterPage(stretch([16, 20]), onward, page(15, 15))).toEqual({
    walk: onward,
    is_over: true,
  });
  expect(afterPage(stretch([16, 20]), onward, page(15))).toEqual({ walk: onward, is_over: true });
  expect(afterPage(stretch([14, 20]), onward, page(15, 15))).toEqual({
    walk: undefined,
    is_over: true,
  });
});
