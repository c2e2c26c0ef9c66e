/**
 * What one incarnation of a backfiller holds, and what follows from it without asking anybody: the
 * situation of its plan, the decision whether to work or to wait, the figures it shows.
 *
 * Walks and imports are kept in memory only. Whoever starts anew walks a gap from its beginning and
 * locates an import's ends again; what was delivered stays delivered, since continuity knows it.
 *
 * @module
 */

import { feedEvent } from "../../schemas/mod.ts";
import type { Continuity } from "../continuity/continuity.ts";
import type { ExchangeAdapter } from "../exchanges/adapter.ts";
import { isoTime } from "../figures.ts";
import type { Incarnation, PressureListener, Probe, RecordSink } from "../messages.ts";
import type { Budget } from "../rest/budget.ts";
import { type AskExchange, createGate } from "../rest/gate.ts";
import type { GetPage } from "../rest/get_page.ts";
import type { InstrumentList } from "../rest/instrument_list.ts";
import { withoutCredentials } from "../rest/reachability.ts";
import type { Log } from "../settings/log.ts";
import {
  beginImport,
  countIds,
  type Import,
  type ImportStage,
  importKey,
  missingIds,
  stretchesOf,
} from "./imports.ts";
import {
  keysOf,
  type Plan,
  plan,
  type Situation,
  type SymbolGap,
  symbolKey,
  type Task,
} from "./plan.ts";
import { type PageReader, RejectedItems } from "./read_page.ts";
import { Retries } from "./retries.ts";
import type { Walk } from "./walk.ts";

/** What the backfiller of one exchange needs. */
export interface BackfillerInput {
  readonly incarnation: Incarnation;
  readonly adapter: ExchangeAdapter;
  readonly rest_url: string;
  readonly instruments: InstrumentList;
  readonly symbols: readonly {
    readonly native_symbol: string;
    readonly continuity: Continuity;
  }[];
  /** System id of a symbol's normalizer. */
  readonly normalizerId: (native_symbol: string) => string;
  readonly sink: Pick<RecordSink, "openFrames" | "addEvent" | "addDeadLetter">;
  /** Of the exchange's REST requests. */
  readonly budget: Budget;
  readonly getPage: GetPage;
  /** Returns what ends the listening. */
  readonly onPressure: (listener: PressureListener) => () => void;
  /** Older gaps are filled only on request. */
  readonly gap_hours_max: number;
  /** What `backfill` needs besides to find this data directory, such as ` --simulate`. */
  readonly remedy_flags: string;
  /** A new id of a session, unique across restarts. */
  readonly connectionId: () => string;
  readonly log: Log;
  /** A number in [0, 1), as `Math.random` gives it. */
  readonly random: () => number;
  /** Wall clock, microseconds since 1970. */
  readonly now_us: () => number;
  /** Monotonic clock, nanoseconds. */
  readonly monotonic_ns: () => number;
}

/** What the status tree shows; the same object as the report's. */
export interface BackfillerFigures {
  url: string;
  connection_id: string;
  gaps_open: number;
  ids_missing: number;
  /** The gap whose page is being asked for. */
  filling: string | null;
  pages_total: number;
  trades_total: number;
  /** Ids that pages proved absent or no longer to be had. */
  absent_total: number;
  probes_total: number;
  probes_waiting: number;
  dead_letters_total: number;
  /** Most failures in a row of anything that is tried again. */
  attempts: number;
  last_error: string | null;
  /** What somebody has to change before trying again helps. */
  refused_reason: string | null;
  weight_used: number;
  weight_max: number;
  blocked_s: number;
  /** The exchange's clock minus ours. */
  clock_offset_ms: number | null;
  gaps_too_old: number;
  /** The command that fills the newest gap that is too old. */
  remedy: string | null;
  import_symbol: string | null;
  import_from: string | null;
  import_to: string | null;
  import_ids_total: number | null;
  import_ids_remaining: number | null;
  /** Incomplete: ended, although REST does not show all of it; what it lacks is an open gap. */
  import_state: "locating" | "filling" | "done" | "incomplete" | null;
  /** What somebody has to change before that import can go on. */
  import_refused: string | null;
}

/** What one incarnation holds; changed in place. */
export interface Backfill {
  readonly input: BackfillerInput;
  readonly figures: BackfillerFigures;
  readonly ask: AskExchange;
  readonly reader: PageReader;
  readonly retries: Retries;
  readonly walks: Map<string, Walk>;
  /** By key. */
  readonly imports: Map<string, Import>;
  /** Who waits for the answer, by symbol; the longest waiting first. */
  readonly probes: Map<string, Set<string>>;
  /** Monotonic clock, milliseconds: when the exchange's clock is asked next. */
  clock_due_ms: number;
  /** The exchange's clock minus our monotonic one, microseconds; null before it was asked. */
  exchange_ahead_us: number | null;
  last_kind: Task["kind"] | null;
  /** Ends the session; a second call does nothing. */
  endSession(reason: string): void;
}

/** What a backfiller does next. */
export type Decision =
  | { readonly kind: "work"; readonly task: Task }
  | { readonly kind: "wait"; readonly state: string; readonly wait_ms: number };

/** Key of the exchange as a whole among retries. */
export const exchange_key = "exchange";

/** Why a walk is begun again. */
export const not_shown_yet = "REST does not show all of the missing trades yet";
/**
 * REST lags by seconds; what it does not show after so many walks, half a minute, it hardly will.
 * An import then ends, and its gap stays open like any other.
 */
const import_walks_max = 7;
/** Continuities cannot call us: they are looked at this often. */
const look_ms = 500;
/** Connections that wait for one probe; there is one per symbol, and a successor in a rotation. */
const repliers_max = 8;

/** Begins an incarnation: its session, and its figures in the report. */
export function startBackfill(input: BackfillerInput): Backfill {
  const { adapter, budget, getPage, incarnation, now_us, sink } = input;
  const connection_id = input.connectionId();
  const url = withoutCredentials(input.rest_url);
  const { exchange } = adapter;
  const figures = Object.assign(incarnation.report.figures, blankFigures(url, connection_id));
  const frames = sink.openFrames({ exchange, connection_id, url });
  const session = { exchange, connection_id, url };
  sink.addEvent(feedEvent({ event: "session_opened", timestamp: now_us(), ...session }));
  let is_open = true;
  const now_ms = () => input.now_us() / 1_000;
  const ask = createGate({ rest: adapter.rest, budget, getPage, now_ms });
  const { instruments, monotonic_ns } = input;
  const rejected = new RejectedItems();
  const page = {
    adapter,
    ask,
    budget,
    instruments,
    frames,
    connection_id,
    sink,
    figures,
    rejected,
  };
  return {
    input,
    figures,
    ask,
    reader: { ...page, now_us, monotonic_ns },
    retries: new Retries({ random: input.random, now_ms: () => nowMs(input) }),
    walks: new Map(),
    imports: new Map(),
    probes: new Map(),
    clock_due_ms: Number.NEGATIVE_INFINITY,
    exchange_ahead_us: null,
    last_kind: null,
    endSession(reason) {
      if (!is_open) return;
      is_open = false;
      const ended = { event: "session_closed", timestamp: now_us(), reason } as const;
      sink.addEvent(feedEvent({ ...session, ...ended }));
      frames.close();
    },
  };
}

/** Monotonic clock, milliseconds. */
export function nowMs({ monotonic_ns }: Pick<BackfillerInput, "monotonic_ns">): number {
  return monotonic_ns() / 1e6;
}

/** Remembers who wants a symbol probed; several who want the same get one page. */
export function addProbe({ input, probes }: Backfill, { native_symbol, reply_to }: Probe): void {
  if (continuityOf(input, native_symbol) === undefined) return;
  const repliers = probes.get(native_symbol) ?? new Set();
  if (repliers.size < repliers_max) repliers.add(reply_to);
  probes.set(native_symbol, repliers);
}

/** A configured symbol's continuity. */
export function continuityOf(
  { symbols }: BackfillerInput,
  native_symbol: string,
): Continuity | undefined {
  return symbols.find((symbol) => symbol.native_symbol === native_symbol)?.continuity;
}

/** Looks at everything, shows it, and decides. */
export function decide(backfill: Backfill): Decision {
  const { figures, input, retries, walks } = backfill;
  syncImports(backfill);
  const situation = situationOf(backfill);
  const keys = keysOf(situation);
  retries.keepOnly(new Set([...keys, exchange_key]));
  for (const key of walks.keys()) if (!keys.has(key)) walks.delete(key);
  const planned = plan(situation);
  showSituation(backfill, situation, planned);
  figures.filling = null;
  const blocked_ms = input.budget.blockedMs();
  if (blocked_ms > 0) return waiting("blocked", blocked_ms);
  const retry = retries.get(exchange_key);
  const retry_ms = retries.waitMs(exchange_key);
  if (retry_ms > 0) return waiting(retry?.is_terminal === true ? "refused" : "retrying", retry_ms);
  const { task } = planned;
  if (task === null) return waiting("idle", look_ms);
  const room_ms = input.budget.waitMs(weightOf(task, input.adapter));
  if (room_ms > 0) return waiting("waiting_for_budget", room_ms);
  if (task.kind === "gap") figures.filling = task.stretch.gap_ids.at(-1) ?? null;
  return { kind: "work", task };
}

function waiting(state: string, wait_ms: number): Decision {
  return { kind: "wait", state, wait_ms: Math.min(look_ms, wait_ms) };
}

function weightOf({ kind }: Task, { rest }: ExchangeAdapter): number {
  return kind === "clock" ? rest.time_weight : rest.page_weight;
}

function situationOf(backfill: Backfill): Situation {
  const { clock_due_ms, exchange_ahead_us, imports, input, last_kind, probes, retries } = backfill;
  // Ages are told by the clock that the trades' times are of: ours may be days off.
  const now_us =
    exchange_ahead_us === null ? input.now_us() : nowMs(input) * 1_000 + exchange_ahead_us;
  return {
    is_clock_due: nowMs(input) >= clock_due_ms,
    probes: [...probes.keys()],
    gaps: input.symbols.map(({ native_symbol, continuity }) => ({
      native_symbol,
      gaps: continuity.openGaps(),
    })),
    imports: [...imports.values()],
    gap_hours_max: input.gap_hours_max,
    page_trades_max: input.adapter.rest.page_trades_max,
    now_us,
    isDue: (key) => retries.isDue(key),
    last_kind,
  };
}

/** Begins the imports that were wanted meanwhile, and ends those that are done. */
function syncImports(backfill: Backfill): void {
  const { imports, input } = backfill;
  const wanted = new Set<string>();
  for (const { native_symbol, continuity } of input.symbols) {
    for (const range of continuity.imports) {
      const key = importKey(native_symbol, range);
      const known = imports.get(key);
      if (known?.stage.kind === "filling" && endFilled(backfill, known, known.stage)) continue;
      wanted.add(key);
      if (known !== undefined) continue;
      const { coverage, head } = continuity;
      const first = coverage && { trade_id: coverage.from_id, timestamp: coverage.from_timestamp };
      const places = [first, head].filter((place) => place !== null);
      const { rest } = input.adapter;
      imports.set(key, beginImport({ native_symbol, range, rest, known: places }));
    }
  }
  for (const key of imports.keys()) if (!wanted.has(key)) imports.delete(key);
}

/** Ends an import of which nothing is missing, or nothing that REST shows; false: it goes on. */
function endFilled(
  backfill: Backfill,
  wanted: Import,
  stage: Extract<ImportStage, { kind: "filling" }>,
): boolean {
  const { input, retries } = backfill;
  const { native_symbol } = wanted;
  const continuity = continuityOf(input, native_symbol);
  if (continuity === undefined) return false;
  const ids_remaining = missingIds(stage, continuity.state());
  if (ids_remaining === 0) {
    endImport(backfill, wanted, { state: "done", ids_remaining });
    return true;
  }
  const stretches = stretchesOf(stage, native_symbol, continuity.openGaps());
  const is_given_up = stretches.every(({ key }) => {
    const retry = retries.get(key);
    return retry?.reason === not_shown_yet && retry.attempts >= import_walks_max;
  });
  // What is within its grace is in no stretch yet.
  const in_stretches = countIds(stretches.flatMap(({ remaining }) => remaining));
  if (!is_given_up || in_stretches < ids_remaining) return false;
  input.log.warn(
    `Ended an import of ${input.adapter.exchange} ${native_symbol}: REST does not show all of ` +
      `its trades (${ids_remaining} missing), and their gap stays open`,
  );
  endImport(backfill, wanted, { state: "incomplete", ids_remaining });
  return true;
}

/** Forgets an import that is over, and shows how it ended. */
export function endImport(
  { figures, imports, input }: Backfill,
  { key, native_symbol, range }: Import,
  end: { readonly state: "done" | "incomplete"; readonly ids_remaining: number | null },
): void {
  imports.delete(key);
  continuityOf(input, native_symbol)?.removeImport(range);
  figures.import_symbol = native_symbol;
  figures.import_from = isoTime(range.from_timestamp);
  figures.import_to = isoTime(range.to_timestamp);
  figures.import_state = end.state;
  figures.import_ids_remaining = end.ids_remaining;
}

function showSituation(backfill: Backfill, { gaps }: Situation, { too_old }: Plan): void {
  const { figures, input, probes, retries } = backfill;
  const open = gaps.flatMap((symbol) => symbol.gaps);
  figures.gaps_open = open.length;
  figures.ids_missing = open.reduce((sum, { remaining }) => sum + countIds(remaining), 0);
  figures.probes_waiting = probes.size;
  figures.attempts = retries.attempts_max;
  figures.last_error = retries.last_reason;
  figures.refused_reason = retries.terminal_reason;
  figures.gaps_too_old = too_old.length;
  figures.remedy = too_old[0] === undefined ? null : remedyOf(input, too_old[0]);
  Object.assign(figures, input.budget.figures());
  showImport(backfill);
}

/** The import that is under way; the last one stays as it ended. */
function showImport({ figures, imports, input, retries }: Backfill): void {
  // One that is refused holds up none of another symbol's.
  const all = [...imports.values()];
  const wanted = all.find((it) => retries.isDue(symbolKey(it.native_symbol))) ?? all[0];
  if (wanted === undefined) return;
  const { native_symbol, range, stage } = wanted;
  figures.import_symbol = native_symbol;
  figures.import_from = isoTime(range.from_timestamp);
  figures.import_to = isoTime(range.to_timestamp);
  figures.import_state = stage.kind === "filling" ? "filling" : "locating";
  const refusals = [exchange_key, symbolKey(native_symbol)].map((key) => retries.get(key));
  figures.import_refused = refusals.find((retry) => retry?.is_terminal)?.reason ?? null;
  figures.import_ids_total = null;
  figures.import_ids_remaining = null;
  if (stage.kind !== "filling") return;
  const state = continuityOf(input, native_symbol)?.state() ?? null;
  figures.import_ids_total = stage.last.trade_id - stage.first.trade_id + 1;
  figures.import_ids_remaining = missingIds(stage, state);
}

function remedyOf({ adapter, remedy_flags }: BackfillerInput, gap: SymbolGap): string {
  const { from_timestamp, native_symbol, to_timestamp } = gap;
  // Milliseconds are all that a time on the command line has: the last one is rounded up, and is
  // later than the first one also where both trades are of one millisecond.
  const to = Math.max(Math.ceil(to_timestamp / 1_000) * 1_000, from_timestamp + 1_000);
  return (
    `bun run backfill --exchange ${adapter.exchange} --symbol ${native_symbol} ` +
    `--from ${isoTime(from_timestamp)} --to ${isoTime(to)}${remedy_flags}`
  );
}

function blankFigures(url: string, connection_id: string): BackfillerFigures {
  return {
    url,
    connection_id,
    gaps_open: 0,
    ids_missing: 0,
    filling: null,
    pages_total: 0,
    trades_total: 0,
    absent_total: 0,
    probes_total: 0,
    probes_waiting: 0,
    dead_letters_total: 0,
    attempts: 0,
    last_error: null,
    refused_reason: null,
    weight_used: 0,
    weight_max: 0,
    blocked_s: 0,
    clock_offset_ms: null,
    gaps_too_old: 0,
    remedy: null,
    import_symbol: null,
    import_from: null,
    import_to: null,
    import_ids_total: null,
    import_ids_remaining: null,
    import_state: null,
    import_refused: null,
  };
}
