/**
 * The contract between one exchange and the rest of the platform.
 *
 * An adapter is a value, not a class: it holds no socket, no timer and no state, so every rule an
 * exchange imposes can be tested by handing it text. Whatever is generic - sockets, retries,
 * symbols - lives elsewhere and never names an exchange.
 *
 * @module
 */

import type { Instrument, WireTrade } from "../messages.ts";
import type { ExchangeDefaults } from "../settings/settings.ts";

/** Why a frame or an item cannot be read. A closed list: dead letters and metrics count by it. */
export const reject_reasons = [
  "not_json",
  "unknown_message",
  "trades_unreadable",
  "item_unreadable",
  "symbol_unreadable",
  "trade_id_unreadable",
  "side_unreadable",
  "timestamp_unreadable",
  "price_unreadable",
  "price_not_positive",
  "price_out_of_range",
  "quantity_unreadable",
  "quantity_not_positive",
  "quantity_out_of_range",
  "normalizer_crashed",
] as const;

/** One of `reject_reasons`. */
export type RejectReason = (typeof reject_reasons)[number];

/** An item of a batch that cannot be read. Its neighbors are not harmed. */
export interface Reject {
  readonly reason: RejectReason;
  /** The item's own text where it can be cut out, else the whole frame. */
  readonly item: string;
  readonly native_symbol: string | null;
}

/** What one frame meant. Every frame is exactly one of these; `parse` never throws. */
export type Frame =
  | {
      readonly kind: "trades";
      /** `SNAPSHOT` where the exchange repeats trades on subscribing. */
      readonly source: "STREAM" | "SNAPSHOT";
      /** In the frame's order; items of several symbols may be mixed. */
      readonly trades: readonly WireTrade[];
      readonly rejects: readonly Reject[];
    }
  /** A request was accepted; `native_symbol` where the exchange answers for each symbol. */
  | {
      readonly kind: "acknowledged";
      readonly request_id: number | null;
      readonly native_symbol: string | null;
    }
  /** A request was refused. `is_terminal`: asking again cannot help. */
  | {
      readonly kind: "refused";
      readonly request_id: number | null;
      readonly native_symbol: string | null;
      readonly reason: string;
      readonly is_terminal: boolean;
    }
  | { readonly kind: "heartbeat" }
  | { readonly kind: "pong" }
  /** The exchange's own state: `online`, `maintenance`, … */
  | { readonly kind: "status"; readonly status: string }
  /** The server announces its end: open another connection. */
  | { readonly kind: "shutdown" }
  /** Understood and not wanted. */
  | { readonly kind: "ignored" }
  /** Nobody can read it: a dead letter, verbatim. */
  | { readonly kind: "unreadable"; readonly reason: RejectReason };

/** A message to send once the socket is open, and the symbols it asks for. */
export interface Request {
  readonly request_id: number;
  readonly text: string;
  readonly native_symbols: readonly string[];
}

/** What a page of trades, fetched over REST, meant. */
export type Page =
  | {
      readonly kind: "trades";
      readonly trades: readonly WireTrade[];
      readonly rejects: readonly Reject[];
    }
  /** The exchange's own error text, which may come with HTTP 200. */
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "unreadable"; readonly reason: RejectReason };

/** What an instrument list meant. */
export type InstrumentsPage =
  | { readonly kind: "instruments"; readonly instruments: readonly Instrument[] }
  | { readonly kind: "unreadable"; readonly reason: string };

/** All that the platform knows of one exchange: its defaults, its texts and its limits. */
export interface ExchangeAdapter extends ExchangeDefaults {
  /** The socket's URL, from the base the settings give. */
  socketUrl(ws_url: string): string;
  /**
   * Subscribe requests, in order, each within the exchange's frame size and burst limits.
   *
   * @param first_request_id Request ids count up from here.
   */
  subscribe(native_symbols: readonly string[], first_request_id: number): readonly Request[];
  /** Reads one WebSocket message. */
  parse(text: string): Frame;
  /**
   * Reads one REST page of trades.
   *
   * @param request Method and URL that fetched it: `GET https://…?symbol=BTCUSDT`.
   * @param instruments Maps REST names to native symbols; empty where no list is cached.
   */
  parsePage(text: string, request: string, instruments: readonly Instrument[]): Page;
  /** URL of the instrument list, from the REST base the settings give. */
  instrumentsUrl(rest_url: string): string;
  parseInstruments(text: string): InstrumentsPage;
  /** Whether a symbol of this status trades or soon will; others are refused by name. */
  isTradable(status: string): boolean;
  /** Longest silence (no frame, ping or heartbeat) after which a socket is presumed dead. */
  readonly silence_ms_max: number;
  /** Smallest time between two requests on one socket. */
  readonly request_interval_ms: number;
  /** Text to send as an application-level ping, or null where the protocol has none. */
  ping(request_id: number): string | null;
}
