/**
 * How a gap is walked over REST, page by page with ids ascending. Pure: from what is missing and
 * where the walk stands follows what to ask; from a page's ids follows where it stands next.
 *
 * Exchanges that page by id are asked for the trade before the first missing one. Those that page
 * by time are asked from a known trade's time, then by the cursor of each page. A page that comes
 * no further ends the walk, because REST lags the socket. What is still missing behind its end is
 * looked at again from the last trade before it, so that one page shows both sides of the hole.
 *
 * @module
 */

import type { IdRange } from "../../schemas/mod.ts";
import type { PageStart, RestRules } from "../exchanges/adapter.ts";

/** A trade's place in the exchange's list. */
export interface Place {
  readonly trade_id: number;
  /** Exchange time, microseconds since 1970. */
  readonly timestamp: number;
}

/** What is to be walked: gaps that lie together, or the part of one that an import wants. */
export interface Stretch {
  /** Names it among retries and walks. */
  readonly key: string;
  /** Ascending. */
  readonly gap_ids: readonly string[];
  readonly native_symbol: string;
  /** Still missing, ascending. */
  readonly remaining: readonly IdRange[];
  /** From where a walk begins: the trade before, or the earliest known time of the stretch. */
  readonly start: Place;
  /** Whether the trade at `start` is known to exist. */
  readonly is_start_known: boolean;
}

/** Where a walk stands. */
export type Walk =
  /** Everything up to this trade has been asked for; `cursor` is the page's, verbatim. */
  | ({ readonly kind: "onward"; readonly cursor: string | null } & Place)
  /** To begin again from this trade, which is known. */
  | ({ readonly kind: "again" } & Place);

/** A page to ask for. */
export interface PageAsk {
  readonly start: PageStart;
  /** The trade that the page must begin with, where it is known to exist; else null. */
  readonly after_id: number | null;
}

/** What to ask next; null where everything has been asked for and the walk must begin again. */
export function nextPage(
  stretch: Stretch,
  walk: Walk | undefined,
  pages_by: RestRules["pages_by"],
): PageAsk | null {
  const from = walk ?? { kind: "again", ...stretch.start };
  if (pages_by === "trade_id") {
    const through_id = from.kind === "onward" ? from.trade_id : Number.NEGATIVE_INFINITY;
    const first = firstAfter(stretch.remaining, through_id);
    if (first === null) return null;
    const after_id = first - 1;
    const is_known = after_id !== stretch.start.trade_id || stretch.is_start_known;
    return {
      // A market's first trade may be number 0, which no other comes before.
      start: { after_id: Math.max(0, after_id), after_timestamp: from.timestamp, cursor: null },
      after_id: is_known ? after_id : null,
    };
  }
  const { trade_id, timestamp } = from;
  if (from.kind === "onward") {
    const start = { after_id: trade_id, after_timestamp: timestamp, cursor: from.cursor };
    // It may begin behind the cursor's trade, so that it proves nothing of what lies before it.
    return firstAfter(stretch.remaining, trade_id) === null ? null : { start, after_id: null };
  }
  const is_known = walk !== undefined || stretch.is_start_known;
  return {
    start: { after_id: trade_id, after_timestamp: timestamp, cursor: null },
    after_id: is_known ? trade_id : null,
  };
}

/** How a walk goes on after a page. */
export interface Step {
  /** Undefined: from the beginning. */
  readonly walk: Walk | undefined;
  /** The walk is over: nothing more is to be had for now. */
  readonly is_over: boolean;
}

/**
 * Where a walk stands after a page.
 *
 * @param stretch As it is after the page's trades were taken.
 * @param page.places Ascending by id.
 * @param page.asked What the page was asked for.
 */
export function afterPage(
  stretch: Stretch,
  walk: Walk | undefined,
  page: {
    readonly places: readonly Place[];
    readonly cursor: string | null;
    readonly asked: PageStart;
  },
): Step {
  const { places, cursor, asked } = page;
  const last = places.at(-1);
  const again = beginAgain(stretch, places);
  if (last === undefined || last.trade_id <= (asked.after_id ?? Number.NEGATIVE_INFINITY)) {
    const first = stretch.remaining[0]?.from_id ?? 0;
    // Where nothing is missing behind it, the end of what REST shows is a good place to go on.
    const is_at_end = walk?.kind === "onward" && first > walk.trade_id;
    return { walk: is_at_end ? walk : again, is_over: true };
  }
  const is_over = firstAfter(stretch.remaining, last.trade_id) === null;
  return { walk: is_over ? again : { kind: "onward", ...last, cursor }, is_over };
}

/** The last trade seen before the first missing one; undefined where none was. */
function beginAgain({ remaining }: Stretch, places: readonly Place[]): Walk | undefined {
  const first = remaining[0]?.from_id ?? 0;
  const place = places.findLast(({ trade_id }) => trade_id < first);
  return place === undefined ? undefined : { kind: "again", ...place };
}

/** The first missing id above `through_id`, or null. */
function firstAfter(remaining: readonly IdRange[], through_id: number): number | null {
  for (const { from_id, to_id } of remaining) {
    if (to_id > through_id) return Math.max(from_id, through_id + 1);
  }
  return null;
}
