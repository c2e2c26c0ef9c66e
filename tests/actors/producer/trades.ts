/**
 * Trades for tests, each a pure function of its number.
 *
 * @module
 */

import type { Trade } from "../../../actors/messages.ts";

/** Trade number `index` of a symbol; its id is the number. */
export function tradeOf(exchange: string, native_symbol: string, index: number): Trade {
  const trade_id = String(index);
  return {
    message_id: `${exchange}:${native_symbol}:${trade_id}`,
    exchange,
    symbol: "BTC/USD",
    native_symbol,
    base_asset: "BTC",
    quote_asset: "USD",
    trade_id,
    side: index % 2 === 0 ? "BUY" : "SELL",
    price: `64012.${1 + (index % 9)}`,
    quantity: "0.00120001",
    timestamp: 1_787_746_340_000_000 + index,
    ingestion_timestamp: 1_787_746_340_000_500 + index,
    source: "STREAM",
    connection_id: "test-0",
    frame_sequence: index,
    vendor_data: { event_time: "1787746340684" },
  };
}
