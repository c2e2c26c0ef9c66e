/**
 * Reads single settings, and says of a wrong one its name, its value and what is allowed. What
 * stands before an "@" in a value is never repeated: there credentials stand.
 *
 * @module
 */

import { UsageError } from "./exit.ts";

/** Variables by name, as a process gets them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The error for a wrong value. */
export function wrong(name: string, value: string, allowed: string): UsageError {
  const shown = value.replace(/^([a-z][a-z0-9+._-]*:\/\/)?.*@/i, "$1…@");
  return new UsageError(`${name} is "${shown}": it must be ${allowed}`);
}

/** Readers of one variable each: null where it is unset or empty. */
export function readers(environment: Environment) {
  function text(name: string): string | null {
    const value = environment[name]?.trim();
    return value === undefined || value === "" ? null : value;
  }
  function matching(name: string, pattern: RegExp, allowed: string): string | null {
    const value = text(name);
    if (value !== null && !pattern.test(value)) throw wrong(name, value, allowed);
    return value;
  }
  function integer(name: string, range: { readonly min: number; readonly max: number }) {
    const value = text(name);
    if (value === null) return null;
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (number >= range.min && number <= range.max) return number;
    throw wrong(name, value, `an integer from ${range.min} to ${range.max}`);
  }
  function port(name: string): number | null {
    return integer(name, { min: 1, max: 65_535 });
  }
  function bytes(name: string, min: number): number | null {
    const value = text(name);
    if (value === null) return null;
    const match = /^(\d{1,12})\s*(KiB|MiB|GiB)?$/.exec(value);
    const unit = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }[match?.[2] ?? ""] ?? 1;
    const number = match === null ? Number.NaN : Number(match[1]) * unit;
    if (number >= min && Number.isSafeInteger(number)) return number;
    throw wrong(name, value, `at least ${min}, in bytes or with KiB, MiB or GiB`);
  }
  function list(name: string): readonly string[] | null {
    const value = text(name);
    if (value === null) return null;
    const items = value.split(",").map((item) => item.trim());
    if (items.every((item) => item !== "") && new Set(items).size === items.length) return items;
    throw wrong(name, value, "a comma separated list without empty or repeated items");
  }
  function url(name: string, schemes: readonly string[]): string | null {
    const value = text(name);
    if (value === null) return null;
    if (URL.canParse(value) && schemes.includes(new URL(value).protocol)) return value;
    throw wrong(name, value, `a URL that begins with ${schemes.map((s) => `${s}//`).join(" or ")}`);
  }
  return { text, matching, integer, port, bytes, list, url };
}
