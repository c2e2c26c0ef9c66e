/**
 * What each symbol's subscription on one socket has come to.
 *
 * Exchanges answer in different units: Kraken for each symbol, Binance for each request, and some
 * refusals name neither. This file is the bookkeeping that makes one unit of it, the symbol, so
 * that one symbol's refusal is never another's. Values in, values out: nothing here waits.
 *
 * @module
 */

import type { ExchangeAdapter, Request } from "../exchanges/adapter.ts";
import type { Instrument } from "../messages.ts";
import { unknownSymbolReason } from "../rest/instruments.ts";

/** One symbol's subscription. `wanted`: not asked for yet on this socket. */
interface Subscription {
  readonly state: "wanted" | "requested" | "acknowledged" | "refused";
  /** The request that asked for it last; null where none did. */
  readonly request_id: number | null;
  /** Why it is refused, else null. */
  readonly reason: string | null;
  /** Asking again soon cannot help. */
  readonly is_terminal: boolean;
}

/** By native symbol, every configured one of the connection. */
export type Subscriptions = ReadonlyMap<string, Subscription>;

/** What an answer was about: a request, a symbol, both, or nobody knows. */
interface Subject {
  readonly request_id: number | null;
  readonly native_symbol: string | null;
}

/** What the list of an exchange can be asked for. */
interface Listing {
  get(native_symbol: string): Instrument | undefined;
  all(): readonly Instrument[];
}

/** How many subscriptions stand where. */
interface Standing {
  readonly acknowledged: number;
  readonly refused: number;
  /** Wanted or requested: an answer is still to come. */
  readonly outstanding: number;
  /** Every symbol is refused, and asking again soon cannot help any of them. */
  readonly is_hopeless: boolean;
}

const wanted: Subscription = {
  state: "wanted",
  request_id: null,
  reason: null,
  is_terminal: false,
};

/** The subscriptions before a socket opens: wanted, or refused because of the exchange's list. */
export function planSubscriptions(
  native_symbols: readonly string[],
  adapter: Pick<ExchangeAdapter, "exchange" | "isTradable">,
  listing: Listing,
): Subscriptions {
  return new Map(
    native_symbols.map((symbol) => [symbol, planSubscription(symbol, adapter, listing)]),
  );
}

function planSubscription(
  native_symbol: string,
  adapter: Pick<ExchangeAdapter, "exchange" | "isTradable">,
  listing: Listing,
): Subscription {
  const { exchange } = adapter;
  const instrument = listing.get(native_symbol);
  if (instrument !== undefined && adapter.isTradable(instrument.status)) return wanted;
  const reason =
    instrument === undefined
      ? unknownSymbolReason(native_symbol, exchange, listing.all())
      : `${exchange} does not trade ${native_symbol}: its status is ${instrument.status}`;
  return { state: "refused", request_id: null, reason, is_terminal: true };
}

/** The symbols that stand at `state`. */
export function symbolsIn(
  subscriptions: Subscriptions,
  state: Subscription["state"],
): readonly string[] {
  return [...subscriptions].filter(([, it]) => it.state === state).map(([symbol]) => symbol);
}

/** `request` is on its way. */
export function markRequested(subscriptions: Subscriptions, request: Request): Subscriptions {
  const { request_id } = request;
  return change(subscriptions, request.native_symbols, {
    ...wanted,
    state: "requested",
    request_id,
  });
}

/** Whether a symbol of the request still waits for its answer. */
export function isUnanswered(subscriptions: Subscriptions, request_id: number): boolean {
  const asked = [...subscriptions.values()].filter((it) => it.request_id === request_id);
  return asked.some(({ state }) => state === "requested");
}

/** The symbols are to be asked for, whatever became of them before. */
export function want(
  subscriptions: Subscriptions,
  native_symbols: readonly string[],
): Subscriptions {
  return change(subscriptions, native_symbols, wanted);
}

/**
 * The exchange listed all that it holds for the socket. What it holds is acknowledged, whatever was
 * answered before; what it was thought to hold and does not is `missing`, and wanted again; what it
 * holds for nobody is `surplus`. A request that is under way is left to its own answer.
 */
export function compareListed(
  subscriptions: Subscriptions,
  listed: readonly string[],
): {
  readonly subscriptions: Subscriptions;
  readonly missing: readonly string[];
  readonly surplus: readonly string[];
} {
  const held = new Set(listed);
  const missing = symbolsIn(subscriptions, "acknowledged").filter((symbol) => !held.has(symbol));
  const surplus = [...held].filter((symbol) => !subscriptions.has(symbol));
  const news = [...held].filter((symbol) => subscriptions.get(symbol)?.state !== "acknowledged");
  const known = change(subscriptions, news, { ...wanted, state: "acknowledged" });
  return { subscriptions: want(known, missing), missing, surplus };
}

/** An acknowledgement came. One that is late still counts: the trades will flow. */
export function acknowledge(subscriptions: Subscriptions, subject: Subject): Subscriptions {
  const { request_id } = subject;
  const symbols = symbolsOf(subscriptions, subject);
  return change(subscriptions, symbols, { ...wanted, state: "acknowledged", request_id });
}

/**
 * A refusal came, or took its place because no answer did. A refused request concerns those of its
 * symbols that were not answered one by one; a refused symbol concerns itself.
 */
export function refuse(
  subscriptions: Subscriptions,
  subject: Subject & { readonly reason: string; readonly is_terminal: boolean },
): Subscriptions {
  const { request_id, reason, is_terminal } = subject;
  const symbols = symbolsOf(subscriptions, subject).filter(
    (symbol) => subject.native_symbol !== null || subscriptions.get(symbol)?.state === "requested",
  );
  return change(subscriptions, symbols, { state: "refused", request_id, reason, is_terminal });
}

/** Counts the subscriptions. */
export function standing(subscriptions: Subscriptions): Standing {
  const counts = { acknowledged: 0, refused: 0, outstanding: 0 };
  let refused_for_good = 0;
  for (const { state, is_terminal } of subscriptions.values()) {
    if (state === "acknowledged") counts.acknowledged += 1;
    else if (state === "refused") counts.refused += 1;
    else counts.outstanding += 1;
    if (state === "refused" && is_terminal) refused_for_good += 1;
  }
  return { ...counts, is_hopeless: refused_for_good === subscriptions.size };
}

/** The reasons of all refusals as one line, or null; of many only the first few. */
export function refusedReason(subscriptions: Subscriptions): string | null {
  const refused = [...subscriptions].filter(([, it]) => it.state === "refused");
  if (refused.length === 0) return null;
  return firstFew(
    refused.map(([symbol, it]) => `${symbol}: ${it.reason}`),
    "; ",
  );
}

/** Symbols as one line: of a thousand only the first few. */
export function namesOf(native_symbols: readonly string[]): string {
  return firstFew(native_symbols, ", ");
}

function firstFew(texts: readonly string[], separator: string): string {
  const shown_max = 5;
  const rest = texts.length - shown_max;
  const shown = texts.slice(0, shown_max);
  return [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join(separator);
}

function symbolsOf(subscriptions: Subscriptions, subject: Subject): readonly string[] {
  const { request_id, native_symbol } = subject;
  if (native_symbol !== null) {
    const asked = subscriptions.get(native_symbol);
    // An answer about another request, such as one to end the subscription, is none to this one.
    const is_other = request_id !== null && asked?.request_id !== request_id;
    return asked === undefined || is_other ? [] : [native_symbol];
  }
  if (request_id === null) return [];
  return [...subscriptions]
    .filter(([, it]) => it.request_id === request_id)
    .map(([symbol]) => symbol);
}

function change(
  subscriptions: Subscriptions,
  native_symbols: readonly string[],
  subscription: Subscription,
): Subscriptions {
  if (native_symbols.length === 0) return subscriptions;
  const changed = new Map(subscriptions);
  for (const symbol of native_symbols) {
    if (subscriptions.has(symbol)) changed.set(symbol, subscription);
  }
  return changed;
}
