/**
 * What a connection's machine holds, and what follows from it: what a failure was, how long to wait
 * after it, how long the socket has been silent. Values in, values out, apart from the figures,
 * which the status tree shares and the machine writes in place.
 *
 * @module
 */

import type { ExchangeAdapter, Request } from "../exchanges/adapter.ts";
import type { Incarnation, PressureListener, RecordSink } from "../messages.ts";
import type { Log } from "../settings/log.ts";
import { backoffMs, retryAfterMs } from "./backoff.ts";
import { type InstrumentList, InstrumentsUnavailable } from "./instrument_list.ts";
import { type Reachability, withoutCredentials } from "./reachability.ts";
import type { OpenSocket, Pulse, ReceiverFigures, ReceiverInput, SocketEnd } from "./receiver.ts";
import { readRefusal } from "./refusal.ts";
import { refusedReason, type Subscriptions } from "./subscriptions.ts";

/** What a connection needs, all of it handed in. */
export interface ConnectionInput {
  readonly incarnation: Incarnation;
  readonly adapter: ExchangeAdapter;
  readonly native_symbols: readonly string[];
  /** The base that the settings give. */
  readonly ws_url: string;
  /** Number of this connection among the exchange's, from 0. */
  readonly shard: number;
  readonly instruments: InstrumentList;
  readonly reachability: Reachability;
  /** A new id for each socket, unique across restarts. */
  readonly connectionId: () => string;
  /** System id of a symbol's normalizer. */
  readonly normalizerId: (native_symbol: string) => string;
  readonly sink: Pick<RecordSink, "addDeadLetter">;
  /** Listens to the buffers; tells at once where they are already full. Returns the end of it. */
  readonly onPressure: (listener: PressureListener) => () => void;
  readonly openSocket: OpenSocket;
  readonly log: Log;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Wall clock in microseconds since 1970, monotone within the process. */
  readonly now_us: () => number;
}

/** What the status tree shows of a connection. */
interface ConnectionFigures extends ReceiverFigures {
  url: string;
  connection_id: string | null;
  /** How many symbols are configured, acknowledged, and refused. */
  symbols: number;
  subscribed: number;
  refused: number;
  refused_reason: string | null;
  reconnects_total: number;
  /** Failures in a row since the connection was last healthy. */
  attempt: number;
  last_error: string | null;
  /** Since when it does not stream, ISO 8601; null while it does. */
  down_since: string | null;
}

/** A failure as it decides what comes next. */
export interface Failure {
  readonly reason: string;
  readonly is_terminal: boolean;
  readonly retry_after_ms: number | null;
}

/** What the machine knows of its socket, its subscriptions and its latest failure. */
export interface ConnectionContext {
  readonly input: ConnectionInput;
  /** Shared with the status tree and the receiver, and written in place. */
  readonly figures: ConnectionFigures;
  readonly pulse: Pulse;
  readonly subscriptions: Subscriptions;
  /** Requests still to be sent on this socket. */
  readonly requests: readonly Request[];
  readonly next_request_id: number;
  readonly attempt: number;
  /** How often refused symbols were asked for again on this socket. */
  readonly resubscribe_attempt: number;
  readonly failure: Failure | null;
  readonly is_pressed: boolean;
  /** Symbols whose refusal was logged: once each, until they are acknowledged. */
  readonly announced: Set<string>;
}

/** Waits between reconnects: Kraken's and Binance's connection budgets allow it. */
const reconnect_backoff = { base_ms: 250, cap_ms: 30_000 };
/** Waits between requests for symbols that an exchange refused for now. */
const resubscribe_backoff = { base_ms: 5_000, cap_ms: 300_000 };
/** Wait after a refusal that only a person can end. */
export const refused_ms_min = 300_000;

/** A connection before its first attempt. Puts its figures into the incarnation's report. */
export function startingContext(input: ConnectionInput): ConnectionContext {
  const pulse: Pulse = { heard_us: 0, frame_us: null };
  const initial: ConnectionFigures = {
    url: withoutCredentials(input.adapter.socketUrl(input.ws_url)),
    connection_id: null,
    symbols: input.native_symbols.length,
    subscribed: 0,
    refused: 0,
    refused_reason: null,
    frames_total: 0,
    trades_total: 0,
    heartbeats_total: 0,
    dead_letters_total: 0,
    undelivered_total: 0,
    unconfigured_total: 0,
    reconnects_total: 0,
    attempt: 0,
    last_error: null,
    down_since: isoTime(input),
    exchange_status: null,
  };
  const figures = Object.assign(input.incarnation.report.figures, initial);
  // Read on demand, as a frame must not pay for its time being written out.
  Object.defineProperty(figures, "last_frame_at", {
    get: () => (pulse.frame_us === null ? null : new Date(pulse.frame_us / 1_000).toISOString()),
    enumerable: true,
    configurable: true,
  });
  return {
    input,
    figures,
    pulse,
    subscriptions: new Map(),
    requests: [],
    next_request_id: 1,
    attempt: 0,
    resubscribe_attempt: 0,
    failure: null,
    is_pressed: false,
    announced: new Set(),
  };
}

/** Now, as the status tree shows a time. */
export function isoTime({ now_us }: Pick<ConnectionInput, "now_us">): string {
  return new Date(now_us() / 1_000).toISOString();
}

/** What the receiver of the next socket gets. */
export function receiverInput({ figures, input, pulse }: ConnectionContext): ReceiverInput {
  const { adapter, incarnation, native_symbols, normalizerId, now_us, openSocket, sink } = input;
  return {
    adapter,
    url: adapter.socketUrl(input.ws_url),
    connection_id: figures.connection_id ?? "",
    normalizer_ids: new Map(native_symbols.map((symbol) => [symbol, normalizerId(symbol)])),
    incarnation,
    sink,
    figures,
    pulse,
    openSocket,
    now_us,
  };
}

/** A failure that passes by itself. */
export function passing(reason: string): Failure {
  return { reason, is_terminal: false, retry_after_ms: null };
}

/**
 * What a failed load of the instrument list means. Throws again what is no
 * `InstrumentsUnavailable`.
 */
export function loadFailure(error: unknown): Failure {
  if (!(error instanceof InstrumentsUnavailable)) throw error;
  const { is_terminal, message, retry_after_ms } = error;
  return { reason: `no instrument list: ${message}`, is_terminal, retry_after_ms };
}

/** What the end of a socket means: refused by an HTTP status, else one that passes. */
export function socketFailure({ input }: ConnectionContext, end: SocketEnd): Failure {
  if (end.status === null) return passing(end.reason);
  const setting = `K2_${input.adapter.exchange.toUpperCase()}_WS_URL`;
  const retry_after_ms = retryAfterMs(end.retry_after, input.now_us() / 1_000);
  return { ...readRefusal(end.status, setting), retry_after_ms };
}

/** No symbol can be had on this socket; the reason is the exchange's, where it gave one. */
export function refusedFailure({ subscriptions }: ConnectionContext): Failure {
  return passing(refusedReason(subscriptions) ?? "no subscription was acknowledged");
}

/** Nothing was heard for the adapter's `silence_ms_max`. */
export function silenceFailure({ input }: ConnectionContext): Failure {
  return passing(`silent for ${input.adapter.silence_ms_max} ms`);
}

/** Until the next attempt: jittered backoff, and no less than the exchange asked for. */
export function retryMs({ attempt, failure, input }: ConnectionContext): number {
  if (failure?.is_terminal === true) return Math.max(refused_ms_min, failure.retry_after_ms ?? 0);
  const backoff_ms = backoffMs(attempt, { ...reconnect_backoff, random: input.random });
  return Math.max(backoff_ms, failure?.retry_after_ms ?? 0);
}

/** Until the next time at which refused symbols are asked for again. */
export function resubscribeMs({
  input,
  resubscribe_attempt,
  subscriptions,
}: ConnectionContext): number {
  const is_passing = [...subscriptions.values()].some(
    ({ is_terminal, state }) => state === "refused" && !is_terminal,
  );
  if (!is_passing) return refused_ms_min;
  const attempt = resubscribe_attempt + 1;
  const backoff_ms = backoffMs(attempt, { ...resubscribe_backoff, random: input.random });
  return Math.max(resubscribe_backoff.base_ms, backoff_ms);
}

/** For how long nothing has been heard on the socket. */
export function silenceMs({ input, pulse }: ConnectionContext): number {
  return (input.now_us() - pulse.heard_us) / 1_000;
}

/** Until the socket will have been silent for half of what is allowed, or for all of it. */
export function silenceCheckMs(context: ConnectionContext): number {
  const { silence_ms_max } = context.input.adapter;
  const silent_ms = silenceMs(context);
  const threshold_ms = silent_ms < silence_ms_max / 2 ? silence_ms_max / 2 : silence_ms_max;
  return Math.max(1, Math.ceil(threshold_ms - silent_ms));
}

/** Name of the socket's door among those that `Reachability` watches. */
export function doorOf({ input }: ConnectionContext): string {
  return `socket.${input.shard}`;
}

/** How log lines name the connection: `kraken connection 0`. */
export function nameOf({ input }: ConnectionContext): string {
  return `${input.adapter.exchange} connection ${input.shard}`;
}
