/**
 * The instrument lists that a running feed has cached, `<data_dir>/instruments/<exchange>.json`:
 * `{"fetched_at": ISO time, "instruments": Instrument[]}`. Only read here: `normalize` works
 * without them and needs no network.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Instrument } from "../messages.ts";

/** The cached list of an exchange; empty where none is cached or the cache cannot be read. */
export async function readCachedInstruments(
  data_dir: string,
  exchange: string,
): Promise<readonly Instrument[]> {
  try {
    const text = await readFile(join(data_dir, "instruments", `${exchange}.json`), "utf8");
    const cache: unknown = JSON.parse(text);
    if (typeof cache !== "object" || cache === null || !("instruments" in cache)) return [];
    return Array.isArray(cache.instruments) ? cache.instruments.filter(isInstrument) : [];
  } catch {
    return [];
  }
}

function isInstrument(value: unknown): value is Instrument {
  if (typeof value !== "object" || value === null) return false;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const { rest_names } = fields;
  return (
    ["exchange", "native_symbol", "base_asset", "quote_asset", "status"].every(
      (name) => typeof fields[name] === "string",
    ) &&
    Array.isArray(rest_names) &&
    rest_names.every((name) => typeof name === "string")
  );
}
