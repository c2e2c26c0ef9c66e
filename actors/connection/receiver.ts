/**
 * The data plane of a session: every message of one socket passes here, is kept verbatim before
 * anyone reads it, and is read at once (`frame_reader.ts`). The session's machine hears only of
 * what can change its state, because a transition costs microseconds and a trade must not.
 *
 * This runs inside a socket's handlers, where a throw would reach no actor and end the process:
 * whatever throws becomes a crash of this incarnation, which its supervisor handles.
 *
 * @module
 */

import { fromCallback } from "xstate";
import type { ExchangeAdapter } from "../exchanges/adapter.ts";
import type { Incarnation, RecordSink } from "../messages.ts";
import { reasonOf } from "../settings/exit.ts";
import type { ExchangeClock } from "./exchange_clock.ts";
import {
  addDeadLetter,
  type Outlet,
  type ReadEvent,
  type Reading,
  type ReceiverFigures,
  readText,
} from "./frame_reader.ts";
import { openRecord } from "./session_record.ts";

/** How a socket ended. */
export interface SocketEnd {
  /** One clause without a full stop: `closed by the exchange with code 1012 (restarting)`. */
  readonly reason: string;
  /** The close code; null where the socket never opened. */
  readonly code: number | null;
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
  /** A ping came; the socket has answered it with the same payload. */
  pinged(payload: string): void;
  closed(end: SocketEnd): void;
}

/** A socket as its owner uses it. */
export interface OpenedSocket {
  /** Sends a text message. False where the socket is not open, and the message is dropped. */
  send(text: string): boolean;
  close(): void;
}

/** Opens a WebSocket. Returns at once; what becomes of it comes later, through the handlers. */
export type OpenSocket = (url: string, handlers: SocketHandlers) => OpenedSocket;

/** Receiver to machine. */
export type SocketEvent =
  | { readonly type: "socket.opened" }
  | ({ readonly type: "socket.closed" } & SocketEnd)
  | ReadEvent
  /** The incarnation is over, and whoever is left of it has nobody to tell. */
  | { readonly type: "socket.abandoned" };

/** Machine to receiver. `ping_id`: the request id of a ping, else null. */
export interface SendText {
  readonly type: "send";
  readonly text: string;
  readonly ping_id: number | null;
}

/** When the socket was last heard. */
export interface Pulse {
  /** By a frame or a ping, or that it was opened; monotonic clock, milliseconds. */
  heard_ms: number;
  /** By a frame, microseconds since 1970; null before the first one. */
  frame_us: number | null;
}

/** Why we end a socket, written by whoever ends it. */
export interface Ending {
  reason: string | null;
}

/** What the receiver of one socket needs. */
export interface ReceiverInput {
  readonly adapter: ExchangeAdapter;
  readonly url: string;
  /** The same without credentials. */
  readonly shown_url: string;
  readonly connection_id: string;
  /** By native symbol, every configured one. */
  readonly outlets: ReadonlyMap<string, Outlet>;
  readonly incarnation: Pick<Incarnation, "signal" | "exit">;
  readonly sink: Pick<RecordSink, "addDeadLetter" | "addEvent" | "openFrames">;
  readonly figures: ReceiverFigures;
  readonly pulse: Pulse;
  readonly ending: Ending;
  readonly clock: ExchangeClock;
  readonly openSocket: OpenSocket;
  /** Wall clock in microseconds since 1970. */
  readonly now_us: () => number;
  /** Monotonic clock in nanoseconds. */
  readonly monotonic_ns: () => number;
}

/** Actor logic of one socket's data plane. It closes the socket when it is stopped. */
export const receiver = fromCallback<SendText, ReceiverInput>(
  ({ input, receive, sendBack, system }) => {
    const { clock, figures, incarnation, monotonic_ns, pulse } = input;
    const { connection_id, shown_url: url } = input;
    const session = { exchange: input.adapter.exchange, connection_id, url };
    const record = openRecord({ ...input, session });
    const { arrival } = record;
    const tell = sendBack;
    const initial = { ping: null, is_closing: null };
    const reading: Reading = { ...input, ...initial, neighbors: system, tell, arrival };

    function arrive(frame: string | Uint8Array): void {
      record.keepReceived(frame);
      pulse.heard_ms = arrival.received_monotonic_ns / 1_000_000;
      pulse.frame_us = arrival.received_us;
      figures.frames_total += 1;
    }
    function crash(error: unknown): void {
      const reason = reasonOf(error);
      input.ending.reason ??= reason;
      close();
      incarnation.exit({ kind: "crash", reason });
    }
    /** Runs what may throw where no throw may leave. */
    function guard(step: () => void): void {
      try {
        step();
      } catch (error) {
        crash(error);
      }
    }
    const socket = input.openSocket(input.url, {
      opened() {
        guard(record.begin);
        sendBack({ type: "socket.opened" });
      },
      text(text) {
        try {
          arrive(text);
          readText(reading, text);
        } catch (error) {
          crash(error);
        }
      },
      binary(bytes) {
        guard(() => {
          arrive(bytes);
          addDeadLetter(reading, { reason: "not_json", native_symbol: null, payload: bytes });
        });
      },
      pinged(payload) {
        pulse.heard_ms = monotonic_ns() / 1_000_000;
        const exchange_us = input.adapter.pingTime(payload);
        if (exchange_us !== null) clock.add(exchange_us, pulse.heard_ms);
      },
      closed(end) {
        guard(() => record.end(end.reason));
        sendBack({ type: "socket.closed", ...end });
      },
    });
    function close(): void {
      socket.close();
      guard(() => record.end(input.ending.reason ?? "its connection was ended"));
    }
    receive(({ text, ping_id }) => {
      guard(() => {
        if (!socket.send(text)) return;
        const sent_ns = record.keepSent(text);
        if (ping_id !== null) reading.ping = { request_id: ping_id, sent_ns };
      });
    });
    function abandon(): void {
      close();
      sendBack({ type: "socket.abandoned" });
    }
    if (incarnation.signal.aborted) abandon();
    else incarnation.signal.addEventListener("abort", abandon);
    return () => {
      incarnation.signal.removeEventListener("abort", abandon);
      close();
    };
  },
);
