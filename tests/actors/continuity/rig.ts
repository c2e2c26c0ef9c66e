/**
 * A continuity with clocks that a test moves and events that it reads.
 *
 * @module
 */

import {
  Continuity,
  type Positions,
  type SymbolState,
} from "../../../actors/continuity/continuity.ts";
import type { FeedEvent } from "../../../actors/messages.ts";

/** Exchange time of a trade in these tests: it grows with the id. */
export function timeOf(id: number): number {
  return 1_700_000_000_000_000 + id * 1_000;
}

/** One symbol's continuity and what it says. */
export function createRig(
  options: {
    readonly restored?: SymbolState | null;
    readonly are_ids_dense?: boolean;
    readonly gap_grace_ms?: number;
    readonly positions?: Positions;
  } = {},
) {
  const events: FeedEvent[] = [];
  let now_ms = 50_000;
  let is_refusing = false;
  const continuity = new Continuity({
    exchange: "binance",
    native_symbol: "BTCUSDT",
    are_ids_dense: options.are_ids_dense ?? true,
    gap_grace_ms: options.gap_grace_ms ?? 1_000,
    positions: options.positions ?? { mark: () => 0, settled_through: 0 },
    emit: (event) => {
      if (is_refusing) throw new Error("full");
      events.push(event);
    },
    now_us: () => 1_800_000_000_000_000 + now_ms * 1_000,
    now_ms: () => now_ms,
    restored: options.restored ?? null,
  });
  /** Gives trades as a normalizer does; returns those that are sent. */
  function take(...ids: readonly number[]): number[] {
    return ids.filter((id) => {
      const verdict = continuity.judge(String(id));
      if (verdict !== "new") {
        continuity.dismiss(verdict);
        return false;
      }
      continuity.observe({ trade_id: String(id), timestamp: timeOf(id) });
      return true;
    });
  }
  return {
    continuity,
    events,
    take,
    /** Events since the last call, short: `gap_opened 3-5`. */
    said(): string[] {
      return events.splice(0).map(short);
    },
    pass(ms: number): void {
      now_ms += ms;
      continuity.openOverdue();
    },
    refuse(): void {
      is_refusing = true;
    },
    accept(): void {
      is_refusing = false;
    },
    /** The ids that are missing, told of or not. */
    missing(): number[] {
      const gaps = continuity.state()?.gaps ?? [];
      return gaps
        .flatMap(({ remaining }) => remaining)
        .flatMap(({ from_id, to_id }) => idsFrom(from_id, to_id));
    },
  };
}

/** All ids from one to another, inclusive. */
export function idsFrom(from_id: number, to_id: number): number[] {
  return Array.from({ length: to_id - from_id + 1 }, (_, index) => from_id + index);
}

/** An event in a few words. */
export function short(event: FeedEvent): string {
  if (event.event === "coverage") return `coverage ${event.from_id}`;
  if (event.event === "confirmed") return `confirmed ${event.through_id}`;
  return `${event.event} ${event.from_id}-${event.to_id}`;
}
