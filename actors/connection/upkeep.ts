/**
 * What a session does again and again for each of its subscriptions: it compares what the exchange
 * holds with what it should hold, probes what is silent, and makes anew what brings nothing, each
 * symbol alone. Called by the session's machine; it writes deliveries, figures and log in place.
 *
 * @module
 */

import type { Probe, Probed } from "../messages.ts";
import { reasonOf } from "../settings/exit.ts";
import {
  attend,
  noteAcknowledged,
  noteResubscribed,
  settleProbe,
  standingOf,
} from "./deliveries.ts";
import {
  hasRoom,
  queueUnsubscribe,
  refused_ms_min,
  resubscribeBackoffMs,
  type SessionContext,
} from "./session_context.ts";
import {
  announceHalted,
  announceRefused,
  monotonicMs,
  nameOf,
  type Shard,
  subscriptionFigures,
} from "./shard.ts";
import { compareListed, namesOf, planSubscriptions, symbolsIn, want } from "./subscriptions.ts";

/** Between two questions for the instrument list because of silent symbols. */
const list_asked_ms_min = 300_000;

/** Shows, logs and records what has become of the subscriptions. */
export function settleSubscriptions({ session, shard, subscriptions }: SessionContext): void {
  const now_ms = monotonicMs(shard.input);
  for (const [native_symbol, { state }] of subscriptions) {
    const delivery = session.deliveries.get(native_symbol);
    if (delivery === undefined) continue;
    if (state !== "acknowledged") delivery.acknowledged_ms = null;
    else if (delivery.acknowledged_ms === null) noteAcknowledged(delivery, now_ms);
  }
  Object.assign(session.figures, subscriptionFigures(subscriptions));
  // One session speaks for the shard: two that differ would say the same again and again.
  if (shard.shown === session) announceRefused(shard, subscriptions, session.connection_id);
}

/** What the exchange holds is made what should be held. */
export function readList(
  context: SessionContext,
  listed: readonly string[],
): Partial<SessionContext> {
  const { ended, shard } = context;
  const { missing, subscriptions, surplus } = compareListed(context.subscriptions, listed);
  shard.figures.resubscribed_total += missing.length;
  if (missing.length > 0) {
    shard.input.log.warn(
      `${nameOf(shard)} asks again for what the exchange does not hold: ${namesOf(missing)}`,
    );
  }
  const unwanted = surplus.filter((symbol) => !ended.has(symbol));
  return {
    subscriptions,
    ...queueUnsubscribe(context, unwanted),
    ended: new Set([...ended, ...unwanted]),
  };
}

/**
 * Probes what is silent, and makes anew what brings nothing.
 *
 * @param backfiller Undefined while it restarts: it is asked at the next look.
 */
export function attendSubscriptions(
  context: SessionContext,
  backfiller: { send(message: Probe): void } | undefined,
): Partial<SessionContext> {
  const { session, shard, subscriptions } = context;
  const now_ms = monotonicMs(shard.input);
  announceHalted(shard);
  const { silent, undelivering } = attend(session.deliveries, {
    now_ms,
    symbols_count: shard.input.exchange_symbols_count,
    isExpected: (symbol) => !shard.halted.has(symbol),
  });
  if (silent !== null || shard.halted.size > 0) askForHalts(shard, now_ms);
  if (silent !== null) probe(context, silent, backfiller);
  const anew = hasRoom(context) ? undelivering : [];
  for (const native_symbol of anew) {
    const delivery = session.deliveries.get(native_symbol);
    if (delivery === undefined) continue;
    const backoffMs = (attempt: number) => resubscribeBackoffMs(shard, attempt);
    noteResubscribed(delivery, { now_ms, backoffMs });
  }
  shard.figures.resubscribed_total += anew.length;
  showDeliveries(context);
  if (anew.length === 0) return {};
  shard.input.log.warn(`${nameOf(shard)} subscribes anew to what brings nothing: ${namesOf(anew)}`);
  return { subscriptions: want(subscriptions, anew), ...queueUnsubscribe(context, anew) };
}

/** A probe of a silent symbol came back. */
export function settleSubscriptionProbe({ session, shard }: SessionContext, probed: Probed): void {
  const delivery = session.deliveries.get(probed.native_symbol);
  if (delivery === undefined) return;
  const { clock, input } = shard;
  settleProbe(delivery, probed.newest, { now_ms: monotonicMs(input), clock });
}

/**
 * Refused symbols are wanted again, those that are refused for good every five minutes only. What
 * the list refused is looked up again; it is asked anew in the background.
 */
export function wantRefused(context: SessionContext): Partial<SessionContext> {
  const { resubscribe_attempt, shard, subscriptions, terminal_retry_at_ms } = context;
  const { adapter, instruments, native_symbols } = shard.input;
  const now_ms = monotonicMs(shard.input);
  const is_terminal_due = now_ms >= terminal_retry_at_ms;
  logFailure(shard, instruments.load(native_symbols));
  const due = symbolsIn(subscriptions, "refused").filter(
    (symbol) => is_terminal_due || subscriptions.get(symbol)?.is_terminal === false,
  );
  const planned = planSubscriptions(due, adapter, instruments);
  return {
    subscriptions: new Map([...subscriptions, ...planned]),
    resubscribe_attempt: resubscribe_attempt + 1,
    resubscribe_at_ms: null,
    ...(is_terminal_due && { terminal_retry_at_ms: now_ms + refused_ms_min }),
  };
}

/** The list is asked for in the background; that it cannot be had costs nothing now. */
function logFailure({ input }: Shard, asked: Promise<void>): void {
  asked.catch((error: unknown) => {
    const { exchange } = input.adapter;
    input.log.warn(`Cannot ask ${exchange} for its instruments: ${reasonOf(error)}`);
  });
}

/** Whether a symbol is silent because of a halt, and whether a halt is over, the list tells. */
function askForHalts(shard: Shard, now_ms: number): void {
  if (now_ms - shard.list_asked_ms < list_asked_ms_min) return;
  shard.list_asked_ms = now_ms;
  logFailure(shard, shard.input.instruments.refresh());
}

function probe(
  { session, shard }: SessionContext,
  native_symbol: string,
  backfiller: { send(message: Probe): void } | undefined,
): void {
  const delivery = session.deliveries.get(native_symbol);
  if (delivery === undefined || backfiller === undefined) return;
  delivery.probed_ms = monotonicMs(shard.input);
  backfiller.send({ type: "probe", native_symbol, reply_to: shard.input.system_id });
}

function showDeliveries({ session, shard }: SessionContext): void {
  const { not_delivering, quiet } = standingOf(session.deliveries);
  const { figures } = session;
  figures.quiet = quiet;
  figures.halted = shard.halted.size;
  figures.not_delivering = not_delivering.length;
  figures.not_delivering_reason =
    not_delivering.length === 0
      ? null
      : `${namesOf(not_delivering)}: acknowledged, and REST shows trades, but none came; ` +
        "check the spelling and the exchange's announcements";
  if (shard.shown !== session) return;
  for (const symbol of shard.not_delivering) {
    if (!not_delivering.includes(symbol)) shard.not_delivering.delete(symbol);
  }
  for (const symbol of not_delivering) {
    if (shard.not_delivering.has(symbol)) continue;
    shard.not_delivering.add(symbol);
    shard.input.log.error(`${nameOf(shard)} gets no trade of ${symbol}, which REST shows`);
  }
}
