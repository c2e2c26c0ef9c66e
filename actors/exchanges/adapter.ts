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

/** The newest trade of a symbol at an exchange's time. */
export interface SymbolProgress {
  readonly native_symbol: string;
  readonly trade_id: string;
  /** Exchange time in microseconds since 1970: up to then there is no newer trade. */
  readonly timestamp: number;
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
  /**
   * All that the exchange holds for this socket: the answer to `listSubscriptions`, or to every
   * request where the exchange answers so (then without an id). A symbol in it is acknowledged; one
   * that was acknowledged before and is not in it has been lost; one that is asked for and neither
   * says nothing, because the list may be older than its request.
   */
  | {
      readonly kind: "subscriptions";
      readonly request_id: number | null;
      readonly native_symbols: readonly string[];
    }
  /** `progress` where it says of one symbol which trade is the newest at which time. */
  | { readonly kind: "heartbeat"; readonly progress: SymbolProgress | null }
  /** `exchange_time_us`: the middle between the exchange's receiving the ping and answering. */
  | {
      readonly kind: "pong";
      readonly request_id: number | null;
      readonly exchange_time_us: number | null;
    }
  /** The exchange's own state. `is_closing`: sockets are about to end, open another one now. */
  | { readonly kind: "status"; readonly status: string; readonly is_closing: boolean }
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
      /** In the page's order, which may be newest first. */
      readonly trades: readonly WireTrade[];
      readonly rejects: readonly Reject[];
      /** What the exchange gives to ask for the next page, verbatim; null where there is none. */
      readonly cursor: string | null;
    }
  /**
   * The exchange's own error text, which may come with HTTP 200. `retry_at_ms`: the instant
   * (milliseconds since 1970) before which it does not want to be asked, where it names one.
   */
  | {
      readonly kind: "refused";
      readonly reason: string;
      readonly is_terminal: boolean;
      readonly retry_at_ms: number | null;
    }
  | { readonly kind: "unreadable"; readonly reason: RejectReason };

/** What an instrument list meant. */
export type InstrumentsPage =
  | { readonly kind: "instruments"; readonly instruments: readonly Instrument[] }
  | { readonly kind: "unreadable"; readonly reason: string };

/** Where a page of trades is to begin. Ids are numbers: no exchange's reach 2^53. */
export interface PageStart {
  /**
   * The trade before the first one wanted; the page should hold it too, because only a page with
   * ids on both sides of a hole proves the hole. Null where only a time is known.
   */
  readonly after_id: number | null;
  /** That trade's time, or the earliest one wanted; microseconds since 1970. */
  readonly after_timestamp: number;
  /** The `cursor` of the page before, verbatim; null for the first page. */
  readonly cursor: string | null;
}

/** What an exchange allows within a time: requests by their weight, or attempts by one each. */
export interface BudgetRule {
  readonly weight_max: number;
  readonly window_ms: number;
}

/**
 * How an exchange's trades are read over REST. A page can be read from its URL alone, without the
 * instrument list: where neither page nor query names the market as the socket does, the URL's
 * fragment does, which is kept and never sent.
 */
export interface RestRules {
  /** By what a page is found: exchanges that know only ids are searched for a time. */
  readonly pages_by: "trade_id" | "time";
  /** Budgets of all requests; each of them must have room. Below the exchange's own, for others. */
  readonly budgets: readonly BudgetRule[];
  /** What a page of trades, the instrument list and the time cost. */
  readonly page_weight: number;
  readonly instruments_weight: number;
  readonly time_weight: number;
  /** Most trades of one page. */
  readonly page_trades_max: number;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  /** The page with the newest trades. */
  newestPageUrl(rest_url: string, instrument: Instrument): string;
  /**
   * The page that begins at `start`: it holds `after_id`, if the exchange still has it, and the ids
   * above it, at most `page_trades_max` in all, and may hold older ones too. Where pages are found
   * by id and none is given: the newest page. Where they are found by time, `cursor` goes before
   * the time, and pages overlap.
   */
  pageUrl(rest_url: string, instrument: Instrument, start: PageStart): string;
  /** The weight that the exchange says is used up in the current window, else null. */
  usedWeight(headers: Headers): number | null;
  /** URL of the exchange's clock. */
  timeUrl(rest_url: string): string;
  /** Reads the clock's page: microseconds since 1970, null where it cannot be read. */
  parseTime(text: string): number | null;
}

/** What an exchange asks of sockets. */
export interface SessionRules {
  /** Most symbols subscribed on one socket; more are sharded over several. */
  readonly symbols_max: number;
  /** Connection attempts of this address, over all sockets. */
  readonly attempts: BudgetRule;
  /** After this the exchange ends a socket, so it is replaced before; null: none is known. */
  readonly life_ms_max: number | null;
  /** Longest silence (no frame, ping or heartbeat) after which a socket is presumed dead. */
  readonly silence_ms_max: number;
  /** Smallest time between two messages we send on one socket. */
  readonly request_interval_ms: number;
}

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
  /** The same to end subscriptions. An answer may be `acknowledged` with its id, or `ignored`. */
  unsubscribe(native_symbols: readonly string[], first_request_id: number): readonly Request[];
  /**
   * Text that asks which subscriptions the exchange holds for the socket; null where there is no
   * such question, be it because the list comes unasked. The answer is a `subscriptions`.
   */
  listSubscriptions(request_id: number): string | null;
  /** Reads one WebSocket message. */
  parse(text: string): Frame;
  /** The exchange's time in a WebSocket ping's payload, microseconds since 1970, else null. */
  pingTime(payload: string): number | null;
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
  /** Whether trading of a symbol of this status is halted: its silence is no fault. */
  isHalted(status: string): boolean;
  /**
   * Whether the exchange documents that ids of a symbol have no holes. Then a jump proves a gap;
   * elsewhere it is a suspicion that REST decides.
   */
  readonly are_ids_dense: boolean;
  /** Text to send as an application-level ping, or null where the protocol has none. */
  ping(request_id: number): string | null;
  readonly session: SessionRules;
  readonly rest: RestRules;
}
