/**
 * What must be known of a symbol after a restart: its coverage, its newest trade, and every id
 * between them that is missing. Values only, and their reading from text that may be damaged.
 *
 * @module
 */

import { isObject } from "../plain_object.ts";
import { type IdRange, readRanges } from "./id_ranges.ts";

/** How a gap was noticed; `jump` where an exchange's ids have no holes, so that it is a proof. */
export type FoundBy = "jump" | "suspected_jump" | "import";

/** A stretch of exchange time, microseconds since 1970; both ends inclusive. */
export interface TimeRange {
  readonly from_timestamp: number;
  readonly to_timestamp: number;
}

/** Head of a symbol that has had no trade yet. Its next id is no trade's. */
export const no_head = -2;

/** Missing ids that were found at one time. */
export interface GapState extends IdRange, TimeRange {
  readonly found_by: FoundBy;
  /** When `gap_opened` was said, microseconds since 1970; null while within the grace. */
  readonly opened_us: number | null;
  /** Ids still missing; none where only the gap's end is left to tell. */
  readonly remaining: readonly IdRange[];
  /** Ids that the exchange never had. */
  readonly absent: readonly IdRange[];
  /** Ids that the exchange had and can no longer give. */
  readonly unfillable: readonly IdRange[];
  /** Said where the broker may not have its `gap_opened`: it is told again. */
  readonly is_told?: false;
}

/**
 * One symbol's continuity, to be stored. Every id from `from_id` to `head_id` is taken, missing, or
 * known not to be had.
 */
export interface SymbolState {
  readonly exchange: string;
  readonly native_symbol: string;
  /** First trade of the coverage, and its exchange time. */
  readonly from_id: number;
  readonly from_timestamp: number;
  /** The first trade of the coverage that was told, where it is another one. */
  readonly told_from_id?: number;
  /** Newest trade; one below `from_id` where none is taken yet; `no_head` before there is one. */
  readonly head_id: number;
  readonly head_timestamp: number;
  /** Exchange time up to which there was no newer trade than the head of that time. */
  readonly confirmed_timestamp: number;
  /** Ascending; those whose end is not told. */
  readonly gaps: readonly GapState[];
  readonly imports: readonly TimeRange[];
  /** Said while all its trades are imported: what follows them is not to be had by itself. */
  readonly was_live?: false;
}

const found_by_codes: readonly string[] = ["jump", "suspected_jump", "import"];

/** Reads a state from parsed JSON; null where it is none. */
export function readSymbolState(value: unknown): SymbolState | null {
  if (!isObject(value)) return null;
  const { exchange, native_symbol, from_id, from_timestamp, head_id, head_timestamp } = value;
  const { confirmed_timestamp, gaps, imports, told_from_id = from_id, was_live } = value;
  if (typeof exchange !== "string" || typeof native_symbol !== "string") return null;
  if (!isInteger(from_id) || !isInteger(head_id) || from_id < 0) return null;
  if (head_id < from_id - 1 && head_id !== no_head) return null;
  if (!isInteger(from_timestamp) || !isInteger(head_timestamp)) return null;
  if (!isInteger(confirmed_timestamp) || !isInteger(told_from_id)) return null;
  const read_gaps = readList(gaps, readGap);
  const read_imports = readList(imports, readTimeRange);
  if (read_gaps === null || read_imports === null) return null;
  if (!areAscending(read_gaps, { from_id, to_id: head_id })) return null;
  if (was_live !== undefined && was_live !== false) return null;
  return {
    exchange,
    native_symbol,
    from_id,
    from_timestamp,
    told_from_id,
    head_id,
    head_timestamp,
    confirmed_timestamp,
    gaps: read_gaps,
    imports: read_imports,
    ...(was_live === false ? { was_live } : {}),
  };
}

/** Reads one gap from parsed JSON; null where it is none. */
export function readGap(value: unknown): GapState | null {
  if (!isObject(value)) return null;
  const { from_id, to_id, found_by, opened_us } = value;
  const time = readTimeRange(value);
  if (!isInteger(from_id) || !isInteger(to_id) || from_id > to_id || time === null) return null;
  if (opened_us !== null && !isInteger(opened_us)) return null;
  if (!isFoundBy(found_by)) return null;
  const whole = { from_id, to_id };
  const remaining = readRanges(value.remaining, whole);
  const absent = readRanges(value.absent, whole);
  const unfillable = readRanges(value.unfillable, whole);
  if (remaining === null || absent === null || unfillable === null) return null;
  const told = value.is_told === false ? { is_told: false as const } : {};
  return { ...whole, ...time, found_by, opened_us, remaining, absent, unfillable, ...told };
}

/** Whether gaps with missing ids are ascending, disjoint and within the coverage. */
function areAscending(gaps: readonly GapState[], coverage: IdRange): boolean {
  let before = coverage.from_id - 1;
  for (const gap of gaps) {
    if (gap.remaining.length === 0) continue;
    if (gap.from_id <= before || gap.to_id > coverage.to_id) return false;
    before = gap.to_id;
  }
  return true;
}

function readTimeRange(value: unknown): TimeRange | null {
  if (!isObject(value)) return null;
  const { from_timestamp, to_timestamp } = value;
  if (!isInteger(from_timestamp) || !isInteger(to_timestamp)) return null;
  return from_timestamp <= to_timestamp ? { from_timestamp, to_timestamp } : null;
}

function readList<Item>(
  value: unknown,
  read: (item: unknown) => Item | null,
): readonly Item[] | null {
  if (!Array.isArray(value)) return null;
  const items: Item[] = [];
  for (const entry of value) {
    const item = read(entry);
    if (item === null) return null;
    items.push(item);
  }
  return items;
}

function isFoundBy(value: unknown): value is FoundBy {
  return typeof value === "string" && found_by_codes.includes(value);
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
