/**
 * An exchange that exists only in tests: a protocol as small as can be that still has every kind
 * of message, and the things a connection is handed, all of them under the test's control.
 *
 * @module
 */

import type { ExchangeAdapter, Frame } from "../../../actors/exchanges/adapter.ts";
import type {
  DeadLetter,
  Exit,
  Incarnation,
  Instrument,
  WireTrade,
} from "../../../actors/messages.ts";
import type { Log } from "../../../actors/settings/log.ts";

/** Its messages are JSON of a `Frame`; anything else is unreadable. */
export const fake_adapter: ExchangeAdapter = {
  exchange: "fake",
  native_symbols_default: ["AB", "CD"],
  ws_url_default: "ws://127.0.0.1",
  rest_url_default: "http://127.0.0.1",
  socketUrl: (ws_url) => `${ws_url}/stream`,
  subscribe: (native_symbols, first_request_id) =>
    native_symbols.map((symbol, index) => ({
      request_id: first_request_id + index,
      text: `subscribe ${symbol} ${first_request_id + index}`,
      native_symbols: [symbol],
    })),
  parse(text): Frame {
    try {
      return JSON.parse(text) as Frame;
    } catch {
      return { kind: "unreadable", reason: "not_json" };
    }
  },
  parsePage: () => ({ kind: "refused", reason: "no pages" }),
  instrumentsUrl: (rest_url) => `${rest_url}/instruments`,
  parseInstruments(text) {
    try {
      return { kind: "instruments", instruments: JSON.parse(text) as Instrument[] };
    } catch {
      return { kind: "unreadable", reason: "not JSON" };
    }
  },
  isTradable: (status) => status === "online",
  silence_ms_max: 60_000,
  request_interval_ms: 100,
  ping: (request_id) => `ping ${request_id}`,
};

export function instrument(native_symbol: string, base: string, quote: string): Instrument {
  return {
    exchange: "fake",
    native_symbol,
    base_asset: base,
    quote_asset: quote,
    status: "online",
    rest_names: [],
  };
}

export function trade(native_symbol: string, trade_id: string): WireTrade {
  return {
    native_symbol,
    trade_id,
    side: "BUY",
    price: "1.50",
    quantity: "2",
    timestamp: 1_787_746_340_684_000,
    vendor_data: {},
  };
}

export function tradesFrame(...trades: readonly WireTrade[]): string {
  return JSON.stringify({ kind: "trades", source: "STREAM", trades, rejects: [] } satisfies Frame);
}

/** An incarnation that remembers what it was told. */
export function fakeIncarnation() {
  const controller = new AbortController();
  const exits: Exit[] = [];
  let ready_count = 0;
  const incarnation: Incarnation = {
    path: "k2/fake",
    signal: controller.signal,
    report: { state: "starting", pid: null, figures: {} },
    ready: () => {
      ready_count += 1;
    },
    exit: (exit) => void exits.push(exit),
  };
  return { controller, exits, incarnation, readyCount: () => ready_count };
}

/** A log that keeps its lines. */
export function fakeLog() {
  const lines: string[] = [];
  const log: Log = {
    info: (message) => void lines.push(`info ${message}`),
    warn: (message) => void lines.push(`warn ${message}`),
    error: (message) => void lines.push(`error ${message}`),
  };
  return { lines, log };
}

/** A sink that keeps its dead letters. */
export function fakeSink() {
  const letters: DeadLetter[] = [];
  return { letters, sink: { addDeadLetter: (letter: DeadLetter) => void letters.push(letter) } };
}
