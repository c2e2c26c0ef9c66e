/**
 * The instrument lists on disk, `<data_dir>/instruments/<exchange>.json`: what lets the platform
 * start when an exchange's REST does not answer.
 *
 * A cache may be lost at any time, so one that cannot be read or has another shape is no cache
 * rather than an error. It is written beside its place and renamed into it, because a half-written
 * list would be a wrong list.
 *
 * @module
 */

import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Instrument } from "../messages.ts";
import { isObject } from "../plain_object.ts";

/** An instrument list with its age. */
export interface CachedInstruments {
  /** When the exchange gave it, milliseconds since 1970. */
  readonly fetched_at_ms: number;
  readonly instruments: readonly Instrument[];
}

/** The lists on disk. */
export interface InstrumentCache {
  /** An exchange's list, or null where there is none that can be read. */
  read(exchange: string): Promise<CachedInstruments | null>;
  /** Replaces an exchange's list in one step. Rejects where the disk refuses. */
  write(exchange: string, cached: CachedInstruments): Promise<void>;
}

/** The lists of a data directory. */
export function instrumentCacheOf(data_dir: string): InstrumentCache {
  return {
    read: (exchange) => readInstrumentCache(instrumentCachePath(data_dir, exchange)),
    write: (exchange, cached) =>
      writeInstrumentCache(instrumentCachePath(data_dir, exchange), cached),
  };
}

/** Where an exchange's list stands on disk. */
export function instrumentCachePath(data_dir: string, exchange: string): string {
  return join(data_dir, "instruments", `${exchange}.json`);
}

/** The list on disk, or null where there is none that can be read. */
export async function readInstrumentCache(path: string): Promise<CachedInstruments | null> {
  try {
    return readCached(JSON.parse(await Bun.file(path).text()));
  } catch {
    return null;
  }
}

/**
 * Replaces the list on disk in one step.
 *
 * @throws {Error} of node:fs where the disk refuses.
 */
export async function writeInstrumentCache(path: string, cached: CachedInstruments): Promise<void> {
  const fetched_at = new Date(cached.fetched_at_ms).toISOString();
  const temporary = `${path}.${process.pid}.tmp`;
  await mkdir(dirname(path), { recursive: true });
  try {
    await writeFile(temporary, JSON.stringify({ fetched_at, instruments: cached.instruments }));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function readCached(value: unknown): CachedInstruments | null {
  if (!isObject(value) || !Array.isArray(value.instruments)) return null;
  const fetched_at_ms = Date.parse(String(value.fetched_at));
  const instruments: unknown[] = value.instruments;
  if (Number.isNaN(fetched_at_ms) || instruments.length === 0) return null;
  return instruments.every(isInstrument) ? { fetched_at_ms, instruments } : null;
}

function isInstrument(value: unknown): value is Instrument {
  if (!isObject(value)) return false;
  const texts = ["exchange", "native_symbol", "base_asset", "quote_asset", "status"];
  const rest_names = value.rest_names;
  return (
    texts.every((name) => typeof value[name] === "string") &&
    Array.isArray(rest_names) &&
    rest_names.every((name) => typeof name === "string")
  );
}
