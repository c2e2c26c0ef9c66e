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

import type { DeadLetterRecord } from "../schemas/mod.ts";

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

/** Connection to normalizer: the trades of one frame that belong to the normalizer's symbol. */
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

/**
 * Where records go to be sent: made once in `tree.ts`, handed to every incarnation, so that what
 * is not acknowledged outlives any crash of the producer or its port.
 */
export interface RecordSink {
  /** Takes one trade. Returns at once: encoding and buffering, no waiting. */
  addTrade(trade: Trade): void;
  addDeadLetter(letter: DeadLetter): void;
}

/** Who acts on full buffers: whoever can stop records from coming. */
export interface PressureListener {
  /** No more records, please. */
  full(): void;
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

/** How an incarnation ended when it ends by itself. */
export type Exit =
  | { readonly kind: "normal" }
  | { readonly kind: "crash"; readonly reason: string };

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
