/**
 * Makes a flood ready: every frame of it is encoded before the first client asks, by a client of
 * our own that subscribes as K2 does and throws away what it hears. What is left is the cache.
 *
 * @module
 */

import type { SimulatedExchange } from "./exchange.ts";

/** How K2 asks each exchange: where it connects to, and what it says of its symbols. */
const askings: Readonly<
  Record<string, { path: string; message(symbols: readonly string[]): unknown }>
> = {
  binance: {
    path: "/stream?timeUnit=MICROSECOND",
    message: (symbols) => ({
      method: "SUBSCRIBE",
      params: symbols.map((symbol) => `${symbol.toLowerCase()}@trade`),
      id: 1,
    }),
  },
  kraken: {
    path: "/v2",
    message: (symbol) => ({ method: "subscribe", params: { channel: "trade", symbol } }),
  },
  coinbase: {
    path: "/",
    message: (product_ids) => ({ type: "subscribe", product_ids, channels: ["matches"] }),
  },
};

/** Encodes the flood of these symbols of one exchange. */
export function prepareFlood(
  exchange: SimulatedExchange,
  options: { readonly native_symbols: readonly string[]; readonly now_us: number },
): void {
  const { native_symbols, now_us } = options;
  const known = native_symbols.filter((symbol) => exchange.markets.has(symbol));
  const asking = askings[exchange.exchange];
  if (asking === undefined || known.length === 0) return;
  const url = new URL(asking.path, "ws://127.0.0.1");
  const conversation = exchange.converse(url, 1n);
  if (conversation === undefined) return;
  conversation.open(now_us);
  conversation.receive(JSON.stringify(asking.message(known)), now_us);
  while (conversation.tick(now_us).frames.length > 0);
}
