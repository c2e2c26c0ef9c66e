/**
 * An instrument list without REST: the markets that are named are there and trade, which is what
 * whoever names them says. What they are made of nobody knows without the exchange's own list; the
 * names here are no shorter than real ones.
 *
 * @module
 */

import type { ExchangeAdapter } from "../exchanges/mod.ts";
import type { Instrument } from "../messages.ts";
import type { InstrumentList } from "../rest/instrument_list.ts";

/** A market of which only the exchange's own name is known. */
export function unknownInstrument(exchange: string, native_symbol: string): Instrument {
  return {
    exchange,
    native_symbol,
    base_asset: "BASE",
    quote_asset: "QUOTE",
    status: "",
    rest_names: [],
  };
}

/** The list that holds these markets and no other. */
export function knownInstruments(
  exchange: string,
  native_symbols: readonly string[],
): InstrumentList {
  const instruments = native_symbols.map((symbol) => unknownInstrument(exchange, symbol));
  const by_symbol = new Map(instruments.map((it) => [it.native_symbol, it]));
  return {
    exchange,
    async refresh() {},
    async load() {
      // Nothing is asked of anyone.
    },
    get: (native_symbol) => by_symbol.get(native_symbol),
    all: () => instruments,
    fetched_at_ms: () => null,
  };
}

/** The adapter for such a list, whose markets have no status that could be read. */
export function trustingAdapter(adapter: ExchangeAdapter): ExchangeAdapter {
  return { ...adapter, isTradable: () => true, isHalted: () => false };
}
