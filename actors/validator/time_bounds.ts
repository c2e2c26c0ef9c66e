/**
 * The times that users give to the lake's commands: how far back to check, and which state to read.
 *
 * @module
 */

import { UsageError } from "../settings/exit.ts";
import { readDurationMs, readInstantMs } from "../settings/time.ts";

const hour_ms = 3_600_000;

/**
 * When the hour (UTC) began in which `--since` lies, or null for `all`. Bars whose window begins
 * earlier are not looked at, because not all of their trades are.
 *
 * @param since `all`, or a duration such as `2h`.
 * @returns Milliseconds since 1970.
 */
export function parseSince(since: string, now_ms: number): number | null {
  if (since === "all") return null;
  const duration_ms = readDurationMs(since);
  if (duration_ms === null) {
    throw new UsageError(
      `--since is "${since}": it must be all, or a duration above zero such as 30m, 2h or 7d`,
    );
  }
  return Math.max(0, Math.floor((now_ms - duration_ms) / hour_ms) * hour_ms);
}

/**
 * An instant from ISO 8601: a date, or a date and a time, in UTC unless it says otherwise.
 *
 * @returns Milliseconds since 1970.
 */
export function parseAsOf(text: string): number {
  const instant_ms = readInstantMs(text);
  if (instant_ms !== null) return instant_ms;
  throw new UsageError(
    `--as-of is "${text}": it must be an ISO 8601 time such as 2026-11-23T14:30:00Z`,
  );
}
