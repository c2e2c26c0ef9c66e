/**
 * What an exchange's backfiller does next. Pure: a function of what is missing, what was asked of
 * it, and what may not be tried yet.
 *
 * The exchange's clock comes first, since it is asked every ten minutes only; then probes, because
 * a connection waits for them, but never two while a gap waits; then gaps, the newest first, since
 * bars of the present are what people look at; then imports.
 *
 * @module
 */

import type { OpenGap } from "../continuity/continuity.ts";
import { type Import, stretchesOf } from "./imports.ts";
import type { Stretch } from "./walk.ts";

/** One page to ask for, and why. */
export type Task =
  | { readonly kind: "clock"; readonly key: string }
  | { readonly kind: "probe"; readonly key: string; readonly native_symbol: string }
  | { readonly kind: "gap"; readonly key: string; readonly stretch: Stretch }
  | { readonly kind: "locate"; readonly key: string; readonly wanted: Import };

/** All that a plan depends on. */
export interface Situation {
  readonly is_clock_due: boolean;
  /** Symbols that are to be probed, the longest waiting first. */
  readonly probes: readonly string[];
  readonly gaps: readonly {
    readonly native_symbol: string;
    readonly gaps: readonly OpenGap[];
  }[];
  readonly imports: readonly Import[];
  readonly gap_hours_max: number;
  /** Most trades of one page. */
  readonly page_trades_max: number;
  /** The exchange's clock where it is known, else ours, microseconds since 1970. */
  readonly now_us: number;
  /** Whether something may be tried now, by its key. */
  isDue(key: string): boolean;
  /** What was done last. */
  readonly last_kind: Task["kind"] | null;
}

/** What there is to do. */
export interface Plan {
  /** Null where nothing can be done now. */
  readonly task: Task | null;
  /** Gaps that are filled only on request, newest first. */
  readonly too_old: readonly SymbolGap[];
}

/** A gap and whose it is. */
export interface SymbolGap extends OpenGap {
  readonly native_symbol: string;
}

/** Key of the exchange's clock. */
export const clock_key = "clock";

/** Key of what concerns a symbol as a whole: the exchange does not know it. */
export function symbolKey(native_symbol: string): string {
  return `symbol:${native_symbol}`;
}

/** Key of a symbol's probe. */
export function probeKey(native_symbol: string): string {
  return `probe:${native_symbol}`;
}

/** What to do next. */
export function plan(situation: Situation): Plan {
  const { gap_hours_max, gaps, imports, now_us } = situation;
  const oldest_us = now_us - gap_hours_max * 3_600_000_000;
  const all = gaps
    .flatMap(({ native_symbol, gaps }) => gaps.map((gap) => ({ ...gap, native_symbol })))
    .toSorted((left, right) => right.to_timestamp - left.to_timestamp || right.to_id - left.to_id);
  // A stop is made up for however long it was. What an import has opened may reach from years ago
  // to the present: that is filled by itself only where it began of late, and no import will.
  const isRecent = ({ from_timestamp, is_imported, to_timestamp }: SymbolGap) =>
    (is_imported ? from_timestamp : to_timestamp) >= oldest_us;
  const isOurs = (gap: SymbolGap) => !(gap.is_imported && isWanted(gap, imports));
  const recent = all.filter((gap) => isRecent(gap) && isOurs(gap));
  const too_old = all.filter((gap) => !isRecent(gap) && !isWanted(gap, imports));
  return { task: nextTask(situation, recent), too_old };
}

/** Whether an import that is under way touches the gap. */
function isWanted(gap: SymbolGap, imports: readonly Import[]): boolean {
  return imports.some(
    ({ native_symbol, range }) =>
      native_symbol === gap.native_symbol &&
      range.from_timestamp <= gap.to_timestamp &&
      range.to_timestamp >= gap.from_timestamp,
  );
}

/** Every key that a situation can give rise to; whatever was remembered of others is over. */
export function keysOf({ gaps, imports, probes }: Situation): ReadonlySet<string> {
  const keys = new Set([clock_key]);
  for (const symbol of probes) keys.add(probeKey(symbol));
  for (const { native_symbol, gaps: open } of gaps) {
    keys.add(symbolKey(native_symbol));
    for (const { gap_id } of open) keys.add(gap_id);
  }
  for (const wanted of imports) {
    keys.add(wanted.key);
    for (const { key } of importedStretches(wanted, gaps)) keys.add(key);
  }
  return keys;
}

function nextTask(situation: Situation, recent: readonly SymbolGap[]): Task | null {
  const { imports, is_clock_due, isDue, last_kind, probes } = situation;
  if (is_clock_due && isDue(clock_key)) return { kind: "clock", key: clock_key };
  const probe = probes.find((symbol) => isDue(probeKey(symbol)) && isDue(symbolKey(symbol)));
  const gap = recent.find((it) => isDue(it.gap_id) && isDue(symbolKey(it.native_symbol)));
  if (probe !== undefined && !(last_kind === "probe" && gap !== undefined)) {
    return { kind: "probe", key: probeKey(probe), native_symbol: probe };
  }
  if (gap !== undefined) {
    const within = recent.filter((it) => isWithinPage(it, gap, situation));
    return { kind: "gap", key: gap.gap_id, stretch: stretchOf(gap, within) };
  }
  for (const wanted of imports) {
    if (!isDue(symbolKey(wanted.native_symbol))) continue;
    if (wanted.stage.kind !== "filling") {
      if (isDue(wanted.key)) return { kind: "locate", key: wanted.key, wanted };
      continue;
    }
    const stretch = importedStretches(wanted, situation.gaps).find(({ key }) => isDue(key));
    if (stretch !== undefined) return { kind: "gap", key: stretch.key, stretch };
  }
  return null;
}

/** Whether a page that begins before the older gap can still reach the end of the newer one. */
function isWithinPage(
  older: SymbolGap,
  newer: SymbolGap,
  { isDue, page_trades_max }: Situation,
): boolean {
  const trades_count = newer.to_id - older.from_id + 3;
  return (
    older.native_symbol === newer.native_symbol &&
    older.to_id < newer.from_id &&
    trades_count <= page_trades_max &&
    isDue(older.gap_id)
  );
}

/** A gap with those before it that the same page fills: small gaps come in crowds. */
function stretchOf(gap: SymbolGap, within: readonly SymbolGap[]): Stretch {
  const gaps = [...within, gap].toSorted((left, right) => left.from_id - right.from_id);
  const { from_id, from_timestamp } = gaps[0] ?? gap;
  return {
    key: gap.gap_id,
    gap_ids: gaps.map(({ gap_id }) => gap_id),
    native_symbol: gap.native_symbol,
    remaining: gaps.flatMap(({ remaining }) => remaining),
    start: { trade_id: from_id - 1, timestamp: from_timestamp },
    is_start_known: true,
  };
}

function importedStretches(
  { native_symbol, stage }: Import,
  gaps: Situation["gaps"],
): readonly Stretch[] {
  if (stage.kind !== "filling") return [];
  const open = gaps.find((entry) => entry.native_symbol === native_symbol);
  return stretchesOf(stage, native_symbol, open?.gaps ?? []);
}
