/**
 * The clocks of the machine, as the actors are handed them.
 *
 * Instants are on the wall clock, because records say when something happened; durations are on
 * the monotonic one, because the wall clock is set now and then.
 *
 * @module
 */

/** More than this between the running clock and the wall clock is a step of the latter. */
const clock_step_us = 50_000;
/** How long a step may go unnoticed: every frame takes the time, and each look costs. */
const unnoticed_us_max = 10_000;

/**
 * Makes a clock: microseconds since 1970, UTC, finer than `Date.now`. It runs on the monotonic
 * clock, and follows the wall clock where that is set: a machine's clock may be wrong at first.
 */
export function hostClock(): () => number {
  let anchor_us = performance.timeOrigin * 1000;
  let looked_us = Number.NEGATIVE_INFINITY;
  return () => {
    const run_us = performance.now() * 1000;
    if (run_us - looked_us > unnoticed_us_max) {
      looked_us = run_us;
      const wall_us = Date.now() * 1000;
      if (Math.abs(anchor_us + run_us - wall_us) > clock_step_us) anchor_us = wall_us - run_us;
    }
    return Math.floor(anchor_us + run_us);
  };
}

/** The monotonic clock, nanoseconds from an arbitrary instant. */
export function monotonicNs(): number {
  return Bun.nanoseconds();
}
