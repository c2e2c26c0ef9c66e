/**
 * The simulated exchanges, one line each: their markets from the options, their conversations and
 * their REST. Addresses of different exchanges never overlap, so one port serves them all.
 *
 * @module
 */

import { BinanceConversation, readAddress } from "./binance.ts";
import { BinanceRest } from "./binance_rest.ts";
import { FrameCache, type SimulatedExchange } from "./exchange.ts";
import { binance_instruments, kraken_instruments } from "./instruments.ts";
import { KrakenConversation } from "./kraken.ts";
import { KrakenRest } from "./kraken_rest.ts";
import { createMarkets, type MarketOptions } from "./market.ts";

/** Every instrument of every exchange. */
const all = [...binance_instruments, ...kraken_instruments];

/**
 * All simulated exchanges.
 *
 * @throws {RangeError} if the rate is out of range.
 */
export function createExchanges(options: MarketOptions): readonly SimulatedExchange[] {
  return [createBinance(options), createKraken(options)];
}

function createBinance(options: MarketOptions): SimulatedExchange {
  const markets = createMarkets(binance_instruments, { ...options, all });
  const cache = new FrameCache();
  const rest = new BinanceRest(markets);
  return {
    exchange: "binance",
    markets,
    converse(url) {
      const address = readAddress(url);
      return address && new BinanceConversation({ markets, cache, ...address });
    },
    rest: (request) => rest.answer(request),
  };
}

function createKraken(options: MarketOptions): SimulatedExchange {
  const markets = createMarkets(kraken_instruments, { ...options, all });
  const cache = new FrameCache();
  const rest = new KrakenRest(markets, kraken_instruments);
  return {
    exchange: "kraken",
    markets,
    converse(url, connection_id) {
      if (url.pathname !== "/v2") return undefined;
      return new KrakenConversation({ markets, cache, connection_id });
    },
    rest: (request) => rest.answer(request),
  };
}
