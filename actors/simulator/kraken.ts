/**
 * Kraken spot's WebSocket version 2 as a client meets it: the status on connecting, one answer per
 * symbol of a request, refusals, the snapshot of the last 50 trades, updates of several trades a
 * frame, heartbeats when nothing else flows, ping and pong. Prices and quantities are JSON numbers
 * written digit by digit, never through a float. Only the `trade` channel is served.
 *
 * @see {@link https://docs.kraken.com/api/docs/websocket-v2/trade}
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
import { Allowance, Refusals } from "./rules.ts";
import {
  latestTrades,
  type Market,
  type Markets,
  type SimulatedTrade,
  subscribedFrom,
  tradesBefore,
} from "./trade.ts";

/** How many past trades a snapshot holds. */
const snapshot_trades = 50;
/** Messages of a client; Kraken publishes no numbers, these are what careful clients keep to. */
const messages_allowed = { burst: 10, per_second: 20 } as const;
/** A connection that was asked for trades hears something at least this often. */
const heartbeat_interval_us = 1_000_000;
/** A connection that never asks for a subscription is closed after this long. */
const unsubscribed_lifetime_us = 60_000_000;
/** Of one frame, so that a stall of ours does not become one huge frame. */
const trades_per_frame_max = 1_000;

/** `{"channel":"trade",…}` with its items in order. */
export function tradesFrame(
  type: "snapshot" | "update",
  options: { readonly native_symbol: string; readonly trades: readonly SimulatedTrade[] },
): string {
  const items = options.trades.map(
    (trade) =>
      `{"symbol":"${options.native_symbol}","side":"${trade.side === "BUY" ? "buy" : "sell"}",` +
      `"price":${trade.price},"qty":${trade.quantity},"ord_type":"${trade.order_type}",` +
      `"trade_id":${trade.trade_id},"timestamp":"${isoText(trade.timestamp)}"}`,
  );
  return `{"channel":"trade","type":"${type}","data":[${items.join(",")}]}`;
}

/** Greets a connection or ends it. `connection_id` goes beyond 2^53, as the real ones do. */
function statusFrame(system: "online" | "maintenance", connection_id: bigint): string {
  return (
    `{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"${system}",` +
    `"api_version":"v2","connection_id":${connection_id}}]}`
  );
}

/** `2026-08-22T17:30:53.355059Z`. */
export function isoText(time_us: number): string {
  const milliseconds = new Date(Math.floor(time_us / 1_000)).toISOString().slice(0, -1);
  return `${milliseconds}${String(time_us % 1_000).padStart(3, "0")}Z`;
}

interface Request {
  readonly method: string;
  readonly snapshot: boolean;
  readonly req_id: number | undefined;
  readonly now_us: number;
  /** Takes the rules that it breaks. */
  readonly broken: string[];
}

/** One client of Kraken's WebSocket. */
export class KrakenConversation implements Conversation {
  readonly #markets: Markets;
  readonly #cache: FrameCache;
  readonly #connection_id: bigint;
  readonly #refusals: Refusals;
  readonly #messages = new Allowance(messages_allowed);
  readonly #subscriptions = new Map<string, { readonly market: Market; next: number }>();
  #opened_us = 0;
  #last_sent_us = 0;
  #has_asked = false;

  constructor(options: {
    readonly markets: Markets;
    readonly cache: FrameCache;
    readonly connection_id: bigint;
    readonly refusals?: Refusals;
  }) {
    this.#markets = options.markets;
    this.#cache = options.cache;
    this.#connection_id = options.connection_id;
    this.#refusals = options.refusals ?? new Refusals();
  }

  open(now_us: number): Outgoing {
    this.#opened_us = now_us;
    this.#last_sent_us = now_us;
    return { frames: [statusFrame("online", this.#connection_id)] };
  }

  receive(text: string, now_us: number): Outgoing {
    this.#last_sent_us = now_us;
    if (this.#messages.exceeds(now_us))
      return { frames: [`{"Error":"Exceeded msg rate"}`], broken: ["kraken.message_rate"] };
    const broken: string[] = [];
    return { frames: this.#answer(text, { now_us, broken }), broken };
  }

  pinged(): Outgoing {
    return silence;
  }

  pong(): Outgoing {
    return silence;
  }

  tick(now_us: number): Outgoing {
    const frames: string[] = [];
    for (const subscription of this.#subscriptions.values()) {
      const { market, next } = subscription;
      const to = dueTo(market, { next, now_us });
      if (to <= next) continue;
      for (const frame of this.#updates(market, { from: next, to })) frames.push(frame);
      subscription.next = to;
    }
    if (!this.#has_asked) {
      if (now_us - this.#opened_us < unsubscribed_lifetime_us) return silence;
      return { frames, close: { code: 1000, reason: "No subscription" } };
    }
    if (frames.length === 0) {
      if (now_us - this.#last_sent_us < heartbeat_interval_us) return silence;
      frames.push(`{"channel":"heartbeat"}`);
    }
    this.#last_sent_us = now_us;
    return { frames };
  }

  shutdown(): Outgoing {
    return {
      frames: [statusFrame("maintenance", this.#connection_id)],
      close: { code: 1001, reason: "Going away" },
    };
  }

  #updates(market: Market, { from, to }: { from: number; to: number }): string[] {
    const { native_symbol } = market.instrument;
    return this.#cache.frames({
      key: native_symbol,
      range: `${from} ${to}`,
      make() {
        const frames: string[] = [];
        for (const trades of framesIn(market, { from, to }))
          frames.push(tradesFrame("update", { native_symbol, trades }));
        return frames;
      },
    });
  }

  #answer(text: string, about_us: { now_us: number; broken: string[] }): string[] {
    const { now_us, broken } = about_us;
    const message = parseJson(text);
    if (!isRecord(message)) return [refusal({ method: "error", now_us }, "Malformed request")];
    const { method } = message;
    const req_id = typeof message.req_id === "number" ? message.req_id : undefined;
    if (method === "ping") return [JSON.stringify({ method: "pong", req_id, ...timesOf(now_us) })];
    const named = typeof method === "string" ? method : "error";
    if (method !== "subscribe" && method !== "unsubscribe")
      return [refusal({ method: named, req_id, now_us }, "Unsupported event")];

    this.#has_asked = true;
    const { params } = message;
    const about = { method, req_id, now_us };
    if (!isRecord(params)) return [refusal(about, "Missing params")];
    if (params.channel !== "trade")
      return [refusal(about, `Subscription to channel not supported ${params.channel}`)];
    if (!Array.isArray(params.symbol) || params.symbol.length === 0)
      return [refusal(about, "Symbol(s) must be a list of strings")];
    const symbols = params.symbol.map((symbol) => String(symbol));
    const snapshot = params.snapshot === true;
    return symbols.flatMap((symbol) => this.#perform({ ...about, snapshot, broken }, symbol));
  }

  #perform(request: Request, symbol: string): string[] {
    const { method, req_id, snapshot, now_us, broken } = request;
    const market = this.#markets.get(symbol);
    const about = { method, req_id, symbol, now_us };
    if (market === undefined) {
      if (this.#refusals.isRepeated(symbol, now_us)) broken.push("kraken.unknown_symbol_again");
      return [refusal(about, `Currency pair not supported ${symbol}`)];
    }
    if (method === "unsubscribe") {
      if (!this.#subscriptions.delete(symbol)) return [refusal(about, "Subscription Not Found")];
      return [acceptance(about, { channel: "trade", symbol })];
    }
    if (this.#subscriptions.has(symbol)) {
      broken.push("kraken.already_subscribed");
      return [refusal(about, "Already subscribed")];
    }
    this.#subscriptions.set(symbol, { market, next: subscribedFrom(market, now_us) });
    const frames = [acceptance(about, { channel: "trade", snapshot, symbol })];
    if (snapshot) {
      const trades =
        market.flood === undefined
          ? latestTrades(market, { count: snapshot_trades, time_us: now_us })
          : tradesBefore(market, { count: snapshot_trades, to: market.flood.from });
      frames.push(tradesFrame("snapshot", { native_symbol: symbol, trades }));
    }
    return frames;
  }
}

/**
 * The trades of one frame each: all that fell due together, but in a flood, where everything is
 * due, only trades of one time, as orders that are filled by several others give them.
 */
function framesIn(
  market: Market,
  { from, to }: { readonly from: number; readonly to: number },
): SimulatedTrade[][] {
  const frames: SimulatedTrade[][] = [];
  let frame: SimulatedTrade[] = [];
  for (const trade of market.tradesIn(from, to)) {
    const is_full = frame.length >= trades_per_frame_max;
    const is_apart = market.flood !== undefined && frame[0]?.timestamp !== trade.timestamp;
    if (is_full || is_apart) {
      if (frame.length > 0) frames.push(frame);
      frame = [];
    }
    frame.push(trade);
  }
  if (frame.length > 0) frames.push(frame);
  return frames;
}

interface About {
  readonly method: string;
  readonly req_id?: number | undefined;
  readonly symbol?: string;
  readonly now_us: number;
}

function acceptance({ method, req_id, now_us }: About, result: unknown): string {
  return JSON.stringify({ method, req_id, result, success: true, ...timesOf(now_us) });
}

function refusal({ method, req_id, symbol, now_us }: About, error: string): string {
  return JSON.stringify({ error, method, req_id, success: false, symbol, ...timesOf(now_us) });
}

/** When the exchange took the request and when it answered; never the same microsecond. */
function timesOf(now_us: number): { readonly time_in: string; readonly time_out: string } {
  return { time_in: isoText(now_us), time_out: isoText(now_us + 40) };
}
