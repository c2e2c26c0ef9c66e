/**
 * What the feed remembers, whoever crashes: of each symbol which trades it has had, of each
 * exchange what it still allows. Plain objects that outlive every incarnation; on disk, in
 * `continuity.db` and `budgets.db` of the data directory, they outlive the process.
 *
 * @module
 */

import { Continuity, type Positions } from "../actors/continuity/continuity.ts";
import type { ContinuityStore } from "../actors/continuity/continuity_store.ts";
import { createEmit } from "../actors/continuity/keeper.ts";
import type { ExchangeAdapter } from "../actors/exchanges/adapter.ts";
import { exchangeNamed } from "../actors/exchanges/mod.ts";
import type { RecordSink } from "../actors/messages.ts";
import { recordsOf } from "../actors/producer/batch.ts";
import type { SpillStore } from "../actors/producer/spill.ts";
import type { Budget } from "../actors/rest/budget.ts";
import type { BudgetStore } from "../actors/rest/kept_budgets.ts";
import type { Log } from "../actors/settings/log.ts";
import type { ExchangeSettings, Settings } from "../actors/settings/settings.ts";
import { decodeTrade, isTradesTopic, recordKey, type TradeRecord } from "../schemas/mod.ts";
import { type Effects, monotonicMs } from "./effects.ts";

/** Where it is kept. */
export interface FeedStores {
  readonly continuity: ContinuityStore;
  readonly budgets: BudgetStore;
  /** Where records wait for Kafka. */
  readonly spill: SpillStore;
}

/** One exchange's share of the memory. */
export interface ExchangeMemory {
  readonly settings: ExchangeSettings;
  readonly adapter: ExchangeAdapter;
  /** By native symbol, every configured one. */
  readonly continuities: ReadonlyMap<string, Continuity>;
  /** Of REST requests, by weight. */
  readonly requests: Budget;
  /** Of connection attempts. */
  readonly attempts: Budget;
}

/** What the feed remembers. */
export interface FeedMemory {
  readonly exchanges: readonly ExchangeMemory[];
  readonly store: ContinuityStore;
  /** Lets go of the stores. */
  close(): void;
}

/**
 * Opens the memory that stores hold, and makes what they have not held yet.
 *
 * @param options.exchanges Those that run; what is kept of others stays as it is.
 * @throws {FailureError} where a store cannot be read.
 */
export function openFeedMemory(options: {
  readonly settings: Settings;
  readonly exchanges: readonly ExchangeSettings[];
  /** Live: a symbol that is new begins now, and whatever it misses from now on is wanted. */
  readonly feeding: "live" | "history";
  /** The outbox, and its topics by the index that packets carry. */
  readonly sink: Pick<RecordSink, "addEvent"> & Positions & { readonly topics: readonly string[] };
  readonly log: Log;
  readonly stores: FeedStores;
  readonly effects: Pick<Effects, "now_us" | "monotonic_ns">;
}): FeedMemory {
  const { settings, feeding, sink, log, stores, effects } = options;
  const { budgets, continuity: store, spill } = stores;
  const { now_us } = effects;
  const emit = createEmit({ store, sink, log });
  const states = new Map(
    store.readStates().map((state) => [`${state.exchange}:${state.native_symbol}`, state]),
  );

  function remember(exchange_settings: ExchangeSettings): ExchangeMemory {
    const { exchange, native_symbols } = exchange_settings;
    const adapter = exchangeNamed(exchange);
    if (adapter === undefined) throw new RangeError(`There is no exchange "${exchange}"`);
    const continuities = native_symbols.map((native_symbol) => {
      const continuity = new Continuity({
        exchange,
        native_symbol,
        are_ids_dense: adapter.are_ids_dense,
        gap_grace_ms: settings.gap_grace_ms,
        positions: sink,
        emit,
        now_us,
        now_ms: () => monotonicMs(effects),
        restored: states.get(`${exchange}:${native_symbol}`) ?? null,
      });
      if (feeding === "live" && continuity.coverage === null) continuity.goLive();
      return [native_symbol, continuity] as const;
    });
    return {
      settings: exchange_settings,
      adapter,
      continuities: new Map(continuities),
      requests: budgets.open(exchange, "rest", adapter.rest.budgets),
      attempts: budgets.open(exchange, "connections", [adapter.session.attempts]),
    };
  }
  const exchanges = options.exchanges.map(remember);
  recallSpilled(exchanges, { spill, topics: sink.topics, log });
  return {
    exchanges,
    store,
    close() {
      store.close();
      budgets.close();
      spill.close();
    },
  };
}

/**
 * Tells continuity of the trades that wait on disk for Kafka: they are taken, although the state
 * that is stored is of before they came, because it never passes what the broker has. What was lost
 * of them to the disk stays missing, and is fetched again.
 */
function recallSpilled(
  exchanges: readonly ExchangeMemory[],
  left: { readonly spill: SpillStore; readonly topics: readonly string[]; readonly log: Log },
): void {
  const { spill, topics, log } = left;
  const { found, damaged } = spill;
  if (damaged > 0) {
    log.error(`${damaged} records that waited on disk are damaged: they are fetched again`);
  }
  if (found.length === 0) return;
  const records = found.reduce((sum, { count }) => sum + count, 0);
  // Said before they are read: a million takes a quarter of a minute.
  log.info(`${records} records of an earlier start wait on disk: they go to Kafka first`);
  const all = exchanges.flatMap(({ continuities }) => [...continuities.values()]);
  const by_key = new Map(all.map((one) => [recordKey(one.exchange, one.native_symbol), one]));
  for (const { id } of found) {
    for (const { topic_index, value } of recordsOf(spill.read(id))) {
      if (isTradesTopic(topics[topic_index] ?? "")) recall(by_key, decodeTrade(value));
    }
  }
}

function recall(
  by_key: ReadonlyMap<string, Continuity>,
  { exchange, native_symbol, trade_id, timestamp, source }: TradeRecord,
): void {
  const continuity = by_key.get(recordKey(exchange, native_symbol));
  if (continuity?.judge(trade_id) !== "new") return;
  continuity.observe({ trade_id, timestamp });
  if (source !== "BACKFILL") continuity.goLive();
}
