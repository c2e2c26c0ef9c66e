/**
 * A backfiller among real normalizers, continuities and a real budget, in virtual time, with an
 * exchange's REST that the test owns: which trades exist, which of them it shows, and what it does
 * to a request instead of answering.
 *
 * @module
 */

import { createActor, fromCallback, SimulatedClock, setup, spawnChild } from "xstate";
import { type BackfillerInput, backfiller } from "../../../actors/backfiller/backfiller.ts";
import { Continuity, type SymbolState } from "../../../actors/continuity/continuity.ts";
import type { ExchangeAdapter, Page, RestRules } from "../../../actors/exchanges/adapter.ts";
import type {
  FrameTrades,
  PressureListener,
  Probe,
  Probed,
  WireTrade,
} from "../../../actors/messages.ts";
import { NormalizerInbox, normalizer } from "../../../actors/normalizer/normalizer.ts";
import { Budget } from "../../../actors/rest/budget.ts";
import type { RestAnswer } from "../../../actors/rest/get_page.ts";
import type { InstrumentList } from "../../../actors/rest/instrument_list.ts";
import {
  fake_adapter,
  fakeIncarnation,
  fakeLog,
  fakeSink,
  instrument,
} from "../connection/fake_exchange.ts";

/** Wall clock at the virtual clock's zero. */
export const began_us = 1_787_746_340_000_000;
const symbols = ["AB", "CD"];
const listed = [instrument("AB", "A", "B"), instrument("CD", "C", "D")];

/** Rules of an exchange that pages by time: `since` is inclusive, the cursor is the last time. */
export const by_time: Partial<RestRules> = {
  pages_by: "time",
  pageUrl: (rest_url, { native_symbol }, { after_timestamp, cursor }) =>
    `${rest_url}/trades?symbol=${native_symbol}&since=${cursor ?? after_timestamp}`,
};

/** A trade with digits that no float holds; ids of one symbol are a second apart. */
export function tradeOf(
  native_symbol: string,
  id: number,
  timestamp = began_us + id * 1_000_000,
): WireTrade {
  return {
    native_symbol,
    trade_id: String(id),
    side: id % 2 === 0 ? "BUY" : "SELL",
    price: `7${id}.12345678901234567`,
    quantity: "0.00000004",
    timestamp,
    vendor_data: {},
  };
}

/** Ids from first to last. */
export function idsFrom(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** An answer with status 200. */
export function textAnswer(text: string): RestAnswer {
  return { kind: "text", text, bytes: Buffer.from(text), headers: new Headers() };
}

/** Another status than 200. */
export function refusedAnswer(status: number, retry_after: string | null = null): RestAnswer {
  return { kind: "refused", status, retry_after, text: "", headers: new Headers() };
}

export function createRig(options: {
  readonly rest?: Partial<RestRules>;
  readonly adapter?: Partial<ExchangeAdapter>;
  readonly gap_hours_max?: number;
  /** Symbols whose normalizers are there from the beginning. */
  readonly normalizers?: readonly string[];
  readonly answer_ms?: number;
  /** What was stored of AB. */
  readonly restored?: SymbolState | null;
}) {
  const clock = new SimulatedClock();
  const rest: RestRules = { ...fake_adapter.rest, time_weight: 1, ...options.rest };
  const adapter: ExchangeAdapter = { ...fake_adapter, ...options.adapter, rest };
  const { sink, ...kept } = fakeSink();
  const { lines, log } = fakeLog();
  const { incarnation, ...incarnated } = fakeIncarnation();
  const listeners = new Set<PressureListener>();
  const world = { clock, asked: [] as { url: string; at_ms: number }[] };
  const trades = new Map<string, WireTrade[]>(symbols.map((symbol) => [symbol, []]));
  /** What REST does not show; faults answer instead of it, one request each. */
  const exchange = {
    trades,
    isHidden: (_: WireTrade) => false,
    faults: [] as RestAnswer[],
    /** What answers the n-th page of trades, from 0, instead of it. */
    whenAsked: (_: number): RestAnswer | undefined => undefined,
    rejects: [] as Extract<Page, { kind: "trades" }>["rejects"],
    offset_us: 0,
  };
  const now_us = () => began_us + clock.now() * 1_000;
  const now_ms = () => clock.now();
  const continuities = new Map(
    symbols.map((native_symbol) => [
      native_symbol,
      new Continuity({
        exchange: "fake",
        native_symbol,
        are_ids_dense: true,
        gap_grace_ms: 1_000,
        positions: { mark: () => 0, settled_through: 0 },
        emit: (event) => sink.addEvent(event),
        now_us,
        now_ms,
        restored: native_symbol === "AB" ? (options.restored ?? null) : null,
      }),
    ]),
  );
  const budget = new Budget({ rules: rest.budgets, now_ms });
  const probed: Probed[] = [];
  const signals: AbortSignal[] = [];
  let pages_count = 0;

  async function getPage(
    url: string,
    request?: { readonly signal?: AbortSignal },
  ): Promise<RestAnswer> {
    world.asked.push({ url, at_ms: clock.now() });
    if (request?.signal !== undefined) signals.push(request.signal);
    const { answer_ms = 0 } = options;
    if (answer_ms > 0) await new Promise<void>((resolve) => clock.setTimeout(resolve, answer_ms));
    if (url.endsWith("/time")) return textAnswer(String(now_us() + exchange.offset_us));
    const fault = exchange.whenAsked(pages_count) ?? exchange.faults.shift();
    pages_count += 1;
    return fault ?? textAnswer(JSON.stringify(pageOf(new URL(url).searchParams)));
  }
  function pageOf(query: URLSearchParams): Page {
    const all = (trades.get(query.get("symbol") ?? "") ?? []).filter(
      (it) => !exchange.isHidden(it),
    );
    const from = query.get("from");
    const since = query.get("since");
    const { page_trades_max } = rest;
    const page =
      from !== null
        ? all.filter(({ trade_id }) => Number(trade_id) >= Number(from)).slice(0, page_trades_max)
        : since !== null
          ? all.filter(({ timestamp }) => timestamp >= Number(since)).slice(0, page_trades_max)
          : all.slice(-page_trades_max);
    const cursor = since === null ? null : String(page.at(-1)?.timestamp ?? since);
    return { kind: "trades", trades: page, rejects: exchange.rejects, cursor };
  }
  const instruments: InstrumentList = {
    exchange: "fake",
    load: async () => {},
    refresh: async () => {},
    get: (symbol) => listed.find(({ native_symbol }) => native_symbol === symbol),
    all: () => listed,
    fetched_at_ms: () => 0,
  };
  const input: BackfillerInput = {
    incarnation,
    adapter,
    rest_url: "http://user:secret@fake.example",
    instruments,
    symbols: [...continuities].map(([native_symbol, continuity]) => ({
      native_symbol,
      continuity,
    })),
    normalizerId: (symbol) => `fake.normalizer.${symbol}`,
    sink,
    budget,
    getPage,
    onPressure(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    gap_hours_max: options.gap_hours_max ?? 24,
    remedy_flags: " --simulate --seed 1",
    connectionId: () => "fake-rest-1",
    log,
    random: () => 0.999_999,
    now_us,
    monotonic_ns: () => clock.now() * 1e6,
  };
  const answered = fromCallback<Probed>(({ receive }) => {
    receive((event) => probed.push(event));
  });
  const root = setup({ actors: { answered, backfiller } }).createMachine({
    entry: [
      spawnChild("answered", { systemId: "fake.connection.0", id: "connection" }),
      spawnChild("backfiller", { systemId: "fake.backfiller", id: "backfiller", input }),
    ],
  });
  function normalizerInput(native_symbol: string) {
    return {
      incarnation: fakeIncarnation().incarnation,
      exchange: "fake",
      native_symbol,
      instrument: () => instruments.get(native_symbol),
      sink,
      inbox: new NormalizerInbox(),
      continuity: continuities.get(native_symbol)!,
    };
  }
  const actor = createActor(root, { clock });
  actor.start();
  const normalizers = new Map<string, { send(message: FrameTrades): void }>();
  function addNormalizer(native_symbol: string): void {
    const child = createActor(normalizer, { input: normalizerInput(native_symbol) });
    child.start();
    normalizers.set(native_symbol, child);
  }
  const { system } = actor;
  const find = system.get.bind(system);
  // Actors of one supervisor's child are not spawned by the others: they are only found.
  system.get = ((id: string) =>
    find(id) ?? normalizers.get(id.replace("fake.normalizer.", ""))) as typeof system.get;
  for (const symbol of options.normalizers ?? symbols) addNormalizer(symbol);

  /** Lets everything that is already resolved run. */
  async function settle(): Promise<void> {
    for (let turn = 0; turn < 60; turn += 1) await Promise.resolve();
  }
  /** Lets virtual time pass in small steps, and looks for gaps as the keeper does. */
  async function advance(ms: number, step_ms = 50): Promise<void> {
    await settle();
    for (let passed_ms = 0; passed_ms < ms; passed_ms += step_ms) {
      clock.increment(step_ms);
      for (const continuity of continuities.values()) continuity.openOverdue();
      await settle();
    }
  }
  /** The socket delivers trades; the exchange has had them all along. */
  function stream(native_symbol: string, ids: readonly number[]): void {
    normalizers.get(native_symbol)!.send({
      type: "frame_trades",
      source: "STREAM",
      connection_id: "socket",
      frame_sequence: 0,
      ingestion_timestamp: now_us(),
      trades: ids.map(
        (id) =>
          trades.get(native_symbol)!.find(({ trade_id }) => trade_id === String(id)) ??
          tradeOf(native_symbol, id),
      ),
    });
  }
  function list(native_symbol: string, ids: readonly number[]): void {
    trades.set(
      native_symbol,
      ids.map((id) => tradeOf(native_symbol, id)),
    );
  }
  function probe(native_symbol: string, reply_to = "fake.connection.0"): void {
    system.get("fake.backfiller").send({ type: "probe", native_symbol, reply_to } satisfies Probe);
  }
  function backfilled(native_symbol = "AB"): number[] {
    return kept.trades
      .filter((it) => it.source === "BACKFILL" && it.native_symbol === native_symbol)
      .map(({ trade_id }) => Number(trade_id));
  }
  function eventsOf(kind: string) {
    return kept.events.filter(({ event }) => event === kind);
  }
  function urls(): string[] {
    return world.asked.map(({ url }) => url.replace("http://user:secret@fake.example", ""));
  }
  return {
    ...incarnated,
    ...kept,
    actor,
    addNormalizer,
    advance,
    asked: world.asked,
    backfilled,
    budget,
    clock,
    continuity: (symbol = "AB") => continuities.get(symbol)!,
    eventsOf,
    exchange,
    figures: incarnation.report.figures,
    lines,
    list,
    listeners,
    normalizers,
    probe,
    probed,
    report: incarnation.report,
    settle,
    signals,
    stop: () => system.get("fake.backfiller").send({ type: "stop" }),
    stream,
    urls,
  };
}
