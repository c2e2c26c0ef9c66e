/**
 * The timer that an actor is handed, so that a test can move time by hand, and the host's own.
 *
 * @module
 */

/** Calls back once, after a delay; what it returns takes the call back. */
export type After = (delay_ms: number, callback: () => void) => () => void;

/** The host's timer. */
export function afterOnHost(delay_ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, delay_ms);
  return () => clearTimeout(timer);
}
