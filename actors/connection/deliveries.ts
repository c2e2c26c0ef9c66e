/**
 * Whether each subscription of a socket delivers: the second of the two clocks of liveness. The
 * first, the transport's, tells that the socket lives; it says nothing of a misspelt stream, which
 * is acknowledged and then silent for ever.
 *
 * Silence of one symbol proves nothing either, because nobody may be trading it. So a subscription
 * that has been silent for a while is probed: the newest trade is asked for over REST. Where that
 * is one that the socket should have brought, the subscription is made anew, it alone. REST lags
 * behind the socket and never leads, so what it shows and the socket has not is missing.
 *
 * All instants are of the monotonic clock, in milliseconds. The receiver writes what comes, the
 * session's machine all else, both in place, because a trade must not cost a transition.
 *
 * @module
 */

import type { Probed } from "../messages.ts";
import type { ExchangeClock } from "./exchange_clock.ts";

/** What one symbol's subscription on one socket has brought. */
export interface Delivery {
  /** Its last trade that was pushed; what is repeated on subscribing proves nothing. */
  streamed_ms: number | null;
  /** The id of its first trade that was pushed. */
  first_streamed_id: string | null;
  /** The last trade's id, however it came. */
  trade_id: string | null;
  /** When the exchange accepted it; null while it does not stand. */
  acknowledged_ms: number | null;
  /** Since when a probe is under way. */
  probed_ms: number | null;
  /** When a probe came back last, or was given up. */
  settled_ms: number | null;
  /** Whether that probe showed nothing that should have come. */
  is_quiet: boolean;
  /** Since when a trade is known that should have come. */
  suspected_ms: number | null;
  /** How often it was made anew since it brought anything. */
  resubscriptions: number;
  /** When it was made anew last, and before when it is not made anew again. */
  resubscribed_ms: number;
  retry_at_ms: number;
}

/** By native symbol, every configured one of the socket. */
export type Deliveries = ReadonlyMap<string, Delivery>;

/** What there is to be done about a socket's subscriptions. */
interface Attention {
  /** To be probed; one at a look, as a thousand quiet symbols must not use up the REST budget. */
  readonly silent: string | null;
  /** To be made anew, once their backoff is over. */
  readonly undelivering: readonly string[];
}

/** How the subscriptions of a socket are. */
interface DeliveryStanding {
  /** Known to have had nothing to deliver for a while. */
  readonly quiet: number;
  /** Made anew several times in vain. */
  readonly not_delivering: readonly string[];
}

/** Silence after the acknowledgement, then after the last trade or probe, that asks for a probe. */
const first_silence_ms = 5_000;
const silence_ms_min = 60_000;
/**
 * Every probe costs a request of a budget that all sockets of the exchange share, and gaps have to
 * be filled too: many silent symbols are patient.
 */
const silence_ms_per_symbol = 4_000;
/** Probes under way at a time. */
const probes_max = 4;
/** The backfiller has other work and a budget to keep: a probe may wait long, but not for ever. */
const probe_ms_max = 120_000;
/** How much younger than the subscription a trade must be: clocks differ by less. */
const margin_us = 3_000_000;
/** How long a trade that REST shows may still be on its way to us. */
const arrival_ms_max = 2_000;
/** Resubscriptions in vain after which a symbol is said not to deliver. */
const resubscriptions_max = 3;

/** A symbol of a socket that is not open yet. */
export function noDelivery(): Delivery {
  return {
    streamed_ms: null,
    first_streamed_id: null,
    trade_id: null,
    acknowledged_ms: null,
    probed_ms: null,
    settled_ms: null,
    is_quiet: false,
    suspected_ms: null,
    resubscriptions: 0,
    resubscribed_ms: 0,
    retry_at_ms: 0,
  };
}

/**
 * What needs attention now. Forgets suspicions that data has refuted, and probes that nobody
 * answered.
 *
 * @param options.symbols_count Symbols of the exchange, on all sockets.
 * @param options.isExpected Whether trades of a symbol are to be expected: not while it is halted.
 */
export function attend(
  deliveries: Deliveries,
  options: {
    readonly now_ms: number;
    readonly symbols_count: number;
    readonly isExpected: (native_symbol: string) => boolean;
  },
): Attention {
  const { isExpected, now_ms, symbols_count } = options;
  const silence_ms = Math.max(silence_ms_min, symbols_count * silence_ms_per_symbol);
  let silent: string | null = null;
  let silent_since_ms = Number.POSITIVE_INFINITY;
  const undelivering: string[] = [];
  let probes = 0;
  for (const [native_symbol, delivery] of deliveries) {
    refresh(delivery, now_ms);
    if (delivery.probed_ms !== null) probes += 1;
    if (delivery.acknowledged_ms === null) continue;
    if (isUndelivering(delivery, now_ms)) undelivering.push(native_symbol);
    else if (isSilent(delivery, now_ms, silence_ms) && isExpected(native_symbol)) {
      // The longest silent first: where REST is slow, the last ones would else never be probed.
      const since_ms = heardMs(delivery);
      if (since_ms >= silent_since_ms) continue;
      silent = native_symbol;
      silent_since_ms = since_ms;
    }
  }
  return { silent: probes < probes_max ? silent : null, undelivering };
}

/** The exchange accepted the subscription. */
export function noteAcknowledged(delivery: Delivery, now_ms: number): void {
  delivery.acknowledged_ms = now_ms;
  delivery.settled_ms = null;
  delivery.suspected_ms = null;
  delivery.is_quiet = false;
}

/**
 * The subscription is being made anew.
 *
 * @param wait.backoffMs How long to leave it alone after the n-th time in vain, from 1.
 */
export function noteResubscribed(
  delivery: Delivery,
  wait: { readonly now_ms: number; readonly backoffMs: (resubscriptions: number) => number },
): void {
  delivery.acknowledged_ms = null;
  delivery.probed_ms = null;
  delivery.suspected_ms = null;
  delivery.is_quiet = false;
  delivery.resubscriptions += 1;
  delivery.resubscribed_ms = wait.now_ms;
  delivery.retry_at_ms = wait.now_ms + wait.backoffMs(delivery.resubscriptions);
}

/** A probe came back: the symbol is quiet, or a trade is known that should have come. */
export function settleProbe(
  delivery: Delivery,
  newest: Probed["newest"],
  now: { readonly now_ms: number; readonly clock: ExchangeClock },
): void {
  if (delivery.probed_ms === null) return;
  delivery.probed_ms = null;
  delivery.settled_ms = now.now_ms;
  const heard_ms = Math.max(delivery.acknowledged_ms ?? 0, delivery.streamed_ms ?? 0);
  const is_missing =
    delivery.acknowledged_ms !== null &&
    newest !== null &&
    isLater(newest.trade_id, delivery.trade_id) &&
    newest.timestamp > now.clock.timeAt(heard_ms) + margin_us;
  delivery.is_quiet = !is_missing;
  delivery.suspected_ms = is_missing ? now.now_ms : null;
}

/** Counts the subscriptions that stand and bring nothing. */
export function standingOf(deliveries: Deliveries): DeliveryStanding {
  let quiet = 0;
  const not_delivering: string[] = [];
  for (const [native_symbol, delivery] of deliveries) {
    if (delivery.resubscriptions >= resubscriptions_max) not_delivering.push(native_symbol);
    else if (delivery.is_quiet && delivery.acknowledged_ms !== null) quiet += 1;
  }
  return { quiet, not_delivering };
}

/**
 * Whether a socket may take the place of another: of all that the other has pushed lately this one
 * has pushed too, and the other has reached what this one began with. Until then trades may lie in
 * the other's buffer that came before this one was subscribed, and would be lost with it.
 */
export function hasTakenOver(
  deliveries: Deliveries,
  of: { readonly predecessor: Deliveries; readonly now_ms: number; readonly recent_ms: number },
): boolean {
  for (const [native_symbol, { streamed_ms, trade_id }] of of.predecessor) {
    if (streamed_ms === null || of.now_ms - streamed_ms > of.recent_ms) continue;
    const own = deliveries.get(native_symbol);
    if (own === undefined) continue;
    const { first_streamed_id } = own;
    if (first_streamed_id === null || isLater(first_streamed_id, trade_id)) return false;
  }
  return true;
}

function refresh(delivery: Delivery, now_ms: number): void {
  const { settled_ms, streamed_ms, suspected_ms } = delivery;
  if (streamed_ms !== null) {
    if (streamed_ms >= delivery.resubscribed_ms) {
      delivery.resubscriptions = 0;
      delivery.retry_at_ms = 0;
    }
    if (settled_ms !== null && streamed_ms >= settled_ms) delivery.is_quiet = false;
    if (suspected_ms !== null && streamed_ms >= suspected_ms) delivery.suspected_ms = null;
  }
  if (delivery.probed_ms === null || now_ms - delivery.probed_ms < probe_ms_max) return;
  // Its turn comes again after the others'.
  delivery.probed_ms = null;
  delivery.settled_ms = now_ms;
}

function isUndelivering({ retry_at_ms, suspected_ms }: Delivery, now_ms: number): boolean {
  return suspected_ms !== null && now_ms - suspected_ms >= arrival_ms_max && now_ms >= retry_at_ms;
}

function isSilent(delivery: Delivery, now_ms: number, silence_ms: number): boolean {
  const { acknowledged_ms, probed_ms, suspected_ms } = delivery;
  if (acknowledged_ms === null || probed_ms !== null || suspected_ms !== null) return false;
  const heard_ms = heardMs(delivery);
  const silence_ms_max = heard_ms === acknowledged_ms ? first_silence_ms : silence_ms;
  return now_ms - heard_ms >= silence_ms_max;
}

/** When a symbol was heard of last, or probed. */
function heardMs({ acknowledged_ms, settled_ms, streamed_ms }: Delivery): number {
  return Math.max(acknowledged_ms ?? 0, streamed_ms ?? 0, settled_ms ?? 0);
}

/** Whether a trade id is above another; both are digits without leading zeros. */
function isLater(trade_id: string, than: string | null): boolean {
  if (than === null) return true;
  if (trade_id.length !== than.length) return trade_id.length > than.length;
  return trade_id > than;
}
