/**
 * Watches a feed that is read, until it falls silent, and measures what the process spent on it.
 *
 * CPU time and memory are looked at a few times a second, beside the work, so that the hot path is
 * the live one; what is told is the reading after the last thing that came.
 *
 * @module
 */

/** When to stop watching. */
export interface WatchOptions {
  /** How many have come; rises as they do. */
  readonly count: () => number;
  /** As many end it at once. */
  readonly count_max: number;
  /** Ends this long after the first one came. */
  readonly seconds_max: number;
  /** How long the first one may take. */
  readonly first_seconds_max: number;
  /** Rejects where the feed cannot go on. */
  readonly failed: Promise<never>;
}

/** What was seen. */
export interface Watched {
  /** CPU time of the whole process from the beginning to the last one that came. */
  readonly cpu_s: number;
  /** Highest resident set meanwhile. */
  readonly rss_bytes: number;
}

const silence_ms_max = 2_000;
const look_ms = 20;

/** Resolves once the feed is silent for 2 s, or as the options say; null where nothing came. */
export async function watch(options: WatchOptions): Promise<Watched | null> {
  const { count, count_max, seconds_max, first_seconds_max, failed } = options;
  const begun = process.cpuUsage();
  const begun_ms = performance.now();
  let first_ms: number | null = null;
  let last_ms = begun_ms;
  let counted = 0;
  let cpu_s = 0;
  let rss_bytes = 0;
  for (;;) {
    await Promise.race([Bun.sleep(look_ms), failed]);
    const now_ms = performance.now();
    const came = count();
    if (came > counted) {
      const { user, system } = process.cpuUsage(begun);
      cpu_s = (user + system) / 1e6;
      rss_bytes = Math.max(rss_bytes, process.memoryUsage.rss());
      counted = came;
      first_ms ??= now_ms;
      last_ms = now_ms;
    }
    if (first_ms === null) {
      if (now_ms - begun_ms >= first_seconds_max * 1_000) return null;
      continue;
    }
    const is_over = counted >= count_max || now_ms - first_ms >= seconds_max * 1_000;
    if (is_over || now_ms - last_ms >= silence_ms_max) return { cpu_s, rss_bytes };
  }
}
