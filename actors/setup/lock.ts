/**
 * One set-up at a time in one checkout. The lock is SQLite's on a file, which the operating system
 * takes back when its holder dies, however it dies: nothing stale is ever left to clean up.
 *
 * @module
 */

import { Database } from "bun:sqlite";
import { FailureError } from "../settings/exit.ts";

/**
 * Takes the lock; calling the result gives it back. Keep the result: dropping it closes the file.
 *
 * @throws {FailureError} where it is not free in time; the signal's reason where that aborts.
 */
export async function takeLock(
  path: string,
  options: {
    /** Called once, where another set-up holds the lock. */
    readonly onWait: () => void;
    readonly wait_ms_max: number;
    readonly signal: AbortSignal;
  },
): Promise<() => void> {
  const database = new Database(path, { create: true });
  const deadline_ms = performance.now() + options.wait_ms_max;
  let is_waiting = false;
  try {
    while (!tryLock(database)) {
      if (!is_waiting) options.onWait();
      is_waiting = true;
      options.signal.throwIfAborted();
      if (performance.now() > deadline_ms) {
        throw new FailureError(
          "Another set-up has been running in this folder for too long: end it and try again",
        );
      }
      await Bun.sleep(poll_ms);
    }
  } catch (error) {
    database.close();
    throw error;
  }
  return () => database.close();
}

const poll_ms = 200;

function tryLock(database: Database): boolean {
  try {
    database.run("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "SQLITE_BUSY") return false;
    throw error;
  }
}
