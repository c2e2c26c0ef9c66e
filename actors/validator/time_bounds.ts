/**
 * The times that users give on the command line: how far back to check, and which state to read.
 *
 * @module
 */

import { UsageError } from "../settings/exit.ts";

const unit_ms: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const day_ms = 86_400_000;

/**
 * When the day (UTC) began in which `--since` lies, or null for `all`. A whole day, because the
 * longest bar is one: checks then never see a bar without all of its trades.
 *
 * @param since `all`, or a duration such as `2h`.
 * @returns Milliseconds since 1970.
 */
export function parseSince(since: string, now_ms: number): number | null {
  if (since === "all") return null;
  const match = /^(\d{1,6})([smhd])$/.exec(since);
  const duration_ms = Number(match?.[1] ?? 0) * (unit_ms[match?.[2] ?? ""] ?? 0);
  if (duration_ms === 0) {
    throw new UsageError(
      `--since is "${since}": it must be all, or a duration above zero such as 30m, 2h or 7d`,
    );
  }
  return Math.max(0, Math.floor((now_ms - duration_ms) / day_ms) * day_ms);
}

/**
 * An instant from ISO 8601: a date, or a date and a time, in UTC unless it says otherwise.
 *
 * @returns Milliseconds since 1970.
 */
export function parseAsOf(text: string): number {
  const match =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/.exec(
      text.trim(),
    );
  const [, day, time = "00:00", seconds = ":00", zone = "Z"] = match ?? [];
  const instant = match === null ? Number.NaN : Date.parse(`${day}T${time}${seconds}${zone}`);
  // JavaScript takes February 31st for a day in March.
  const is_a_day =
    !Number.isNaN(instant) && new Date(`${day}T00:00Z`).toISOString().startsWith(`${day}T`);
  if (is_a_day) return instant;
  throw new UsageError(
    `--as-of is "${text}": it must be an ISO 8601 time such as 2026-11-23T14:30:00Z`,
  );
}
