/**
 * What a connection says in the log: an outage once and its end once, however many attempts lie
 * between, because the attempts are a figure.
 *
 * @module
 */

import type { ConnectionContext } from "./connection_context.ts";
import { isTerminal } from "./failure.ts";
import { nameOf } from "./shard.ts";

/** The socket ended by itself. */
export function noteLost({ attempt, failure, shard }: ConnectionContext): void {
  const lost = `Lost ${nameOf(shard)}: ${failure?.reason}`;
  if (isTerminal(failure, attempt)) shard.input.log.error(`${lost}; waiting for a change`);
  else if (attempt <= 1) shard.input.log.warn(`${lost}; reconnecting`);
}

/** Trades come. */
export function noteStreaming({ attempt, current, shard }: ConnectionContext): void {
  if (attempt > 1) return;
  const subscribed = current?.figures.subscribed ?? 0;
  shard.input.log.info(`${nameOf(shard)} streams, symbols: ${subscribed}`);
}

/** Another socket has taken over. */
export function noteRotated({ shard }: ConnectionContext): void {
  shard.input.log.info(`${nameOf(shard)} streams over a new socket`);
}

/** Another socket was to take over, and failed. */
export function noteNotRotated({ attempt, failure, shard }: ConnectionContext): void {
  if (attempt > 1) return;
  shard.input.log.warn(`${nameOf(shard)} keeps its socket: ${failure?.reason}; trying again`);
}

/** Success has lasted. */
export function noteHealthy({ attempt, shard }: ConnectionContext): void {
  if (attempt <= 1) return;
  shard.input.log.info(`${nameOf(shard)} streams again, attempts: ${attempt}`);
}

/** We closed the sockets. */
export function notePaused({ shard }: ConnectionContext, reason: string): void {
  shard.input.log.warn(`Closed ${nameOf(shard)} on purpose: ${reason}`);
}
