/**
 * The missing ids of one symbol: ascending ranges, each of them part of a gap. A gap begins within
 * its grace, in which a late trade splits it into two gaps whose times are its neighbors'; once
 * opened it has been told of, so it keeps its ends and its times, and only its ranges become fewer.
 *
 * @module
 */

import { holds, type IdRange, placeOf, withoutIds, withoutRange, withRange } from "./id_ranges.ts";
import type { FoundBy, GapState } from "./symbol_state.ts";

/** Most ranges of absent and of unfillable ids that a gap lists; further ones are not told. */
const told_ranges_max = 10_000;
/** A page that begins late proves something only together with a second one this much later. */
export const second_look_ms_min = 10_000;

/** Ids from `from_id` to `to_id` that were found missing at one time. */
export interface Gap {
  from_id: number;
  to_id: number;
  /** Exchange times of the neighbors; the smaller one first, as exchanges' clocks step back. */
  from_timestamp: number;
  to_timestamp: number;
  readonly found_by: FoundBy;
  /** Monotonic clock; the grace begins here. */
  found_ms: number;
  /** Wall clock; null while within the grace, in which a gap has exactly one range. */
  opened_us: number | null;
  /** Monotonic clock: when its remaining ids were last told. */
  told_ms: number;
  /** How many ranges are missing of it. */
  range_count: number;
  absent: readonly IdRange[];
  unfillable: readonly IdRange[];
  /** The ids that one page was asked for and began after, and when. */
  late_page: (IdRange & { readonly at_ms: number }) | null;
}

/** Missing ids of a gap. */
interface Missing {
  from_id: number;
  to_id: number;
  gap: Gap;
}

/** Two gaps that became one. */
interface Merge {
  readonly kept: Gap;
  /** Null where both ranges were the same gap's. */
  readonly ended: Gap | null;
}

/** The missing ids of one symbol and the gaps that they belong to. */
export class Gaps {
  readonly #ranges: Missing[] = [];

  /** How many ranges are missing. */
  get length(): number {
    return this.#ranges.length;
  }

  /** Whether an id is missing. */
  has(id: number): boolean {
    return holds(this.#ranges, id);
  }

  /** Adds a gap that is missing as a whole, or its remaining ranges. No id may be missing yet. */
  add(gap: Gap, remaining: readonly IdRange[] = [gap]): void {
    const missing = remaining.map(({ from_id, to_id }) => ({ from_id, to_id, gap }));
    gap.range_count = missing.length;
    this.#ranges.splice(placeOf(this.#ranges, gap.from_id), 0, ...missing);
  }

  /** An id is missing no more. Returns its gap, or null where it was not missing. */
  take(id: number, timestamp: number): Gap | null {
    const place = placeOf(this.#ranges, id);
    const range = this.#ranges[place];
    if (range === undefined || range.from_id > id) return null;
    const { gap } = range;
    this.#cut(place, range, { from_id: id, to_id: id });
    if (gap.opened_us === null && gap.range_count > 0) this.#narrow(place, gap, id, timestamp);
    return gap;
  }

  /** Gaps, ascending. */
  all(): Gap[] {
    const gaps: Gap[] = [];
    for (const { gap } of this.#ranges) if (gaps.at(-1) !== gap) gaps.push(gap);
    return gaps;
  }

  /** The first gap within its grace that ends at `id` or after it. */
  firstWithinGrace(id: number): Gap | null {
    for (let place = placeOf(this.#ranges, id); place < this.#ranges.length; place += 1) {
      const gap = this.#ranges[place]?.gap;
      if (gap !== undefined && gap.opened_us === null) return gap;
    }
    return null;
  }

  /** What is missing of a gap. */
  remaining(gap: Gap): readonly IdRange[] {
    const from = placeOf(this.#ranges, gap.from_id);
    return this.#ranges
      .slice(from, from + gap.range_count)
      .map(({ from_id, to_id }) => ({ from_id, to_id }));
  }

  /** A gap as it is stored. */
  stateOf(gap: Gap): GapState {
    const { from_id, to_id, from_timestamp, to_timestamp, found_by, opened_us } = gap;
    return {
      from_id,
      to_id,
      from_timestamp,
      to_timestamp,
      found_by,
      opened_us,
      remaining: this.remaining(gap),
      absent: gap.absent,
      unfillable: gap.unfillable,
    };
  }

  /**
   * Ids between the first and the last of a page that it does not hold are absent. Gaps within the
   * grace are left alone: they are not told of yet, so their end cannot be.
   *
   * @returns The gaps that changed.
   */
  settleAbsent(ids: readonly number[]): readonly Gap[] {
    const first = ids[0];
    const last = ids.at(-1);
    if (first === undefined || last === undefined) return [];
    const proven = this.#opened({ from_id: first, to_id: last }).flatMap(({ range, gap }) =>
      withoutIds(range, ids).map((absent) => ({ range: absent, gap })),
    );
    for (const { range, gap } of proven) {
      this.#remove(range);
      if (gap.absent.length < told_ranges_max) gap.absent = withRange(gap.absent, range);
    }
    return [...new Set(proven.map(({ gap }) => gap))];
  }

  /**
   * A page that should have held ids began after them. They are unfillable once a second page,
   * some time later, does so too.
   *
   * @returns The gaps that changed.
   */
  settleLate(late: IdRange, now_ms: number): readonly Gap[] {
    const changed = new Set<Gap>();
    const found = this.#opened(late);
    const earlier = new Map(found.map(({ gap }) => [gap, gap.late_page]));
    for (const [gap, before] of earlier) {
      // While an earlier look waits for its second, this one must not take its place.
      const is_waiting = before !== null && now_ms - before.at_ms < second_look_ms_min;
      if (!is_waiting || within(late, before) === null) gap.late_page = { ...late, at_ms: now_ms };
    }
    for (const { range, gap } of found) {
      const before = earlier.get(gap) ?? null;
      if (before === null || now_ms - before.at_ms < second_look_ms_min) continue;
      const both = within(range, before);
      if (both === null) continue;
      this.#remove(both);
      if (gap.unfillable.length < told_ranges_max) gap.unfillable = withRange(gap.unfillable, both);
      changed.add(gap);
    }
    return [...changed];
  }

  /** A page begins where it was asked to: what earlier ones seemed to say is not so. */
  forgetLate(id: number): void {
    for (const gap of this.all()) {
      if (gap.late_page !== null && holds([gap.late_page], id)) gap.late_page = null;
    }
  }

  /** Joins the two ranges with the fewest ids between them, which then are missing again. */
  mergeNearest(): Merge {
    let nearest = 0;
    let distance = Number.POSITIVE_INFINITY;
    for (let place = 0; place + 1 < this.#ranges.length; place += 1) {
      const between = (this.#ranges[place + 1]?.from_id ?? 0) - (this.#ranges[place]?.to_id ?? 0);
      if (between < distance) [nearest, distance] = [place, between];
    }
    const left = this.#ranges[nearest];
    const right = this.#ranges[nearest + 1];
    if (left === undefined || right === undefined) throw new Error("Cannot merge a single range");
    const between = { from_id: left.to_id + 1, to_id: right.from_id - 1 };
    const [kept, ended] = [left.gap, right.gap];
    left.to_id = right.to_id;
    this.#ranges.splice(nearest + 1, 1);
    ended.range_count -= 1;
    kept.absent = withoutRange(kept.absent, between);
    kept.unfillable = withoutRange(kept.unfillable, between);
    if (kept === ended) return { kept, ended: null };
    for (const range of this.#ranges) if (range.gap === ended) range.gap = kept;
    kept.range_count += ended.range_count;
    kept.to_id = ended.to_id;
    kept.from_timestamp = Math.min(kept.from_timestamp, ended.from_timestamp);
    kept.to_timestamp = Math.max(kept.to_timestamp, ended.to_timestamp);
    kept.found_ms = Math.min(kept.found_ms, ended.found_ms);
    kept.absent = [...kept.absent, ...withoutRange(ended.absent, between)];
    kept.unfillable = [...kept.unfillable, ...withoutRange(ended.unfillable, between)];
    return { kept, ended };
  }

  /** Ranges of opened gaps within a stretch, cut to it. */
  #opened(stretch: IdRange): readonly { readonly range: IdRange; readonly gap: Gap }[] {
    const found: { readonly range: IdRange; readonly gap: Gap }[] = [];
    for (let place = placeOf(this.#ranges, stretch.from_id); place < this.length; place += 1) {
      const missing = this.#ranges[place];
      const range = missing === undefined ? null : within(missing, stretch);
      if (missing === undefined || range === null) break;
      if (missing.gap.opened_us !== null) found.push({ range, gap: missing.gap });
    }
    return found;
  }

  /** Takes out a part of one range. */
  #remove(part: IdRange): void {
    const place = placeOf(this.#ranges, part.from_id);
    const range = this.#ranges[place];
    if (range !== undefined) this.#cut(place, range, part);
  }

  #cut(place: number, range: Missing, part: IdRange): void {
    const { gap, to_id } = range;
    const has_left = part.from_id > range.from_id;
    const has_right = part.to_id < to_id;
    if (has_left) {
      range.to_id = part.from_id - 1;
      if (!has_right) return;
      this.#ranges.splice(place + 1, 0, { from_id: part.to_id + 1, to_id, gap });
      gap.range_count += 1;
    } else if (has_right) {
      range.from_id = part.to_id + 1;
    } else {
      this.#ranges.splice(place, 1);
      gap.range_count -= 1;
    }
  }

  /** A gap within its grace keeps to what is missing: two ranges are two gaps. */
  #narrow(place: number, gap: Gap, id: number, timestamp: number): void {
    const { to_id, to_timestamp } = gap;
    const after = { ...gap, from_id: id + 1, ...times(timestamp, to_timestamp), range_count: 1 };
    const left = { to_id: id - 1, ...times(gap.from_timestamp, timestamp) };
    if (gap.range_count === 2) {
      const right = this.#ranges[place + 1];
      if (right !== undefined) right.gap = after;
      Object.assign(gap, left, { range_count: 1 });
    } else if (id === to_id) {
      Object.assign(gap, left);
    } else {
      Object.assign(gap, { from_id: id + 1, ...times(timestamp, to_timestamp) });
    }
  }
}

/** Times of a gap's neighbors, the smaller one first. */
export function times(one: number, other: number) {
  return { from_timestamp: Math.min(one, other), to_timestamp: Math.max(one, other) };
}

/** What two ranges share, or null. */
function within(one: IdRange, other: IdRange): IdRange | null {
  const from_id = Math.max(one.from_id, other.from_id);
  const to_id = Math.min(one.to_id, other.to_id);
  return from_id <= to_id ? { from_id, to_id } : null;
}
