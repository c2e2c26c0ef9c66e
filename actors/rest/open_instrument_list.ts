/**
 * Joins an exchange's instrument list (`instrument_list.ts`) with the gate through which it asks,
 * and with the world that it is handed: the network, the list on disk, the clock.
 *
 * @module
 */

import type { ExchangeAdapter } from "../exchanges/adapter.ts";
import type { InstrumentCache } from "../exchanges/instrument_cache.ts";
import type { Log } from "../settings/log.ts";
import type { Budget } from "./budget.ts";
import { createGate } from "./gate.ts";
import type { GetPage } from "./get_page.ts";
import { createInstrumentList, type InstrumentList } from "./instrument_list.ts";
import type { Reachability } from "./reachability.ts";

/** What an instrument list needs of the world. */
export interface InstrumentWorld {
  readonly getPage: GetPage;
  readonly instrument_cache: InstrumentCache;
  /** Wall clock, milliseconds since 1970. */
  readonly now_ms: () => number;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Resolves after a pause. */
  readonly wait: (delay_ms: number) => Promise<void>;
}

/** Makes the instrument list of one exchange. */
export function openInstrumentList(options: {
  readonly adapter: ExchangeAdapter;
  readonly rest_url: string;
  /** Of the exchange's REST requests. */
  readonly budget: Budget;
  readonly reachability: Reachability;
  readonly log: Log;
  /** Aborts when the platform ends. */
  readonly signal: AbortSignal;
  readonly world: InstrumentWorld;
}): InstrumentList {
  const { budget, world, ...rest } = options;
  const { getPage, instrument_cache, now_ms, random, wait } = world;
  const { exchange } = options.adapter;
  return createInstrumentList({
    ...rest,
    ask: createGate({ rest: options.adapter.rest, budget, getPage, now_ms }),
    readCache: () => instrument_cache.read(exchange),
    writeCache: (cached) => instrument_cache.write(exchange, cached),
    now_ms,
    random,
    wait,
  });
}
