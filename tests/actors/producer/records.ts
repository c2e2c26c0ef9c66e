/**
 * Trades, frames and events for tests, each a pure function of its number.
 *
 * @module
 */

import type { FeedEvent, FrameEntry, Trade } from "../../../actors/messages.ts";
import { feedEvent } from "../../../schemas/mod.ts";

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

/** Frame number `index` of a session; its text names the number. */
export function frameOf(index: number, text = `{"frame":${index}}`): FrameEntry {
  return {
    frame_sequence: index,
    direction: "RECEIVED",
    kind: "MESSAGE",
    request: null,
    received_us: 1_787_746_340_000_500 + index,
    received_monotonic_ns: 1_000_000 + index,
    frame: text,
  };
}

/** Event number `index` of a symbol: the confirmation of the trade of that number. */
export function eventOf(exchange: string, native_symbol: string, index: number): FeedEvent {
  return feedEvent({
    event: "confirmed",
    exchange,
    native_symbol,
    timestamp: 1_787_746_340_000_000 + index,
    through_id: index,
    through_timestamp: 1_787_746_340_000_000 + index,
  });
}
