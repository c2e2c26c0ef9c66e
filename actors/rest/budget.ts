/**
 * What an exchange still allows this address: requests by their weight, or connection attempts.
 *
 * Whoever exceeds a limit is banned, and a ban outlives the process, so a budget is one plain
 * object per exchange that outlives every actor, is told of each request before it leaves, and has
 * each spending written down (`kept_budgets.ts`). Windows slide: no stretch of `window_ms`, however
 * it is laid, holds more than `weight_max`, which is stricter than the fixed windows of exchanges.
 *
 * @module
 */

import type { BudgetRule } from "../exchanges/adapter.ts";
import type { Figures } from "../messages.ts";
import { retry_after_ms_max } from "./backoff.ts";

/** Requests of one moment, together. */
export interface Spending {
  /** Monotonic clock, milliseconds. */
  readonly at_ms: number;
  readonly weight: number;
}

/** All that a budget remembers, on its own clock. */
export interface BudgetState {
  /** Ascending by `at_ms`; only what some window still holds. */
  readonly spent: readonly Spending[];
  /** Nothing may be asked before this instant; null where nothing is blocked. */
  readonly blocked_until_ms: number | null;
}

/** Spendings that lie closer together than a hundredth of the shortest window are one. */
interface Bucket {
  readonly first_ms: number;
  last_ms: number;
  weight: number;
}

const buckets_per_window = 100;

/** What an exchange allows within sliding windows, all rules at once. Knows no timers. */
export class Budget {
  readonly #rules: readonly BudgetRule[];
  readonly #now_ms: () => number;
  readonly #onChange: (state: BudgetState) => void;
  readonly #bucket_ms: number;
  readonly #window_ms_max: number;
  #buckets: Bucket[] = [];
  #blocked_until_ms = Number.NEGATIVE_INFINITY;

  /**
   * @param options.rules All of them must have room. The exchange's own count (`adopt`) is about
   *   the first.
   * @param options.now_ms Monotonic clock, milliseconds.
   * @param options.spent What was spent before; an instant of the future counts as now.
   * @param options.blocked_until_ms Until when nothing may be asked, on the same clock.
   * @param options.onChange Called before `spend`, `adopt` and `blockFor` return.
   * @throws {RangeError} for a rule without room or window.
   */
  constructor(options: {
    readonly rules: readonly BudgetRule[];
    now_ms(): number;
    readonly spent?: readonly Spending[];
    readonly blocked_until_ms?: number | null;
    onChange?(state: BudgetState): void;
  }) {
    const { rules, spent = [], blocked_until_ms = null } = options;
    for (const { weight_max, window_ms } of rules) {
      if (weight_max > 0 && window_ms > 0) continue;
      throw new RangeError(`A rule must have room in a window: ${weight_max} in ${window_ms} ms`);
    }
    this.#rules = rules;
    this.#now_ms = () => options.now_ms();
    this.#onChange = (state) => options.onChange?.(state);
    const windows_ms = rules.map(({ window_ms }) => window_ms);
    this.#bucket_ms = Math.min(...windows_ms) / buckets_per_window;
    this.#window_ms_max = Math.max(...windows_ms);
    const now_ms = this.#now_ms();
    const past = spent.map(({ at_ms, weight }) => ({ at_ms: Math.min(at_ms, now_ms), weight }));
    past.sort((left, right) => left.at_ms - right.at_ms);
    for (const { at_ms, weight } of past) this.#add(at_ms, weight);
    if (blocked_until_ms === null) return;
    this.#blocked_until_ms = Math.min(blocked_until_ms, now_ms + retry_after_ms_max);
  }

  /**
   * Milliseconds until `weight` may be spent; 0: now. Never more than it takes, and whoever has
   * waited asks again, since others may have spent meanwhile.
   *
   * @throws {RangeError} for a weight that no window has room for.
   */
  waitMs(weight: number): number {
    const now_ms = this.#now_ms();
    let wait_ms = Math.max(0, this.#blocked_until_ms - now_ms);
    for (const rule of this.#rules) wait_ms = Math.max(wait_ms, this.#waitMs(rule, weight, now_ms));
    return Math.ceil(wait_ms);
  }

  /**
   * Notes a request that leaves now.
   *
   * @throws {Error} where there is no room: `waitMs` is to be asked first.
   */
  spend(weight: number): void {
    const wait_ms = this.waitMs(weight);
    if (wait_ms > 0) throw new Error(`Cannot spend ${weight}: there is room in ${wait_ms} ms`);
    this.#forget();
    this.#add(this.#now_ms(), weight);
    this.#onChange(this.state());
  }

  /**
   * Takes over the exchange's own count where it is higher: others may share this address.
   *
   * @param used Weight used up in the current window of the first rule.
   */
  adopt(used: number): void {
    const [rule] = this.#rules;
    const unknown = rule === undefined ? 0 : used - this.used(rule);
    if (!(unknown > 0)) return;
    this.#forget();
    this.#add(this.#now_ms(), unknown);
    this.#onChange(this.state());
  }

  /** Nothing may be asked for `ms` from now, at most three days; a longer block stays. */
  blockFor(ms: number): void {
    const until_ms = this.#now_ms() + Math.min(Math.max(0, ms), retry_after_ms_max);
    if (until_ms <= this.#blocked_until_ms) return;
    this.#blocked_until_ms = until_ms;
    this.#forget();
    this.#onChange(this.state());
  }

  /** Weight spent within the rule's window that ends now. */
  used(rule: BudgetRule): number {
    const now_ms = this.#now_ms();
    let used = 0;
    for (const bucket of this.#buckets) {
      if (now_ms - bucket.last_ms <= rule.window_ms) used += bucket.weight;
    }
    return used;
  }

  /** Milliseconds for which nothing may be asked, whatever has room; 0: not blocked. */
  blockedMs(): number {
    return Math.ceil(Math.max(0, this.#blocked_until_ms - this.#now_ms()));
  }

  /** All that it remembers, for the store. */
  state(): BudgetState {
    const spent = this.#buckets.map(({ last_ms, weight }) => ({ at_ms: last_ms, weight }));
    return { spent, blocked_until_ms: this.blockedMs() > 0 ? this.#blocked_until_ms : null };
  }

  /** For the status tree: `weight_used` and `weight_max` of the fullest rule, `blocked_s`. */
  figures(): Figures {
    let fullest = { weight_used: 0, weight_max: this.#rules[0]?.weight_max ?? 0 };
    for (const rule of this.#rules) {
      const weight_used = this.used(rule);
      if (weight_used / rule.weight_max <= fullest.weight_used / fullest.weight_max) continue;
      fullest = { weight_used, weight_max: rule.weight_max };
    }
    return { ...fullest, blocked_s: Math.ceil(this.blockedMs() / 1_000) };
  }

  #waitMs(rule: BudgetRule, weight: number, now_ms: number): number {
    if (weight > rule.weight_max) {
      throw new RangeError(`Cannot ever spend ${weight}: the budget is ${rule.weight_max}`);
    }
    let excess = this.used(rule) + weight - rule.weight_max;
    if (excess <= 0) return 0;
    for (const { last_ms, weight: leaving } of this.#buckets) {
      if (now_ms - last_ms > rule.window_ms) continue;
      excess -= leaving;
      // One more, because a window that begins with the one request may end with the other.
      if (excess <= 0) return last_ms + rule.window_ms + 1 - now_ms;
    }
    return rule.window_ms;
  }

  #add(at_ms: number, weight: number): void {
    const last = this.#buckets.at(-1);
    if (last !== undefined && at_ms - last.first_ms < this.#bucket_ms) {
      // All of it counts from the last one on: a little longer than needed, never shorter.
      last.last_ms = Math.max(last.last_ms, at_ms);
      last.weight += weight;
    } else {
      this.#buckets.push({ first_ms: at_ms, last_ms: at_ms, weight });
    }
  }

  #forget(): void {
    const now_ms = this.#now_ms();
    this.#buckets = this.#buckets.filter(({ last_ms }) => now_ms - last_ms <= this.#window_ms_max);
  }
}
