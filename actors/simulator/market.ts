/**
 * Which trades a symbol has: the recorded tape where there is one, a generator at the
 * instrument's modest rate where there is none, and generators everywhere once a rate is asked
 * for, because a recording has a rhythm of its own.
 *
 * @module
 */

import { generatedMarket, trades_per_second_max } from "./generator.ts";
import type { Instrument } from "./instruments.ts";
import { type TapeName, type TapeTrade, tapeMarket } from "./tape.ts";
import type { Market, Markets } from "./trade.ts";

/** The recordings that play by default. */
export type Tapes = Readonly<Record<TapeName, readonly TapeTrade[]>>;

/** What decides every trade of every market. */
export interface MarketOptions {
  readonly tapes: Tapes;
  readonly seed: number;
  /** Trades per second over all of `native_symbols`; undefined plays the tapes. */
  readonly rate: number | undefined;
  /**
   * Per exchange, the symbols among which the rate is divided evenly. A name that the simulator
   * does not list counts for nothing; the other markets keep their modest rates.
   */
  readonly native_symbols: Readonly<Record<string, readonly string[]>>;
}

/**
 * The markets of some instruments, by native symbol.
 *
 * @param instruments Of one exchange or several; the rate is divided over `all` of them.
 * @throws {RangeError} if the rate is out of range.
 */
export function createMarkets(
  instruments: readonly Instrument[],
  options: MarketOptions & { readonly all: readonly Instrument[] },
): Markets {
  const { seed, rate, native_symbols, all } = options;
  if (rate !== undefined && !(rate > 0 && rate <= trades_per_second_max)) {
    throw new RangeError(
      `Cannot simulate as rate must be above 0 and at most ${trades_per_second_max} trades/s: ` +
        `current value is ${rate}`,
    );
  }
  function isLoaded(instrument: Instrument): boolean {
    return native_symbols[instrument.exchange]?.includes(instrument.native_symbol) ?? false;
  }
  const loaded_count = all.filter(isLoaded).length;

  function marketOf(instrument: Instrument): Market {
    if (rate === undefined) {
      if (instrument.tape !== undefined)
        return tapeMarket(instrument, options.tapes[instrument.tape]);
      return generatedMarket(instrument, { seed, trades_per_second: instrument.trades_per_second });
    }
    const trades_per_second = isLoaded(instrument)
      ? rate / loaded_count
      : instrument.trades_per_second;
    return generatedMarket(instrument, { seed, trades_per_second });
  }
  return new Map(instruments.map((one) => [one.native_symbol, marketOf(one)]));
}
