/**
 * What the feed remembers, whoever crashes: of each symbol which trades it has had, of each
 * exchange what it still allows. Plain objects that outlive every incarnation; on disk, in
 * `continuity.db` and `budgets.db` of the data directory, they outlive the process.
 *
 * @module
 */

import { join } from "node:path";
import { Continuity } from "../actors/continuity/continuity.ts";
import {
  type ContinuityStore,
  openContinuityStore,
} from "../actors/continuity/continuity_store.ts";
import { createEmit } from "../actors/continuity/keeper.ts";
import type { ExchangeAdapter } from "../actors/exchanges/adapter.ts";
import { exchangeNamed } from "../actors/exchanges/mod.ts";
import type { RecordSink } from "../actors/messages.ts";
import { recordsOf } from "../actors/producer/batch.ts";
import type { SpillStore } from "../actors/producer/spill.ts";
import type { Budget } from "../actors/rest/budget.ts";
import { openBudgetStore } from "../actors/rest/budget_store.ts";
import type { Log } from "../actors/settings/log.ts";
import type { ExchangeSettings, Settings } from "../actors/settings/settings.ts";
import { decodeTrade, isTradesTopic } from "../schemas/mod.ts";

/**
 * Tells continuity of the trades that wait on disk for Kafka: they are taken, although the state
 * that is stored is of before they came, because it never passes what the broker has. What was lost
 * of them to the disk stays missing, and is fetched again.
 *
 * @param topics Names by the index that packets carry.
 * @returns How many trades nobody knew of.
 */
export function recallSpilled(
  memory: FeedMemory,
  { spill, topics }: { readonly spill: SpillStore; readonly topics: readonly string[] },
): number {
  const continuities = new Map(
    memory.exchanges
      .flatMap((one) => [...one.continuities.values()])
      .map((one) => [`${one.exchange}:${one.native_symbol}`, one]),
  );
  let recalled = 0;
  for (const { id } of spill.found) {
    for (const { topic_index, value } of recordsOf(spill.read(id))) {
      if (!isTradesTopic(topics[topic_index] ?? "")) continue;
      const trade = decodeTrade(value);
      const continuity = continuities.get(`${trade.exchange}:${trade.native_symbol}`);
      if (continuity?.judge(trade.trade_id) !== "new") continue;
      continuity.observe(trade);
      if (trade.source !== "BACKFILL") continuity.goLive();
      recalled += 1;
    }
  }
  return recalled;
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
  /** Lets go of the files. */
  close(): void;
}

/**
 * Opens the memory of a data directory, and makes what it has not held yet.
 *
 * @param options.exchanges Those that run; what is kept of others stays as it is.
 * @throws {FailureError} where a file cannot be read.
 */
export function openFeedMemory(options: {
  readonly settings: Settings;
  readonly exchanges: readonly ExchangeSettings[];
  /** Live: a symbol that is new begins now, and whatever it misses from now on is wanted. */
  readonly feeding: "live" | "history";
  readonly sink: Pick<RecordSink, "addEvent">;
  readonly log: Log;
  /** Wall clock, microseconds since 1970. */
  readonly now_us: () => number;
  /** Monotonic clock, milliseconds. */
  readonly monotonic_ms: () => number;
}): FeedMemory {
  const { settings, feeding, sink, log, now_us, monotonic_ms } = options;
  const store = openContinuityStore(join(settings.data_dir, "continuity.db"));
  const emit = createEmit({ store, sink, log });
  const clocks = { now_ms: monotonic_ms, wall_ms: () => now_us() / 1_000 };
  const budgets = openBudgetStore(join(settings.data_dir, "budgets.db"), clocks, log);
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
        emit,
        now_us,
        now_ms: monotonic_ms,
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
  return {
    exchanges: options.exchanges.map(remember),
    store,
    close() {
      store.close();
      budgets.close();
    },
  };
}
