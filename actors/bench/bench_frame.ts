/**
 * A raw frame that the bench measures, and whose it is.
 *
 * A socket knows its exchange; a file of raw frames does not say it. So the exchange is found
 * beforehand, outside of what is measured: the one whose adapter understands the frame.
 *
 * @module
 */

import type { ExchangeAdapter } from "../exchanges/mod.ts";

/** A raw frame and the exchange that sent it. */
export interface BenchFrame {
  readonly exchange: string;
  /** Verbatim. */
  readonly text: string;
}

/**
 * Finds whose frame it is: the exchange that reads trades in it, else the first that can read it
 * at all, else the first.
 */
export function exchangeOf(text: string, adapters: readonly ExchangeAdapter[]): string {
  const readings = adapters.map(({ exchange, parse }) => ({ exchange, frame: parse(text) }));
  const found =
    readings.find(({ frame }) => frame.kind === "trades") ??
    readings.find(({ frame }) => frame.kind !== "unreadable") ??
    readings[0];
  return found?.exchange ?? "";
}
