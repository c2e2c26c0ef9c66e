/**
 * What time it is at the exchange, told from the times in its own messages.
 *
 * The samples are held against our monotonic clock, never against the wall clock: a wall clock that
 * is set anew while we run then changes nothing here but the figure that shows how far it is off.
 * The median of the last few samples is taken, because one that was held up on its way says little.
 *
 * @module
 */

const samples_max = 9;

/** An exchange's clock as one connection sees it. Instants of ours come in as arguments. */
export class ExchangeClock {
  /** Exchange time minus our monotonic time, microseconds, the newest last. */
  readonly #samples_us: number[] = [];
  /** Our wall clock minus our monotonic clock when this was made, until the exchange says more. */
  readonly #assumed_us: number;

  /**
   * @param now.wall_us Wall clock, microseconds since 1970.
   * @param now.monotonic_ms The same instant on the monotonic clock.
   */
  constructor(now: { readonly wall_us: number; readonly monotonic_ms: number }) {
    this.#assumed_us = now.wall_us - now.monotonic_ms * 1_000;
  }

  /** The exchange's clock showed `exchange_us`, microseconds since 1970, at `at_ms` of ours. */
  add(exchange_us: number, at_ms: number): void {
    if (this.#samples_us.length >= samples_max) this.#samples_us.shift();
    this.#samples_us.push(exchange_us - at_ms * 1_000);
  }

  /** The exchange's time at `at_ms` of our monotonic clock, microseconds since 1970. */
  timeAt(at_ms: number): number {
    return Math.round((this.#median() ?? this.#assumed_us) + at_ms * 1_000);
  }

  /** How far the exchange's clock is ahead of our wall clock, ms; null before a first sample. */
  offsetMs(now: { readonly wall_us: number; readonly monotonic_ms: number }): number | null {
    const median_us = this.#median();
    if (median_us === null) return null;
    return Math.round((median_us + now.monotonic_ms * 1_000 - now.wall_us) / 1_000);
  }

  #median(): number | null {
    const sorted = this.#samples_us.toSorted((left, right) => left - right);
    return sorted[Math.floor(sorted.length / 2)] ?? null;
  }
}
