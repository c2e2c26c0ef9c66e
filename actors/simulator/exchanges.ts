/**
 * The simulated exchanges, one function each: their markets from the options, their conversations,
 * their REST and what they allow. Addresses of different exchanges never overlap, so one port
 * serves them all.
 *
 * @module
 */

import { BinanceConversation, readAddress } from "./binance.ts";
import { BinanceRest, binanceSubject } from "./binance_rest.ts";
import { CoinbaseConversation } from "./coinbase.ts";
import { answerCoinbase, coinbaseSubject } from "./coinbase_rest.ts";
import { FrameCache, type RestAnswer, type SimulatedExchange } from "./exchange.ts";
import { restMarkets, socketMarkets } from "./fault_markets.ts";
import { FaultPlan, type Histories } from "./fault_plan.ts";
import { HistoryMarket } from "./history.ts";
import {
  binance_instruments,
  coinbase_instruments,
  type Instrument,
  kraken_instruments,
} from "./instruments.ts";
import { KrakenConversation } from "./kraken.ts";
import { KrakenRest } from "./kraken_rest.ts";
import { createMarkets, type MarketOptions } from "./market.ts";
import { Allowance, Refusals, SlidingWindow } from "./rules.ts";
import type { Markets } from "./trade.ts";

const instruments: Readonly<Record<string, readonly Instrument[]>> = {
  binance: binance_instruments,
  kraken: kraken_instruments,
  coinbase: coinbase_instruments,
};

/** What decides how the exchanges trade and behave. */
export interface ExchangesOptions extends MarketOptions {
  /** Microseconds since 1970 when the simulator started. */
  readonly started_us: number;
  /** Trades of each symbol that a subscription is sent at once; null: as they fall due. */
  readonly flood: { readonly trades_per_symbol: number } | null;
}

/** All exchanges, their histories and the faults planned for them. */
export interface Exchanges {
  readonly exchanges: readonly SimulatedExchange[];
  readonly histories: Histories;
  readonly plan: FaultPlan;
}

/** What an exchange is made of. */
interface Parts {
  /** As its sockets, its REST and the list see them. */
  readonly for_sockets: Markets;
  readonly for_rest: Markets;
  readonly markets: Markets;
  readonly cache: FrameCache;
  readonly refusals: Refusals;
}

/**
 * All simulated exchanges.
 *
 * @throws {RangeError} if the rate is out of range.
 */
export function createExchanges(options: ExchangesOptions): Exchanges {
  const { started_us } = options;
  const all = Object.values(instruments).flat();
  const histories: Histories = new Map(
    Object.entries(instruments).map(([exchange, listed]) => {
      const markets = createMarkets(listed, { ...options, all });
      return [exchange, new Map([...markets].map(([name, one]) => [name, new HistoryMarket(one)]))];
    }),
  );
  const plan = new FaultPlan({ histories, started_us });
  const flood = options.flood === null ? null : { ...options.flood, started_us };
  function partsOf(exchange: string): Parts {
    const markets = histories.get(exchange) ?? new Map<string, HistoryMarket>();
    return {
      markets,
      for_sockets: socketMarkets(markets, { plan, flood }),
      for_rest: restMarkets(markets, plan),
      cache: new FrameCache(flood === null ? "last" : "all"),
      refusals: new Refusals(),
    };
  }
  const exchanges = [
    createBinance(partsOf("binance")),
    createKraken(partsOf("kraken")),
    createCoinbase(partsOf("coinbase")),
  ];
  return { exchanges, histories, plan };
}

function createBinance({ for_sockets, for_rest, ...parts }: Parts): SimulatedExchange {
  const rest = new BinanceRest(for_rest);
  return {
    exchange: "binance",
    ...parts,
    attempts: new SlidingWindow({ events_max: 300, window_us: 300_000_000 }),
    converse(url) {
      const address = readAddress(url);
      const { cache } = parts;
      return address && new BinanceConversation({ markets: for_sockets, cache, ...address });
    },
    subjectOf: (request) => binanceSubject(request, for_rest),
    rest: (request) => rest.answer(request) ?? not_found,
  };
}

function createKraken({ for_sockets, for_rest, ...parts }: Parts): SimulatedExchange {
  const rest = new KrakenRest(for_rest, kraken_instruments);
  // About one public request a second; a few at a start are let pass.
  const requests = new Allowance({ burst: 5, per_second: 1 });
  return {
    exchange: "kraken",
    ...parts,
    attempts: new SlidingWindow({ events_max: 150, window_us: 600_000_000 }),
    converse(url, connection_id) {
      if (url.pathname !== "/v2") return undefined;
      return new KrakenConversation({ ...parts, markets: for_sockets, connection_id });
    },
    subjectOf: (request) => rest.subjectOf(request),
    rest(request) {
      if (!requests.exceeds(request.now_us)) return rest.answer(request) ?? not_found;
      const body = JSON.stringify({ error: ["EAPI:Rate limit exceeded"] });
      return { status: 200, body, headers: json, broken: ["kraken.rest_rate"] };
    },
  };
}

function createCoinbase({ for_sockets, for_rest, ...parts }: Parts): SimulatedExchange {
  const requests = new Allowance({ burst: 15, per_second: 10 });
  return {
    exchange: "coinbase",
    ...parts,
    attempts: new Allowance({ burst: 20, per_second: 8 }),
    converse(url) {
      if (url.pathname !== "/") return undefined;
      return new CoinbaseConversation({ ...parts, markets: for_sockets });
    },
    subjectOf: (request) => coinbaseSubject(request, for_rest),
    rest(request) {
      if (!requests.exceeds(request.now_us)) return answerCoinbase(request, for_rest);
      const body = JSON.stringify({ message: "Public rate limit exceeded" });
      return { status: 429, body, headers: json, broken: ["coinbase.rest_rate"] };
    },
  };
}

const json = { "content-type": "application/json" } as const;
const not_found: RestAnswer = { status: 404, body: "", headers: {} };
