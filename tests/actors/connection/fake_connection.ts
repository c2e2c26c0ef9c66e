/**
 * A connection in a world of its own: sockets that the test drives by hand, a clock that moves only
 * when told to, a wall clock that jumps when told to, a backfiller and normalizers that keep what
 * they get.
 *
 * @module
 */

import { expect } from "bun:test";
import { createActor, createMachine, SimulatedClock, waitFor } from "xstate";
import { type ConnectionInput, connection } from "../../../actors/connection/connection.ts";
import type { OpenSocket, SocketEnd, SocketHandlers } from "../../../actors/connection/receiver.ts";
import type { ExchangeAdapter, Frame } from "../../../actors/exchanges/adapter.ts";
import type {
  FrameTrades,
  Instrument,
  PressureListener,
  Probe,
  Probed,
  SymbolProgressed,
} from "../../../actors/messages.ts";
import { Budget } from "../../../actors/rest/budget.ts";
import type { InstrumentList } from "../../../actors/rest/instrument_list.ts";
import { createReachability, simulate_remedy } from "../../../actors/rest/reachability.ts";
import { fake_adapter, fakeIncarnation, fakeLog, fakeSink, instrument } from "./fake_exchange.ts";

interface FakeSocket {
  readonly url: string;
  readonly handlers: SocketHandlers;
  /** All that was sent; questions for the list and the time are in `asked` instead. */
  readonly sent: string[];
  readonly asked: string[];
  is_open: boolean;
}

/** Instruments that the test may change, and a list that counts how often it is asked. */
function fakeInstruments(instruments: Instrument[]) {
  const failures: Error[] = [];
  let loads_count = 0;
  async function load(): Promise<void> {
    loads_count += 1;
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
  }
  const list: InstrumentList = {
    exchange: "fake",
    load,
    refresh: load,
    get: (symbol) => instruments.find(({ native_symbol }) => native_symbol === symbol),
    all: () => instruments,
    fetched_at_ms: () => 0,
  };
  return { failures, list, loadsCount: () => loads_count };
}

interface Options {
  readonly symbols?: readonly string[];
  readonly adapter?: Partial<ExchangeAdapter>;
  readonly failures?: readonly Error[];
  readonly attempts_max?: number;
  readonly exchange_symbols_count?: number;
  readonly wall_us?: number;
}

export function start(options: Options = {}) {
  const clock = new SimulatedClock();
  const wall = { jump_us: options.wall_us ?? 0 };
  const sockets: FakeSocket[] = [];
  const pressure = new Set<PressureListener>();
  const probes: Probe[] = [];
  const received: (FrameTrades | SymbolProgressed)[] = [];
  const instruments = [instrument("AB", "A", "B"), instrument("CD", "C", "D")];
  const openSocket: OpenSocket = (url, handlers) => {
    const socket: FakeSocket = { url, handlers, sent: [], asked: [], is_open: true };
    sockets.push(socket);
    return {
      send(text) {
        const is_question = text.startsWith("list") || text.startsWith("ping");
        (is_question ? socket.asked : socket.sent).push(text);
        return true;
      },
      close() {
        socket.is_open = false;
      },
    };
  };
  const { list, failures, loadsCount } = fakeInstruments(instruments);
  failures.push(...(options.failures ?? []));
  const { incarnation, ...fakes } = fakeIncarnation();
  const { lines, log } = fakeLog();
  const kept = fakeSink();
  const attempts = new Budget({
    rules: [{ weight_max: options.attempts_max ?? 1_000, window_ms: 600_000 }],
    now_ms: () => clock.now(),
  });
  const input: ConnectionInput = {
    incarnation,
    adapter: { ...fake_adapter, ...options.adapter },
    native_symbols: options.symbols ?? ["AB", "CD"],
    exchange_symbols_count: options.exchange_symbols_count ?? 2,
    ws_url: "wss://name:secret@fake.example",
    shard: 0,
    system_id: "fake.connection.0",
    attempts,
    instruments: list,
    reachability: createReachability({ exchange: "fake", log, remedy: simulate_remedy }),
    connectionId: () => `fake-${sockets.length}`,
    normalizerId: (symbol) => `fake.normalizer.${symbol}`,
    backfiller_id: "fake.backfiller",
    sink: kept.sink,
    onPressure: (listener) => {
      pressure.add(listener);
      return () => pressure.delete(listener);
    },
    openSocket,
    log,
    random: () => 1,
    now_us: () => clock.now() * 1_000 + wall.jump_us,
    monotonic_ns: () => clock.now() * 1_000_000,
  };
  const backfiller = createMachine({
    on: { probe: { actions: ({ event }) => probes.push(event as Probe) } },
  });
  const normalizer = createMachine({
    on: { "*": { actions: ({ event }) => received.push(event as FrameTrades) } },
  });
  const root = createMachine({
    invoke: [
      { src: backfiller, systemId: "fake.backfiller" },
      { src: normalizer, systemId: "fake.normalizer.AB" },
      { src: normalizer, systemId: "fake.normalizer.CD" },
      { src: connection, id: "connection", systemId: "fake.connection.0", input },
    ],
  });
  const system = createActor(root, { clock });
  const errors: unknown[] = [];
  system.subscribe({ error: (error) => errors.push(error) });
  system.start();
  const actor = system.getSnapshot().children.connection!;

  async function loaded() {
    await waitFor(actor, (snapshot) => !snapshot.matches({ waiting_for_instruments: "loading" }));
  }
  function latest(): SocketHandlers {
    return sockets.at(-1)!.handlers;
  }
  function answerProbe(newest: Probed["newest"]): void {
    const { native_symbol } = probes.at(-1)!;
    actor.send({ type: "symbol.probed", native_symbol, newest });
  }
  /** Lets time pass in steps, with something heard at each so that no socket falls silent. */
  function pass(duration_ms: number, hear: () => void = () => latest().pinged("")): void {
    const step_ms = duration_ms > 10_000 ? 500 : 100;
    for (let passed_ms = 0; passed_ms < duration_ms; passed_ms += step_ms) {
      hear();
      clock.increment(Math.min(step_ms, duration_ms - passed_ms));
    }
  }
  return {
    ...fakes,
    ...kept,
    actor,
    answerProbe,
    attempts,
    clock,
    errors,
    instruments,
    latest,
    lines,
    loaded,
    loadsCount,
    pass,
    pressure,
    probes,
    received,
    report: incarnation.report,
    sockets,
    wall,
  };
}

/** Opens the latest socket and acknowledges symbols on it. */
export function accept(
  { latest }: Pick<ReturnType<typeof start>, "latest">,
  symbols: readonly string[] = ["AB", "CD"],
): void {
  latest().opened();
  for (const symbol of symbols) latest().text(ack(symbol));
}

/** A connection that streams. */
export async function stream(options: Options = {}) {
  const started = start(options);
  await started.loaded();
  accept(started, options.symbols);
  expect(started.report.state).toBe("streaming");
  return started;
}

export function text(frame: Frame): string {
  return JSON.stringify(frame);
}

export function ack(native_symbol: string): string {
  return text({ kind: "acknowledged", request_id: null, native_symbol });
}

export function refusal(native_symbol: string, options: { readonly is_terminal: boolean }): string {
  return text({ kind: "refused", request_id: null, native_symbol, reason: "no", ...options });
}

export function lost(reason: string): SocketEnd {
  return { reason, code: 1006, status: null, retry_after: null };
}
