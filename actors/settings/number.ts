/**
 * Whole numbers on a command line. Pure.
 *
 * @module
 */

import { UsageError } from "./exit.ts";
import type { Flags } from "./invocation.ts";

const numbers_max = 10_000_000;

/**
 * Reads a flag that is an integer from 1 to `number_max`.
 *
 * @returns null where it is not given.
 * @throws {UsageError} naming the flag, its value and what is allowed.
 */
export function readNumber(flags: Flags, name: string, number_max = numbers_max): number | null {
  const value = flags[name];
  if (value === undefined) return null;
  const number = /^\d+$/.test(String(value)) ? Number(value) : 0;
  if (number >= 1 && number <= number_max) return number;
  throw new UsageError(`--${name} is "${value}": it must be an integer from 1 to ${number_max}`);
}
