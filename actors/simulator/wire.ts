/**
 * The simulator's own frames and its clients' requests, taken apart again: only faults need it, to
 * change one trade of a frame or one symbol of a request. What it reads was written next door, so
 * a frame's form is known to the letter.
 *
 * @module
 */

import { isRecord, parseJson } from "./exchange.ts";
import { isoText } from "./kraken.ts";

/** One trade in a frame. */
export interface WireItem {
  readonly text: string;
  readonly native_symbol: string;
  readonly trade_id: number;
}

/** A frame of trades: `head`, the items with commas between them, `tail`. */
export interface WireTrades {
  readonly head: string;
  readonly items: readonly WireItem[];
  readonly tail: string;
}

/** A client's message that asks for or ends subscriptions. */
export interface WireRequest {
  readonly kind: "subscribe" | "unsubscribe";
  readonly native_symbols: readonly string[];
  readonly request_id: unknown;
  /** The same message for some of its symbols; undefined if the exchange would not hear of it. */
  without(native_symbols: ReadonlySet<string>): string | undefined;
}

/** How one exchange writes. */
export interface Wire {
  /** Field names by what a trade is made of. */
  readonly fields: Readonly<Record<string, string>>;
  /** A frame of trades, or undefined if it is none. */
  readTrades(frame: string): WireTrades | undefined;
  readRequest(text: string): WireRequest | undefined;
}

/** The frame of some items. */
export function frameOf(items: readonly WireItem[], around: WireTrades): string {
  return around.head + items.map((item) => item.text).join(",") + around.tail;
}

/** The item with a field that nobody can read. */
export function spoiltItem(item: WireItem, field: string): WireItem {
  const value = new RegExp(`"${field}":("[^"]*"|[^,}]+)`);
  return { ...item, text: item.text.replace(value, `"${field}":"spoilt"`) };
}

/** A JSON object's text with a field more, which no client has heard of. */
export function withUnknownField(text: string): string {
  if (!text.endsWith("}")) return text;
  return `${text.slice(0, -1)},"new_field":{"nested":[1,null,"\\u00e9"],"e":"x"}}`;
}

/** An answer of Kraken's with the times at which it was asked and answered moved. */
export function withShiftedTimes(text: string, offset_us: number): string {
  if (offset_us === 0) return text;
  return text.replace(
    /"(time_in|time_out)":"([^"]+)(\d{3})Z"/g,
    (_, name: string, milliseconds: string, tail: string) => {
      const time_us = Date.parse(`${milliseconds}Z`) * 1_000 + Number(tail);
      return `"${name}":"${isoText(time_us + offset_us)}"`;
    },
  );
}

/** Every exchange's writing. */
export const wires: Readonly<Record<string, Wire>> = {
  binance: {
    fields: { price: "p", quantity: "q", side: "m", timestamp: "T", trade_id: "t" },
    readTrades(frame) {
      const [, native_symbol, id] = /"e":"trade",.*"s":"(\w+)","t":(\d+)/.exec(frame) ?? [];
      return singleTrade(frame, { native_symbol, id });
    },
    readRequest(text) {
      const message = parseJson(text);
      if (!isRecord(message) || !Array.isArray(message.params)) return undefined;
      const { method, params, id } = message;
      if (method !== "SUBSCRIBE" && method !== "UNSUBSCRIBE") return undefined;
      return {
        kind: method === "SUBSCRIBE" ? "subscribe" : "unsubscribe",
        native_symbols: params.map(symbolOfStream),
        request_id: id,
        without: (symbols) =>
          JSON.stringify({
            ...message,
            params: params.filter((stream) => !symbols.has(symbolOfStream(stream))),
          }),
      };
    },
  },
  kraken: {
    fields: {
      price: "price",
      quantity: "qty",
      side: "side",
      timestamp: "timestamp",
      trade_id: "trade_id",
    },
    readTrades: readKrakenTrades,
    readRequest(text) {
      const message = parseJson(text);
      if (!isRecord(message) || !isRecord(message.params)) return undefined;
      const { method, params, req_id } = message;
      if (method !== "subscribe" && method !== "unsubscribe") return undefined;
      if (!Array.isArray(params.symbol)) return undefined;
      const asked: readonly unknown[] = params.symbol;
      return {
        kind: method,
        native_symbols: asked.map(String),
        request_id: req_id,
        without(symbols) {
          const symbol = asked.filter((one) => !symbols.has(String(one)));
          if (symbol.length === 0) return undefined;
          return JSON.stringify({ ...message, params: { ...params, symbol } });
        },
      };
    },
  },
  coinbase: {
    fields: {
      price: "price",
      quantity: "size",
      side: "side",
      timestamp: "time",
      trade_id: "trade_id",
    },
    readTrades(frame) {
      const [, id, native_symbol] =
        /^\{"type":"(?:last_)?match","trade_id":(\d+),.*"product_id":"([\w-]+)"/.exec(frame) ?? [];
      return singleTrade(frame, { native_symbol, id });
    },
    readRequest(text) {
      const message = parseJson(text);
      if (!isRecord(message) || !Array.isArray(message.product_ids)) return undefined;
      const { type, product_ids } = message;
      if (type !== "subscribe" && type !== "unsubscribe") return undefined;
      return {
        kind: type,
        native_symbols: product_ids.map(String),
        request_id: undefined,
        without(symbols) {
          const left = product_ids.filter((one) => !symbols.has(String(one)));
          if (left.length === 0) return undefined;
          return JSON.stringify({ ...message, product_ids: left });
        },
      };
    },
  },
};

function singleTrade(
  frame: string,
  { native_symbol, id }: { native_symbol: string | undefined; id: string | undefined },
): WireTrades | undefined {
  if (native_symbol === undefined || id === undefined) return undefined;
  const is_wrapped = frame.startsWith(`{"stream":`);
  const start = is_wrapped ? frame.indexOf(`"data":`) + `"data":`.length : 0;
  const end = is_wrapped ? frame.length - 1 : frame.length;
  return {
    head: frame.slice(0, start),
    items: [{ text: frame.slice(start, end), native_symbol, trade_id: Number(id) }],
    tail: frame.slice(end),
  };
}

function readKrakenTrades(frame: string): WireTrades | undefined {
  const [, head, body, tail] =
    /^(\{"channel":"trade","type":"\w+","data":\[)\{(.*)\}(\]\})$/.exec(frame) ?? [];
  if (head === undefined || body === undefined || tail === undefined) return undefined;
  const items = body.split("},{").map((inner) => ({
    text: `{${inner}}`,
    native_symbol: /"symbol":"([^"]+)"/.exec(inner)?.[1] ?? "",
    trade_id: Number(/"trade_id":(\d+)/.exec(inner)?.[1]),
  }));
  return { head, items, tail };
}

function symbolOfStream(stream: unknown): string {
  const [name = ""] = String(stream).split("@");
  return name.toUpperCase();
}
