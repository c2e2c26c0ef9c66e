/**
 * What a backfiller does with one page: a gap's next page, a probe, a step of an import, or the
 * exchange's clock. Each ends with what is known afterwards, in continuity and in `Backfill`;
 * nothing is settled of a page whose trades had nobody to take them.
 *
 * @module
 */

import type { Continuity } from "../continuity/continuity.ts";
import type { FrameTrades, Instrument, Probed, WireTrade } from "../messages.ts";
import { InstrumentsUnavailable } from "../rest/instrument_list.ts";
import { unknownSymbolReason } from "../rest/instruments.ts";
import {
  type Backfill,
  type BackfillerInput,
  continuityOf,
  endImport,
  exchange_key,
  not_shown_yet,
  nowMs,
} from "./backfiller_context.ts";
import { countIds, type Import, type ImportStage } from "./imports.ts";
import { missingTrades, newTrades, placeOf } from "./page_trades.ts";
import { symbolKey, type Task } from "./plan.ts";
import { type Arrival, type PageOutcome, readPage } from "./read_page.ts";
import { passing } from "./retries.ts";
import {
  afterSearchPage,
  beginSearch,
  nextSearchPage,
  type SearchAsk,
  type SearchStep,
} from "./search.ts";
import { afterPage, nextPage, type Place, type Stretch } from "./walk.ts";

/** Finds an actor by its system id; a missing one is restarting. */
export interface Neighbors {
  get(system_id: string): { send(message: FrameTrades | Probed): void } | undefined;
}

/** One task at work. */
interface Work {
  readonly backfill: Backfill;
  readonly neighbors: Neighbors;
  readonly signal: AbortSignal;
}

type ReadTrades = Extract<PageOutcome, { kind: "trades" }>;

/** REST shows a trade that the socket has had only seconds later. */
const rest_lag_us_max = 15_000_000;
/** Empty answers say nothing, but a market that never traded says nothing else: about a minute. */
const locate_attempts_max = 7;
const clock_ms = { after_success: 600_000, after_failure: 60_000 } as const;

/** Does one task. Throws only what is a fault of code. */
export async function work(task: Task, at: Work): Promise<void> {
  at.backfill.last_kind = task.kind;
  switch (task.kind) {
    case "clock":
      return await askClock(at);
    case "probe":
      return await probe(task, at);
    case "gap":
      return await fillGap(task, at);
    case "locate":
      return await locate(task, at);
    default:
      task satisfies never;
  }
}

/** The offset of the clocks, as if the exchange had answered in the middle of the round trip. */
async function askClock({ backfill, signal }: Work): Promise<void> {
  const { figures, input } = backfill;
  const { rest } = input.adapter;
  const sent = { us: input.now_us(), ms: nowMs(input) };
  const answer = await backfill.ask(rest.timeUrl(input.rest_url), {
    weight: rest.time_weight,
    signal,
  });
  if (answer.kind === "postponed" || signal.aborted) return;
  const middle_us = (sent.us + input.now_us()) / 2;
  const middle_ms = (sent.ms + nowMs(input)) / 2;
  const time_us = answer.kind === "text" ? rest.parseTime(answer.text) : null;
  const next_ms = time_us === null ? clock_ms.after_failure : clock_ms.after_success;
  backfill.clock_due_ms = nowMs(input) + next_ms;
  if (time_us === null) return;
  figures.clock_offset_ms = Math.round((time_us - middle_us) / 1_000);
  backfill.exchange_ahead_us = time_us - middle_ms * 1_000;
}

async function fillGap({ stretch }: Extract<Task, { kind: "gap" }>, at: Work): Promise<void> {
  const { input, retries, walks } = at.backfill;
  const { key, native_symbol } = stretch;
  const { rest } = input.adapter;
  const walk = walks.get(key);
  const asked =
    nextPage(stretch, walk, rest.pages_by) ?? nextPage(stretch, undefined, rest.pages_by);
  const continuity = configured(input, native_symbol);
  if (asked === null) {
    throw new Error(`Cannot fill ${stretch.key}: nothing of it is missing`);
  }
  const page = await readTrades(at, key, native_symbol, (instrument) =>
    rest.pageUrl(input.rest_url, instrument, asked.start),
  );
  if (page === null) return;
  const { arrival, cursor, trades } = page;
  if (!deliver(at, native_symbol, { arrival, trades: missingTrades(trades, continuity) })) {
    failed(at, key, native_symbol, without_normalizer);
    return;
  }
  settle(at, continuity, page, asked.after_id);
  const left = remainingOf(continuity, stretch);
  if (countIds(left.remaining) < countIds(stretch.remaining)) retries.succeed(key);
  const places = trades.map(placeOf);
  const step = afterPage(left, walk, { places, cursor, asked: asked.start });
  if (step.walk === undefined) walks.delete(key);
  else walks.set(key, step.walk);
  if (left.remaining.length === 0 || !step.is_over) return;
  retries.fail(key, passing(not_shown_yet));
}

async function probe(
  { key, native_symbol }: Extract<Task, { kind: "probe" }>,
  at: Work,
): Promise<void> {
  const { input } = at.backfill;
  const continuity = configured(input, native_symbol);
  const { rest } = input.adapter;
  const page = await readTrades(at, key, native_symbol, (instrument) =>
    rest.newestPageUrl(input.rest_url, instrument),
  );
  if (page === null) return;
  const { arrival, trades } = page;
  if (deliver(at, native_symbol, { arrival, trades: newTrades(trades, continuity) })) {
    if (continuity.head !== null) continuity.goLive();
    settle(at, continuity, page, null);
    confirm(at.backfill, continuity, page);
  }
  answerProbe(at, native_symbol, trades.at(-1));
}

/** There was nothing newer at the exchange's time of the question, less what REST may lag. */
function confirm(
  { exchange_ahead_us }: Backfill,
  continuity: Continuity,
  { has_rejects, requested_ns, trades }: ReadTrades,
): void {
  const newest = trades.at(-1);
  // Not by the wall clock, which may be wrong: a confirmation of the future would be a lie.
  if (newest === undefined || has_rejects || exchange_ahead_us === null) return;
  const timestamp = Math.floor(requested_ns / 1_000 + exchange_ahead_us) - rest_lag_us_max;
  continuity.confirmThrough({ trade_id: Number(newest.trade_id), timestamp });
}

function answerProbe(
  { backfill, neighbors }: Work,
  native_symbol: string,
  newest: WireTrade | undefined,
): void {
  const { figures, probes } = backfill;
  const repliers = probes.get(native_symbol) ?? [];
  probes.delete(native_symbol);
  figures.probes_total += 1;
  const answer: Probed = {
    type: "symbol.probed",
    native_symbol,
    newest: newest ? { trade_id: newest.trade_id, timestamp: newest.timestamp } : null,
  };
  for (const system_id of repliers) neighbors.get(system_id)?.send(answer);
}

async function locate({ wanted }: Extract<Task, { kind: "locate" }>, at: Work): Promise<void> {
  const { input, retries } = at.backfill;
  const { key, native_symbol, stage } = wanted;
  if (stage.kind === "filling") return;
  const asked = nextSearchPage(stage.search);
  const page = await readTrades(at, key, native_symbol, (instrument) =>
    searchUrl(at.backfill, asked, instrument),
  );
  const continuity = configured(input, native_symbol);
  if (page === null) return;
  const { arrival, cursor, trades } = page;
  const step = afterSearchPage(stage.search, { places: trades.map(placeOf), cursor });
  if (step.kind === "searching") {
    at.backfill.imports.set(key, { ...wanted, stage: { ...stage, search: step.search } });
    return;
  }
  const place = placeFound(step);
  if (place === null) {
    const reason = step.kind === "failed" ? step.reason : "REST shows no trade";
    giveUpLocating(at, wanted, reason);
    return;
  }
  const is_first = stage.kind === "locating_first";
  if (is_first && (step.kind === "none" || place.timestamp > wanted.range.to_timestamp)) {
    // Nothing was traded then: there is nothing to import, and the coverage stays where it is.
    endImport(at.backfill, wanted, { state: "done", ids_remaining: 0 });
    return;
  }
  if (at.neighbors.get(input.normalizerId(native_symbol)) === undefined) {
    failed(at, key, native_symbol, without_normalizer);
    return;
  }
  retries.succeed(key);
  const { coverage } = continuity;
  if (is_first && coverage !== null && place.trade_id < coverage.from_id) {
    continuity.extendBack(place);
  }
  const located = trades.filter((trade) => Number(trade.trade_id) === place.trade_id);
  const taken = located.filter(({ trade_id }) => continuity.judge(trade_id) === "new");
  deliver(at, native_symbol, { arrival, trades: taken });
  const next = nextStage(at.backfill, wanted, stage, place);
  at.backfill.imports.set(key, { ...wanted, stage: next });
}

/** The trade with which a search ended; null where it showed none. */
function placeFound(step: Exclude<SearchStep, { kind: "searching" }>): Place | null {
  if (step.kind === "failed") return null;
  return step.kind === "found" ? step.place : step.newest;
}

/** An import begins again from its beginning, unless there is no trade however often one asks. */
function giveUpLocating(at: Work, wanted: Import, reason: string): void {
  const { key, native_symbol } = wanted;
  const { imports, input, retries } = at.backfill;
  imports.delete(key);
  failed(at, key, native_symbol, pageFailure(reason));
  if ((retries.get(key)?.attempts ?? 0) < locate_attempts_max) return;
  input.log.warn(`Gave up an import of ${input.adapter.exchange} ${native_symbol}: ${reason}`);
  endImport(at.backfill, wanted, { state: "incomplete", ids_remaining: null });
}

function nextStage(
  { input }: Backfill,
  { native_symbol, range }: Import,
  stage: Exclude<ImportStage, { kind: "filling" }>,
  place: Place,
): ImportStage {
  if (stage.kind === "locating_last") return { kind: "filling", first: stage.first, last: place };
  const { head } = configured(input, native_symbol);
  const known = head === null ? [place] : [place, head];
  const { rest } = input.adapter;
  const search = beginSearch({ target_timestamp: range.to_timestamp, rest, known });
  return { kind: "locating_last", first: place, search };
}

function searchUrl({ input }: Backfill, asked: SearchAsk, instrument: Instrument): string {
  const { adapter, rest_url } = input;
  if (asked.kind === "newest") return adapter.rest.newestPageUrl(rest_url, instrument);
  return adapter.rest.pageUrl(rest_url, instrument, asked.start);
}

/** Plans are made of configured symbols only. */
function configured(input: BackfillerInput, native_symbol: string): Continuity {
  const continuity = continuityOf(input, native_symbol);
  if (continuity !== undefined) return continuity;
  throw new Error(`Cannot backfill ${native_symbol}: it is not configured`);
}

/** Asks for a page of trades; null where there is none, which is then noted. */
async function readTrades(
  at: Work,
  key: string,
  native_symbol: string,
  urlOf: (instrument: Instrument) => string,
): Promise<ReadTrades | null> {
  const { reader, retries } = at.backfill;
  const instrument = await instrumentOf(at.backfill, native_symbol);
  if ("kind" in instrument) {
    failed(at, key, native_symbol, instrument);
    return null;
  }
  const { signal } = at;
  if (signal.aborted) return null;
  const outcome = await readPage(reader, { url: urlOf(instrument), native_symbol, signal });
  if (outcome.kind === "postponed" || signal.aborted) return null;
  if (outcome.kind === "failed") {
    failed(at, key, native_symbol, outcome);
    return null;
  }
  retries.succeed(exchange_key);
  retries.succeed(symbolKey(native_symbol));
  return outcome;
}

type PageFailure = Pick<Extract<PageOutcome, { kind: "failed" }>, "kind" | "concerns" | "failure">;

function pageFailure(reason: string): PageFailure {
  return { kind: "failed", concerns: "page", failure: passing(reason) };
}

const without_normalizer = pageFailure("its normalizer is not there");

async function instrumentOf(
  { input }: Backfill,
  native_symbol: string,
): Promise<Instrument | PageFailure> {
  const { adapter, instruments } = input;
  try {
    if (instruments.get(native_symbol) === undefined) await instruments.load([native_symbol]);
  } catch (error) {
    if (!(error instanceof InstrumentsUnavailable)) throw error;
    const { is_terminal, message, retry_after_ms } = error;
    const failure = { reason: `no instrument list: ${message}`, is_terminal, retry_after_ms };
    return { kind: "failed", concerns: "exchange", failure };
  }
  const instrument = instruments.get(native_symbol);
  if (instrument !== undefined) return instrument;
  const reason = unknownSymbolReason(native_symbol, adapter.exchange, instruments.all());
  const failure = { reason, is_terminal: true, retry_after_ms: null };
  return { kind: "failed", concerns: "symbol", failure };
}

/** Notes what did not work, with whomever it concerns. */
function failed(
  { backfill }: Work,
  task_key: string,
  native_symbol: string,
  { concerns, failure }: PageFailure,
): void {
  const { input, retries } = backfill;
  const key = { exchange: exchange_key, symbol: symbolKey(native_symbol), page: task_key }[
    concerns
  ];
  const known = retries.get(key);
  retries.fail(key, failure);
  if (!failure.is_terminal || known?.reason === failure.reason) return;
  const what = concerns === "exchange" ? input.adapter.exchange : native_symbol;
  input.log.error(`Cannot backfill ${what}: ${failure.reason}`);
}

/** Gives trades to their normalizer; false where it is not there. */
function deliver(
  { backfill, neighbors }: Work,
  native_symbol: string,
  page: { readonly arrival: Arrival; readonly trades: readonly WireTrade[] },
): boolean {
  const { figures, input, reader } = backfill;
  const { arrival, trades } = page;
  const normalizer = neighbors.get(input.normalizerId(native_symbol));
  if (normalizer === undefined) return false;
  if (trades.length === 0) return true;
  figures.trades_total += trades.length;
  normalizer.send({
    type: "frame_trades",
    source: "BACKFILL",
    connection_id: reader.connection_id,
    frame_sequence: arrival.frame_sequence,
    ingestion_timestamp: arrival.received_us,
    trades,
  });
  return true;
}

/** Tells continuity what the page proves beside its trades. */
function settle(
  { backfill }: Work,
  continuity: Continuity,
  { has_rejects, trades }: ReadTrades,
  after_id: number | null,
): void {
  const missing = () => Number(continuity.figures.ids_missing ?? 0);
  const before = missing();
  continuity.settlePage({
    ids: trades.map(({ trade_id }) => Number(trade_id)),
    after_id,
    has_rejects,
  });
  backfill.figures.absent_total += before - missing();
}

/** The stretch as it is now. */
function remainingOf(continuity: Continuity, stretch: Stretch): Stretch {
  const from_id = stretch.remaining[0]?.from_id ?? 0;
  const to_id = stretch.remaining.at(-1)?.to_id ?? 0;
  const gaps = continuity.openGaps().filter(({ gap_id }) => stretch.gap_ids.includes(gap_id));
  const ascending = gaps.toReversed().flatMap((gap) => gap.remaining);
  const remaining = ascending.flatMap((range) => {
    const clipped = {
      from_id: Math.max(range.from_id, from_id),
      to_id: Math.min(range.to_id, to_id),
    };
    return clipped.from_id <= clipped.to_id ? [clipped] : [];
  });
  return { ...stretch, remaining };
}
