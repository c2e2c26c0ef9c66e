/**
 * Budgets that write themselves down, so that a process that is started again does not ask as if
 * it had never asked: exchanges count by address, and ban it. A spending is written before its
 * request leaves. Where the rows stand is the caller's (`budget_store.ts`).
 *
 * A disk that refuses stops nothing, as the budget still counts in memory: it is said once. Only a
 * process that is started again within the window would know too little.
 *
 * The rows hold the wall clock's times, because the monotonic clock begins anew with the machine.
 * Where the wall clock was set back meanwhile, a spending of the future counts as just made and a
 * block as only begun, so that neither a rule is broken nor an exchange shunned for years.
 *
 * @module
 */

import type { BudgetRule } from "../exchanges/adapter.ts";
import { reasonOf } from "../settings/exit.ts";
import type { Log } from "../settings/log.ts";
import { retry_after_ms_max } from "./backoff.ts";
import { Budget, type BudgetState, type Spending } from "./budget.ts";

/** The two clocks, both in milliseconds. */
export interface BudgetClocks {
  /** Monotonic: what budgets count on. */
  now_ms(): number;
  /** Wall clock, since 1970: what the rows hold. */
  wall_ms(): number;
}

/** What a budget is about: requests, or connection attempts. */
export type BudgetName = "rest" | "connections";

/** One budget as it is written down; times on the wall clock, milliseconds. */
export interface BudgetRow {
  /** JSON: pairs of time and weight. */
  readonly spent: string;
  readonly blocked_until_ms: number | null;
  readonly written_ms: number;
}

/** Where the rows stand. Each call may throw where the disk refuses. */
export interface BudgetRows {
  read(exchange: string, name: BudgetName): BudgetRow | null;
  write(exchange: string, name: BudgetName, row: BudgetRow): void;
  close(): void;
}

/** The budgets of a data directory. */
export interface BudgetStore {
  /**
   * The budget of an exchange's requests (`rest`) or connection attempts (`connections`), with
   * what is written down of it. To be opened once: it writes itself down with each change.
   */
  open(exchange: string, name: BudgetName, rules: readonly BudgetRule[]): Budget;
  close(): void;
}

/** Budgets over rows. */
export function keepBudgets(
  rows: BudgetRows,
  clocks: BudgetClocks,
  log: Pick<Log, "info" | "warn">,
): BudgetStore {
  let is_refused = false;
  return {
    open(exchange, name, rules) {
      const row = rows.read(exchange, name);
      return new Budget({
        rules,
        now_ms: () => clocks.now_ms(),
        ...(row === null ? {} : restored(row, clocks)),
        onChange(state) {
          try {
            rows.write(exchange, name, onWallClock(state, clocks));
          } catch (error) {
            if (!is_refused) log.warn(`Cannot write down request budgets: ${reasonOf(error)}`);
            is_refused = true;
            return;
          }
          if (is_refused) log.info("Writes down request budgets again");
          is_refused = false;
        },
      });
    },
    close: () => rows.close(),
  };
}

/** A state with the wall clock's times. */
function onWallClock({ spent, blocked_until_ms }: BudgetState, clocks: BudgetClocks): BudgetRow {
  const written_ms = clocks.wall_ms();
  const ahead_ms = written_ms - clocks.now_ms();
  // Rounded up: a spending may count longer than it must, never shorter.
  const pairs = spent.map(({ at_ms, weight }) => [Math.ceil(at_ms + ahead_ms), weight]);
  return {
    spent: JSON.stringify(pairs),
    blocked_until_ms: blocked_until_ms === null ? null : blocked_until_ms + ahead_ms,
    written_ms,
  };
}

/** The same, back on the monotonic clock. */
function restored(row: BudgetRow, clocks: BudgetClocks): BudgetState {
  const wall_ms = clocks.wall_ms();
  const now_ms = clocks.now_ms();
  const spent = readSpent(row.spent).map(({ at_ms, weight }) => ({
    at_ms: now_ms - Math.max(0, wall_ms - at_ms),
    weight,
  }));
  if (row.blocked_until_ms === null) return { spent, blocked_until_ms: null };
  const block_ms = Math.min(row.blocked_until_ms - row.written_ms, retry_after_ms_max);
  const left_ms = Math.min(row.blocked_until_ms - wall_ms, block_ms);
  return { spent, blocked_until_ms: left_ms > 0 ? now_ms + left_ms : null };
}

function readSpent(text: string): readonly Spending[] {
  const pairs: unknown = JSON.parse(text);
  if (!Array.isArray(pairs)) return [];
  return pairs.flatMap((pair: unknown) => {
    if (!Array.isArray(pair)) return [];
    const [at_ms, weight]: readonly unknown[] = pair;
    return typeof at_ms === "number" && typeof weight === "number" ? [{ at_ms, weight }] : [];
  });
}
