/**
 * How long a command is to run, from its flag `--seconds`.
 *
 * @module
 */

import { UsageError } from "./exit.ts";
import type { Flags } from "./invocation.ts";

/** Three weeks: a timer cannot be set for more than 2^31 milliseconds. */
const seconds_max = 2_000_000;

/**
 * Reads the flag `seconds`.
 *
 * @returns null where it is not given.
 * @throws {UsageError} where it is no number of seconds.
 */
export function readSeconds({ seconds }: Flags): number | null {
  if (seconds === undefined) return null;
  const number = /^\d+(\.\d+)?$/.test(String(seconds)) ? Number(seconds) : 0;
  if (number > 0 && number <= seconds_max) return number;
  throw new UsageError(
    `--seconds is "${seconds}": it must be a number of seconds above 0, at most ${seconds_max}`,
  );
}
