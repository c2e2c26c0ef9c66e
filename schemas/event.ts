/**
 * The record of the events topic, and its making: an event speaks of few of its fields, and the
 * others are null.
 *
 * @module
 */

/** The kinds of events. A closed list: tables and metrics count by it. */
export const event_kinds = [
  "session_opened",
  "session_closed",
  "gap_opened",
  "gap_filled",
  "gap_absent",
  "gap_unfillable",
  "confirmed",
  "coverage",
  "subscription_refused",
  "symbol_halted",
] as const;

/** One of `event_kinds`. */
export type EventKind = (typeof event_kinds)[number];

/** Trade ids from `from_id` to `to_id`, both inclusive. */
export interface IdRange {
  readonly from_id: number;
  readonly to_id: number;
}

/** Fields of `event.avsc`, where each has its doc. */
export interface EventRecord {
  readonly event: EventKind;
  readonly exchange: string;
  readonly native_symbol: string | null;
  readonly timestamp: number;
  readonly reason: string | null;
  readonly connection_id: string | null;
  readonly url: string | null;
  readonly gap_id: string | null;
  readonly from_id: number | null;
  readonly to_id: number | null;
  readonly from_timestamp: number | null;
  readonly to_timestamp: number | null;
  readonly remaining: readonly IdRange[] | null;
  readonly absent: readonly IdRange[] | null;
  readonly unfillable: readonly IdRange[] | null;
  readonly found_by: string | null;
  readonly through_id: number | null;
  readonly through_timestamp: number | null;
}

const blank = {
  native_symbol: null,
  reason: null,
  connection_id: null,
  url: null,
  gap_id: null,
  from_id: null,
  to_id: null,
  from_timestamp: null,
  to_timestamp: null,
  remaining: null,
  absent: null,
  unfillable: null,
  found_by: null,
  through_id: null,
  through_timestamp: null,
} as const;

/** An event whose other fields are null. */
export function feedEvent(
  said: Pick<EventRecord, "event" | "exchange" | "timestamp"> & Partial<EventRecord>,
): EventRecord {
  return { ...blank, ...said };
}
