/**
 * The data plane of a connection: every message of one socket passes here, is read by the
 * exchange's adapter, and goes straight to the normalizer of its symbol. The connection's machine
 * hears only of what can change its state, because a transition costs microseconds and a trade
 * must not.
 *
 * This runs inside a socket's handlers, where a throw would reach no actor and end the process:
 * whatever throws becomes a crash of this incarnation, which its supervisor handles.
 *
 * @module
 */

import { fromCallback } from "xstate";
import type { ExchangeAdapter, Frame } from "../exchanges/adapter.ts";
import type { DeadLetter, FrameTrades, Incarnation, RecordSink, WireTrade } from "../messages.ts";
import { reasonOf } from "../settings/exit.ts";

/** How a socket ended. */
export interface SocketEnd {
  /** One clause without a full stop: `closed by the exchange (1012 restarting)`. */
  readonly reason: string;
  /** HTTP status of a refused upgrade, else null. */
  readonly status: number | null;
  /** The refusal's `Retry-After` header, verbatim, else null. */
  readonly retry_after: string | null;
}

/** What a socket calls. `closed` comes once and last; nothing comes after `close()`. */
export interface SocketHandlers {
  opened(): void;
  text(text: string): void;
  binary(bytes: Uint8Array): void;
  /** A ping came; the socket has answered it. */
  pinged(): void;
  closed(end: SocketEnd): void;
}

/** A socket as its owner uses it. */
export interface OpenedSocket {
  /** Sends a text message; one that comes before the socket is open, or after, is dropped. */
  send(text: string): void;
  close(): void;
}

/** Opens a WebSocket. Returns at once; what becomes of it comes later, through the handlers. */
export type OpenSocket = (url: string, handlers: SocketHandlers) => OpenedSocket;

/** Receiver to machine. */
export type SocketEvent =
  | { readonly type: "socket.opened" }
  | ({ readonly type: "socket.closed" } & SocketEnd)
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
  | { readonly type: "exchange.closing" };

/** Machine to receiver. */
interface SendText {
  readonly type: "send";
  readonly text: string;
}

/** What the receiver counts, in place: the same object as the status tree shows. */
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

/** When the socket was last heard, microseconds since 1970. */
export interface Pulse {
  /** By a frame or a ping, or that it was opened. */
  heard_us: number;
  /** By a frame; null before the first one. */
  frame_us: number | null;
}

/** What the receiver of one socket needs. */
export interface ReceiverInput {
  readonly adapter: ExchangeAdapter;
  readonly url: string;
  readonly connection_id: string;
  /** System id of each configured symbol's normalizer. Ids outlive restarts, references do not. */
  readonly normalizer_ids: ReadonlyMap<string, string>;
  readonly incarnation: Pick<Incarnation, "signal" | "exit">;
  readonly sink: Pick<RecordSink, "addDeadLetter">;
  readonly figures: ReceiverFigures;
  readonly pulse: Pulse;
  readonly openSocket: OpenSocket;
  /** Wall clock in microseconds, monotone within the process. */
  readonly now_us: () => number;
}

/** Finds an actor by its system id; a missing one is restarting. */
interface Neighbors {
  get(system_id: string): { send(message: FrameTrades): void } | undefined;
}

/** One socket as it is read: its input, and where its messages go. */
interface Reception extends ReceiverInput {
  readonly neighbors: Neighbors;
  readonly tell: (event: SocketEvent) => void;
}

/** Where and when a message came. */
interface Arrival {
  readonly frame_sequence: number;
  readonly received_us: number;
}

const encoder = new TextEncoder();

/** Actor logic of one socket: lives exactly as long as the socket may. */
export const receiver = fromCallback<SendText, ReceiverInput>(
  ({ input, receive, sendBack, system }) => {
    const { figures, incarnation, now_us, pulse } = input;
    const reception: Reception = { ...input, neighbors: system, tell: sendBack };
    let frames_count = 0;

    function arrive(): Arrival {
      const received_us = now_us();
      pulse.heard_us = received_us;
      pulse.frame_us = received_us;
      figures.frames_total += 1;
      frames_count += 1;
      return { frame_sequence: frames_count - 1, received_us };
    }
    function crash(error: unknown): void {
      close();
      incarnation.exit({ kind: "crash", reason: reasonOf(error) });
    }
    const socket = input.openSocket(input.url, {
      opened: () => sendBack({ type: "socket.opened" }),
      text(text) {
        try {
          readText(reception, arrive(), text);
        } catch (error) {
          crash(error);
        }
      },
      binary(bytes) {
        try {
          const letter = { reason: "not_json", native_symbol: null, payload: bytes };
          addDeadLetter(reception, arrive(), letter);
        } catch (error) {
          crash(error);
        }
      },
      pinged() {
        pulse.heard_us = now_us();
      },
      closed: (end) => sendBack({ type: "socket.closed", ...end }),
    });
    function close(): void {
      incarnation.signal.removeEventListener("abort", close);
      socket.close();
    }
    receive((command) => socket.send(command.text));
    if (incarnation.signal.aborted) close();
    else incarnation.signal.addEventListener("abort", close);
    return close;
  },
);

function readText(reception: Reception, arrival: Arrival, text: string): void {
  const { adapter, figures, tell } = reception;
  const frame = adapter.parse(text);
  switch (frame.kind) {
    case "trades":
      readTrades(reception, arrival, frame);
      return;
    case "heartbeat":
    case "pong":
      figures.heartbeats_total += 1;
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
    case "status":
      figures.exchange_status = frame.status;
      return;
    case "shutdown":
      tell({ type: "exchange.closing" });
      return;
    case "ignored":
      return;
    case "unreadable": {
      const { reason } = frame;
      const payload = encoder.encode(text);
      addDeadLetter(reception, arrival, { reason, native_symbol: null, payload });
      return;
    }
    default:
      frame satisfies never;
  }
}

function readTrades(
  reception: Reception,
  arrival: Arrival,
  frame: Extract<Frame, { kind: "trades" }>,
): void {
  const { trades, rejects, source } = frame;
  const first = trades[0];
  if (first !== undefined) {
    if (isOfOneSymbol(trades)) {
      deliver(reception, arrival, { source, trades, native_symbol: first.native_symbol });
    } else {
      for (const [native_symbol, group] of Map.groupBy(trades, symbolOf)) {
        deliver(reception, arrival, { source, trades: group, native_symbol });
      }
    }
  }
  for (const { reason, item, native_symbol } of rejects) {
    addDeadLetter(reception, arrival, { reason, native_symbol, payload: encoder.encode(item) });
  }
}

function deliver(
  reception: Reception,
  arrival: Arrival,
  group: Pick<FrameTrades, "source" | "trades"> & { readonly native_symbol: string },
): void {
  const { connection_id, figures, neighbors, normalizer_ids } = reception;
  const { source, trades, native_symbol } = group;
  const normalizer_id = normalizer_ids.get(native_symbol);
  if (normalizer_id === undefined) {
    figures.unconfigured_total += trades.length;
    return;
  }
  figures.trades_total += trades.length;
  const normalizer = neighbors.get(normalizer_id);
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

function addDeadLetter(
  reception: Reception,
  arrival: Arrival,
  letter: Pick<DeadLetter, "reason" | "native_symbol" | "payload">,
): void {
  const { adapter, connection_id, figures, sink } = reception;
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
