/**
 * What sockets and REST are given of a market while faults hold: views that change where a range
 * begins or ends and never a trade. Sockets may be sent trades again after a subscription, or all
 * of a flood at once; REST may lag behind, or have forgotten what is old.
 *
 * @module
 */

import type { FaultPlan } from "./fault_plan.ts";
import { numberIn } from "./faults.ts";
import type { HistoryMarket } from "./history.ts";
import type { IndexRange, Market, Markets } from "./trade.ts";

/**
 * The markets as subscriptions see them.
 *
 * @param options.flood Trades of each symbol that a subscription is sent at once; they are the
 * newest ones at `started_us`, so that REST and the list have them too. Null: trades as they fall
 * due.
 */
export function socketMarkets(
  markets: ReadonlyMap<string, HistoryMarket>,
  options: {
    readonly plan: FaultPlan;
    readonly flood: { readonly trades_per_symbol: number; readonly started_us: number } | null;
  },
): Markets {
  const { plan, flood } = options;
  return new Map([...markets].map(([symbol, market]) => [symbol, socketMarket(market)]));

  function socketMarket(market: HistoryMarket): Market {
    const { instrument } = market;
    const { exchange, native_symbol } = instrument;
    return {
      instrument,
      indexAt: (time_us) => market.indexAt(time_us),
      tradesIn: (from, to) => market.tradesIn(from, to),
      subscribedFrom(time_us) {
        const next = market.indexAt(time_us);
        const fault = plan.take("snapshot_duplicate", { exchange, native_symbol });
        return fault === undefined ? next : Math.max(0, next - numberIn(fault, "trades"));
      },
      ...(flood === null ? {} : { flood: floodOf(market, flood) }),
    };
  }
}

function floodOf(
  market: Market,
  flood: { readonly trades_per_symbol: number; readonly started_us: number },
): IndexRange {
  const to = market.indexAt(flood.started_us);
  return { from: Math.max(0, to - flood.trades_per_symbol), to };
}

/** The markets as REST sees them. */
export function restMarkets(markets: ReadonlyMap<string, HistoryMarket>, plan: FaultPlan): Markets {
  return new Map([...markets].map(([symbol, market]) => [symbol, restMarket(market, plan)]));
}

function restMarket(market: HistoryMarket, plan: FaultPlan): Market {
  const { instrument } = market;
  const { exchange, native_symbol } = instrument;
  const target = { exchange, native_symbol };
  function ago(seconds: number): number {
    return market.indexAt(plan.now_us - seconds * 1_000_000);
  }
  return {
    instrument,
    get is_halted() {
      return market.is_halted;
    },
    get first() {
      const forgotten = plan.holds("rest_history", target);
      return forgotten === undefined ? 0 : ago(numberIn(forgotten.fault, "older_s"));
    },
    indexAt(time_us) {
      const index = market.indexAt(time_us);
      const lag = plan.holds("rest_lag", target);
      return lag === undefined ? index : Math.min(index, ago(numberIn(lag.fault, "lag_s")));
    },
    tradesIn: (from, to) => market.tradesIn(from, to),
  };
}
