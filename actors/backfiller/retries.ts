/**
 * What did not work, and when it may be tried again. One table for the exchange as a whole, a
 * symbol, and a single piece of work, since a busy exchange is no reason to give up a gap and a
 * gap that REST does not show yet is no reason to leave the exchange alone.
 *
 * @module
 */

import { backoffMs } from "../rest/backoff.ts";

/** Why something did not work. */
export interface Failure {
  /** One clause without a full stop. */
  readonly reason: string;
  /** Asking again soon cannot help: somebody has to change something first. */
  readonly is_terminal: boolean;
  /** What the exchange asked us to wait, milliseconds, else null. */
  readonly retry_after_ms: number | null;
}

/** Something that did not work. */
export interface Retry extends Failure {
  /** How often in a row. */
  readonly attempts: number;
  /** Monotonic clock, milliseconds. */
  readonly not_before_ms: number;
}

/** From a second, since REST lags the socket by seconds, to a minute. */
const retry_backoff = { base_ms: 1_000, cap_ms: 60_000 };
/** Full jitter may say at once; a page that has just been looked at is not new at once. */
const retry_ms_min = 250;
/** Until what a person has to change is looked at again. */
const terminal_ms_min = 5 * 60_000;

/** A failure that passes by itself. */
export function passing(reason: string): Failure {
  return { reason, is_terminal: false, retry_after_ms: null };
}

/** The table. Keys are the caller's. */
export class Retries {
  readonly #retries = new Map<string, Retry>();
  readonly #random: () => number;
  readonly #now_ms: () => number;

  /** @param options.now_ms Monotonic clock, milliseconds. */
  constructor(options: { random(): number; now_ms(): number }) {
    this.#random = () => options.random();
    this.#now_ms = () => options.now_ms();
  }

  get(key: string): Retry | undefined {
    return this.#retries.get(key);
  }

  /** Whether it may be tried now. */
  isDue(key: string): boolean {
    return this.waitMs(key) === 0;
  }

  /** Milliseconds until it may be tried; 0: now. */
  waitMs(key: string): number {
    const retry = this.#retries.get(key);
    return retry === undefined ? 0 : Math.ceil(Math.max(0, retry.not_before_ms - this.#now_ms()));
  }

  fail(key: string, failure: Failure): void {
    const attempts = (this.#retries.get(key)?.attempts ?? 0) + 1;
    const backoff_ms = backoffMs(attempts, { ...retry_backoff, random: this.#random });
    const least_ms = failure.is_terminal ? terminal_ms_min : Math.max(retry_ms_min, backoff_ms);
    const wait_ms = Math.max(least_ms, failure.retry_after_ms ?? 0);
    // The newest failure stands last.
    this.#retries.delete(key);
    this.#retries.set(key, { ...failure, attempts, not_before_ms: this.#now_ms() + wait_ms });
  }

  succeed(key: string): void {
    this.#retries.delete(key);
  }

  /** Most failures in a row of anything. */
  get attempts_max(): number {
    return Math.max(0, ...[...this.#retries.values()].map(({ attempts }) => attempts));
  }

  /** Why the newest failure of what is still to be done came about; null where all is well. */
  get last_reason(): string | null {
    return [...this.#retries.values()].at(-1)?.reason ?? null;
  }

  /** What somebody has to change, of whatever waits for it; else null. */
  get terminal_reason(): string | null {
    return [...this.#retries.values()].find(({ is_terminal }) => is_terminal)?.reason ?? null;
  }

  /** Forgets whatever is no longer to be done. */
  keepOnly(keys: ReadonlySet<string>): void {
    for (const key of this.#retries.keys()) if (!keys.has(key)) this.#retries.delete(key);
  }
}
