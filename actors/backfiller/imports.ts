/**
 * An import: all trades of a symbol from one instant to another. Pure steps.
 *
 * Its first and last trade are located and delivered; what lies between is then missing like
 * anything else, so that an import is filled by the same walk as a gap and a process that stops in
 * between goes on with what is left. A gap may reach far beyond an import, from a week of long ago
 * to the present coverage: only the import's own stretch of it is walked.
 *
 * @module
 */

import type { IdRange } from "../../schemas/mod.ts";
import type { OpenGap, SymbolState, TimeRange } from "../continuity/continuity.ts";
import type { RestRules } from "../exchanges/adapter.ts";
import { beginSearch, type Search } from "./search.ts";
import type { Place, Stretch } from "./walk.ts";

/** How far an import has come. */
export type ImportStage =
  | { readonly kind: "locating_first"; readonly search: Search }
  | { readonly kind: "locating_last"; readonly search: Search; readonly first: Place }
  | { readonly kind: "filling"; readonly first: Place; readonly last: Place };

/** A wanted stretch of a symbol's history. */
export interface Import {
  readonly key: string;
  readonly native_symbol: string;
  readonly range: TimeRange;
  readonly stage: ImportStage;
}

/** The import's key among retries. */
export function importKey(native_symbol: string, range: TimeRange): string {
  return `import:${native_symbol}:${range.from_timestamp}:${range.to_timestamp}`;
}

/**
 * An import at its beginning.
 *
 * @param options.known Trades that are known: they narrow the search.
 */
export function beginImport(options: {
  readonly native_symbol: string;
  readonly range: TimeRange;
  readonly rest: RestRules;
  readonly known: readonly Place[];
}): Import {
  const { native_symbol, range, rest, known } = options;
  const search = beginSearch({ target_timestamp: range.from_timestamp, rest, known });
  const key = importKey(native_symbol, range);
  return { key, native_symbol, range, stage: { kind: "locating_first", search } };
}

/** The stretches of open gaps that lie within the import, newest first. */
export function stretchesOf(
  { first, last }: { readonly first: Place; readonly last: Place },
  native_symbol: string,
  gaps: readonly OpenGap[],
): readonly Stretch[] {
  return gaps
    .toSorted((left, right) => right.to_id - left.to_id)
    .flatMap((gap) => {
      const remaining = clipRanges(gap.remaining, first, last);
      if (remaining.length === 0) return [];
      const is_start_known = gap.from_id >= first.trade_id;
      const start = is_start_known
        ? { trade_id: gap.from_id - 1, timestamp: gap.from_timestamp }
        : { trade_id: first.trade_id - 1, timestamp: first.timestamp };
      const key = `${gap.gap_id}:${first.trade_id}-${last.trade_id}`;
      return [{ key, gap_ids: [gap.gap_id], native_symbol, remaining, start, is_start_known }];
    });
}

/** How many of the import's ids are missing, in gaps and in those that are still within a grace. */
export function missingIds(
  { first, last }: { readonly first: Place; readonly last: Place },
  state: Pick<SymbolState, "gaps"> | null,
): number {
  const gaps = state?.gaps ?? [];
  return countIds(gaps.flatMap(({ remaining }) => clipRanges(remaining, first, last)));
}

/** How many ids ranges hold in all. */
export function countIds(ranges: readonly IdRange[]): number {
  return ranges.reduce((sum, { from_id, to_id }) => sum + to_id - from_id + 1, 0);
}

function clipRanges(ranges: readonly IdRange[], first: Place, last: Place): readonly IdRange[] {
  return ranges.flatMap((range) => {
    const from_id = Math.max(range.from_id, first.trade_id);
    const to_id = Math.min(range.to_id, last.trade_id);
    return from_id <= to_id ? [{ from_id, to_id }] : [];
  });
}
