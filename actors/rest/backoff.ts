/**
 * How long to wait before trying again.
 *
 * The delay grows so that an exchange in trouble is left alone, is capped so that its return is
 * noticed soon, and is jittered over its whole range, because a thousand clients that were dropped
 * at the same moment must not come back at the same moment.
 *
 * @module
 */

/** Longest wait that an exchange can impose on us: Binance's longest ban, three days. */
export const retry_after_ms_max = 3 * 24 * 3_600_000;

/**
 * Delay in milliseconds before attempt `attempt`, the first being 1: exponential, capped, with
 * full jitter.
 *
 * @param options.base_ms Longest delay before the first attempt.
 * @param options.cap_ms Longest delay of all.
 * @param options.random A number in [0, 1), as `Math.random` gives it.
 */
export function backoffMs(
  attempt: number,
  options: { readonly base_ms: number; readonly cap_ms: number; readonly random: () => number },
): number {
  const { base_ms, cap_ms, random } = options;
  return Math.round(random() * Math.min(cap_ms, base_ms * 2 ** (attempt - 1)));
}

/**
 * Milliseconds that a `Retry-After` header asks for (RFC 9110, section 10.2.3: seconds or an HTTP
 * date), from 0 to {@linkcode retry_after_ms_max}; null where there is no readable header.
 *
 * @param now_ms Wall clock, milliseconds since 1970: the header may hold an instant.
 */
export function retryAfterMs(header: string | null, now_ms: number): number | null {
  if (header === null || header.trim() === "") return null;
  const text = header.trim();
  const wait_ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now_ms;
  if (Number.isNaN(wait_ms)) return null;
  return Math.min(Math.max(0, wait_ms), retry_after_ms_max);
}
