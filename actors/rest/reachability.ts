/**
 * Whether an exchange can be reached, over all its doors: the REST endpoint and each socket.
 *
 * Every door notices an outage by itself and tries again for ever, but a person wants to read of
 * it once, and once more when it is over. So one plain object for each exchange remembers which
 * doors are shut, and speaks only when the first one shuts and when the last one opens.
 *
 * @module
 */

import type { Log } from "../settings/log.ts";

/** One exchange's outages. Shared by its instrument list and all its connections. */
export interface Reachability {
  /**
   * A door could not be reached.
   *
   * @param door Its name, bounded in number: `rest`, `socket.0`.
   * @param failure.url Without credentials.
   * @param failure.reason One clause without a full stop.
   */
  failed(door: string, failure: { readonly url: string; readonly reason: string }): void;
  /** A door answered. */
  succeeded(door: string): void;
}

/**
 * Makes an exchange's reachability, with all doors thought open.
 *
 * @param options.remedy A sentence for the one who has no network, or the empty string.
 */
export function createReachability(options: {
  readonly exchange: string;
  readonly log: Log;
  readonly remedy: string;
}): Reachability {
  const { exchange, log, remedy } = options;
  const shut_doors = new Set<string>();
  return {
    failed(door, { url, reason }) {
      if (shut_doors.size === 0) {
        log.warn(`Cannot reach ${exchange} at ${url}: ${reason}; retrying. ${remedy}`.trimEnd());
      }
      shut_doors.add(door);
    },
    succeeded(door) {
      if (shut_doors.delete(door) && shut_doors.size === 0) log.info(`Reached ${exchange} again`);
    },
  };
}

/** The sentence that tells how to run without a network. */
export const simulate_remedy =
  "Without network access try: K2_DATA_DIR=.k2-simulated bun run start --simulate";

/** A URL as it may be shown: without user name and password. */
export function withoutCredentials(url: string): string {
  if (!URL.canParse(url)) return url;
  const shown = new URL(url);
  if (shown.username === "" && shown.password === "") return url;
  shown.username = "";
  shown.password = "";
  return shown.href;
}
