/**
 * Joins an exchange's instrument list with the world: the network, the data directory, the clock.
 * The list itself (`instrument_list.ts`) is handed all of these, so that tests hand it others.
 *
 * @module
 */

import type { ExchangeAdapter } from "../exchanges/adapter.ts";
import {
  instrumentCachePath,
  readInstrumentCache,
  writeInstrumentCache,
} from "../exchanges/instrument_cache.ts";
import type { Log } from "../settings/log.ts";
import type { Budget } from "./budget.ts";
import { createGate } from "./gate.ts";
import { getPage } from "./get_page.ts";
import { createInstrumentList, type InstrumentList } from "./instrument_list.ts";
import type { Reachability } from "./reachability.ts";

/** Makes the instrument list of one exchange, with its cache under the data directory. */
export function openInstrumentList(options: {
  readonly adapter: ExchangeAdapter;
  readonly rest_url: string;
  readonly data_dir: string;
  /** Of the exchange's REST requests. */
  readonly budget: Budget;
  readonly reachability: Reachability;
  readonly log: Log;
  /** Aborts when the platform ends. */
  readonly signal: AbortSignal;
}): InstrumentList {
  const { budget, data_dir, ...rest } = options;
  const path = instrumentCachePath(data_dir, options.adapter.exchange);
  return createInstrumentList({
    ...rest,
    ask: createGate({ rest: options.adapter.rest, budget, getPage, now_ms: Date.now }),
    readCache: () => readInstrumentCache(path),
    writeCache: (cached) => writeInstrumentCache(path, cached),
    now_ms: Date.now,
    random: Math.random,
    wait: pause,
  });
}

/** Resolves after a pause that does not keep the process alive. */
function pause(delay_ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, delay_ms).unref();
  return promise;
}
