/**
 * What is stored and confirmed, and when it may be: a checkpoint is what was true of every symbol
 * when the outbox stood at a position, and it is used only once everything up to there is settled.
 * One checkpoint waits at a time; with the broker away for hours it is still one.
 *
 * @module
 */

import { feedEvent } from "../../schemas/mod.ts";
import { defineFigures, isoTimeOrNull } from "../figures.ts";
import type { Figures, RecordSink } from "../messages.ts";
import { reasonOf } from "../settings/exit.ts";
import type { Log } from "../settings/log.ts";
import type { Continuity, Positions, SymbolState } from "./continuity.ts";
import type { ContinuityStore } from "./continuity_store.ts";

/** What checkpoints are taken of, and where they go. */
export interface CheckpointsInput {
  /** Every symbol's, asked for anew each time, as symbols may be added. */
  readonly continuities: () => readonly Continuity[];
  readonly positions: Positions;
  readonly sink: Pick<RecordSink, "addEvent">;
  readonly store: Pick<ContinuityStore, "writeStates" | "noted_through">;
  /** Wall clock, microseconds since 1970. */
  readonly now_us: () => number;
  readonly log: Log;
}

type Confirmable = NonNullable<ReturnType<Continuity["confirmable"]>>;

/** What was true at a position. */
interface Checkpoint {
  readonly position: number;
  readonly noted_through: number;
  /** Of the symbols whose states differ from what is stored. */
  readonly states: readonly SymbolState[];
  readonly revisions: ReadonlyMap<Continuity, number>;
  readonly confirmables: ReadonlyMap<Continuity, Confirmable>;
}

/** The checkpoints of all symbols. */
export class Checkpoints {
  readonly #input: CheckpointsInput;
  /** Revisions of what is stored. */
  #stored: ReadonlyMap<Continuity, number> = new Map();
  #waiting: Checkpoint | null = null;
  /** What may be confirmed. */
  #settled: Checkpoint["confirmables"] = new Map();
  readonly #confirmed = new Map<Continuity, Confirmable>();
  #stored_us: number | null = null;
  #refusal: string | null = null;

  constructor(input: CheckpointsInput) {
    this.#input = input;
  }

  /** Whether a checkpoint waits for the broker. */
  get is_waiting(): boolean {
    return this.#waiting !== null;
  }

  /** Takes a checkpoint, unless one waits. */
  take(): void {
    if (this.#waiting !== null) return;
    const { continuities, positions, store } = this.#input;
    const revisions = new Map<Continuity, number>();
    const confirmables = new Map<Continuity, Confirmable>();
    const states: SymbolState[] = [];
    for (const one of continuities()) {
      revisions.set(one, one.revision);
      const confirmable = one.confirmable();
      if (confirmable !== null) confirmables.set(one, confirmable);
      const state = this.#stored.get(one) === one.revision ? null : one.state();
      if (state !== null) states.push(state);
    }
    const { noted_through } = store;
    const position = positions.mark();
    this.#waiting = { position, noted_through, states, revisions, confirmables };
  }

  /** Gives up the checkpoint that waits: one that is taken now says more. */
  forget(): void {
    this.#waiting = null;
  }

  /** Stores the checkpoint that waits, once the broker has everything up to it. */
  settle(): void {
    const { log, now_us, positions, store } = this.#input;
    const checkpoint = this.#waiting;
    if (checkpoint === null || positions.settled_through < checkpoint.position) return;
    const { confirmables, noted_through, revisions, states } = checkpoint;
    this.#waiting = null;
    this.#settled = confirmables;
    try {
      if (states.length > 0) store.writeStates(states, noted_through);
    } catch (error) {
      const reason = reasonOf(error);
      if (this.#refusal === null) {
        log.warn(`Cannot store what is missing, tries again: ${reason}`);
      }
      this.#refusal = reason;
      return;
    }
    if (this.#refusal !== null) log.info("Stores again what is missing");
    this.#refusal = null;
    this.#stored_us = now_us();
    this.#stored = revisions;
  }

  /** Confirms what is settled and further than before. */
  confirm(): void {
    const { now_us, sink } = this.#input;
    for (const [one, confirmable] of this.#settled) {
      const before = this.#confirmed.get(one);
      if (before !== undefined && !isFurther(confirmable, before)) continue;
      const { exchange, native_symbol } = one;
      const symbol = { exchange, native_symbol, timestamp: now_us() };
      try {
        sink.addEvent(feedEvent({ event: "confirmed", ...symbol, ...confirmable }));
      } catch {
        // The outbox is full, or not prepared yet; a later confirmation says all of this one.
        return;
      }
      this.#confirmed.set(one, confirmable);
    }
  }

  /** Puts figures on the status tree that are worked out when it is shown. */
  showIn(figures: Figures): void {
    const { continuities, now_us } = this.#input;
    const all = (name: string) => continuities().map((one) => one.figures[name] ?? null);
    defineFigures(figures, {
      symbols: () => continuities().length,
      gaps_open: () => sumOf(all("gaps_open")),
      ids_missing: () => sumOf(all("ids_missing")),
      oldest_gap_at: () => earliest(all("oldest_gap_at")),
      last_checkpoint_at: () => isoTimeOrNull(this.#stored_us),
      confirmed_behind_s: () => behindOf([...this.#confirmed.values()], now_us()),
      store_error: () => this.#refusal,
    });
  }
}

function isFurther(one: Confirmable, other: Confirmable): boolean {
  if (one.through_timestamp < other.through_timestamp) return false;
  return one.through_id > other.through_id || one.through_timestamp > other.through_timestamp;
}

/** How far behind the clock the symbol that is furthest behind is confirmed. */
function behindOf(confirmed: readonly Confirmable[], now_us: number): number | null {
  if (confirmed.length === 0) return null;
  const oldest = Math.min(...confirmed.map(({ through_timestamp }) => through_timestamp));
  return Math.round((now_us - oldest) / 1_000) / 1_000;
}

function sumOf(values: readonly unknown[]): number {
  return values.reduce<number>((sum, one) => sum + (typeof one === "number" ? one : 0), 0);
}

function earliest(values: readonly unknown[]): string | null {
  return values.filter((one) => typeof one === "string").sort()[0] ?? null;
}
