/**
 * What a received message means for whom: trades go straight to the normalizer of their symbol,
 * what nobody can read becomes a dead letter, and what can change a session's state is told to its
 * machine. Heartbeats, pongs and the exchange's own state are figures.
 *
 * Runs inside a socket's handler, for every message: one message to a normalizer for each symbol in
 * the frame, and nothing that a trade could wait for.
 *
 * @module
 */

import type { ExchangeAdapter, Frame, SymbolProgress } from "../exchanges/adapter.ts";
import type {
  DeadLetter,
  FrameEntry,
  FrameTrades,
  RecordSink,
  SymbolProgressed,
  WireTrade,
} from "../messages.ts";
import type { Delivery } from "./deliveries.ts";
import type { ExchangeClock } from "./exchange_clock.ts";

/** What a message may change of a session. */
export type ReadEvent =
  | {
      readonly type: "subscription.acknowledged";
      readonly request_id: number | null;
      readonly native_symbol: string | null;
    }
  | {
      readonly type: "subscription.refused";
      readonly request_id: number | null;
      readonly native_symbol: string | null;
      readonly reason: string;
      readonly is_terminal: boolean;
    }
  | { readonly type: "subscriptions.listed"; readonly native_symbols: readonly string[] }
  | { readonly type: "exchange.closing" };

/** What is counted of the messages, in place: the same object as the status tree shows. */
export interface ReceiverFigures {
  frames_total: number;
  trades_total: number;
  heartbeats_total: number;
  dead_letters_total: number;
  /** Trades whose normalizer was not there to take them. */
  undelivered_total: number;
  /** Trades of a symbol that is not configured. */
  unconfigured_total: number;
  exchange_status: string | null;
}

/** Where a symbol's trades go, and what is noted of them. */
export interface Outlet {
  /** System id of the normalizer. Ids outlive restarts, references do not. */
  readonly normalizer_id: string;
  readonly delivery: Delivery;
}

/** Finds an actor by its system id; a missing one is restarting. */
interface Neighbors {
  get(system_id: string): { send(message: FrameTrades | SymbolProgressed): void } | undefined;
}

/** One socket as its messages are read. */
export interface Reading {
  readonly adapter: ExchangeAdapter;
  readonly connection_id: string;
  /** By native symbol, every configured one. */
  readonly outlets: ReadonlyMap<string, Outlet>;
  readonly sink: Pick<RecordSink, "addDeadLetter">;
  readonly figures: ReceiverFigures;
  readonly clock: ExchangeClock;
  readonly neighbors: Neighbors;
  readonly tell: (event: ReadEvent) => void;
  /** The message that is being read. */
  readonly arrival: FrameEntry;
  /** The ping whose answer is awaited. */
  ping: { readonly request_id: number; readonly sent_ns: number } | null;
  /** What the exchange has said last of how it is; null before that. */
  is_closing: boolean | null;
}

const encoder = new TextEncoder();

/** Reads the message that has just arrived. */
export function readText(reading: Reading, text: string): void {
  const { adapter, figures, tell } = reading;
  const frame = adapter.parse(text);
  switch (frame.kind) {
    case "trades":
      readTrades(reading, frame);
      return;
    case "heartbeat":
      figures.heartbeats_total += 1;
      if (frame.progress !== null) passProgress(reading, frame.progress);
      return;
    case "pong":
      figures.heartbeats_total += 1;
      readPong(reading, frame);
      return;
    case "acknowledged": {
      const { request_id, native_symbol } = frame;
      tell({ type: "subscription.acknowledged", request_id, native_symbol });
      return;
    }
    case "refused": {
      const { request_id, native_symbol, reason, is_terminal } = frame;
      tell({ type: "subscription.refused", request_id, native_symbol, reason, is_terminal });
      return;
    }
    case "subscriptions":
      tell({ type: "subscriptions.listed", native_symbols: frame.native_symbols });
      return;
    case "status":
      readStatus(reading, frame);
      return;
    case "shutdown":
      tell({ type: "exchange.closing" });
      return;
    case "ignored":
      return;
    case "unreadable": {
      const { reason } = frame;
      addDeadLetter(reading, { reason, native_symbol: null, payload: encoder.encode(text) });
      return;
    }
    default:
      frame satisfies never;
  }
}

/**
 * What a socket is greeted with, and what is said again, is how things stand: a new socket would
 * not better it.
 */
function readStatus(
  reading: Reading,
  { is_closing, status }: Extract<Frame, { kind: "status" }>,
): void {
  reading.figures.exchange_status = status;
  if (is_closing && reading.is_closing === false) reading.tell({ type: "exchange.closing" });
  reading.is_closing = is_closing;
}

/** The exchange answered between our sending and receiving: in the middle, for all we know. */
function readPong(
  { arrival, clock, ping }: Reading,
  { exchange_time_us, request_id }: Extract<Frame, { kind: "pong" }>,
): void {
  if (exchange_time_us === null || ping === null || ping.request_id !== request_id) return;
  clock.add(exchange_time_us, (ping.sent_ns + arrival.received_monotonic_ns) / 2_000_000);
}

function passProgress(reading: Reading, progress: SymbolProgress): void {
  const { arrival, clock, neighbors, outlets } = reading;
  const { native_symbol, trade_id, timestamp } = progress;
  clock.add(timestamp, arrival.received_monotonic_ns / 1_000_000);
  const outlet = outlets.get(native_symbol);
  if (outlet === undefined) return;
  neighbors.get(outlet.normalizer_id)?.send({ type: "symbol_progressed", trade_id, timestamp });
}

function readTrades(reading: Reading, frame: Extract<Frame, { kind: "trades" }>): void {
  const { trades, rejects, source } = frame;
  const first = trades[0];
  if (first !== undefined) {
    if (isOfOneSymbol(trades)) {
      deliver(reading, { source, trades, native_symbol: first.native_symbol });
    } else {
      for (const [native_symbol, group] of Map.groupBy(trades, symbolOf)) {
        deliver(reading, { source, trades: group, native_symbol });
      }
    }
  }
  for (const { reason, item, native_symbol } of rejects) {
    addDeadLetter(reading, { reason, native_symbol, payload: encoder.encode(item) });
  }
}

function deliver(
  reading: Reading,
  group: Pick<FrameTrades, "source" | "trades"> & { readonly native_symbol: string },
): void {
  const { arrival, connection_id, figures, neighbors, outlets } = reading;
  const { source, trades, native_symbol } = group;
  const outlet = outlets.get(native_symbol);
  if (outlet === undefined) {
    figures.unconfigured_total += trades.length;
    return;
  }
  figures.trades_total += trades.length;
  noteDelivered(outlet.delivery, group, arrival.received_monotonic_ns / 1_000_000);
  const normalizer = neighbors.get(outlet.normalizer_id);
  if (normalizer === undefined) {
    figures.undelivered_total += trades.length;
    return;
  }
  normalizer.send({
    type: "frame_trades",
    source,
    connection_id,
    frame_sequence: arrival.frame_sequence,
    ingestion_timestamp: arrival.received_us,
    trades,
  });
}

function noteDelivered(
  delivery: Delivery,
  { source, trades }: Pick<FrameTrades, "source" | "trades">,
  received_ms: number,
): void {
  if (source === "STREAM") {
    delivery.streamed_ms = received_ms;
    delivery.first_streamed_id ??= trades[0]?.trade_id ?? null;
  }
  delivery.trade_id = trades[trades.length - 1]?.trade_id ?? delivery.trade_id;
}

/** Keeps what nobody can read. */
export function addDeadLetter(
  { adapter, arrival, connection_id, figures, sink }: Reading,
  letter: Pick<DeadLetter, "reason" | "native_symbol" | "payload">,
): void {
  figures.dead_letters_total += 1;
  sink.addDeadLetter({
    ...letter,
    exchange: adapter.exchange,
    connection_id,
    frame_sequence: arrival.frame_sequence,
    ingestion_timestamp: arrival.received_us,
    topic: null,
  });
}

function isOfOneSymbol(trades: readonly WireTrade[]): boolean {
  const native_symbol = trades[0]?.native_symbol;
  for (let index = 1; index < trades.length; index += 1) {
    if (trades[index]?.native_symbol !== native_symbol) return false;
  }
  return true;
}

function symbolOf(trade: WireTrade): string {
  return trade.native_symbol;
}
