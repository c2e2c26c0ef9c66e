/**
 * One exchange's instruments: a plain object, made once and given to every connection and
 * normalizer of the exchange, so that all of them mean the same and it outlives each of them.
 *
 * A list is fresh for a day. An old one is used when the exchange's REST does not answer, since
 * base and quote of a market do not change, and is refreshed in the background. A symbol that is
 * not in the list, or does not trade, makes it ask again sooner, because listings are what changes.
 *
 * @module
 */

import type { ExchangeAdapter } from "../exchanges/adapter.ts";
import type { CachedInstruments } from "../exchanges/instrument_cache.ts";
import type { Instrument } from "../messages.ts";
import { reasonOf } from "../settings/exit.ts";
import type { Log } from "../settings/log.ts";
import { backoffMs, retryAfterMs } from "./backoff.ts";
import type { AskExchange, GateAnswer } from "./gate.ts";
import { type Reachability, withoutCredentials } from "./reachability.ts";
import { readRefusal } from "./refusal.ts";

/** Age up to which a list is used without asking. */
const fresh_ms_max = 24 * 3_600_000;
/** Age up to which a list is believed when it says that a symbol does not trade. */
const believed_ms_max = 5 * 60_000;
/** Longest wait for room in the budget, and how often others may take it meanwhile. */
const room_ms_max = 5_000;
const room_waits_max = 10;
/** Growth of the pauses between refreshes in the background. */
const refresh_backoff = { base_ms: 10_000, cap_ms: 5 * 60_000 };

/** No list could be had. An operating error: whoever waits asks again. */
export class InstrumentsUnavailable extends Error {
  override readonly name = "InstrumentsUnavailable";
  /** Asking again soon cannot help. */
  readonly is_terminal: boolean;
  /** What the exchange asked us to wait, milliseconds, else null. */
  readonly retry_after_ms: number | null;

  constructor(
    reason: string,
    options: { readonly is_terminal: boolean; readonly retry_after_ms: number | null },
  ) {
    super(reason);
    this.is_terminal = options.is_terminal;
    this.retry_after_ms = options.retry_after_ms;
  }
}

/** The instruments of one exchange, shared by all its connections and normalizers. */
export interface InstrumentList {
  readonly exchange: string;
  /**
   * Resolves as soon as a list is held. Loads that overlap share one request.
   *
   * @param native_symbols Symbols one wants to trade: where the list has not all of them trading
   *   and is older than five minutes, the exchange is asked again first.
   * @throws {InstrumentsUnavailable} where neither the exchange nor the cache has a list.
   */
  load(native_symbols?: readonly string[]): Promise<void>;
  /**
   * Asks the exchange again, unless it gave the list within the last five minutes.
   *
   * @throws {InstrumentsUnavailable} where it does not answer; a list that is held stays.
   */
  refresh(): Promise<void>;
  get(native_symbol: string): Instrument | undefined;
  /** The whole list in the exchange's order; empty while none is held. */
  all(): readonly Instrument[];
  /** When the exchange gave the list, milliseconds since 1970; null while none is held. */
  fetched_at_ms(): number | null;
}

/** What an instrument list needs of the world. */
interface InstrumentListOptions {
  readonly adapter: ExchangeAdapter;
  readonly rest_url: string;
  /** Through the exchange's gate: the list is paid from the same budget as pages of trades. */
  readonly ask: AskExchange;
  /** Reads and writes the list on disk. */
  readonly readCache: () => Promise<CachedInstruments | null>;
  readonly writeCache: (cached: CachedInstruments) => Promise<void>;
  readonly reachability: Reachability;
  readonly log: Log;
  readonly now_ms: () => number;
  readonly random: () => number;
  /** Resolves after a pause; must not keep the process alive. */
  readonly wait: (delay_ms: number) => Promise<void>;
  /** Aborts when the platform ends: the background refresh stops. */
  readonly signal: AbortSignal;
}

/** Makes an exchange's instrument list, which holds nothing until it is loaded. */
export function createInstrumentList(options: InstrumentListOptions): InstrumentList {
  const { adapter, now_ms } = options;
  let held: CachedInstruments | null = null;
  let by_symbol: ReadonlyMap<string, Instrument> = new Map();
  let cache_read: Promise<void> | null = null;
  let is_refreshing = false;
  const fetchOnce = createFetcher(options, hold);

  function hold(cached: CachedInstruments): void {
    held = cached;
    by_symbol = new Map(cached.instruments.map((it) => [it.native_symbol, it]));
  }
  async function readCache(): Promise<void> {
    const cached = await options.readCache();
    if (cached !== null && held === null) hold(cached);
  }
  function isGoodFor(native_symbols: readonly string[]): boolean {
    const age_ms = ageMs();
    if (age_ms >= fresh_ms_max) return false;
    return age_ms < believed_ms_max || native_symbols.every(isTrading);
  }
  function isTrading(native_symbol: string): boolean {
    const instrument = by_symbol.get(native_symbol);
    return instrument !== undefined && adapter.isTradable(instrument.status);
  }
  function ageMs(): number {
    const age_ms = now_ms() - (held?.fetched_at_ms ?? 0);
    // A stamp of the future tells that the clock was moved, and nothing of the list's age.
    return held === null || age_ms < 0 ? Number.POSITIVE_INFINITY : age_ms;
  }
  async function refreshLater(): Promise<void> {
    if (is_refreshing) return;
    is_refreshing = true;
    for (let attempt = 1; !options.signal.aborted; attempt += 1) {
      await options.wait(backoffMs(attempt, { ...refresh_backoff, random: options.random }));
      if (options.signal.aborted || (await succeeds(fetchOnce()))) break;
    }
    is_refreshing = false;
  }
  return {
    exchange: adapter.exchange,
    async load(native_symbols = []) {
      cache_read ??= readCache();
      await cache_read;
      if (isGoodFor(native_symbols)) return;
      try {
        await fetchOnce();
      } catch (error) {
        if (held === null) throw error;
        refreshLater();
      }
    },
    async refresh() {
      cache_read ??= readCache();
      await cache_read;
      if (ageMs() >= believed_ms_max) await fetchOnce();
    },
    get: (native_symbol) => by_symbol.get(native_symbol),
    all: () => held?.instruments ?? [],
    fetched_at_ms: () => held?.fetched_at_ms ?? null,
  };
}

/** An answer that names a time to wait. Wall clock, milliseconds. */
interface Refusal {
  readonly error: InstrumentsUnavailable;
  readonly from_ms: number;
  readonly until_ms: number;
}

/** A clock that was set back would make it hold for as long: then the exchange may say it again. */
function holds({ from_ms, until_ms }: Refusal, now_ms: number): boolean {
  return from_ms <= now_ms && now_ms < until_ms;
}

/** A fetch that callers share while it is under way, and that keeps to a named pause. */
function createFetcher(
  options: InstrumentListOptions,
  hold: (cached: CachedInstruments) => void,
): () => Promise<void> {
  let request: Promise<void> | null = null;
  let refusal: Refusal | null = null;

  async function fetchAndHold(): Promise<void> {
    // The exchange named a time before which it does not want to be asked, by whomever.
    if (refusal !== null && holds(refusal, options.now_ms())) throw refusal.error;
    try {
      hold(await fetchInstruments(options));
      refusal = null;
    } catch (error) {
      if (error instanceof InstrumentsUnavailable && error.retry_after_ms !== null) {
        const from_ms = options.now_ms();
        refusal = { error, from_ms, until_ms: from_ms + error.retry_after_ms };
      }
      throw error;
    }
  }
  return async () => {
    request ??= fetchAndHold().finally(() => {
      request = null;
    });
    await request;
  };
}

async function fetchInstruments(options: InstrumentListOptions): Promise<CachedInstruments> {
  const { adapter, log, now_ms, reachability, rest_url } = options;
  const url = adapter.instrumentsUrl(rest_url);
  const answer = await askPatiently(options, url);
  if (answer.kind === "postponed") throw postponed(answer.wait_ms);
  const unavailable = readAnswer(answer, adapter, now_ms());
  if (unavailable instanceof InstrumentsUnavailable) {
    reachability.failed("rest", { url: withoutCredentials(url), reason: unavailable.message });
    throw unavailable;
  }
  reachability.succeeded("rest");
  const fetched = { fetched_at_ms: now_ms(), instruments: unavailable };
  try {
    await options.writeCache(fetched);
  } catch (error) {
    log.warn(`Cannot keep the instrument list of ${adapter.exchange}: ${reasonOf(error)}`);
  }
  return fetched;
}

/** Waits for room in the budget, unless it would be long: then others have to know of it. */
async function askPatiently(options: InstrumentListOptions, url: string): Promise<GateAnswer> {
  const weight = options.adapter.rest.instruments_weight;
  let answer = await options.ask(url, { weight });
  for (let turn = 0; turn < room_waits_max; turn += 1) {
    if (answer.kind !== "postponed" || answer.wait_ms > room_ms_max) break;
    await options.wait(answer.wait_ms);
    if (options.signal.aborted) break;
    answer = await options.ask(url, { weight });
  }
  return answer;
}

/** It was not asked: no fault of the exchange, so that nobody is told it could not be reached. */
function postponed(wait_ms: number): InstrumentsUnavailable {
  const reason = `the request budget has room in ${Math.ceil(wait_ms / 1_000)} s`;
  return new InstrumentsUnavailable(reason, { is_terminal: false, retry_after_ms: wait_ms });
}

function readAnswer(
  answer: Exclude<GateAnswer, { kind: "postponed" }>,
  adapter: ExchangeAdapter,
  now_ms: number,
): readonly Instrument[] | InstrumentsUnavailable {
  const passing = { is_terminal: false, retry_after_ms: null };
  if (answer.kind === "failed") return new InstrumentsUnavailable(answer.reason, passing);
  if (answer.kind === "refused") {
    const setting = `K2_${adapter.exchange.toUpperCase()}_REST_URL`;
    const { is_terminal, reason } = readRefusal(answer.status, setting);
    const retry_after_ms = retryAfterMs(answer.retry_after, now_ms);
    return new InstrumentsUnavailable(reason, { is_terminal, retry_after_ms });
  }
  const page = adapter.parseInstruments(answer.text);
  if (page.kind === "unreadable") {
    const reason = `its instrument list cannot be read (${page.reason})`;
    return new InstrumentsUnavailable(reason, passing);
  }
  if (page.instruments.length > 0) return page.instruments;
  return new InstrumentsUnavailable("its instrument list is empty", passing);
}

async function succeeds(promise: Promise<void>): Promise<boolean> {
  return await promise.then(
    () => true,
    () => false,
  );
}
