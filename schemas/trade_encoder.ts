/**
 * A trade into bytes as they stand in Kafka: Confluent's framing and the body of `trade.avsc`,
 * written straight into a buffer. avsc is general and builds intermediate values; this knows one
 * schema, and what repeats from trade to trade (the symbol's names, the connection) is copied, not
 * encoded again. It writes exactly what avsc writes: a property test holds the two together.
 *
 * Bytes beyond a buffer's end are dropped by typed arrays without an error, so the room is checked
 * once, at the end, instead of at every field.
 *
 * @module
 */

import { encodeStrings, writeBytes, writeFraming, writeLong, writeString } from "./avro.ts";
import { writeDecimal } from "./decimal.ts";

/** Fields of `trade.avsc`, where each has its doc. Decimals are plain text, times microseconds. */
export interface TradeRecord {
  readonly message_id: string;
  readonly exchange: string;
  readonly symbol: string;
  readonly native_symbol: string;
  readonly base_asset: string;
  readonly quote_asset: string;
  readonly trade_id: string;
  readonly side: "BUY" | "SELL";
  readonly price: string;
  readonly quantity: string;
  readonly timestamp: number;
  readonly ingestion_timestamp: number;
  readonly source: "STREAM" | "SNAPSHOT" | "BACKFILL";
  readonly connection_id: string;
  readonly frame_sequence: number;
  readonly vendor_data: Readonly<Record<string, string>>;
}

/** Encodes trades of one schema id. */
export interface TradeEncoder {
  /**
   * Writes the trade at the offset.
   *
   * @returns The offset after it, or -1 where it does not fit: what was written is then garbage.
   * @throws {RangeError} where a decimal or an integer cannot be written exactly.
   */
  encode(trade: TradeRecord, buffer: Buffer, offset: number): number;
}

/** Symbols whose names are kept encoded; a feed has fewer, a replay of everything may have more. */
const names_kept_max = 8_192;
const source_indexes = { STREAM: 0, SNAPSHOT: 1, BACKFILL: 2 } as const;

/** The five names that follow one another in the record, as they were and as bytes. */
interface Names {
  readonly of: TradeRecord;
  readonly bytes: Uint8Array;
}

/**
 * Makes an encoder.
 *
 * @param schema_id The registry's id of the schema, which the framing carries.
 */
export function createTradeEncoder(schema_id: number): TradeEncoder {
  const names_kept = new Map<string, Names>();
  let connection_id = "";
  let connection_bytes: Uint8Array = new Uint8Array([0]);

  function namesOf(trade: TradeRecord): Uint8Array {
    const kept = names_kept.get(trade.native_symbol);
    if (kept !== undefined && haveSameNames(kept.of, trade)) return kept.bytes;
    if (names_kept.size >= names_kept_max) names_kept.clear();
    const { exchange, symbol, native_symbol, base_asset, quote_asset } = trade;
    const bytes = encodeStrings([exchange, symbol, native_symbol, base_asset, quote_asset]);
    names_kept.set(native_symbol, { of: trade, bytes });
    return bytes;
  }

  function encode(trade: TradeRecord, buffer: Buffer, offset: number): number {
    if (trade.connection_id !== connection_id) {
      connection_id = trade.connection_id;
      connection_bytes = encodeStrings([connection_id]);
    }
    let position = writeFraming(schema_id, buffer, offset);
    position = writeString(trade.message_id, buffer, position);
    position = writeBytes(namesOf(trade), buffer, position);
    position = writeString(trade.trade_id, buffer, position);
    buffer[position++] = trade.side === "BUY" ? 0 : 2;
    position = writeDecimal(trade.price, buffer, position);
    position = writeDecimal(trade.quantity, buffer, position);
    position = writeLong(trade.timestamp, buffer, position);
    position = writeLong(trade.ingestion_timestamp, buffer, position);
    buffer[position++] = source_indexes[trade.source] * 2;
    position = writeBytes(connection_bytes, buffer, position);
    position = writeLong(trade.frame_sequence, buffer, position);
    position = writeMap(trade.vendor_data, buffer, position);
    return position <= buffer.length ? position : -1;
  }
  return { encode };
}

function haveSameNames(one: TradeRecord, other: TradeRecord): boolean {
  return (
    one.native_symbol === other.native_symbol &&
    one.exchange === other.exchange &&
    one.symbol === other.symbol &&
    one.base_asset === other.base_asset &&
    one.quote_asset === other.quote_asset
  );
}

/** A map of strings: one block of entries, if there are any, and the end's zero. */
function writeMap(
  entries: Readonly<Record<string, string>>,
  buffer: Buffer,
  offset: number,
): number {
  const keys = Object.keys(entries);
  let position = offset;
  if (keys.length > 0) {
    position = writeLong(keys.length, buffer, position);
    for (const key of keys) {
      position = writeString(key, buffer, position);
      position = writeString(entries[key] ?? "", buffer, position);
    }
  }
  buffer[position++] = 0;
  return position;
}
