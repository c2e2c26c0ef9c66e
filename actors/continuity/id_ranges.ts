/**
 * Sorted, disjoint ranges of trade ids, and what is asked of them: where an id lies, which ids of a
 * stretch a page does not hold, how many there are. Ids are found by halving, because a symbol that
 * an exchange serves badly may have thousands of ranges.
 *
 * @module
 */

import type { IdRange } from "../../schemas/mod.ts";

export type { IdRange } from "../../schemas/mod.ts";

/**
 * The place of the first range that ends at `id` or after it; the number of ranges where none does.
 *
 * @param ranges Ascending and disjoint.
 */
export function placeOf(ranges: readonly IdRange[], id: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const range = ranges[middle];
    if (range !== undefined && range.to_id < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether one of the ranges holds an id. */
export function holds(ranges: readonly IdRange[], id: number): boolean {
  const range = ranges[placeOf(ranges, id)];
  return range !== undefined && range.from_id <= id;
}

/** How many ids ranges hold in all. */
export function countIds(ranges: readonly IdRange[]): number {
  return ranges.reduce((sum, { from_id, to_id }) => sum + to_id - from_id + 1, 0);
}

/**
 * What a range holds and a list of ids does not.
 *
 * @param ids Ascending.
 */
export function withoutIds(range: IdRange, ids: readonly number[]): readonly IdRange[] {
  const left: IdRange[] = [];
  let from_id = range.from_id;
  for (let place = placeAmong(ids, range.from_id); place < ids.length; place += 1) {
    const id = ids[place] ?? range.to_id;
    if (id > range.to_id) break;
    if (id > from_id) left.push({ from_id, to_id: id - 1 });
    from_id = id + 1;
  }
  if (from_id <= range.to_id) left.push({ from_id, to_id: range.to_id });
  return left;
}

/** Ranges without the ids of another one. */
export function withoutRange(ranges: readonly IdRange[], taken: IdRange): readonly IdRange[] {
  const first = placeOf(ranges, taken.from_id);
  const left: IdRange[] = [];
  let next = first;
  for (; next < ranges.length; next += 1) {
    const range = ranges[next];
    if (range === undefined || range.from_id > taken.to_id) break;
    if (range.from_id < taken.from_id) left.push({ ...range, to_id: taken.from_id - 1 });
    if (range.to_id > taken.to_id) left.push({ ...range, from_id: taken.to_id + 1 });
  }
  return [...ranges.slice(0, first), ...left, ...ranges.slice(next)];
}

/** Ranges and one more, joined where they touch or overlap. */
export function withRange(ranges: readonly IdRange[], added: IdRange): readonly IdRange[] {
  // One before and one after it may touch it without overlapping.
  const first = placeOf(ranges, added.from_id - 1);
  let { from_id, to_id } = added;
  let next = first;
  for (; next < ranges.length; next += 1) {
    const range = ranges[next];
    if (range === undefined || range.from_id > to_id + 1) break;
    from_id = Math.min(from_id, range.from_id);
    to_id = Math.max(to_id, range.to_id);
  }
  return [...ranges.slice(0, first), { from_id, to_id }, ...ranges.slice(next)];
}

function placeAmong(ids: readonly number[], id: number): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] ?? id) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Reads ascending, disjoint ranges within `whole` from parsed JSON; null where it is none. */
export function readRanges(value: unknown, whole: IdRange): readonly IdRange[] | null {
  if (!Array.isArray(value)) return null;
  const ranges: IdRange[] = [];
  let before = whole.from_id - 1;
  for (const entry of value) {
    if (typeof entry !== "object" || entry === null) return null;
    const { from_id, to_id } = entry;
    if (!Number.isSafeInteger(from_id) || !Number.isSafeInteger(to_id)) return null;
    if (from_id <= before || to_id < from_id || to_id > whole.to_id) return null;
    ranges.push({ from_id, to_id });
    before = to_id;
  }
  return ranges;
}
