/**
 * The judgement that every exchange's items pass: what a trade must have to be believed.
 *
 * Each adapter names where its exchange puts the fields; what makes them readable is the same for
 * all, and stands here once. Fields are judged in the order of the records; the first that cannot
 * be read gives the reason.
 *
 * @module
 */

import type { Side, WireTrade } from "../messages.ts";
import type { Reject, RejectReason } from "./adapter.ts";
import { readPositiveDecimal } from "./decimal.ts";
import { type JsonNode, numberOf, stringOf } from "./json_text.ts";

/** One item as its adapter has found it; undefined where the exchange did not say it. */
interface TradeFields {
  /** The item's own text, for its dead letter. */
  readonly item: string;
  readonly native_symbol: string | undefined;
  readonly trade_id: JsonNode | undefined;
  /** The taker's. */
  readonly side: Side | undefined;
  /** Microseconds since 1970, UTC. */
  readonly timestamp: number | undefined;
  readonly price: JsonNode | undefined;
  readonly quantity: JsonNode | undefined;
  readonly vendor_data: Readonly<Record<string, string>>;
}

/** The items of one frame or page so far, in its order. */
export interface Items {
  readonly trades: WireTrade[];
  readonly rejects: Reject[];
}

const trade_id_max = "9223372036854775807";

/** Judges one item and adds it to the trades or to the rejects. */
export function addItem(items: Items, fields: TradeFields): void {
  const native_symbol = readableSymbol(fields.native_symbol);
  const judged = judge(fields, native_symbol);
  if (typeof judged === "object") items.trades.push(judged);
  else
    addReject(items, { reason: judged, item: fields.item, native_symbol: native_symbol ?? null });
}

function judge(fields: TradeFields, native_symbol: string | undefined): WireTrade | RejectReason {
  const { side, timestamp, vendor_data } = fields;
  const trade_id = readTradeId(fields.trade_id);
  if (native_symbol === undefined) return "symbol_unreadable";
  if (trade_id === undefined) return "trade_id_unreadable";
  if (side === undefined) return "side_unreadable";
  if (timestamp === undefined) return "timestamp_unreadable";
  const price = readPositiveDecimal(numberText(fields.price));
  if (price.kind === "fault") return `price_${price.fault}`;
  const quantity = readPositiveDecimal(numberText(fields.quantity));
  if (quantity.kind === "fault") return `quantity_${quantity.fault}`;
  return {
    native_symbol,
    trade_id,
    side,
    price: price.text,
    quantity: quantity.text,
    timestamp,
    vendor_data,
  };
}

/** Adds an item that is not even of the right shape. */
export function addReject(items: Items, reject: Reject): void {
  items.rejects.push(reject);
}

/** A symbol is any text that UTF-8 can carry; empty text names no market. */
function readableSymbol(symbol: string | undefined): string | undefined {
  return symbol !== undefined && symbol !== "" && symbol.isWellFormed() ? symbol : undefined;
}

/** The digits of an integer from 0 to 2^63-1, bare or in quotes, without leading zeros. */
export function readTradeId(node: JsonNode | undefined): string | undefined {
  const text = numberText(node);
  if (!/^(?:0|[1-9]\d{0,18})$/.test(text)) return undefined;
  return text.length < trade_id_max.length || text <= trade_id_max ? text : undefined;
}

/** A number's text, whether the exchange sends it bare or in quotes; empty for anything else. */
function numberText(node: JsonNode | undefined): string {
  return numberOf(node) ?? stringOf(node) ?? "";
}
