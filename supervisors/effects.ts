/**
 * Everything through which the feed touches the world, as one object that is handed in: sockets,
 * REST, the port's process, the list on disk, timers, clocks, randomness. Operation hands in the
 * host's (`host_effects.ts`), the simulation a world of its own (`fault_simulation/`), so that the
 * very same tree runs in both. What is stored on disk is handed in apart (`feed_memory.ts`).
 *
 * @module
 */

import type { OpenSocket } from "../actors/connection/receiver.ts";
import type { InstrumentCache } from "../actors/exchanges/instrument_cache.ts";
import type { SpawnPort } from "../actors/port/port.ts";
import type { After } from "../actors/port/timers.ts";
import type { GetPage } from "../actors/rest/get_page.ts";
import type { InstrumentWorld } from "../actors/rest/open_instrument_list.ts";

/** The world as the feed meets it. */
export interface Effects {
  readonly openSocket: OpenSocket;
  readonly getPage: GetPage;
  /** Starts the process that holds the Kafka client. */
  readonly spawn: SpawnPort;
  readonly instrument_cache: InstrumentCache;
  /** Free space on the disk of the data directory. */
  readonly freeBytes: () => number;
  readonly after: After;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Unique across restarts. */
  readonly uniqueId: () => string;
  /** Wall clock, microseconds since 1970; it may jump. */
  readonly now_us: () => number;
  /** Monotonic clock, nanoseconds from an arbitrary instant. */
  readonly monotonic_ns: () => number;
}

/** Monotonic clock, milliseconds. */
export function monotonicMs({ monotonic_ns }: Pick<Effects, "monotonic_ns">): number {
  return monotonic_ns() / 1e6;
}

/** The world of an instrument list. */
export function instrumentWorld(effects: Effects): InstrumentWorld {
  const { after, getPage, instrument_cache, now_us, random } = effects;
  return {
    getPage,
    instrument_cache,
    now_ms: () => now_us() / 1_000,
    random,
    wait(delay_ms) {
      const { promise, resolve } = Promise.withResolvers<void>();
      after(delay_ms, resolve);
      return promise;
    },
  };
}
