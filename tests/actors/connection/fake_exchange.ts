/**
 * An exchange that exists only in tests: a protocol as small as can be that still has every kind
 * of message, and the things a connection is handed, all of them under the test's control.
 *
 * @module
 */

import type { ExchangeAdapter, Frame, Page } from "../../../actors/exchanges/adapter.ts";
import type {
  DeadLetter,
  Exit,
  FeedEvent,
  FrameEntry,
  FrameSession,
  Incarnation,
  Instrument,
  RecordSink,
  Trade,
  WireTrade,
} from "../../../actors/messages.ts";
import type { Log } from "../../../actors/settings/log.ts";

/**
 * Its messages are JSON of a `Frame`, its pages JSON of a `Page`; anything else is unreadable. A
 * page's URL is `<base>/trades?symbol=<native symbol>&from=<after_id>`, inclusive, or
 * `&since=<after_timestamp>` where no id is known; without either it is the newest page.
 */
export const fake_adapter: ExchangeAdapter = {
  exchange: "fake",
  native_symbols_default: ["AB", "CD"],
  ws_url_default: "ws://127.0.0.1",
  rest_url_default: "http://127.0.0.1",
  are_ids_dense: true,
  socketUrl: (ws_url) => `${ws_url}/stream`,
  subscribe: (native_symbols, first_request_id) =>
    fakeRequests("subscribe", native_symbols, first_request_id),
  unsubscribe: (native_symbols, first_request_id) =>
    fakeRequests("unsubscribe", native_symbols, first_request_id),
  listSubscriptions: (request_id) => `list ${request_id}`,
  parse(text): Frame {
    try {
      return JSON.parse(text) as Frame;
    } catch {
      return { kind: "unreadable", reason: "not_json" };
    }
  },
  pingTime: (payload) => (/^\d+$/.test(payload) ? Number(payload) : null),
  parsePage(text): Page {
    try {
      return JSON.parse(text) as Page;
    } catch {
      return { kind: "unreadable", reason: "not_json" };
    }
  },
  instrumentsUrl: (rest_url) => `${rest_url}/instruments`,
  parseInstruments(text) {
    try {
      return { kind: "instruments", instruments: JSON.parse(text) as Instrument[] };
    } catch {
      return { kind: "unreadable", reason: "not JSON" };
    }
  },
  isTradable: (status) => status === "online" || status === "halted",
  isHalted: (status) => status === "halted",
  ping: (request_id) => `ping ${request_id}`,
  session: {
    symbols_max: 100,
    attempts: { weight_max: 100, window_ms: 60_000 },
    life_ms_max: 3_600_000,
    silence_ms_max: 60_000,
    request_interval_ms: 100,
  },
  rest: {
    pages_by: "trade_id",
    budgets: [{ weight_max: 100, window_ms: 60_000 }],
    page_weight: 1,
    instruments_weight: 1,
    time_weight: 1,
    page_trades_max: 10,
    headers: { "x-fake": "1" },
    newestPageUrl: (rest_url, { native_symbol }) => `${rest_url}/trades?symbol=${native_symbol}`,
    pageUrl: (rest_url, { native_symbol }, { after_id, after_timestamp }) => {
      const start = after_id === null ? `since=${after_timestamp}` : `from=${after_id}`;
      return `${rest_url}/trades?symbol=${native_symbol}&${start}`;
    },
    usedWeight: (headers) => {
      const used = headers.get("x-fake-used");
      return used === null ? null : Number(used);
    },
    timeUrl: (rest_url) => `${rest_url}/time`,
    parseTime: (text) => (/^\d+$/.test(text) ? Number(text) : null),
  },
};

function fakeRequests(
  method: "subscribe" | "unsubscribe",
  native_symbols: readonly string[],
  first_request_id: number,
) {
  return native_symbols.map((symbol, index) => ({
    request_id: first_request_id + index,
    text: `${method} ${symbol} ${first_request_id + index}`,
    native_symbols: [symbol],
  }));
}

/** A page of trades as the fake exchange's REST answers. */
export function tradesPage(...trades: readonly WireTrade[]): string {
  return JSON.stringify({ kind: "trades", trades, rejects: [], cursor: null } satisfies Page);
}

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

/** A sink that keeps what it is given, and in `order` what came when. */
export function fakeSink() {
  const trades: Trade[] = [];
  const letters: DeadLetter[] = [];
  const events: FeedEvent[] = [];
  const frames: { readonly session: FrameSession; readonly entry: FrameEntry }[] = [];
  const closed: FrameSession[] = [];
  const order: ("trade" | "letter" | "event" | "frame")[] = [];
  const sink: RecordSink = {
    addTrade(trade) {
      trades.push(trade);
      order.push("trade");
    },
    addDeadLetter(letter) {
      letters.push(letter);
      order.push("letter");
    },
    addEvent(event) {
      events.push(event);
      order.push("event");
    },
    openFrames: (session) => ({
      add(entry) {
        // A copy: whoever adds an entry may use it again.
        frames.push({ session, entry: { ...entry } });
        order.push("frame");
      },
      close: () => void closed.push(session),
    }),
  };
  return { closed, events, frames, letters, order, sink, trades };
}
