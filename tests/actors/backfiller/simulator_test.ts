/**
 * Goal: on every registered exchange's own protocol a hole of 3,000 trades is filled, ids ascending
 * and every digit equal, then history before it; with faults on the way; and no rule of the
 * exchange is broken.
 * Method: the real actor, adapter, budget, instrument list and HTTP against the simulator, whose
 * clock is the virtual clock of the actor, so that budgets and backoffs cost no time.
 */

import { afterEach, expect, test } from "bun:test";
import { createActor, SimulatedClock, setup, spawnChild } from "xstate";
import { backfiller } from "../../../actors/backfiller/backfiller.ts";
import { Continuity } from "../../../actors/continuity/continuity.ts";
import { exchanges } from "../../../actors/exchanges/mod.ts";
import type { WireTrade } from "../../../actors/messages.ts";
import { NormalizerInbox, normalizer } from "../../../actors/normalizer/normalizer.ts";
import { Budget } from "../../../actors/rest/budget.ts";
import { createGate } from "../../../actors/rest/gate.ts";
import { type GetPage, getPage } from "../../../actors/rest/get_page.ts";
import { createInstrumentList } from "../../../actors/rest/instrument_list.ts";
import { startSimulator } from "../../../actors/simulator/server.ts";
import { epoch_us } from "../../../actors/simulator/trade.ts";
import { fakeIncarnation, fakeLog, fakeSink } from "../connection/fake_exchange.ts";

const symbols: Readonly<Record<string, string>> = {
  binance: "BTCUSDT",
  coinbase: "BTC-USD",
  kraken: "BTC/USD",
};
const began_us = epoch_us + 40 * 86_400_000_000;
const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const simulator of running.splice(0)) await simulator.stop();
});

function start(exchange: string) {
  const adapter = exchanges.find((one) => one.exchange === exchange)!;
  const native_symbol = symbols[exchange]!;
  const clock = new SimulatedClock();
  const now_us = () => began_us + clock.now() * 1_000;
  const now_ms = () => clock.now();
  const simulator = startSimulator({
    port: 0,
    hostname: "127.0.0.1",
    rate: 200,
    seed: 1,
    native_symbols: { [exchange]: [native_symbol] },
    now_us,
  });
  running.push(simulator);
  const base = `http://127.0.0.1:${simulator.port}`;
  const waiting = new Set<Promise<unknown>>();
  const counted: GetPage = (url, request) => {
    const answer = getPage(url, request);
    waiting.add(answer);
    return answer.finally(() => waiting.delete(answer));
  };
  const budget = new Budget({ rules: adapter.rest.budgets, now_ms });
  const { sink, ...kept } = fakeSink();
  const { lines, log } = fakeLog();
  const controller = new AbortController();
  const instruments = createInstrumentList({
    adapter,
    rest_url: base,
    ask: createGate({
      rest: adapter.rest,
      budget,
      getPage: counted,
      now_ms: () => now_us() / 1_000,
    }),
    readCache: async () => null,
    writeCache: async () => {},
    reachability: { failed: () => {}, succeeded: () => {} },
    log,
    now_ms: () => now_us() / 1_000,
    random: () => 1,
    wait: (delay_ms) => new Promise((resolve) => clock.setTimeout(resolve, delay_ms)),
    signal: controller.signal,
  });
  const continuity = new Continuity({
    exchange,
    native_symbol,
    are_ids_dense: adapter.are_ids_dense,
    gap_grace_ms: 1_000,
    positions: { mark: () => 0, settled_through: 0 },
    emit: (event) => sink.addEvent(event),
    now_us,
    now_ms,
    restored: null,
  });
  const { incarnation } = fakeIncarnation();
  const root = setup({ actors: { backfiller, normalizer } }).createMachine({
    entry: [
      spawnChild("normalizer", {
        id: "normalizer",
        systemId: "normalizer",
        input: {
          incarnation: fakeIncarnation().incarnation,
          exchange,
          native_symbol,
          instrument: () => instruments.get(native_symbol),
          sink,
          inbox: new NormalizerInbox(),
          continuity,
        },
      }),
      spawnChild("backfiller", {
        id: "backfiller",
        systemId: "backfiller",
        input: {
          incarnation,
          adapter,
          rest_url: base,
          instruments,
          symbols: [{ native_symbol, continuity }],
          normalizerId: () => "normalizer",
          sink,
          budget,
          getPage: counted,
          onPressure: () => () => {},
          gap_hours_max: 24,
          remedy_flags: "",
          connectionId: () => "rest-1",
          log,
          random: () => 0.999_999,
          now_us,
          monotonic_ns: () => clock.now() * 1e6,
        },
      }),
    ],
  });
  const actor = createActor(root, { clock });
  actor.start();

  /** Lets virtual time pass until a condition holds; real time passes only for requests. */
  async function until(condition: () => boolean, virtual_ms_max: number): Promise<void> {
    for (let passed_ms = 0; passed_ms < virtual_ms_max && !condition(); passed_ms += 50) {
      clock.increment(50);
      continuity.openOverdue();
      do {
        await Promise.all(waiting);
        for (let turn = 0; turn < 30; turn += 1) await Promise.resolve();
      } while (waiting.size > 0);
    }
    expect(condition()).toBe(true);
  }
  /** What the exchange has really traded. */
  async function listed(query: string): Promise<readonly WireTrade[]> {
    const symbol = encodeURIComponent(native_symbol);
    const url = `${base}/simulator/trades?exchange=${exchange}&symbol=${symbol}&${query}`;
    const text = await (await fetch(url)).text();
    return text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as WireTrade);
  }
  function stream(trades: readonly WireTrade[]): void {
    actor.system.get("normalizer").send({
      type: "frame_trades",
      source: "STREAM",
      connection_id: "socket",
      frame_sequence: 0,
      ingestion_timestamp: now_us(),
      trades: trades.map((trade) => ({ ...trade, vendor_data: {} })),
    });
  }
  async function plan(...faults: readonly unknown[]): Promise<void> {
    const body = JSON.stringify(faults);
    const answer = await fetch(`${base}/simulator/faults`, { method: "POST", body });
    if (!answer.ok) throw new Error(await answer.text());
  }
  async function broken(): Promise<unknown> {
    const answer = await fetch(`${base}/simulator/rules`);
    return ((await answer.json()) as { broken: unknown }).broken;
  }
  const { figures } = incarnation.report;
  return {
    actor,
    broken,
    continuity,
    figures,
    instruments,
    kept,
    lines,
    listed,
    plan,
    stream,
    until,
  };
}

function wireOf({ trade_id, price, quantity, side, timestamp }: WireTrade) {
  return { trade_id, price: plain(price), quantity: plain(quantity), side, timestamp };
}

/** Kraken's REST pads with zeros what its socket does not. */
function plain(decimal: string): string {
  return decimal.includes(".") ? decimal.replace(/\.?0+$/, "") : decimal;
}

test.each(Object.keys(symbols))(
  "%s: a hole of 3,000 trades and history are filled",
  async (name) => {
    const rig = start(name);
    await rig.until(() => rig.figures.clock_offset_ms !== null, 5_000);
    void rig.instruments.load();
    await rig.until(() => rig.instruments.all().length > 0, 5_000);
    const all = await rig.listed(`from_us=${began_us - 60_000_000}`);
    const hole = all.slice(-3_002);
    rig.stream([hole[0]!, hole.at(-1)!]);
    await rig.plan({ fault: "rest_truncated", count: 1 }, { fault: "rest_empty", count: 1 });
    await rig.until(() => rig.continuity.openGaps().length > 0, 5_000);
    await rig.until(() => rig.continuity.openGaps().length === 0, 60_000);
    const filled = rig.kept.trades.filter(({ source }) => source === "BACKFILL");
    expect(filled.map(({ trade_id }) => trade_id)).toEqual(
      hole.slice(1, -1).map(({ trade_id }) => trade_id),
    );
    expect(filled.map(wireOf)).toEqual(hole.slice(1, -1).map(wireOf));

    const history = all.slice(-6_000, -3_002);
    rig.continuity.addImport({
      from_timestamp: history[0]!.timestamp,
      to_timestamp: history.at(-1)!.timestamp,
    });
    await rig.until(() => rig.continuity.imports.length === 0, 120_000);
    const ids = rig.kept.trades.map(({ trade_id }) => Number(trade_id));
    expect(new Set(ids).size).toBe(ids.length);
    for (const { trade_id } of history) expect(ids).toContain(Number(trade_id));
    expect(rig.kept.frames.length).toBe(Number(rig.figures.pages_total));
    expect(await rig.broken()).toEqual({});
  },
  30_000,
);

test.each(Object.keys(symbols))("%s: refusals are waited for", async (name) => {
  const rig = start(name);
  const all = await rig.listed(`from_us=${began_us - 10_000_000}`);
  await rig.until(() => rig.figures.clock_offset_ms !== null, 5_000);
  void rig.instruments.load();
  await rig.until(() => rig.instruments.all().length > 0, 5_000);
  rig.stream([all[0]!, all[100]!]);
  await rig.plan({ fault: "rest_refused", status: 429, retry_after_s: 20, count: 1 });
  await rig.until(() => rig.continuity.openGaps().length > 0, 5_000);
  await rig.until(() => rig.continuity.openGaps().length === 0, 60_000);
  expect(rig.kept.trades).toHaveLength(101);
  expect(await rig.broken()).toEqual({});
});
