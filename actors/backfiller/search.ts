/**
 * The first trade at or after an instant, found over REST. Pure: from what is known follows the
 * next page to ask for; from the page, what is known.
 *
 * Exchanges that page by time are asked directly. The others know only ids, so the instant is
 * narrowed between a trade before it and one after it: by interpolation, as trades come at a rate,
 * and every third time by halving, as the rate is not steady. Each step ends in a page of up to a
 * thousand trades, so that a few of them cross billions of ids.
 *
 * @module
 */

import type { PageStart, RestRules } from "../exchanges/adapter.ts";
import type { Place } from "./walk.ts";

/** What is known of where an instant lies. */
export interface Search {
  /** Microseconds since 1970. */
  readonly target_timestamp: number;
  readonly pages_by: RestRules["pages_by"];
  readonly page_trades_max: number;
  /** The latest known trade before the instant. */
  readonly low: Place | null;
  /** The earliest known trade at or after it. */
  readonly high: Place | null;
  /** No trade lies between this id, included, and `high`; null where nothing is known. */
  readonly until_id: number | null;
  /** Trades per microsecond where they were last seen. */
  readonly rate: number;
  /** Where pages by time go on. */
  readonly onward: { readonly place: Place; readonly cursor: string | null } | null;
  /** Whether the newest page is wanted. */
  readonly wants_newest: boolean;
  readonly steps: number;
}

/** What to ask for next. */
export type SearchAsk =
  | { readonly kind: "newest" }
  | { readonly kind: "page"; readonly start: PageStart };

/** What a page tells. */
export type SearchStep =
  | { readonly kind: "searching"; readonly search: Search }
  | { readonly kind: "found"; readonly place: Place }
  /** No trade is that late; `newest` is the newest one, null where there is none at all. */
  | { readonly kind: "none"; readonly newest: Place | null }
  /** What was shown cannot be: to be begun again. */
  | { readonly kind: "failed"; readonly reason: string };

/** Halving alone needs 53 for any id, and every third step halves. */
const steps_max = 160;
const not_shown = "REST does not show trades that must be there";

/**
 * Begins a search.
 *
 * @param options.known Trades that are known, in any order: they narrow the search.
 */
export function beginSearch(options: {
  readonly target_timestamp: number;
  readonly rest: Pick<RestRules, "pages_by" | "page_trades_max">;
  readonly known: readonly Place[];
}): Search {
  const { target_timestamp, rest, known } = options;
  const places = known.toSorted((left, right) => left.trade_id - right.trade_id);
  const low = places.findLast(({ timestamp }) => timestamp < target_timestamp) ?? null;
  const high = places.find(({ timestamp }) => timestamp >= target_timestamp) ?? null;
  return {
    target_timestamp,
    pages_by: rest.pages_by,
    page_trades_max: rest.page_trades_max,
    low,
    high,
    until_id: high?.trade_id ?? null,
    rate: 0,
    onward: null,
    wants_newest: rest.pages_by === "trade_id" && high === null,
    steps: 0,
  };
}

/** The page to ask for. */
export function nextSearchPage(search: Search): SearchAsk {
  if (search.wants_newest) return { kind: "newest" };
  if (search.pages_by === "time") {
    const { onward, target_timestamp } = search;
    const start: PageStart = {
      after_id: null,
      after_timestamp: onward?.place.timestamp ?? target_timestamp,
      cursor: onward?.cursor ?? null,
    };
    return { kind: "page", start };
  }
  const after_timestamp = search.low?.timestamp ?? search.target_timestamp;
  return { kind: "page", start: { after_id: guess(search), after_timestamp, cursor: null } };
}

/**
 * What is known after a page.
 *
 * @param page.places Ascending by id.
 */
export function afterSearchPage(
  search: Search,
  page: { readonly places: readonly Place[]; readonly cursor: string | null },
): SearchStep {
  const steps = search.steps + 1;
  if (steps > steps_max) {
    return { kind: "failed", reason: `not found within ${steps_max} pages` };
  }
  const { places } = page;
  if (search.pages_by === "time") return afterPageByTime({ ...search, steps }, page);
  const first = places[0];
  const last = places.at(-1);
  if (first === undefined || last === undefined) return afterEmptyPage({ ...search, steps });
  const { target_timestamp } = search;
  const found = places.find(({ timestamp }) => timestamp >= target_timestamp);
  const rate = rateOf(first, last) ?? search.rate;
  if (found === undefined) {
    if (search.wants_newest) return { kind: "none", newest: last };
    return { kind: "searching", search: { ...search, steps, rate, low: last } };
  }
  const asked = search.wants_newest ? found.trade_id : guess(search);
  const is_first = !search.wants_newest && asked <= (search.low?.trade_id ?? 0);
  if (found !== first || is_first) return { kind: "found", place: found };
  // The page begins behind what was asked for where there are no trades between.
  const bounds = { high: found, until_id: asked, wants_newest: false };
  return { kind: "searching", search: { ...search, steps, rate, ...bounds } };
}

/** An empty page lies behind the newest trade, or REST does not show what it once showed. */
function afterEmptyPage(search: Search): SearchStep {
  if (search.wants_newest) return { kind: "none", newest: null };
  const { high } = search;
  if (high === null) return { kind: "searching", search: { ...search, wants_newest: true } };
  return { kind: "failed", reason: not_shown };
}

function afterPageByTime(
  search: Search,
  { places, cursor }: { readonly places: readonly Place[]; readonly cursor: string | null },
): SearchStep {
  const last = places.at(-1);
  const found = places.find(({ timestamp }) => timestamp >= search.target_timestamp);
  if (search.wants_newest && found === undefined) return { kind: "none", newest: last ?? null };
  // The newest page was asked for because no trade was shown, which was not true.
  if (search.wants_newest && found === places[0]) return { kind: "failed", reason: not_shown };
  if (found !== undefined) return { kind: "found", place: found };
  // Some pages begin before what was asked; one that comes no further is the last one.
  if (last === undefined || last.trade_id <= (search.onward?.place.trade_id ?? -1)) {
    return { kind: "searching", search: { ...search, wants_newest: true } };
  }
  return { kind: "searching", search: { ...search, onward: { place: last, cursor } } };
}

/** The id from which the next page is asked for: at `low`, or above it and below `until_id`. */
function guess(search: Search): number {
  const { high, low, page_trades_max, rate, steps, target_timestamp, until_id } = search;
  const low_id = low?.trade_id ?? 0;
  if (high === null || until_id === null || until_id - low_id < page_trades_max) return low_id;
  if (steps % 3 === 2) return low_id + Math.floor((until_id - low_id) / 2);
  const shared = low === null ? rate : (rateOf(low, high) ?? rate);
  const estimate = high.trade_id - Math.round((high.timestamp - target_timestamp) * shared);
  // Half a page earlier, so that the page holds trades of both sides.
  const aimed = estimate - Math.floor(page_trades_max / 2);
  return Math.min(Math.max(aimed, low_id), until_id - 1);
}

function rateOf(low: Place, high: Place): number | null {
  const time = high.timestamp - low.timestamp;
  return time > 0 ? (high.trade_id - low.trade_id) / time : null;
}
