/**
 * What `start` was asked for, from its flags and the settings together: flags win. Nothing here
 * needs a package, so that a wrong flag is told before minutes of set-up.
 *
 * @module
 */

import type { Purpose } from "../actors/settings/data_directory.ts";
import { UsageError } from "../actors/settings/exit.ts";
import type { Flags } from "../actors/settings/invocation.ts";
import type { ExchangeSettings, Role, Settings } from "../actors/settings/settings.ts";
import { readDurationMs, readInstantMs } from "../actors/settings/time.ts";

/** Where a first start begins: so long ago, or at an instant (milliseconds since 1970). */
export type Since =
  | { readonly kind: "ago"; readonly ms: number }
  | { readonly kind: "at"; readonly ms: number };

/** One start, as it was asked for. */
export interface StartOptions {
  readonly role: Role;
  /** Present when trades come from the simulator. */
  readonly simulate: { readonly rate: number | null; readonly seed: number } | null;
  readonly log_format: "text" | "json";
  /** From when on trades are wanted; null: from now on. */
  readonly since: Since | null;
  /** Whether the lake goes on without what Kafka has lost before it was read. */
  readonly accept_lost_offsets: boolean;
  /** The settings, with what the flags changed. */
  readonly settings: Settings;
}

/** What the data directory of such a start is for. */
export function purposeOf({ simulate, settings }: StartOptions): Purpose {
  const { brokers } = settings.kafka;
  if (simulate === null) return { mode: "live", simulation: null, brokers };
  const { seed, rate } = simulate;
  // The rate is divided over the symbols, so with a rate they decide which trades there are.
  const symbols = settings.exchanges.flatMap(({ exchange, native_symbols }) =>
    native_symbols.map((native_symbol) => `${exchange}:${native_symbol}`),
  );
  const load = rate === null ? "" : `, rate ${rate} over ${symbols.join(",")}`;
  return { mode: "simulated", simulation: `seed ${seed}${load}`, brokers };
}

/**
 * Reads the flags of `start`.
 *
 * @throws {UsageError} naming the flag, its value and what is allowed.
 */
export function readStartOptions(flags: Flags, settings: Settings): StartOptions {
  const role = oneOf(flags, "role", ["all", "feed", "lake"] as const) ?? "all";
  const log_format = oneOf(flags, "log", ["text", "json"] as const) ?? "text";
  const is_simulated = flags.simulate === true;
  const rate = positive(flags, "rate", 1_000_000);
  const seed = positive(flags, "seed", 2 ** 31);
  if (!is_simulated && (rate !== null || seed !== null)) {
    throw new UsageError("--rate and --seed belong to the simulator: add --simulate");
  }
  if (role !== "all") {
    const missing = [
      ...(settings.kafka.brokers === null ? ["K2_KAFKA_BROKERS"] : []),
      ...(settings.schema_registry_url === null ? ["K2_SCHEMA_REGISTRY_URL"] : []),
    ];
    if (missing.length > 0) {
      throw new UsageError(
        `--role ${role} needs ${missing.join(" and ")}: a part of the platform must share them`,
      );
    }
  }
  const since = readSince(flags);
  if (since !== null && role === "lake") {
    throw new UsageError("--since belongs to the feed: leave it out with --role lake");
  }
  const accept_lost_offsets = flags["accept-lost-offsets"] === true;
  if (accept_lost_offsets && role === "feed") {
    throw new UsageError(
      "--accept-lost-offsets belongs to the lake: leave it out with --role feed",
    );
  }
  const exchanges = chosenSymbols(flags, chosenExchanges(flags, settings));
  return {
    role,
    log_format,
    since,
    accept_lost_offsets,
    simulate: is_simulated ? { rate, seed: seed ?? 1 } : null,
    settings: { ...settings, exchanges },
  };
}

function chosenExchanges(
  flags: Flags,
  { exchanges, registered_exchanges }: Settings,
): readonly ExchangeSettings[] {
  const value = textOf(flags, "exchanges");
  if (value === undefined) return exchanges;
  const names = [...new Set(value.split(",").map((name) => name.trim()))];
  return names.map((name) => {
    const found = registered_exchanges.find(({ exchange }) => exchange === name);
    if (found !== undefined) return found;
    const allowed = registered_exchanges.map(({ exchange }) => exchange).join(", ");
    throw new UsageError(`--exchanges is "${value}": it must be a list of ${allowed}`);
  });
}

/**
 * Reads `--since`; null where it is absent.
 *
 * @throws {UsageError} where it is neither a duration nor a time.
 */
export function readSince(flags: Flags): Since | null {
  const value = textOf(flags, "since");
  if (value === undefined) return null;
  const ago_ms = readDurationMs(value);
  if (ago_ms !== null) return { kind: "ago", ms: ago_ms };
  const at_ms = readInstantMs(value);
  if (at_ms !== null) return { kind: "at", ms: at_ms };
  throw new UsageError(
    `--since is "${value}": it must be a duration such as 30m, 2h or 7d, or an ISO 8601 time ` +
      "such as 2026-11-23T14:30:00Z",
  );
}

function chosenSymbols(
  flags: Flags,
  exchanges: readonly ExchangeSettings[],
): readonly ExchangeSettings[] {
  const value = textOf(flags, "symbols");
  if (value === undefined) return exchanges;
  const by_exchange = new Map<string, string[]>();
  for (const item of value.split(",")) {
    const at = item.indexOf(":");
    const exchange = item.slice(0, at).trim();
    const native_symbol = item.slice(at + 1).trim();
    const is_known = exchanges.some((known) => known.exchange === exchange);
    if (at < 1 || native_symbol === "" || !is_known) {
      const allowed = exchanges.map((known) => known.exchange).join(", ");
      throw new UsageError(
        `--symbols has "${item}": it must be <exchange>:<native symbol>, the exchange ` +
          `being one of ${allowed}`,
      );
    }
    const list = by_exchange.get(exchange) ?? [];
    if (!list.includes(native_symbol)) list.push(native_symbol);
    by_exchange.set(exchange, list);
  }
  return exchanges.flatMap((exchange) => {
    const native_symbols = by_exchange.get(exchange.exchange);
    return native_symbols === undefined ? [] : [{ ...exchange, native_symbols }];
  });
}

function textOf(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === "string" ? value : undefined;
}

function oneOf<T extends string>(flags: Flags, name: string, allowed: readonly T[]): T | undefined {
  const value = textOf(flags, name);
  if (value === undefined) return undefined;
  const found = allowed.find((item) => item === value);
  if (found !== undefined) return found;
  throw new UsageError(`--${name} is "${value}": it must be one of ${allowed.join(", ")}`);
}

/** An integer above zero, or null where the flag is absent. */
function positive(flags: Flags, name: string, max: number): number | null {
  const value = textOf(flags, name);
  if (value === undefined) return null;
  const number = /^\d{1,15}$/.test(value) ? Number(value) : 0;
  if (number >= 1 && number <= max) return number;
  throw new UsageError(`--${name} is "${value}": it must be an integer from 1 to ${max}`);
}
