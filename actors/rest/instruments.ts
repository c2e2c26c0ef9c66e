/**
 * What an exchange's instrument list answers: is this symbol traded, and if there is no such
 * symbol, which ones may have been meant.
 *
 * A misspelt symbol is the likeliest mistake of a first start, and exchanges do not help: Binance
 * accepts a stream of any name and then stays silent. So we refuse it by name before connecting,
 * and name what is near: another spelling of the same market, the same base with a quote that
 * begins alike, the legs exchanged, and only then a likeness of letters.
 *
 * @module
 */

import type { Instrument } from "../messages.ts";

const near_matches_max = 5;

/** Names some exchanges give to an asset that all others call otherwise. */
const asset_aliases: Readonly<Record<string, string>> = { XBT: "BTC", XDG: "DOGE" };

/** An instrument with how far it is from what was asked: by kind first, then by letters. */
interface Candidate {
  readonly native_symbol: string;
  readonly kind: number;
  readonly distance: number;
  /** How many instruments have its quote asset: of equals, the usual quote comes first. */
  readonly quote_count: number;
}

/**
 * Native symbols that may have been meant by `native_symbol`, the nearest first, at most five.
 *
 * @example
 * `BTCUSD` at Binance gives `BTCUSDT`; `XBT/USD` at Kraken gives `BTC/USD`.
 */
export function nearMatches(native_symbol: string, instruments: readonly Instrument[]): string[] {
  const asked = plainSpelling(native_symbol);
  const quote_counts = new Map<string, number>();
  for (const { quote_asset } of instruments) {
    quote_counts.set(quote_asset, (quote_counts.get(quote_asset) ?? 0) + 1);
  }
  const candidates: Candidate[] = [];
  for (const instrument of instruments) {
    const likeness = compare(asked, instrument);
    if (likeness === null) continue;
    const quote_count = quote_counts.get(instrument.quote_asset) ?? 0;
    candidates.push({ native_symbol: instrument.native_symbol, quote_count, ...likeness });
  }
  return candidates
    .sort(byNearness)
    .slice(0, near_matches_max)
    .map((candidate) => candidate.native_symbol);
}

/**
 * Why `native_symbol` is refused although nobody asked the exchange, as one clause.
 *
 * @param exchange Name of the exchange whose whole list `instruments` is.
 */
export function unknownSymbolReason(
  native_symbol: string,
  exchange: string,
  instruments: readonly Instrument[],
): string {
  const near = nearMatches(native_symbol, instruments);
  const advice = near.length > 0 ? `near matches: ${near.join(", ")}` : "nothing is near it";
  return `${exchange} does not list ${native_symbol} (${advice})`;
}

function byNearness(left: Candidate, right: Candidate): number {
  return (
    left.kind - right.kind ||
    left.distance - right.distance ||
    right.quote_count - left.quote_count ||
    (left.native_symbol < right.native_symbol ? -1 : 1)
  );
}

/** Null where the instrument is too far to be named. */
function compare(
  asked: string,
  instrument: Instrument,
): { readonly kind: number; readonly distance: number } | null {
  const base = plainAsset(instrument.base_asset);
  const quote = plainAsset(instrument.quote_asset);
  const market = base + quote;
  const spellings = [instrument.native_symbol, ...instrument.rest_names];
  if (asked === market || spellings.some((spelling) => plainSpelling(spelling) === asked)) {
    return { kind: 0, distance: 0 };
  }
  if (asked === quote + base) return { kind: 1, distance: 0 };
  if (asked.startsWith(base)) {
    const rest = asked.slice(base.length);
    if (rest === "" || quote.startsWith(rest) || rest.startsWith(quote)) {
      return { kind: 1, distance: Math.abs(quote.length - rest.length) };
    }
  }
  const distance_max = Math.min(2, Math.floor(asked.length / 3));
  if (Math.abs(asked.length - market.length) > distance_max) return null;
  const distance = editDistance(asked, market);
  return distance <= distance_max ? { kind: 2, distance } : null;
}

/** Upper case letters and digits of a symbol, each leg under its usual name. */
function plainSpelling(native_symbol: string): string {
  const legs = native_symbol.toUpperCase().split(/[^A-Z0-9]+/);
  const symbol = legs.map(plainAsset).join("");
  for (const [alias, asset] of Object.entries(asset_aliases)) {
    if (symbol.startsWith(alias)) return asset + symbol.slice(alias.length);
    if (symbol.endsWith(alias)) return symbol.slice(0, -alias.length) + asset;
  }
  return symbol;
}

function plainAsset(asset: string): string {
  const name = asset.toUpperCase();
  return asset_aliases[name] ?? name;
}

/** Levenshtein's distance: how many letters to insert, delete or replace. */
function editDistance(left: string, right: string): number {
  let above = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const replaced = (above[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1);
      const deleted = (above[column] ?? 0) + 1;
      const inserted = (current[column - 1] ?? 0) + 1;
      current.push(Math.min(replaced, deleted, inserted));
    }
    above = current;
  }
  return above[right.length] ?? 0;
}
