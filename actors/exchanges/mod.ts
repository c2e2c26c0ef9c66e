/**
 * Every exchange that can be read. To add one: write `<exchange>.ts`, put recorded frames, pages
 * and an instrument list into `tests/fixtures/<exchange>/`, and add it to this list; the suite in
 * `tests/actors/exchanges/conformance_test.ts` then holds it to what all of them promise.
 *
 * Settings are validated against this list before any package is installed, so nothing here
 * imports one.
 *
 * @module
 */

import type { ExchangeAdapter } from "./adapter.ts";
import { binance } from "./binance.ts";
import { coinbase } from "./coinbase.ts";
import { kraken } from "./kraken.ts";

export type {
  ExchangeAdapter,
  Frame,
  Page,
  Reject,
  RejectReason,
} from "./adapter.ts";
export { reject_reasons } from "./adapter.ts";

/** The registered exchanges, in the order of their names. */
export const exchanges: readonly ExchangeAdapter[] = [binance, coinbase, kraken];

/** The adapter of an exchange; undefined where no exchange has that name. */
export function exchangeNamed(name: string): ExchangeAdapter | undefined {
  return exchanges.find(({ exchange }) => exchange === name);
}
