/**
 * The file of the budgets (`kept_budgets.ts`), `budgets.db` of the data directory.
 *
 * @module
 */

import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { FailureError, reasonOf } from "../settings/exit.ts";
import type { Log } from "../settings/log.ts";
import {
  type BudgetClocks,
  type BudgetRow,
  type BudgetStore,
  keepBudgets,
} from "./kept_budgets.ts";

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
  const read = database.query<BudgetRow, [string, string]>(
    "SELECT spent, blocked_until_ms, written_ms FROM budgets WHERE exchange = ? AND name = ?",
  );
  const write = database.query<null, [string, string, string, number | null, number]>(
    "INSERT OR REPLACE INTO budgets VALUES (?, ?, ?, ?, ?)",
  );
  const rows = {
    read: (exchange: string, name: string) => read.get(exchange, name),
    write(exchange: string, name: string, row: BudgetRow) {
      write.run(exchange, name, row.spent, row.blocked_until_ms, row.written_ms);
    },
    close: () => database.close(),
  };
  return keepBudgets(rows, clocks, log);
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
