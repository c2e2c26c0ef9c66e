/**
 * One shard of an exchange's symbols: what its connection is given, and what its sockets share.
 *
 * A shard has one socket, and two while one takes the place of the other. Each is a session; the
 * figures count over all of them, and of their standing those of one session are shown. Figures,
 * deliveries and the like are written in place, because the status tree reads them whenever it
 * likes and a frame must not pay for it.
 *
 * @module
 */

import { type EventKind, feedEvent } from "../../schemas/event.ts";
import type { ExchangeAdapter } from "../exchanges/adapter.ts";
import { defineFigures, isoTime, isoTimeOrNull } from "../figures.ts";
import type { Incarnation, PressureListener, RecordSink } from "../messages.ts";
import type { Budget } from "../rest/budget.ts";
import type { InstrumentList } from "../rest/instrument_list.ts";
import { type Reachability, withoutCredentials } from "../rest/reachability.ts";
import type { Log } from "../settings/log.ts";
import { type Deliveries, noDelivery } from "./deliveries.ts";
import { ExchangeClock } from "./exchange_clock.ts";
import type { ReceiverFigures } from "./frame_reader.ts";
import type { Ending, OpenSocket, Pulse } from "./receiver.ts";
import { refusedReason, type Subscriptions, standing } from "./subscriptions.ts";

/** What a connection needs, all of it handed in. */
export interface ConnectionInput {
  readonly incarnation: Incarnation;
  readonly adapter: ExchangeAdapter;
  /** At most as many as one socket may carry. */
  readonly native_symbols: readonly string[];
  /** Symbols of the exchange, on all of its sockets: they share the budget of probes. */
  readonly exchange_symbols_count: number;
  /** The base that the settings give. */
  readonly ws_url: string;
  /** Number of this connection among the exchange's, from 0. */
  readonly shard: number;
  /** The connection's own system id, for answers to its probes. */
  readonly system_id: string;
  /** Of all sockets that are opened to the exchange from this address. */
  readonly attempts: Pick<Budget, "waitMs" | "spend" | "blockFor">;
  readonly instruments: InstrumentList;
  readonly reachability: Reachability;
  /** A new id for each socket, unique across restarts. */
  readonly connectionId: () => string;
  /** System id of a symbol's normalizer. */
  readonly normalizerId: (native_symbol: string) => string;
  /** System id of the one that probes over REST. */
  readonly backfiller_id: string;
  readonly sink: Pick<RecordSink, "addDeadLetter" | "addEvent" | "openFrames">;
  /** Listens to the buffers; tells at once where they are already full. Returns the end of it. */
  readonly onPressure: (listener: PressureListener) => () => void;
  readonly openSocket: OpenSocket;
  readonly log: Log;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Wall clock in microseconds since 1970; it may jump. */
  readonly now_us: () => number;
  /** Monotonic clock in nanoseconds, of any origin. */
  readonly monotonic_ns: () => number;
}

/** How one session stands, as the status tree shows it. */
export interface SessionFigures {
  connection_id: string | null;
  /** How many symbols are acknowledged, and refused. */
  subscribed: number;
  refused: number;
  refused_reason: string | null;
  /** How many are silent because nobody trades them, as far as is known. */
  quiet: number;
  /** How many are acknowledged and bring nothing, though they are traded. */
  not_delivering: number;
  not_delivering_reason: string | null;
  /** How many the exchange has halted. */
  halted: number;
}

/** What the status tree shows of a connection, beside the figures of its session. */
interface ConnectionFigures extends ReceiverFigures {
  url: string;
  symbols: number;
  reconnects_total: number;
  rotations_total: number;
  /** Subscriptions made anew because they were missing or brought nothing. */
  resubscribed_total: number;
  /** Failures in a row since the connection was last healthy. */
  attempt: number;
  last_error: string | null;
  /** Since when it does not stream, ISO 8601; null while it does. */
  down_since: string | null;
}

/** One socket, from before it is opened. */
export interface Session {
  readonly connection_id: string;
  /** Monotonic clock, milliseconds. */
  readonly started_ms: number;
  readonly figures: SessionFigures;
  readonly deliveries: Deliveries;
  readonly ending: Ending;
  readonly pulse: Pulse;
  /** `connecting`, `subscribing`, `streaming`, `ended`. */
  state: string;
}

/** What the sockets of a shard share. */
export interface Shard {
  readonly input: ConnectionInput;
  readonly figures: ConnectionFigures;
  readonly clock: ExchangeClock;
  /** Symbols whose refusal was said: once each, until they are acknowledged. */
  readonly refused: Set<string>;
  /** Symbols that the exchange has halted. */
  readonly halted: Set<string>;
  /** Symbols of which it was said that they do not deliver: once each, until they do. */
  readonly not_delivering: Set<string>;
  /** When the instrument list was asked for because of silence; monotonic clock, milliseconds. */
  list_asked_ms: number;
  /** The session that the status tree shows, also when it is over; null before the first one. */
  shown: Session | null;
  /** Its figures, or those of the one that is planned. */
  standing: SessionFigures;
}

const blank_figures: SessionFigures = {
  connection_id: null,
  subscribed: 0,
  refused: 0,
  refused_reason: null,
  quiet: 0,
  not_delivering: 0,
  not_delivering_reason: null,
  halted: 0,
};

const session_figures = [
  "connection_id",
  "subscribed",
  "refused",
  "refused_reason",
  "quiet",
  "not_delivering",
  "not_delivering_reason",
  "halted",
] as const satisfies readonly (keyof SessionFigures)[];

/** A shard before its first socket. Puts its figures into the incarnation's report. */
export function makeShard(input: ConnectionInput): Shard {
  const initial: ConnectionFigures = {
    url: withoutCredentials(input.adapter.socketUrl(input.ws_url)),
    symbols: input.native_symbols.length,
    frames_total: 0,
    trades_total: 0,
    heartbeats_total: 0,
    dead_letters_total: 0,
    undelivered_total: 0,
    unconfigured_total: 0,
    reconnects_total: 0,
    rotations_total: 0,
    resubscribed_total: 0,
    attempt: 0,
    last_error: null,
    down_since: isoTime(input.now_us()),
    exchange_status: null,
  };
  const shard: Shard = {
    input,
    figures: Object.assign(input.incarnation.report.figures, initial),
    clock: new ExchangeClock({ wall_us: input.now_us(), monotonic_ms: monotonicMs(input) }),
    refused: new Set(),
    halted: new Set(),
    not_delivering: new Set(),
    list_asked_ms: Number.NEGATIVE_INFINITY,
    shown: null,
    standing: blank_figures,
  };
  showReadings(shard);
  return shard;
}

/** A session that is about to be opened, which is an attempt, with a connection id of its own. */
export function makeSession({ input, shown }: Shard, planned: Subscriptions): Session {
  input.attempts.spend(1);
  const connection_id = input.connectionId();
  const started_ms = monotonicMs(input);
  return {
    connection_id,
    started_ms,
    figures: { ...blank_figures, connection_id, ...subscriptionFigures(planned) },
    deliveries: new Map(input.native_symbols.map((symbol) => [symbol, noDelivery()])),
    ending: { reason: null },
    pulse: { heard_ms: started_ms, frame_us: shown?.pulse.frame_us ?? null },
    state: "connecting",
  };
}

/** Shows a session on the status tree, instead of the one before it. */
export function showSession(shard: Shard, session: Session): void {
  shard.shown = session;
  shard.standing = session.figures;
  shard.input.incarnation.report.state = session.state;
}

/** Shows what is planned, while there is no session. */
export function showPlanned(shard: Shard, planned: Subscriptions): void {
  const { connection_id } = shard.standing;
  shard.standing = { ...blank_figures, connection_id, ...subscriptionFigures(planned) };
}

/** The figures that tell of subscriptions. */
export function subscriptionFigures(
  subscriptions: Subscriptions,
): Pick<SessionFigures, "subscribed" | "refused" | "refused_reason"> {
  const { acknowledged, refused } = standing(subscriptions);
  return { subscribed: acknowledged, refused, refused_reason: refusedReason(subscriptions) };
}

/** A session is about to be closed: what it was refused is still worth knowing. */
export function retireSession(session: Session, reason: string): void {
  const { connection_id, refused, refused_reason } = session.figures;
  Object.assign(session.figures, { ...blank_figures, connection_id, refused, refused_reason });
  session.ending.reason ??= reason;
  session.state = "ended";
}

/** Says and records each refusal once, until the symbol is acknowledged. */
export function announceRefused(
  shard: Shard,
  subscriptions: Subscriptions,
  connection_id: string | null,
): void {
  for (const [native_symbol, { state, reason }] of subscriptions) {
    if (state === "acknowledged") shard.refused.delete(native_symbol);
    if (state !== "refused" || shard.refused.has(native_symbol)) continue;
    shard.refused.add(native_symbol);
    shard.input.log.error(`Not subscribed to ${native_symbol}: ${reason}`);
    record(shard.input, "subscription_refused", { native_symbol, reason, connection_id });
  }
}

/** Says and records each halt once, until trading goes on. */
export function announceHalted(shard: Shard): void {
  const { adapter, instruments, log, native_symbols } = shard.input;
  for (const native_symbol of native_symbols) {
    const status = instruments.get(native_symbol)?.status;
    const is_halted = status !== undefined && adapter.isHalted(status);
    if (is_halted === shard.halted.has(native_symbol)) continue;
    if (is_halted) {
      shard.halted.add(native_symbol);
      const reason = `its status is ${status}`;
      log.warn(`${adapter.exchange} has halted ${native_symbol}: ${reason}`);
      record(shard.input, "symbol_halted", { native_symbol, reason });
    } else {
      shard.halted.delete(native_symbol);
      log.info(`${adapter.exchange} trades ${native_symbol} again`);
    }
  }
}

function record(
  { adapter, now_us, sink }: ConnectionInput,
  event: EventKind,
  about: Pick<Parameters<typeof feedEvent>[0], "native_symbol" | "reason" | "connection_id">,
): void {
  sink.addEvent(feedEvent({ event, exchange: adapter.exchange, timestamp: now_us(), ...about }));
}

/** Now, milliseconds of the monotonic clock. */
export function monotonicMs({ monotonic_ns }: Pick<ConnectionInput, "monotonic_ns">): number {
  return monotonic_ns() / 1_000_000;
}

/** How log lines name the connection: `kraken connection 0`. */
export function nameOf({ input }: Shard): string {
  return `${input.adapter.exchange} connection ${input.shard}`;
}

/** Figures that are worked out when somebody reads them, so that no frame pays for them. */
function showReadings(shard: Shard): void {
  const { input } = shard;
  const readings = session_figures.map((name) => [name, () => shard.standing[name]] as const);
  defineFigures(input.incarnation.report.figures, {
    ...Object.fromEntries(readings),
    session_age_s: () => {
      if (shard.shown?.state !== "streaming") return null;
      return Math.floor((monotonicMs(input) - shard.shown.started_ms) / 1_000);
    },
    attempt_wait_s: () => Math.ceil(input.attempts.waitMs(1) / 1_000),
    clock_offset_ms: () =>
      shard.clock.offsetMs({ wall_us: input.now_us(), monotonic_ms: monotonicMs(input) }),
    last_frame_at: () => isoTimeOrNull(shard.shown?.pulse.frame_us ?? null),
  });
}
