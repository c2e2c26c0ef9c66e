/**
 * What an exchange is to the simulator's server: conversations on sockets and answers on REST,
 * both text in and values out, told the time. An exchange is honest: everything that leaves a
 * socket is an `Outgoing`, everything that leaves REST a `RestAnswer`, and faults change those on
 * their way out (`faulty_conversation.ts`, `faulty_rest.ts`).
 *
 * @module
 */

import type { Limit, Refusals } from "./rules.ts";
import type { Market, Markets } from "./trade.ts";

/** What a conversation wants done to its socket, in this order. */
export interface Outgoing {
  readonly frames: readonly string[];
  /** A frame that goes out in part only: the connection dies in its middle. */
  readonly cut_frame?: string;
  /** From now on nothing passes in either direction, and the socket stays open. */
  readonly is_frozen?: boolean;
  /** Payload of a WebSocket ping. */
  readonly ping?: string;
  /** Code 1006 ends the connection without a closing handshake. */
  readonly close?: { readonly code: number; readonly reason: string };
  /** Rules of the exchange that the client has just broken. */
  readonly broken?: readonly string[];
}

/** Nothing to send. */
export const silence: Outgoing = { frames: [] };

/** One client's socket as the exchange sees it. Keeps state, never touches clock or network. */
export interface Conversation {
  /** The socket has opened. */
  open(now_us: number): Outgoing;
  /** The client has sent a message. */
  receive(text: string, now_us: number): Outgoing;
  /** The client has sent a ping of the WebSocket protocol; the server answers it. */
  pinged(now_us: number): Outgoing;
  /** The client has answered a ping. */
  pong(payload: string, now_us: number): Outgoing;
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
  /** Rules of the exchange that the client has just broken. */
  readonly broken?: readonly string[];
  /** What the request costs of a budget that is counted by weight. */
  readonly weight?: number;
}

/** What a request is about. */
export interface RestSubject {
  readonly kind: "trades" | "instruments" | "time" | "other";
  /** The market that is asked for, as the client names it; null if none is. */
  readonly asked: string | null;
  /** Its name on the WebSocket; null where the exchange does not know it. */
  readonly native_symbol: string | null;
}

/** One simulated exchange. A further exchange is one more of these. */
export interface SimulatedExchange {
  readonly exchange: string;
  readonly markets: Markets;
  /** Connection attempts that the exchange allows. */
  readonly attempts: Limit;
  /** Symbols that were refused for good, by whichever socket. */
  readonly refusals: Refusals;
  /**
   * A conversation for a socket asked for at `url`, or undefined if that is no address of this
   * exchange. `connection_id` is an unsigned 64-bit number.
   */
  converse(url: URL, connection_id: bigint): Conversation | undefined;
  /** What a request is about, or undefined if its path belongs to another. */
  subjectOf(request: RestRequest): RestSubject | undefined;
  /** The answer to a request of this exchange's. */
  rest(request: RestRequest): RestAnswer;
}

/** At most so many trades of one market leave in one tick; the rest waits for the next one. */
const trades_per_tick_max = 20_000;
/** In a flood, where ticks follow one another: 1,024 symbols still wait in 64 MiB. */
const flood_trades_per_tick_max = 250;

/** Index of the first trade that a subscription is not yet sent in this tick. */
export function dueTo(market: Market, options: { next: number; now_us: number }): number {
  const { next, now_us } = options;
  if (market.flood !== undefined)
    return Math.min(market.flood.to, next + flood_trades_per_tick_max);
  return Math.min(market.indexAt(now_us), next + trades_per_tick_max);
}

/**
 * Remembers the frames last made under a key, so that connections which are owed the same trades
 * in the same form share one encoding. Holds one entry a key; keys are markets times forms.
 */
export class FrameCache {
  readonly #frames_per_key: "last" | "all";
  readonly #all = new Map<string, string[]>();
  readonly #entries = new Map<string, { readonly range: string; readonly frames: string[] }>();

  /** @param keep `all` for a flood, whose frames are made once and are bounded by its size. */
  constructor(keep: "last" | "all" = "last") {
    this.#frames_per_key = keep;
  }

  /** The frames under `key` for `range`, made anew unless the last ones were for the same range. */
  frames(options: {
    readonly key: string;
    readonly range: string;
    readonly make: () => string[];
  }): string[] {
    const { key, range, make } = options;
    if (this.#frames_per_key === "all") {
      const name = `${key} ${range}`;
      const made = this.#all.get(name) ?? make();
      this.#all.set(name, made);
      return made;
    }
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
