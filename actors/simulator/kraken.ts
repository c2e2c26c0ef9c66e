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
  type FrameCache,
  isRecord,
  type Outgoing,
  parseJson,
  silence,
  trades_per_tick_max,
} from "./exchange.ts";
import { latestTrades, type Market, type Markets, type SimulatedTrade } from "./trade.ts";

/** How many past trades a snapshot holds. */
const snapshot_trades = 50;
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

/** The frame that greets a connection. `connection_id` goes beyond 2^53, as the real ones do. */
function statusFrame(connection_id: bigint): string {
  return (
    `{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online",` +
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
}

/** One client of Kraken's WebSocket. */
export class KrakenConversation implements Conversation {
  readonly #markets: Markets;
  readonly #cache: FrameCache;
  readonly #connection_id: bigint;
  readonly #subscriptions = new Map<string, { readonly market: Market; next: number }>();
  #opened_us = 0;
  #last_sent_us = 0;
  #has_asked = false;

  constructor(options: {
    readonly markets: Markets;
    readonly cache: FrameCache;
    readonly connection_id: bigint;
  }) {
    this.#markets = options.markets;
    this.#cache = options.cache;
    this.#connection_id = options.connection_id;
  }

  open(now_us: number): Outgoing {
    this.#opened_us = now_us;
    this.#last_sent_us = now_us;
    return { frames: [statusFrame(this.#connection_id)] };
  }

  receive(text: string, now_us: number): Outgoing {
    this.#last_sent_us = now_us;
    return { frames: this.#answer(text, now_us) };
  }

  pong(): void {}

  tick(now_us: number): Outgoing {
    const frames: string[] = [];
    for (const subscription of this.#subscriptions.values()) {
      const { market, next } = subscription;
      const to = Math.min(market.indexAt(now_us), next + trades_per_tick_max);
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
    return { frames: [], close: { code: 1001, reason: "Going away" } };
  }

  #updates(market: Market, { from, to }: { from: number; to: number }): string[] {
    const { native_symbol } = market.instrument;
    return this.#cache.frames({
      key: native_symbol,
      range: `${from} ${to}`,
      make() {
        const frames: string[] = [];
        for (let start = from; start < to; start += trades_per_frame_max) {
          const trades = market.tradesIn(start, Math.min(to, start + trades_per_frame_max));
          frames.push(tradesFrame("update", { native_symbol, trades }));
        }
        return frames;
      },
    });
  }

  #answer(text: string, now_us: number): string[] {
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
    return symbols.flatMap((symbol) => this.#perform({ ...about, snapshot }, symbol));
  }

  #perform(request: Request, symbol: string): string[] {
    const { method, req_id, snapshot, now_us } = request;
    const market = this.#markets.get(symbol);
    const about = { method, req_id, symbol, now_us };
    if (market === undefined) return [refusal(about, `Currency pair not supported ${symbol}`)];
    if (method === "unsubscribe") {
      if (!this.#subscriptions.delete(symbol)) return [refusal(about, "Subscription Not Found")];
      return [acceptance(about, { channel: "trade", symbol })];
    }
    if (this.#subscriptions.has(symbol)) return [refusal(about, "Already subscribed")];
    this.#subscriptions.set(symbol, { market, next: market.indexAt(now_us) });
    const frames = [acceptance(about, { channel: "trade", snapshot, symbol })];
    if (snapshot) {
      const trades = latestTrades(market, { count: snapshot_trades, time_us: now_us });
      frames.push(tradesFrame("snapshot", { native_symbol: symbol, trades }));
    }
    return frames;
  }
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
