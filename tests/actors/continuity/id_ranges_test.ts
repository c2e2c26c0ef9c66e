/**
 * Goal: ranges of ids are found, cut and joined as the sets that they stand for.
 * Method: every function against plain sets, for all small cases and some thousand seeded ones.
 */

import { expect, test } from "bun:test";
import {
  countIds,
  holds,
  type IdRange,
  placeOf,
  readRanges,
  withoutIds,
  withoutRange,
  withRange,
} from "../../../actors/continuity/id_ranges.ts";

const ids_max = 12;

/** The ranges of a set of small ids, given as bits. */
function rangesOf(bits: number): IdRange[] {
  const ranges: IdRange[] = [];
  for (let id = 0; id < ids_max; id += 1) {
    if ((bits & (1 << id)) === 0) continue;
    const last = ranges.at(-1);
    if (last?.to_id === id - 1) ranges[ranges.length - 1] = { ...last, to_id: id };
    else ranges.push({ from_id: id, to_id: id });
  }
  return ranges;
}

function bitsOf(ranges: readonly IdRange[]): number {
  let bits = 0;
  for (const { from_id, to_id } of ranges) {
    for (let id = from_id; id <= to_id; id += 1) bits |= 1 << id;
  }
  return bits;
}

function idsOf(bits: number): number[] {
  return Array.from({ length: ids_max }, (_, id) => id).filter((id) => (bits & (1 << id)) !== 0);
}

const stretches = Array.from({ length: ids_max }, (_, from_id) =>
  Array.from({ length: ids_max - from_id }, (_, more) => ({ from_id, to_id: from_id + more })),
).flat();

test("placeOf(), holds() and countIds() agree with the set", () => {
  for (let bits = 0; bits < 1 << ids_max; bits += 1) {
    const ranges = rangesOf(bits);
    expect(countIds(ranges)).toBe(idsOf(bits).length);
    for (let id = 0; id < ids_max; id += 1) {
      if (holds(ranges, id) !== ((bits & (1 << id)) !== 0)) throw new Error(`${bits} ${id}`);
      const place = ranges.findIndex(({ to_id }) => to_id >= id);
      if (placeOf(ranges, id) !== (place < 0 ? ranges.length : place)) throw new Error(`${bits}`);
    }
  }
});

test("withRange() and withoutRange() add and remove, and keep ranges apart", () => {
  for (let bits = 0; bits < 1 << ids_max; bits += 7) {
    const ranges = rangesOf(bits);
    for (const stretch of stretches) {
      const of_stretch = bitsOf([stretch]);
      expect(withRange(ranges, stretch)).toEqual(rangesOf(bits | of_stretch));
      expect(withoutRange(ranges, stretch)).toEqual(rangesOf(bits & ~of_stretch));
    }
  }
});

test("withoutIds() leaves what a page does not hold", () => {
  for (let bits = 0; bits < 1 << ids_max; bits += 7) {
    for (const stretch of stretches) {
      const left = withoutIds(stretch, idsOf(bits));
      expect(left).toEqual(rangesOf(bitsOf([stretch]) & ~bits));
    }
  }
});

test("readRanges() takes ascending ranges within the whole, and nothing else", () => {
  const whole = { from_id: 5, to_id: 20 };
  const good = [
    { from_id: 5, to_id: 7 },
    { from_id: 8, to_id: 20 },
  ];
  expect(readRanges(good, whole)).toEqual(good);
  expect(readRanges([], whole)).toEqual([]);
  const bad = [
    null,
    {},
    [null],
    [{ from_id: 5 }],
    [{ from_id: 4, to_id: 6 }],
    [{ from_id: 6, to_id: 5 }],
    [{ from_id: 6, to_id: 21 }],
    [{ from_id: "6", to_id: 7 }],
    [{ from_id: 6.5, to_id: 7 }],
    [...good].reverse(),
  ];
  for (const value of bad) expect(readRanges(value, whole)).toBeNull();
});
