/**
 * Binance spot's market streams as a client meets them: the three addresses, the five methods with
 * their documented answers and errors, raw and combined frames in milli- or microseconds, server
 * pings that must be answered with their payload, and the shutdown frame. Only `@trade` streams
 * carry data; any other or misspelt stream is accepted and stays silent, as on the real exchange.
 *
 * @see {@link https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams}
 * @module
 */

import {
  type Conversation,
  dueTo,
  type FrameCache,
  isRecord,
  type Outgoing,
  parseJson,
  silence,
} from "./exchange.ts";
import { SlidingWindow } from "./rules.ts";
import { type Market, type Markets, type SimulatedTrade, subscribedFrom } from "./trade.ts";

/** Of one message from a client; longer ones end the connection with `oversize_code`. */
const message_bytes_max = 4_096;
/** Close code for a message over `message_bytes_max`. */
const oversize_code = 3_001;
/** Messages, pings and pongs of a client within a second; more end the connection. */
const messages_per_second_max = 5;
/** Streams of one connection; further ones are not subscribed. */
const streams_max = 1_024;
/** Payloads of pings that are remembered, to tell a wrong pong from a late one. */
const payloads_max = 16;
/** Between two pings of the server. */
const ping_interval_us = 20_000_000;
/** A ping unanswered for this long ends the connection. */
const pong_deadline_us = 60_000_000;
/** A connection is valid for this long. */
const connection_lifetime_us = 24 * 3_600_000_000;

const methods = [
  "SUBSCRIBE",
  "UNSUBSCRIBE",
  "LIST_SUBSCRIPTIONS",
  "SET_PROPERTY",
  "GET_PROPERTY",
] as const;

/** What a request is answered, and the rules it broke. */
interface Answer {
  readonly value: unknown;
  readonly broken?: readonly string[];
}

/** How a connection wants its frames. */
interface BinanceForm {
  /** Wrapped as `{"stream":…,"data":…}`. */
  is_combined: boolean;
  unit: "milliseconds" | "microseconds";
}

/** `{"e":"trade",…}`, wrapped or not. `event_us`: when the exchange sends it. */
function tradeFrame(
  trade: SimulatedTrade,
  options: BinanceForm & { readonly native_symbol: string; readonly event_us: number },
): string {
  const { native_symbol, unit, is_combined, event_us } = options;
  const data =
    `{"e":"trade","E":${timeIn(unit, event_us)},"s":"${native_symbol}",` +
    `"t":${trade.trade_id},"p":"${trade.price}","q":"${trade.quantity}",` +
    `"T":${timeIn(unit, trade.timestamp)},"m":${trade.side === "SELL"},"M":true}`;
  if (!is_combined) return data;
  return `{"stream":"${native_symbol.toLowerCase()}@trade","data":${data}}`;
}

/** Binance cuts to milliseconds unless it is asked for microseconds. */
export function timeIn(unit: BinanceForm["unit"], time_us: number): number {
  return unit === "microseconds" ? time_us : Math.floor(time_us / 1_000);
}

/** The streams and the form that an address asks for, or undefined if it is not Binance's. */
export function readAddress(
  url: URL,
): { readonly streams: readonly string[]; readonly form: BinanceForm } | undefined {
  const unit =
    url.searchParams.get("timeUnit")?.toUpperCase() === "MICROSECOND"
      ? "microseconds"
      : "milliseconds";
  if (url.pathname === "/stream") {
    const streams = namesIn(url.searchParams.get("streams") ?? "");
    return { streams, form: { is_combined: true, unit } };
  }
  if (url.pathname !== "/ws" && !url.pathname.startsWith("/ws/")) return undefined;
  const streams = namesIn(decodeURIComponent(url.pathname.slice("/ws/".length)));
  return { streams, form: { is_combined: false, unit } };
}

function namesIn(text: string): string[] {
  return text.split("/").filter((name) => name !== "");
}

/** One client of Binance's streams. */
export class BinanceConversation implements Conversation {
  readonly #markets: Markets;
  readonly #cache: FrameCache;
  readonly #form: BinanceForm;
  readonly #names: readonly string[];
  /** Stream to the market behind it and the index of the next trade owed; null: silent for ever. */
  readonly #streams = new Map<string, { readonly market: Market; next: number } | null>();
  #opened_us = 0;
  #next_ping_us = 0;
  /** Pings not yet answered, payload to time; bounded by the deadline over the interval. */
  readonly #pings = new Map<string, number>();
  /** Payloads of the last pings, answered or not. */
  readonly #payloads: string[] = [];
  readonly #messages = new SlidingWindow({
    events_max: messages_per_second_max,
    window_us: 1_000_000,
  });

  constructor(options: {
    readonly markets: Markets;
    readonly cache: FrameCache;
    readonly streams: readonly string[];
    readonly form: BinanceForm;
  }) {
    this.#markets = options.markets;
    this.#cache = options.cache;
    this.#names = options.streams;
    this.#form = { ...options.form };
  }

  open(now_us: number): Outgoing {
    this.#opened_us = now_us;
    this.#next_ping_us = now_us + ping_interval_us;
    return this.#subscribeAll(this.#names, now_us);
  }

  receive(text: string, now_us: number): Outgoing {
    if (Buffer.byteLength(text) > message_bytes_max) {
      const close = { code: oversize_code, reason: "Message too long" };
      return { frames: [], close, broken: ["binance.message_too_long"] };
    }
    const excess = this.#counted(now_us);
    if (excess.close !== undefined) return excess;
    const { value, broken } = this.#answer(text, now_us);
    return { frames: [JSON.stringify(value)], ...(broken === undefined ? {} : { broken }) };
  }

  pinged(now_us: number): Outgoing {
    return this.#counted(now_us);
  }

  pong(payload: string, now_us: number): Outgoing {
    const counted = this.#counted(now_us);
    if (this.#pings.has(payload)) this.#pings.clear();
    // Empty pongs are allowed: they are the unsolicited ones.
    if (payload === "" || this.#payloads.includes(payload)) return counted;
    return { ...counted, broken: [...(counted.broken ?? []), "binance.pong_payload_wrong"] };
  }

  tick(now_us: number): Outgoing {
    const frames: string[] = [];
    for (const [name, stream] of this.#streams) {
      if (stream === null) continue;
      const to = dueTo(stream.market, { next: stream.next, now_us });
      if (to <= stream.next) continue;
      const made = this.#tradeFrames(name, {
        market: stream.market,
        from: stream.next,
        to,
        now_us,
      });
      for (const frame of made) frames.push(frame);
      stream.next = to;
    }
    const [oldest_ping_us] = this.#pings.values();
    if (oldest_ping_us !== undefined && now_us - oldest_ping_us >= pong_deadline_us)
      return {
        frames,
        close: { code: 1008, reason: "Pong timeout" },
        broken: ["binance.pong_late"],
      };
    if (now_us - this.#opened_us >= connection_lifetime_us)
      return { frames, close: { code: 1001, reason: "Connection reached its 24 hours" } };
    if (now_us < this.#next_ping_us) return { frames };

    this.#next_ping_us = now_us + ping_interval_us;
    const ping = String(Math.floor(now_us / 1_000));
    this.#pings.set(ping, now_us);
    this.#payloads.push(ping);
    if (this.#payloads.length > payloads_max) this.#payloads.shift();
    return { frames, ping };
  }

  shutdown(now_us: number): Outgoing {
    const event = `{"e":"serverShutdown","E":${timeIn(this.#form.unit, now_us)}}`;
    const frame = this.#form.is_combined ? `{"stream":"!serverShutdown","data":${event}}` : event;
    return { frames: [frame], close: { code: 1001, reason: "Server shutdown" } };
  }

  #tradeFrames(
    name: string,
    owed: { market: Market; from: number; to: number; now_us: number },
  ): string[] {
    const { market, from, to, now_us } = owed;
    const form = this.#form;
    return this.#cache.frames({
      key: `${name} ${form.unit} ${form.is_combined}`,
      // A flood is sent as it was made ready, whenever that was.
      range: market.flood === undefined ? `${from} ${to} ${now_us}` : `${from} ${to}`,
      make() {
        const { native_symbol } = market.instrument;
        const options = { ...form, native_symbol, event_us: now_us };
        return market.tradesIn(from, to).map((trade) => tradeFrame(trade, options));
      },
    });
  }

  /** Counts a message of whatever kind; over the limit the connection ends. */
  #counted(now_us: number): Outgoing {
    if (!this.#messages.exceeds(now_us)) return silence;
    const close = { code: 1008, reason: "Too many requests" };
    return { frames: [], close, broken: ["binance.messages_per_second"] };
  }

  #subscribeAll(names: readonly string[], now_us: number): Outgoing {
    for (const name of names) {
      if (!this.#streams.has(name) && this.#streams.size >= streams_max)
        return { frames: [], broken: ["binance.streams_per_connection"] };
      this.#subscribe(name, now_us);
    }
    return silence;
  }

  #subscribe(name: string, now_us: number): void {
    if (this.#streams.has(name)) return;
    const symbol = name.endsWith("@trade") ? name.slice(0, -"@trade".length) : "";
    const market =
      symbol === symbol.toLowerCase() ? this.#markets.get(symbol.toUpperCase()) : undefined;
    this.#streams.set(
      name,
      market === undefined ? null : { market, next: subscribedFrom(market, now_us) },
    );
  }

  #answer(text: string, now_us: number): Answer {
    const message = parseJson(text);
    if (message === undefined)
      return { value: { code: 3, msg: "Invalid JSON: expected value at line 1 column 1" } };
    if (!isRecord(message) || message.method === undefined)
      return invalid(`missing field \`method\` at line 1 column ${text.length}`);
    const { method, id } = message;
    const known = methods.find((one) => one === method);
    if (known === undefined) {
      const variants = methods.map((one) => `\`${one}\``).join(", ");
      return invalid(
        `unknown variant \`${method}\`, expected one of ${variants} at line 1 column 28`,
      );
    }
    if (!isRequestId(id)) return invalid("request ID must be an unsigned integer");
    const params: readonly unknown[] = Array.isArray(message.params) ? message.params : [];
    return this.#perform(known, { params, id, now_us });
  }

  #perform(
    method: (typeof methods)[number],
    { params, id, now_us }: { params: readonly unknown[]; id: unknown; now_us: number },
  ): Answer {
    switch (method) {
      case "SUBSCRIBE":
      case "UNSUBSCRIBE": {
        const names = params.filter((name) => typeof name === "string");
        if (names.length !== params.length) return invalid("stream names must be strings");
        if (method === "SUBSCRIBE") {
          const { broken = [] } = this.#subscribeAll(names, now_us);
          return { value: { result: null, id }, broken };
        }
        for (const name of names) this.#streams.delete(name);
        return { value: { result: null, id } };
      }
      case "LIST_SUBSCRIPTIONS":
        if (params.length > 0) return invalid("too many parameters");
        return { value: { result: [...this.#streams.keys()], id } };
      case "SET_PROPERTY":
      case "GET_PROPERTY":
        return this.#property(method, { params, id });
      default:
        return method satisfies never;
    }
  }

  #property(
    method: "SET_PROPERTY" | "GET_PROPERTY",
    { params, id }: { params: readonly unknown[]; id: unknown },
  ): Answer {
    const [name, value, ...surplus] = params;
    if (typeof name !== "string") return invalid("property name must be a string");
    if (surplus.length > 0) return invalid("too many parameters");
    if (name !== "combined") return { value: { code: 0, msg: "Unknown property", id } };
    if (method === "GET_PROPERTY") {
      if (value !== undefined) return invalid("too many parameters");
      return { value: { result: this.#form.is_combined, id } };
    }
    if (typeof value !== "boolean")
      return { value: { code: 1, msg: "Invalid value type: expected Boolean" } };
    this.#form.is_combined = value;
    return { value: { result: null, id } };
  }
}

function invalid(reason: string): Answer {
  return { value: { code: 2, msg: `Invalid request: ${reason}` } };
}

/** A 64-bit integer, up to 36 letters and digits, or null. */
function isRequestId(id: unknown): boolean {
  if (id === null) return true;
  if (typeof id === "string") return /^[0-9A-Za-z]{1,36}$/.test(id);
  return typeof id === "number" && Number.isInteger(id);
}
