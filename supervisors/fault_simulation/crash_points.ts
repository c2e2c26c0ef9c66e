/**
 * Where a process can be hit: every call across an injected effect is counted, and at some of them
 * the call throws, the process is killed, or the power goes, before the call has done anything or
 * right after. After its death a process may run on to its next turn, but nothing that it calls
 * does anything any more.
 *
 * @module
 */

import type { Random } from "./random.ts";

/** How often calls are hit: after how many of them, at the least and at the most. */
export interface Hits {
  readonly throw_every: readonly [number, number] | null;
  readonly kill_every: readonly [number, number] | null;
  /** Of the kills, those that are power cuts. */
  readonly power_cut_share: number;
}

/** Nothing is hit. */
export const unhurt: Hits = { throw_every: null, kill_every: null, power_cut_share: 0 };

/** A call that was made to throw. */
export class CallFailed extends Error {
  override readonly name = "CallFailed";
}

/** A call of a process that is dead. */
export class ProcessDead extends Error {
  override readonly name = "ProcessDead";
}

/** How a process died. */
export type Death = "kill" | "power_cut";

/** Counts the calls of one process. */
export class CrashPoints {
  readonly #random: Random;
  readonly #hits: () => Hits;
  readonly #note: (line: string) => void;
  readonly #die: (death: Death) => void;
  readonly #isAlive: () => boolean;
  #calls_to_throw: number;
  #calls_to_kill: number;

  constructor(options: {
    readonly random: Random;
    /** As they are now. */
    readonly hits: () => Hits;
    readonly note: (line: string) => void;
    readonly isAlive: () => boolean;
    readonly die: (death: Death) => void;
  }) {
    const { die, hits, isAlive, note, random } = options;
    this.#random = random;
    this.#hits = hits;
    this.#note = note;
    this.#die = die;
    this.#isAlive = isAlive;
    this.#calls_to_throw = this.#next(hits().throw_every);
    this.#calls_to_kill = this.#next(hits().kill_every);
  }

  /**
   * Makes one call.
   *
   * @param failing.canThrow Whether the real call could throw too, or stands for one that can.
   * @throws {CallFailed|ProcessDead}
   */
  call<Result>(
    what: string,
    failing: { readonly can_throw: boolean },
    perform: () => Result,
  ): Result {
    if (!this.#isAlive()) throw new ProcessDead(what);
    const { kill_every, power_cut_share, throw_every } = this.#hits();
    if (throw_every !== null && failing.can_throw) {
      this.#calls_to_throw -= 1;
      if (this.#calls_to_throw <= 0) {
        this.#calls_to_throw = this.#next(throw_every);
        this.#note(`${what} throws`);
        throw new CallFailed(`${what} was made to fail`);
      }
    }
    if (kill_every === null) return perform();
    this.#calls_to_kill -= 1;
    if (this.#calls_to_kill > 0) return perform();
    const death = this.#random.chance(power_cut_share) ? "power_cut" : "kill";
    const is_performed = this.#random.chance(0.5);
    if (is_performed) forget(perform());
    this.#note(`${death} ${is_performed ? "after" : "before"} ${what}`);
    this.#die(death);
    throw new ProcessDead(what);
  }

  #next(every: readonly [number, number] | null): number {
    return every === null ? Number.POSITIVE_INFINITY : Math.ceil(this.#random.magnitude(...every));
  }
}

/** What a call of the dead comes to is nobody's business, a refusal included. */
function forget(result: unknown): void {
  if (result instanceof Promise) result.catch(() => {});
}
