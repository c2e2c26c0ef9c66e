/**
 * An exchange's trade into the platform's: names from the instrument list, the deterministic id,
 * and which frame it came in. Pure, and the only place where a `Trade` is made, so that the live
 * feed, `normalize` and the bench cannot differ.
 *
 * @module
 */

import type { Instrument, Source, Trade, WireTrade } from "../messages.ts";

/**
 * What a market is called. `Asset` is null where no instrument list is at hand: base and quote are
 * never cut out of a symbol. Made once per symbol: the hot path only copies.
 */
export interface Names<Asset extends string | null> {
  readonly exchange: string;
  readonly native_symbol: string;
  /** `<exchange>:<native_symbol>:`, to which a trade's id is added. */
  readonly message_id_prefix: string;
  /** `BASE/QUOTE`. */
  readonly symbol: Asset;
  readonly base_asset: Asset;
  readonly quote_asset: Asset;
}

/** How the frame that holds a trade was received. */
export interface Receipt {
  readonly source: Source;
  readonly connection_id: string;
  readonly frame_sequence: number;
  /** Microseconds since 1970, UTC. */
  readonly ingestion_timestamp: number;
}

/** A trade whose names may be unknown; `NormalizedTrade<string>` is a `Trade`. */
export type NormalizedTrade<Asset extends string | null> = Omit<Trade, keyof Names<Asset>> &
  Omit<Names<Asset>, "message_id_prefix">;

/** The names of a market that the exchange's list holds. */
export function namesOf(instrument: Instrument): Names<string> {
  const { exchange, native_symbol, base_asset, quote_asset } = instrument;
  return {
    exchange,
    native_symbol,
    message_id_prefix: messageIdPrefix(exchange, native_symbol),
    symbol: `${base_asset}/${quote_asset}`,
    base_asset,
    quote_asset,
  };
}

/** The names of a market of which only the exchange's own name is known. */
export function namesWithoutInstrument(exchange: string, native_symbol: string): Names<null> {
  return {
    exchange,
    native_symbol,
    message_id_prefix: messageIdPrefix(exchange, native_symbol),
    symbol: null,
    base_asset: null,
    quote_asset: null,
  };
}

/** The platform's trade. `trade.native_symbol` must be the one that `names` are of. */
export function normalizeTrade<Asset extends string | null>(
  trade: WireTrade,
  names: Names<Asset>,
  receipt: Receipt,
): NormalizedTrade<Asset> {
  return {
    message_id: names.message_id_prefix + trade.trade_id,
    exchange: names.exchange,
    symbol: names.symbol,
    native_symbol: names.native_symbol,
    base_asset: names.base_asset,
    quote_asset: names.quote_asset,
    trade_id: trade.trade_id,
    side: trade.side,
    price: trade.price,
    quantity: trade.quantity,
    timestamp: trade.timestamp,
    ingestion_timestamp: receipt.ingestion_timestamp,
    source: receipt.source,
    connection_id: receipt.connection_id,
    frame_sequence: receipt.frame_sequence,
    vendor_data: trade.vendor_data,
  };
}

function messageIdPrefix(exchange: string, native_symbol: string): string {
  return `${exchange}:${native_symbol}:`;
}
