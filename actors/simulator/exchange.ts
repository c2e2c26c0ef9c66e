/**
 * What an exchange is to the simulator's server: conversations on sockets and answers on REST,
 * both text in and values out, told the time. Everything that leaves a socket is an `Outgoing`,
 * which the server sends in one place: whoever wants an exchange to misbehave changes it there.
 *
 * @module
 */

import type { Markets } from "./trade.ts";

/** What a conversation wants done to its socket, in this order: frames, ping, close. */
export interface Outgoing {
  readonly frames: readonly string[];
  /** Payload of a WebSocket ping. */
  readonly ping?: string;
  readonly close?: { readonly code: number; readonly reason: string };
}

/** Nothing to send. */
export const silence: Outgoing = { frames: [] };

/** One client's socket as the exchange sees it. Keeps state, never touches clock or network. */
export interface Conversation {
  /** The socket has opened. */
  open(now_us: number): Outgoing;
  /** The client has sent a message. */
  receive(text: string, now_us: number): Outgoing;
  /** The client has answered a ping. */
  pong(payload: string): void;
  /** Time has passed: trades that fell due, heartbeats, pings, deadlines. */
  tick(now_us: number): Outgoing;
  /** The exchange is about to go down. */
  shutdown(now_us: number): Outgoing;
}

/** An HTTP request, apart from any server. */
export interface RestRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly now_us: number;
}

/** An HTTP answer, apart from any server. */
export interface RestAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** One simulated exchange. A further exchange is one more of these. */
export interface SimulatedExchange {
  readonly exchange: string;
  readonly markets: Markets;
  /**
   * A conversation for a socket asked for at `url`, or undefined if that is no address of this
   * exchange. `connection_id` is an unsigned 64-bit number.
   */
  converse(url: URL, connection_id: bigint): Conversation | undefined;
  /** The answer to a request, or undefined if its path belongs to another. */
  rest(request: RestRequest): RestAnswer | undefined;
}

/** At most so many trades of one market leave in one tick; the rest waits for the next one. */
export const trades_per_tick_max = 20_000;

/**
 * Remembers the frames last made under a key, so that connections which are owed the same trades
 * in the same form share one encoding. Holds one entry a key; keys are markets times forms.
 */
export class FrameCache {
  readonly #entries = new Map<string, { readonly range: string; readonly frames: string[] }>();

  /** The frames under `key` for `range`, made anew unless the last ones were for the same range. */
  frames(options: {
    readonly key: string;
    readonly range: string;
    readonly make: () => string[];
  }): string[] {
    const { key, range, make } = options;
    const last = this.#entries.get(key);
    if (last?.range === range) return last.frames;
    const frames = make();
    this.#entries.set(key, { range, frames });
    return frames;
  }
}

/** The value of a JSON text, or undefined if it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether a JSON value is an object (not null, not an array). */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
