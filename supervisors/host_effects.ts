/**
 * The world of operation: the host's sockets, processes, timers, clocks and randomness, and the
 * files of a data directory.
 *
 * @module
 */

import { join } from "node:path";
import { openSocket } from "../actors/connection/socket.ts";
import { openContinuityStore } from "../actors/continuity/continuity_store.ts";
import { instrumentCacheOf } from "../actors/exchanges/instrument_cache.ts";
import { spawnPort } from "../actors/port/port.ts";
import { afterOnHost } from "../actors/port/timers.ts";
import { openSpillStore } from "../actors/producer/spill_store.ts";
import { openBudgetStore } from "../actors/rest/budget_store.ts";
import { getPage } from "../actors/rest/get_page.ts";
import { hostClock, monotonicNs } from "../actors/settings/clock.ts";
import { bytesFree } from "../actors/settings/data_directory.ts";
import type { Log } from "../actors/settings/log.ts";
import { type Effects, monotonicMs } from "./effects.ts";
import type { FeedStores } from "./feed_memory.ts";

/** The host's effects, with the lists of a data directory. */
export function hostEffects(data_dir: string): Effects {
  return {
    openSocket,
    getPage,
    spawn: spawnPort,
    instrument_cache: instrumentCacheOf(data_dir),
    freeBytes: () => bytesFree(data_dir),
    after: afterOnHost,
    random: Math.random,
    uniqueId: () => Bun.randomUUIDv7(),
    now_us: hostClock(),
    monotonic_ns: monotonicNs,
  };
}

/**
 * Opens the files of what the feed remembers, and makes them where there are none.
 *
 * @throws {FailureError} where one cannot be read.
 */
export function openHostStores(data_dir: string, effects: Effects, log: Log): FeedStores {
  const clocks = { now_ms: () => monotonicMs(effects), wall_ms: () => effects.now_us() / 1_000 };
  return {
    continuity: openContinuityStore(join(data_dir, "continuity.db")),
    budgets: openBudgetStore(join(data_dir, "budgets.db"), clocks, log),
    spill: openSpillStore(join(data_dir, "spill.db")),
  };
}
