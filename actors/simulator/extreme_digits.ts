/**
 * Trades with the digits on which readers fail: a price of 0.00000004, which Kraken writes as
 * `4e-8`; prices of 16 to 19 significant digits, whose value a binary float changes; quantities
 * over 1e10; and tiny quantities. All of them fit decimal(38,18).
 *
 * @module
 */

import type { Instrument } from "./instruments.ts";
import type { SimulatedTrade } from "./trade.ts";

const fraction_digits_max = 18;

/** The same trade with extreme digits; which kind, and which digits, its index decides. */
export function extremeTrade(
  trade: SimulatedTrade,
  options: { readonly index: number; readonly exchange: Instrument["exchange"] },
): SimulatedTrade {
  const { index, exchange } = options;
  const round = Math.floor(index / 4);
  switch (index % 4) {
    case 0: {
      const digit = 1 + (round % 9);
      // Only Kraken writes numbers; the others' texts are plain.
      return { ...trade, price: exchange === "kraken" ? `${digit}e-8` : `0.0000000${digit}` };
    }
    case 1:
      return { ...trade, price: longText(trade.price, { digits: 16 + (round % 4), index }) };
    case 2:
      return { ...trade, quantity: `${10_000_000_001 + index * 7_919}.${digitsOf(index, 8)}` };
    default:
      return { ...trade, quantity: exchange === "kraken" ? "1.25e-7" : "0.000000125" };
  }
}

/** A decimal of so many significant digits that begins as `text` does. */
function longText(text: string, options: { readonly digits: number; readonly index: number }) {
  const [whole = "0"] = text.split(".");
  const count = whole === "0" ? options.digits : options.digits - whole.length;
  return `${whole}.${digitsOf(options.index, Math.min(count, fraction_digits_max))}`;
}

/** Digits that are a function of `index`, none of them zero: each one counts. */
function digitsOf(index: number, count: number): string {
  let digits = "";
  for (let place = 0; place < count; place += 1)
    digits += String(1 + ((index * 31 + place * place * 7 + place) % 9));
  return digits;
}
