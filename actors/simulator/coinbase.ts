/**
 * Coinbase Exchange's WebSocket feed as a client meets it: a subscription within five seconds or
 * none at all, the full list of subscriptions in answer, one `last_match` per product and then
 * `match` after `match`, a heartbeat per product and second that names the newest trade, and
 * errors that refuse a whole request. `side` is the maker's, the opposite of a trade's own.
 *
 * @see {@link https://docs.cdp.coinbase.com/exchange/websocket-feed/overview}
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
import { isoText } from "./kraken.ts";
import { Refusals, SlidingWindow } from "./rules.ts";
import {
  latestTrades,
  type Market,
  type Markets,
  type SimulatedTrade,
  subscribedFrom,
  tradesBefore,
} from "./trade.ts";

/** A connection that has not subscribed by then is closed. */
const subscribe_deadline_us = 5_000_000;
const heartbeat_interval_us = 1_000_000;
/** Messages of a client within a second. */
const messages_per_second_max = 100;

const channels_known = ["matches", "heartbeat"] as const;
type Channel = (typeof channels_known)[number];

/** What a connection holds of one product. */
interface Subscription {
  readonly market: Market;
  next: number;
  readonly channels: Set<Channel>;
  next_heartbeat_us: number;
}

/** `{"type":"match",…}` or `{"type":"last_match",…}`. */
export function matchFrame(
  type: "match" | "last_match",
  options: { readonly native_symbol: string; readonly trade: SimulatedTrade },
): string {
  const { native_symbol, trade } = options;
  const order_id = String(trade.trade_id).padStart(12, "0");
  return (
    `{"type":"${type}","trade_id":${trade.trade_id},` +
    `"maker_order_id":"00000000-0000-4000-8000-${order_id}",` +
    `"taker_order_id":"00000000-0000-4000-9000-${order_id}","side":"${makerSide(trade)}",` +
    `"size":"${trade.quantity}","price":"${trade.price}","product_id":"${native_symbol}",` +
    `"sequence":${sequenceOf(trade.trade_id)},"time":"${isoText(trade.timestamp)}"}`
  );
}

/** The side of the order that stood in the book. */
export function makerSide({ side }: SimulatedTrade): "buy" | "sell" {
  return side === "BUY" ? "sell" : "buy";
}

/** Counts all events of the book, of which a match is one in ten here. */
function sequenceOf(trade_id: number): number {
  return trade_id * 10;
}

/** One client of the feed. */
export class CoinbaseConversation implements Conversation {
  readonly #markets: Markets;
  readonly #cache: FrameCache;
  readonly #refusals: Refusals;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #messages = new SlidingWindow({
    events_max: messages_per_second_max,
    window_us: 1_000_000,
  });
  #opened_us = 0;
  #has_asked = false;

  constructor(options: {
    readonly markets: Markets;
    readonly cache: FrameCache;
    readonly refusals?: Refusals;
  }) {
    this.#markets = options.markets;
    this.#cache = options.cache;
    this.#refusals = options.refusals ?? new Refusals();
  }

  open(now_us: number): Outgoing {
    this.#opened_us = now_us;
    return silence;
  }

  receive(text: string, now_us: number): Outgoing {
    if (this.#messages.exceeds(now_us)) {
      const close = { code: 1008, reason: "Rate limit exceeded" };
      return { frames: [], close, broken: ["coinbase.messages_per_second"] };
    }
    const message = parseJson(text);
    if (!isRecord(message)) return refused("Malformed JSON");
    const { type } = message;
    if (type !== "subscribe" && type !== "unsubscribe")
      return refused(`${JSON.stringify(type) ?? "undefined"} is not a valid type`);
    const wished = channelsIn(message);
    if (typeof wished === "string") return refused(wished);
    const unknown = wished
      .flatMap(({ product_ids }) => product_ids)
      .find((product_id) => !this.#markets.has(product_id));
    if (unknown !== undefined) {
      const is_again = this.#refusals.isRepeated(unknown, now_us);
      const broken = is_again ? ["coinbase.unknown_symbol_again"] : [];
      return { ...refused(`${unknown} is not a valid product`), broken };
    }
    if (type === "unsubscribe") {
      for (const { channel, product_ids } of wished) this.#unsubscribe(channel, product_ids);
      return { frames: [this.#subscriptionsFrame()] };
    }
    this.#has_asked = true;
    const matches = wished.flatMap(({ channel, product_ids }) =>
      product_ids.flatMap((product_id) => this.#subscribe(channel, { product_id, now_us })),
    );
    return { frames: [this.#subscriptionsFrame(), ...matches] };
  }

  pinged(): Outgoing {
    return silence;
  }

  pong(): Outgoing {
    return silence;
  }

  tick(now_us: number): Outgoing {
    if (!this.#has_asked) {
      if (now_us - this.#opened_us < subscribe_deadline_us) return silence;
      const close = { code: 1008, reason: "No subscription within 5 seconds" };
      return { frames: [], close, broken: ["coinbase.subscribe_late"] };
    }
    const frames: string[] = [];
    for (const [product_id, subscription] of this.#subscriptions) {
      const { market, next, channels } = subscription;
      const to = dueTo(market, { next, now_us });
      if (channels.has("matches") && to > next) {
        for (const frame of this.#matches(market, { from: next, to })) frames.push(frame);
        subscription.next = to;
      }
      if (!channels.has("heartbeat") || now_us < subscription.next_heartbeat_us) continue;
      subscription.next_heartbeat_us = now_us + heartbeat_interval_us;
      frames.push(heartbeatFrame({ product_id, market, now_us }));
    }
    return frames.length === 0 ? silence : { frames };
  }

  shutdown(): Outgoing {
    return { frames: [], close: { code: 1001, reason: "Going away" } };
  }

  #matches(market: Market, { from, to }: { from: number; to: number }): string[] {
    const { native_symbol } = market.instrument;
    return this.#cache.frames({
      key: native_symbol,
      range: `${from} ${to}`,
      make: () =>
        market.tradesIn(from, to).map((trade) => matchFrame("match", { native_symbol, trade })),
    });
  }

  /** Holds a product's channel; the frames that come at once. */
  #subscribe(
    channel: Channel,
    { product_id, now_us }: { product_id: string; now_us: number },
  ): string[] {
    const market = this.#markets.get(product_id);
    if (market === undefined) return [];
    const held = this.#subscriptions.get(product_id) ?? {
      market,
      next: 0,
      channels: new Set(),
      next_heartbeat_us: now_us + heartbeat_interval_us,
    };
    this.#subscriptions.set(product_id, held);
    if (held.channels.has(channel)) return [];
    held.channels.add(channel);
    if (channel !== "matches") return [];
    held.next = subscribedFrom(market, now_us);
    if (market.flood !== undefined) return [];
    const [trade] = latestTrades(market, { count: 1, time_us: now_us });
    if (trade === undefined) return [];
    return [matchFrame("last_match", { native_symbol: product_id, trade })];
  }

  #unsubscribe(channel: Channel, product_ids: readonly string[]): void {
    for (const product_id of product_ids) {
      const held = this.#subscriptions.get(product_id);
      held?.channels.delete(channel);
      if (held?.channels.size === 0) this.#subscriptions.delete(product_id);
    }
  }

  /** All that the connection holds. */
  #subscriptionsFrame(): string {
    const channels = channels_known.flatMap((name) => {
      const product_ids = [...this.#subscriptions]
        .filter(([, subscription]) => subscription.channels.has(name))
        .map(([product_id]) => product_id);
      return product_ids.length === 0 ? [] : [{ name, product_ids, account_ids: null }];
    });
    return JSON.stringify({ type: "subscriptions", channels });
  }
}

/** The newest trade of a product, at the exchange's time. */
function heartbeatFrame(options: {
  readonly product_id: string;
  readonly market: Market;
  readonly now_us: number;
}): string {
  const { product_id, market, now_us } = options;
  // After a flood nothing has been traded since its end.
  const to = market.flood?.to ?? market.indexAt(now_us);
  const [newest] = tradesBefore(market, { count: 1, to });
  const last_trade_id = newest?.trade_id ?? 0;
  return (
    `{"type":"heartbeat","last_trade_id":${last_trade_id},"product_id":"${product_id}",` +
    `"sequence":${sequenceOf(last_trade_id) + 3},"time":"${isoText(now_us)}"}`
  );
}

function refused(reason: string): Outgoing {
  return {
    frames: [JSON.stringify({ type: "error", message: "Failed to subscribe", reason })],
  };
}

interface Wish {
  readonly channel: Channel;
  readonly product_ids: readonly string[];
}

/** The channels of a request, each with its own products or the request's; or what is wrong. */
function channelsIn(message: Readonly<Record<string, unknown>>): readonly Wish[] | string {
  const { product_ids, channels } = message;
  if (!Array.isArray(channels) || channels.length === 0) return "No channels provided";
  const wishes: Wish[] = [];
  for (const entry of channels) {
    const { name, product_ids: own } = isRecord(entry)
      ? entry
      : { name: entry, product_ids: undefined };
    const channel = channels_known.find((known) => known === name);
    if (channel === undefined) return `${JSON.stringify(name)} is not a valid channel`;
    const products = own ?? product_ids;
    if (!Array.isArray(products) || products.length === 0) return " is not a valid product";
    wishes.push({ channel, product_ids: products.map(String) });
  }
  return wishes;
}
