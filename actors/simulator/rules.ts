/**
 * How the exchanges judge their clients: allowances of events in time, memories of final refusals,
 * and the book in which every broken rule is counted with what was seen. Exchanges enforce their
 * rules where they know them; what they find goes into the one book, so that a test can ask
 * whether a client has ever misbehaved.
 *
 * @module
 */

/** After a final refusal, asking again earlier than this is a loop. */
const refusal_memory_us = 60_000_000;
/** Of the symbols remembered; the oldest is forgotten first. */
const refusals_max = 1_000;

/** How often something may happen. */
export interface Limit {
  /** Counts one event; whether it was one too many. */
  exceeds(now_us: number): boolean;
}

/** So many events at once, refilled at a steady rate: a token bucket that starts full. */
export class Allowance implements Limit {
  readonly #burst: number;
  readonly #per_second: number;
  #left: number;
  #told_us = 0;

  constructor(options: { readonly burst: number; readonly per_second: number }) {
    this.#burst = options.burst;
    this.#per_second = options.per_second;
    this.#left = options.burst;
  }

  exceeds(now_us: number): boolean {
    const refilled = (Math.max(0, now_us - this.#told_us) / 1_000_000) * this.#per_second;
    this.#left = Math.min(this.#burst, this.#left + refilled);
    this.#told_us = now_us;
    if (this.#left < 1) return true;
    this.#left -= 1;
    return false;
  }
}

/** So many events within any window of time, counted exactly. */
export class SlidingWindow implements Limit {
  readonly #events_max: number;
  readonly #window_us: number;
  readonly #times: number[] = [];

  constructor(options: { readonly events_max: number; readonly window_us: number }) {
    this.#events_max = options.events_max;
    this.#window_us = options.window_us;
  }

  exceeds(now_us: number): boolean {
    const times = this.#times;
    while (times.length > 0 && now_us - (times[0] ?? 0) >= this.#window_us) times.shift();
    times.push(now_us);
    if (times.length <= this.#events_max) return false;
    times.shift();
    return true;
  }
}

/** Which symbols an exchange has refused for good, and when. */
export class Refusals {
  readonly #refused_us = new Map<string, number>();

  /** Notes a final refusal; whether the same symbol was refused within the last minute. */
  isRepeated(symbol: string, now_us: number): boolean {
    const before_us = this.#refused_us.get(symbol);
    this.#refused_us.delete(symbol);
    this.#refused_us.set(symbol, now_us);
    const [oldest] = this.#refused_us.keys();
    if (this.#refused_us.size > refusals_max && oldest !== undefined)
      this.#refused_us.delete(oldest);
    return before_us !== undefined && now_us - before_us < refusal_memory_us;
  }
}

/** Counts of broken rules and of what was seen, by name. */
export class RuleBook {
  readonly #broken = new Map<string, number>();
  readonly #seen = new Map<string, number>();
  readonly #last_us = new Map<string, number>();
  readonly #onBroken: (rule: string) => void;

  /** @param onBroken Hears of each broken rule at once. */
  constructor(onBroken: (rule: string) => void = ignore) {
    this.#onBroken = onBroken;
  }

  /** Counts broken rules. */
  judge(broken: readonly string[] | undefined, now_us: number): void {
    for (const rule of broken ?? []) {
      this.#onBroken(rule);
      count(this.#broken, rule);
      this.#last_us.set(rule, now_us);
    }
  }

  /** Counts something that breaks no rule. */
  see(what: string, times = 1): void {
    count(this.#seen, what, times);
  }

  /** As `/simulator/rules` tells it: only rules that were broken are named. */
  report(): Record<string, unknown> {
    let total = 0;
    for (const times of this.#broken.values()) total += times;
    return {
      broken: Object.fromEntries(this.#broken),
      total,
      last_us: Object.fromEntries(this.#last_us),
      seen: Object.fromEntries(this.#seen),
    };
  }
}

function ignore(): void {}

function count(counts: Map<string, number>, name: string, times = 1): void {
  counts.set(name, (counts.get(name) ?? 0) + times);
}
