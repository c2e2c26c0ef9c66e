/**
 * How long to wait before the next attempt at what the world refused: exponential, capped, and
 * jittered, so that many that failed together do not come back together. A quarter of the delay is
 * certain: an attempt at once, again and again, would only burn the processor.
 *
 * @module
 */

/**
 * Delay before attempt `attempt`, in milliseconds.
 *
 * @param attempt Number of the attempt, the first retry being 1.
 * @param options.random Gives numbers from 0 up to and without 1.
 */
export function backoffMs(
  attempt: number,
  options: { readonly base_ms: number; readonly cap_ms: number; readonly random: () => number },
): number {
  const { base_ms, cap_ms, random } = options;
  const delay_ms = Math.min(cap_ms, base_ms * 2 ** Math.min(attempt - 1, 30));
  return Math.round(delay_ms * (0.25 + 0.75 * random()));
}
