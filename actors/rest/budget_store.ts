/**
 * Budgets on disk, so that a process that is started again does not ask as if it had never asked:
 * exchanges count by address, and ban it. A spending is written before its request leaves.
 *
 * A disk that refuses stops nothing, as the budget still counts in memory: it is said once. Only a
 * process that is started again within the window would know too little.
 *
 * The file holds the wall clock's times, because the monotonic clock begins anew with the machine.
 * Where the wall clock was set back meanwhile, a spending of the future counts as just made and a
 * block as only begun, so that neither a rule is broken nor an exchange shunned for years.
 *
 * @module
 */

import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { BudgetRule } from "../exchanges/adapter.ts";
import { FailureError, reasonOf } from "../settings/exit.ts";
import type { Log } from "../settings/log.ts";
import { retry_after_ms_max } from "./backoff.ts";
import { Budget, type BudgetState, type Spending } from "./budget.ts";

/** The two clocks, both in milliseconds. */
export interface BudgetClocks {
  /** Monotonic: what budgets count on. */
  now_ms(): number;
  /** Wall clock, since 1970: what the file holds. */
  wall_ms(): number;
}

/** The budgets of a data directory. */
export interface BudgetStore {
  /**
   * The budget of an exchange's requests (`rest`) or connection attempts (`connections`), with
   * what the file holds of it. To be opened once: it writes itself down with each change.
   */
  open(exchange: string, name: "rest" | "connections", rules: readonly BudgetRule[]): Budget;
  close(): void;
}

interface Row {
  readonly spent: string;
  readonly blocked_until_ms: number | null;
  readonly written_ms: number;
}

/**
 * Opens the file and makes what is missing of it.
 *
 * @throws {FailureError} where it cannot be read.
 */
export function openBudgetStore(
  path: string,
  clocks: BudgetClocks,
  log: Pick<Log, "info" | "warn">,
): BudgetStore {
  const database = openDatabase(path);
  let is_refused = false;
  const read = database.query<Row, [string, string]>(
    "SELECT spent, blocked_until_ms, written_ms FROM budgets WHERE exchange = ? AND name = ?",
  );
  const write = database.query<null, [string, string, string, number | null, number]>(
    "INSERT OR REPLACE INTO budgets VALUES (?, ?, ?, ?, ?)",
  );
  return {
    open(exchange, name, rules) {
      const row = read.get(exchange, name);
      return new Budget({
        rules,
        now_ms: () => clocks.now_ms(),
        ...(row === null ? {} : restored(row, clocks)),
        onChange(state) {
          const { spent, blocked_until_ms, written_ms } = onWallClock(state, clocks);
          try {
            write.run(exchange, name, spent, blocked_until_ms, written_ms);
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
    close: () => database.close(),
  };
}

function openDatabase(path: string): Database {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const database = new Database(path, { create: true, strict: true });
    // NORMAL outlives a killed process, and a power cut takes longer than most windows.
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      CREATE TABLE IF NOT EXISTS budgets (
        exchange TEXT, name TEXT, spent TEXT, blocked_until_ms REAL, written_ms REAL,
        PRIMARY KEY (exchange, name)
      );
    `);
    return database;
  } catch (error) {
    throw new FailureError(
      `Cannot open the request budgets in ${path}: ${reasonOf(error)}; remove the file, and wait ` +
        "a few minutes lest an exchange be asked too often",
    );
  }
}

/** A state with the wall clock's times. */
function onWallClock({ spent, blocked_until_ms }: BudgetState, clocks: BudgetClocks): Row {
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
function restored(row: Row, clocks: BudgetClocks): BudgetState {
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
