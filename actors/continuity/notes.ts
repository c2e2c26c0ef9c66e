/**
 * What was told of a symbol since its state was last stored: coverages and opened gaps are noted
 * before they are told. A state is stored only after the broker's acknowledgement, so a crash may
 * leave one that is older than what was told; with the notes, a gap that somebody has heard of is
 * still the same gap after the restart, and gets its end.
 *
 * @module
 */

import type { FeedEvent } from "../messages.ts";
import { times } from "./gaps.ts";
import { type IdRange, withoutRange } from "./id_ranges.ts";
import { type GapState, no_head, readGap, type SymbolState } from "./symbol_state.ts";

/** One event that was about to be told. */
export type Note =
  | { readonly kind: "coverage"; readonly from_id: number; readonly from_timestamp: number }
  | { readonly kind: "gap"; readonly gap: GapState };

/** Whose notes they are. */
interface Symbol {
  readonly exchange: string;
  readonly native_symbol: string;
}

/** What is to be noted of an event; null where its loss would harm nothing. */
export function noteOf(event: FeedEvent): Note | null {
  const { from_id, from_timestamp } = event;
  if (event.event === "coverage" && from_id !== null && from_timestamp !== null) {
    return { kind: "coverage", from_id, from_timestamp };
  }
  return event.event === "gap_opened" ? readNote({ kind: "gap", gap: gapOf(event) }) : null;
}

/** Reads a note from parsed JSON; null where it is none. */
export function readNote(value: unknown): Note | null {
  if (typeof value !== "object" || value === null || !("kind" in value)) return null;
  if (value.kind === "gap" && "gap" in value) {
    const gap = readGap(value.gap);
    return gap === null ? null : { kind: "gap", gap };
  }
  if (value.kind !== "coverage" || !("from_id" in value) || !("from_timestamp" in value)) {
    return null;
  }
  const { from_id, from_timestamp } = value;
  if (typeof from_id !== "number" || typeof from_timestamp !== "number") return null;
  if (!Number.isSafeInteger(from_id) || !Number.isSafeInteger(from_timestamp)) return null;
  return from_id < 0 ? null : { kind: "coverage", from_id, from_timestamp };
}

/**
 * A stored state and what was noted after it. What lies between the two is missing: whether it was
 * taken is not known, and a trade that is fetched twice harms nothing.
 *
 * @param notes In the order in which they were made.
 */
export function withNotes(
  symbol: Symbol,
  stored: SymbolState | null,
  notes: readonly Note[],
): SymbolState | null {
  let state = stored;
  // A coverage that is told again is a newer note than the gaps that lie in it.
  for (const note of notes) {
    if (note.kind === "coverage") state = withCoverage(symbol, state, note);
  }
  for (const note of notes) {
    if (note.kind !== "gap" || state === null || state.head_id === no_head) continue;
    state = withGap(state, note.gap);
  }
  return state;
}

function withCoverage(
  { exchange, native_symbol }: Symbol,
  state: SymbolState | null,
  { from_id, from_timestamp }: Extract<Note, { kind: "coverage" }>,
): SymbolState {
  const from = { from_id, from_timestamp, told_from_id: -1 };
  if (state === null || state.head_id === no_head) {
    const head = { head_id: from_id - 1, head_timestamp: from_timestamp, confirmed_timestamp: 0 };
    return { exchange, native_symbol, ...from, ...head, gaps: [], imports: state?.imports ?? [] };
  }
  if (from_id >= state.from_id) return { ...state, told_from_id: -1 };
  const unknown = unknownGap(
    { from_id, to_id: state.from_id - 1 },
    times(from_timestamp, state.from_timestamp),
  );
  return { ...state, ...from, gaps: [unknown, ...state.gaps] };
}

function withGap(state: SymbolState, noted: GapState): SymbolState {
  // It is told of repeatedly, and told gaps are apart but for those that were merged.
  if (state.gaps.some((gap) => gap.opened_us !== null && overlaps(gap, noted))) return state;
  const begun = noted.from_id < state.from_id ? withCoverageOf(state, noted) : state;
  const reached = withHead(begun, noted);
  const others = reached.gaps.flatMap((gap) => without(gap, noted));
  const gap = { ...noted, remaining: [rangeOf(noted)], is_told: false as const };
  const gaps = [...others, gap].sort((one, other) => one.from_id - other.from_id);
  return { ...reached, gaps };
}

/** The state, its coverage begun at a gap from before it. */
function withCoverageOf(state: SymbolState, noted: GapState): SymbolState {
  const { from_id, from_timestamp } = noted;
  return withCoverage(state, state, { kind: "coverage", from_id, from_timestamp });
}

/** The state, its head moved to a gap's end; the trade after the gap is not known to be taken. */
function withHead(state: SymbolState, noted: GapState): SymbolState {
  if (noted.to_id <= state.head_id) return state;
  const skipped = { from_id: state.head_id + 1, to_id: noted.to_id };
  const time = times(state.head_timestamp, noted.from_timestamp);
  return {
    ...state,
    head_id: noted.to_id,
    head_timestamp: noted.from_timestamp,
    gaps: [...state.gaps, unknownGap(skipped, time)],
  };
}

/** What is left of a gap within its grace without the ids of a noted one. */
function without(gap: GapState, noted: IdRange): readonly GapState[] {
  if (gap.opened_us !== null) return [gap];
  return withoutRange([rangeOf(gap)], noted).map((range) => ({
    ...gap,
    ...range,
    remaining: [range],
  }));
}

function unknownGap(range: IdRange, time: ReturnType<typeof times>): GapState {
  return {
    ...range,
    ...time,
    found_by: "suspected_jump",
    opened_us: null,
    remaining: [range],
    absent: [],
    unfillable: [],
  };
}

function gapOf(event: FeedEvent): unknown {
  const { from_id, to_id, from_timestamp, to_timestamp, found_by, timestamp } = event;
  return {
    from_id,
    to_id,
    from_timestamp,
    to_timestamp,
    found_by,
    opened_us: timestamp,
    remaining: [],
    absent: [],
    unfillable: [],
  };
}

function rangeOf({ from_id, to_id }: IdRange): IdRange {
  return { from_id, to_id };
}

function overlaps(one: IdRange, other: IdRange): boolean {
  return one.from_id <= other.to_id && other.from_id <= one.to_id;
}
