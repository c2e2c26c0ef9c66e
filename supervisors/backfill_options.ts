/**
 * What `backfill` was asked for, from its flags and the settings together. Nothing here needs a
 * package, so that a wrong flag is told before minutes of set-up.
 *
 * @module
 */

import { UsageError } from "../actors/settings/exit.ts";
import type { Flags } from "../actors/settings/invocation.ts";
import type { ExchangeSettings, Settings } from "../actors/settings/settings.ts";
import { readDurationMs, readInstantMs } from "../actors/settings/time.ts";
import { readStartOptions, type StartOptions } from "./start_options.ts";

/** One import of history, as it was asked for. */
export interface BackfillOptions {
  /** How the platform runs meanwhile, where none runs yet. */
  readonly start: StartOptions;
  readonly exchange: ExchangeSettings;
  readonly native_symbol: string;
  /** Microseconds since 1970, both inclusive. */
  readonly from_timestamp: number;
  readonly to_timestamp: number;
}

/**
 * Reads the flags of `backfill`.
 *
 * @param now_ms Wall clock: history lies in the past.
 * @throws {UsageError} naming the flag, its value and what is allowed.
 */
export function readBackfillOptions(
  flags: Flags,
  settings: Settings,
  now_ms: number,
): BackfillOptions {
  const name = required(flags, "exchange");
  const exchange = settings.registered_exchanges.find((known) => known.exchange === name);
  if (exchange === undefined) {
    const allowed = settings.registered_exchanges.map((known) => known.exchange).join(", ");
    throw new UsageError(`--exchange is "${name}": it must be one of ${allowed}`);
  }
  const native_symbol = required(flags, "symbol");
  const from_ms = momentOf(flags, "from", now_ms);
  const to_ms = momentOf(flags, "to", now_ms);
  if (from_ms >= to_ms) {
    throw new UsageError(
      `--from is "${flags.from}" and --to is "${flags.to}": an import ends later than it begins`,
    );
  }
  if (from_ms > now_ms) {
    throw new UsageError(`--from is "${flags.from}": it must be a time in the past`);
  }
  return {
    start: readStartOptions(flags, settings),
    exchange,
    native_symbol,
    from_timestamp: from_ms * 1_000,
    to_timestamp: Math.min(to_ms, now_ms) * 1_000,
  };
}

function required(flags: Flags, name: string): string {
  const value = flags[name];
  if (typeof value === "string" && value !== "") return value;
  throw new UsageError(`--${name} is missing: see bun run backfill --help`);
}

function momentOf(flags: Flags, name: string, now_ms: number): number {
  const value = required(flags, name);
  if (value === "now") return now_ms;
  const ago_ms = readDurationMs(value);
  const moment_ms = ago_ms === null ? readInstantMs(value) : now_ms - ago_ms;
  if (moment_ms !== null) return moment_ms;
  throw new UsageError(
    `--${name} is "${value}": it must be an ISO 8601 time such as 2026-11-23T14:30:00Z, a ` +
      "duration such as 2h for so long ago, or now",
  );
}
