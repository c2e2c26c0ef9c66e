/**
 * How figures come onto the status tree without cost to whoever works: those that take some work
 * are worked out when somebody reads them, and times are written as people read them.
 *
 * @module
 */

import type { Figures } from "./messages.ts";

/** Puts figures on `figures` that are worked out at each reading. */
export function defineFigures(
  figures: Figures,
  getters: Readonly<Record<string, () => Figures[string]>>,
): void {
  for (const [name, get] of Object.entries(getters)) {
    Object.defineProperty(figures, name, { get, enumerable: true, configurable: true });
  }
}

/** ISO 8601 of microseconds since 1970, cut to milliseconds. */
export function isoTime(timestamp_us: number): string {
  return new Date(timestamp_us / 1_000).toISOString();
}

/** The same where there may be no time yet. */
export function isoTimeOrNull(timestamp_us: number | null): string | null {
  return timestamp_us === null ? null : isoTime(timestamp_us);
}
