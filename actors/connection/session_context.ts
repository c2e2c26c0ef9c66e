/**
 * What the machine of one session holds, and what follows from it: which messages to send, how long
 * to wait. Values in, values out.
 *
 * @module
 */

import type { Request } from "../exchanges/adapter.ts";
import { backoffMs } from "../rest/backoff.ts";
import { hasTakenOver } from "./deliveries.ts";
import { type Failure, passing, socketFailure, terminal } from "./failure.ts";
import type { ReceiverInput, SendText, SocketEnd } from "./receiver.ts";
import { monotonicMs, type Session, type Shard } from "./shard.ts";
import {
  markRequested,
  namesOf,
  refusedReason,
  type Subscriptions,
  symbolsIn,
} from "./subscriptions.ts";

/** What a session is given. */
export interface SessionInput {
  readonly shard: Shard;
  readonly session: Session;
  /** The subscriptions before the socket opens. */
  readonly planned: Subscriptions;
  /** The session whose place this one is to take, else null. */
  readonly predecessor: Session | null;
}

/** A message that waits for its turn. */
interface Outgoing extends Omit<SendText, "type"> {
  /** The symbols that it subscribes, which wait for an answer, and the request's id; else null. */
  readonly subscribes: Request | null;
}

/** What the machine knows of its socket. */
export interface SessionContext extends SessionInput {
  readonly subscriptions: Subscriptions;
  readonly queue: readonly Outgoing[];
  readonly next_request_id: number;
  /** How often refused symbols were asked for again. */
  readonly resubscribe_attempt: number;
  /** When refused symbols are asked for again, as it is arranged; null where it is not. */
  readonly resubscribe_at_ms: number | null;
  /** Before then those that are refused for good are left alone. Both: monotonic, milliseconds. */
  readonly terminal_retry_at_ms: number;
  /** When it began to stream; monotonic clock, milliseconds. */
  readonly streaming_ms: number | null;
  /** Surplus subscriptions that were ended: each once, as one that stays costs little. */
  readonly ended: ReadonlySet<string>;
}

/** Waits between requests for symbols that an exchange refused for now, or does not deliver. */
const resubscribe_backoff = { base_ms: 5_000, cap_ms: 300_000 };
/** Wait after a refusal that only a person can end. */
export const refused_ms_min = 300_000;
/** What an old socket has on its way may be older than the new subscriptions: both stay so long. */
const takeover_ms_min = 1_000;
/** A symbol has to come on the new socket where it came on the old one within this time… */
const takeover_recent_ms = 10_000;
/** …and where it does not within this time, it is as quiet as it may be. */
const takeover_ms_max = 10_000;
/** Messages in the queue at which symbols that bring nothing wait. */
const queue_max = 20;

/** A session before its socket opens. */
export function startingContext(input: SessionInput): SessionContext {
  return {
    ...input,
    subscriptions: input.planned,
    queue: [],
    next_request_id: 1,
    resubscribe_attempt: 0,
    resubscribe_at_ms: null,
    terminal_retry_at_ms: monotonicMs(input.shard.input) + refused_ms_min,
    streaming_ms: null,
    ended: new Set(),
  };
}

/** What the receiver gets. */
export function receiverInput({ session, shard }: SessionContext): ReceiverInput {
  const { adapter, incarnation, monotonic_ns, normalizerId, now_us, openSocket, sink, ws_url } =
    shard.input;
  return {
    adapter,
    url: adapter.socketUrl(ws_url),
    shown_url: shard.figures.url,
    connection_id: session.connection_id,
    outlets: new Map(
      [...session.deliveries].map(([native_symbol, delivery]) => [
        native_symbol,
        { normalizer_id: normalizerId(native_symbol), delivery },
      ]),
    ),
    incarnation,
    sink,
    figures: shard.figures,
    pulse: session.pulse,
    ending: session.ending,
    clock: shard.clock,
    openSocket,
    now_us,
    monotonic_ns,
  };
}

/** Queues requests for all symbols that are wanted. */
export function queueWanted(context: SessionContext): Partial<SessionContext> {
  const symbols = symbolsIn(context.subscriptions, "wanted");
  const { adapter } = context.shard.input;
  const requests = adapter.subscribe(symbols, context.next_request_id);
  if (symbols.length === 0 || requests.length === 0) return {};
  const added = requests.map((it) => ({ text: it.text, ping_id: null, subscribes: it }));
  return {
    // Marked at once: what waits for its turn is not wanted a second time.
    subscriptions: requests.reduce(markRequested, context.subscriptions),
    next_request_id: 1 + Math.max(...requests.map(({ request_id }) => request_id)),
    queue: [...context.queue, ...added],
  };
}

/** Queues requests that end subscriptions, of each symbol alone. */
export function queueUnsubscribe(
  context: SessionContext,
  native_symbols: readonly string[],
): Pick<SessionContext, "next_request_id" | "queue"> {
  let { next_request_id } = context;
  const queue = [...context.queue];
  for (const symbol of native_symbols) {
    for (const { request_id, text } of context.shard.input.adapter.unsubscribe(
      [symbol],
      next_request_id,
    )) {
      queue.push({ text, ping_id: null, subscribes: null });
      next_request_id = request_id + 1;
    }
  }
  return { next_request_id, queue };
}

/** Queues a ping, where the protocol has one. */
export function queuePing(context: SessionContext): Partial<SessionContext> {
  const ping_id = context.next_request_id;
  const text = context.shard.input.adapter.ping(ping_id);
  if (text === null || context.queue.some((it) => it.ping_id !== null)) return {};
  const queue = [...context.queue, { text, ping_id, subscribes: null }];
  return { next_request_id: ping_id + 1, queue };
}

/** Queues the question which subscriptions the exchange holds, where the protocol has one. */
export function queueList(context: SessionContext): Partial<SessionContext> {
  const text = context.shard.input.adapter.listSubscriptions(context.next_request_id);
  if (text === null) return {};
  const queue = [...context.queue, { text, ping_id: null, subscribes: null }];
  return { next_request_id: context.next_request_id + 1, queue };
}

/** Whether more requests may be queued for symbols that bring nothing. */
export function hasRoom({ queue }: SessionContext): boolean {
  return queue.length < queue_max;
}

/** Every symbol is refused, and asking again soon cannot help any of them. */
export function hopelessFailure({ subscriptions }: Pick<SessionContext, "subscriptions">): Failure {
  const reason = refusedReason(subscriptions) ?? "no symbol is configured";
  return terminal(reason);
}

/**
 * When refused symbols are to be asked for again, null where there are none. What is arranged is
 * never put off, as something is answered all the time.
 */
export function resubscribeAtMs(context: SessionContext): number | null {
  const { resubscribe_at_ms, resubscribe_attempt, shard, subscriptions } = context;
  const refused = [...subscriptions.values()].filter(({ state }) => state === "refused");
  if (refused.length === 0) return null;
  const now_ms = monotonicMs(shard.input);
  const at_ms = refused.every(({ is_terminal }) => is_terminal)
    ? context.terminal_retry_at_ms
    : now_ms + resubscribeBackoffMs(shard, resubscribe_attempt + 1);
  const is_arranged = resubscribe_at_ms !== null && resubscribe_at_ms > now_ms;
  return is_arranged ? Math.min(at_ms, resubscribe_at_ms) : at_ms;
}

/** How long to leave symbols alone after the n-th request, from 1: jittered, at least 5 s. */
export function resubscribeBackoffMs({ input }: Shard, attempt: number): number {
  const backoff_ms = backoffMs(attempt, { ...resubscribe_backoff, random: input.random });
  return Math.max(resubscribe_backoff.base_ms, backoff_ms);
}

/** For how long nothing has been heard on the socket. */
export function silenceMs({ session, shard }: SessionContext): number {
  return monotonicMs(shard.input) - session.pulse.heard_ms;
}

/** Until the socket will have been silent for half of what is allowed, or for all of it. */
export function silenceCheckMs(context: SessionContext): number {
  const { silence_ms_max } = context.shard.input.adapter.session;
  const silent_ms = silenceMs(context);
  const threshold_ms = silent_ms < silence_ms_max / 2 ? silence_ms_max / 2 : silence_ms_max;
  return Math.max(1, Math.ceil(threshold_ms - silent_ms));
}

/**
 * Symbols that the predecessor holds and this session lacks, unless they are refused for good. One
 * that has ended holds nothing that could be kept by ending this one too.
 */
export function lacking({ predecessor, subscriptions }: SessionContext): readonly string[] {
  if (predecessor === null || predecessor.state === "ended") return [];
  return [...predecessor.deliveries]
    .filter(([, { acknowledged_ms }]) => acknowledged_ms !== null)
    .map(([native_symbol]) => native_symbol)
    .filter((native_symbol) => {
      const subscription = subscriptions.get(native_symbol);
      if (subscription === undefined || subscription.state === "acknowledged") return false;
      return subscription.state !== "refused" || !subscription.is_terminal;
    });
}

/** Whether the predecessor may be closed. */
export function isDelivering(context: SessionContext): boolean {
  const { predecessor, session, shard, streaming_ms } = context;
  if (predecessor === null || predecessor.state === "ended" || streaming_ms === null) return true;
  if (lacking(context).length > 0) return false;
  const now_ms = monotonicMs(shard.input);
  if (now_ms - streaming_ms < takeover_ms_min) return false;
  if (now_ms - streaming_ms >= takeover_ms_max) return true;
  const of = { predecessor: predecessor.deliveries, now_ms, recent_ms: takeover_recent_ms };
  return hasTakenOver(session.deliveries, of);
}

/** Why a session ends, as its machine sees it. */
export type Cause =
  | "unanswered"
  | "unreached"
  | "closed"
  | "silent"
  | "hopeless"
  | "abandoned"
  | "lacking";

/**
 * What the end of a session means.
 *
 * @param end How the socket ended; null where the session ends it.
 */
export function failureOf(context: SessionContext, cause: Cause, end: SocketEnd | null): Failure {
  const { adapter, now_us } = context.shard.input;
  switch (cause) {
    case "unanswered":
      return passing("no answer to the handshake");
    case "unreached":
    case "closed":
      if (end === null) return passing("the socket ended");
      return socketFailure(end, { exchange: adapter.exchange, wall_us: now_us() });
    case "silent":
      return passing(`silent for ${adapter.session.silence_ms_max} ms`);
    case "hopeless":
      return hopelessFailure(context);
    case "abandoned":
      return passing(refusedReason(context.subscriptions) ?? "no subscription was acknowledged");
    case "lacking":
      return passing(`the exchange did not take over ${namesOf(lacking(context))}`);
  }
}
