/**
 * Times and durations as people write them on the command line, in one spelling for every command.
 *
 * @module
 */

const unit_ms: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Milliseconds of a duration above zero such as `30m`, `2h` or `7d`; null for anything else. */
export function readDurationMs(text: string): number | null {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  const duration_ms = Number(match?.[1] ?? 0) * (unit_ms[match?.[2] ?? ""] ?? 0);
  return duration_ms === 0 ? null : duration_ms;
}

/**
 * Milliseconds since 1970 of an ISO 8601 time: a date, or a date and a time, in UTC unless it says
 * otherwise; null for anything else, a day that no calendar has included.
 */
export function readInstantMs(text: string): number | null {
  const match =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/.exec(
      text.trim(),
    );
  const [, day, time = "00:00", seconds = ":00", zone = "Z"] = match ?? [];
  const instant = match === null ? Number.NaN : Date.parse(`${day}T${time}${seconds}${zone}`);
  if (Number.isNaN(instant)) return null;
  // JavaScript takes February 31st for a day in March.
  const is_a_day = new Date(`${day}T00:00Z`).toISOString().startsWith(`${day}T`);
  return is_a_day ? instant : null;
}
