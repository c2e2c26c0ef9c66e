/**
 * What a connection's machine holds, and what follows from it: how long to wait. Values in, values
 * out.
 *
 * @module
 */

import { backoffMs } from "../rest/backoff.ts";
import { type Failure, isTerminal } from "./failure.ts";
import { refused_ms_min } from "./session_context.ts";
import { type ConnectionInput, makeShard, monotonicMs, type Session, type Shard } from "./shard.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** What the machine knows of its sessions and its latest failure. */
export interface ConnectionContext {
  readonly shard: Shard;
  /** As far as the instrument list tells. */
  readonly planned: Subscriptions;
  /** The session whose trades are relied on. */
  readonly current: Session | null;
  /** The one that is to take its place. */
  readonly next: Session | null;
  readonly attempt: number;
  readonly failure: Failure | null;
  readonly is_pressed: boolean;
}

/** Waits between reconnects: Kraken's and Binance's connection budgets allow it. */
const reconnect_backoff = { base_ms: 250, cap_ms: 30_000 };
/** How long before its end by the exchange a session is replaced, at the least and at the most. */
const rotation_margin_ms = { min: 600_000, max: 3_600_000 };
/** Longest pause before a budget is asked again: it may have got room meanwhile. */
const budget_ms_max = 60_000;

/** A connection before its first attempt. Puts its figures into the incarnation's report. */
export function startingContext(input: ConnectionInput): ConnectionContext {
  return {
    shard: makeShard(input),
    planned: new Map(),
    current: null,
    next: null,
    attempt: 0,
    failure: null,
    is_pressed: false,
  };
}

/** Until the next attempt: jittered backoff, and no less than the exchange asked for. */
export function retryMs({ attempt, failure, shard }: ConnectionContext): number {
  if (isTerminal(failure, attempt)) return refusedMs({ failure });
  const { random } = shard.input;
  const backoff_ms = backoffMs(attempt, { ...reconnect_backoff, random });
  return Math.max(backoff_ms, failure?.retry_after_ms ?? 0);
}

/** Until the next attempt after a refusal that only a person can end. */
export function refusedMs({ failure }: Pick<ConnectionContext, "failure">): number {
  return Math.max(refused_ms_min, failure?.retry_after_ms ?? 0);
}

/** Until an attempt may be made, as the budget stands; 0: now. */
export function budgetMs({ shard }: ConnectionContext): number {
  return Math.min(budget_ms_max, shard.input.attempts.waitMs(1));
}

/**
 * Until the current session is to be replaced: jittered, because the sockets of many shards began
 * together and must not end together. Null where the exchange ends no socket by its age.
 */
export function rotationMs({ current, shard }: ConnectionContext): number | null {
  const { life_ms_max } = shard.input.adapter.session;
  if (life_ms_max === null || current === null) return null;
  const { max, min } = rotation_margin_ms;
  const margin_ms = min + shard.input.random() * (max - min);
  const age_ms = monotonicMs(shard.input) - current.started_ms;
  // A life as short as the margin is used by half at least.
  return Math.max(0, Math.max(life_ms_max / 2, life_ms_max - margin_ms) - age_ms);
}
