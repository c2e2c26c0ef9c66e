/**
 * What actors say to one another, and what a supervisor gives to each of them.
 *
 * An actor knows these types and nothing of its neighbors: who receives what is decided in one
 * place, `supervisors/tree.ts`, and neighbors are found by system id, because an id outlives a
 * restart and a reference does not. Fields that stand in a record have the record's names
 * (`schemas/trade.avsc`), so that one search follows a field from the socket to the notebook.
 *
 * @module
 */

import type { DeadLetterRecord, EventRecord } from "../schemas/mod.ts";

/** The side of the order that removed liquidity. */
export type Side = "BUY" | "SELL";

/** How a trade reached us: pushed, repeated on subscribing, or fetched to close a gap. */
export type Source = "STREAM" | "SNAPSHOT" | "BACKFILL";

/** One execution as an exchange's adapter reads it. Decimals stay text: binary floats round. */
export interface WireTrade {
  /** The exchange's own name of the market: `BTCUSDT`, `BTC/USD`. */
  readonly native_symbol: string;
  /** The exchange's identifier: the digits of an integer from 0 to 2^63-1. */
  readonly trade_id: string;
  readonly side: Side;
  /** Plain decimal text, the wire's digits: quote asset for one base asset, above zero. */
  readonly price: string;
  /** Plain decimal text, the wire's digits: base asset, above zero. */
  readonly quantity: string;
  /** Exchange time in microseconds since 1970, UTC; finer digits are cut. */
  readonly timestamp: number;
  /** What else the exchange said, as text. */
  readonly vendor_data: Readonly<Record<string, string>>;
}

/** What an exchange says of one of its markets, from its own instrument list. */
export interface Instrument {
  readonly exchange: string;
  readonly native_symbol: string;
  readonly base_asset: string;
  readonly quote_asset: string;
  /** The exchange's word for whether it trades: `TRADING`, `online`, … */
  readonly status: string;
  /** The market's name in REST answers where it differs from `native_symbol`. */
  readonly rest_names: readonly string[];
}

/** One trade as it stands in Kafka and in every table: the record `TradeV3`. */
export interface Trade extends WireTrade {
  /** `<exchange>:<native_symbol>:<trade_id>`: the same trade always has the same id. */
  readonly message_id: string;
  readonly exchange: string;
  /** `BASE/QUOTE`. */
  readonly symbol: string;
  readonly base_asset: string;
  readonly quote_asset: string;
  /** When the frame reached us, microseconds since 1970, UTC; taken once, in the socket. */
  readonly ingestion_timestamp: number;
  readonly source: Source;
  /** Unique per socket and REST session, across restarts. */
  readonly connection_id: string;
  /** Number of the frame within its connection, from 0. */
  readonly frame_sequence: number;
}

/**
 * Connection or backfiller to normalizer: the trades of one frame that belong to the normalizer's
 * symbol.
 */
export interface FrameTrades {
  readonly type: "frame_trades";
  readonly source: Source;
  readonly connection_id: string;
  readonly frame_sequence: number;
  readonly ingestion_timestamp: number;
  readonly trades: readonly WireTrade[];
}

/** A frame or an item nobody could read, or a record that the broker refuses for good. */
export type DeadLetter = DeadLetterRecord;

/** What happened to the feed: a session, a gap, a confirmation; see `schemas/event.avsc`. */
export type FeedEvent = EventRecord;

/** One socket or REST session whose messages are kept verbatim. */
export interface FrameSession {
  readonly exchange: string;
  /** Unique per socket and REST session, across restarts. */
  readonly connection_id: string;
  /** Where it is connected to, without credentials. */
  readonly url: string;
}

/** One WebSocket message or REST page, as it is kept. */
export interface FrameEntry {
  /** Number of the frame within its session, from 0; received and sent ones share the count. */
  readonly frame_sequence: number;
  readonly direction: "RECEIVED" | "SENT";
  readonly kind: "MESSAGE" | "PAGE";
  /** Method and URL of a page, else null. */
  readonly request: string | null;
  /** Wall clock when it was received or sent, microseconds since 1970, UTC. */
  readonly received_us: number;
  /** The same instant on the monotonic clock, nanoseconds. */
  readonly received_monotonic_ns: number;
  /** Verbatim. */
  readonly frame: string | Uint8Array;
}

/** Takes the frames of one session. */
export interface FrameLog {
  /**
   * Takes a frame, before anyone reads it: it is sent before the trades that are found in it. An
   * entry may be used again by the caller as soon as this returns.
   */
  add(entry: FrameEntry): void;
  /** No more frames come. */
  close(): void;
}

/**
 * Where records go to be sent: made once in `tree.ts`, handed to every incarnation, so that what
 * is not acknowledged outlives any crash of the producer or its port.
 */
export interface RecordSink {
  /** Takes one trade. Returns at once: encoding and buffering, no waiting. */
  addTrade(trade: Trade): void;
  addDeadLetter(letter: DeadLetter): void;
  addEvent(event: FeedEvent): void;
  openFrames(session: FrameSession): FrameLog;
}

/** Connection to normalizer: the exchange said at some time which trade is the newest one. */
export interface SymbolProgressed {
  readonly type: "symbol_progressed";
  readonly trade_id: string;
  /** Exchange time, microseconds since 1970: up to then there is no newer trade. */
  readonly timestamp: number;
}

/**
 * Connection to backfiller: ask over REST for the symbol's newest trades, because its subscription
 * is quiet and silence proves nothing.
 */
export interface Probe {
  readonly type: "probe";
  readonly native_symbol: string;
  /** System id of the connection that gets the answer. */
  readonly reply_to: string;
}

/** Backfiller to connection: what the exchange's newest trade of a quiet symbol is. */
export interface Probed {
  readonly type: "symbol.probed";
  readonly native_symbol: string;
  /** The newest trade that REST shows; null where it shows none. */
  readonly newest: { readonly trade_id: string; readonly timestamp: number } | null;
}

/** Who acts on full buffers, or a disk nearly so: whoever can stop records from coming. */
export interface PressureListener {
  /** No more records, please; one clause says why. */
  full(reason: string): void;
  /** There is room again. */
  relieved(): void;
}

/** One figure on the status tree. Names carry their unit last: `lag_s`, `buffered_bytes`. */
export type Figures = Record<string, string | number | boolean | null>;

/** What the status tree shows of one child. The child writes it, the supervisor owns it. */
export interface Report {
  /** A participle or an adjective: `streaming`, `waiting_for_instruments`. */
  state: string;
  /** Operating-system process, for ports. */
  pid: number | null;
  readonly figures: Figures;
}

/**
 * How an incarnation ended when it ends by itself. `fatal`: what it met would be there again after
 * any restart, so that none is tried (an outbox that is inconsistent, a schema that is refused).
 */
export type Exit =
  | { readonly kind: "normal" }
  | { readonly kind: "crash"; readonly reason: string }
  | { readonly kind: "fatal"; readonly reason: string };

/**
 * What a supervisor hands to each incarnation of a child. xstate does not stop the children of an
 * actor that throws (statelyai/xstate#5153), and a throw in a timer or socket handler reaches no
 * actor, hence `signal` and `exit`.
 */
export interface Incarnation {
  /** Ids from the root, joined by `/`: `k2/platform/infrastructure/broker`. */
  readonly path: string;
  /** Aborts when this incarnation is over, however it ended: let go of every resource. */
  readonly signal: AbortSignal;
  readonly report: Report;
  /** Tells the supervisor that the child serves; the next child starts only then. */
  ready(): void;
  /** Ends this incarnation from outside an actor's own step (timer, stream, process). */
  exit(exit: Exit): void;
}

/** Supervisor to child: finish what you hold, then end (final state, or `incarnation.exit`). */
export interface Stop {
  readonly type: "stop";
}
