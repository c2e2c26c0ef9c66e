/**
 * What went wrong with a socket, as it decides what comes next: whether trying again soon can help,
 * and what the operator has to change where it cannot. Values in, values out.
 *
 * @module
 */

import { retryAfterMs } from "../rest/backoff.ts";
import { InstrumentsUnavailable } from "../rest/instrument_list.ts";
import { readRefusal } from "../rest/refusal.ts";
import type { SocketEnd } from "./receiver.ts";

/** A failure as it decides what comes next. */
export interface Failure {
  /** One clause without a full stop. */
  readonly reason: string;
  /**
   * Asking again soon cannot help, because somebody has to change something first: `at_once`, or
   * only when it is `repeated`, as once may be an accident.
   */
  readonly is_terminal: "no" | "repeated" | "at_once";
  readonly retry_after_ms: number | null;
}

/** The close code of a peer whose rules were broken (RFC 6455, 7.4.1). */
const policy_violation = 1008;

/** A failure that no attempt can change before somebody has changed something. */
export function terminal(reason: string): Failure {
  return { reason, is_terminal: "at_once", retry_after_ms: null };
}

/**
 * Whether to wait for somebody.
 *
 * @param attempt Failures in a row, this one included.
 */
export function isTerminal(failure: Failure | null, attempt: number): boolean {
  if (failure === null) return false;
  if (failure.is_terminal === "repeated") return attempt > 1;
  return failure.is_terminal === "at_once";
}

/** A failure that passes by itself. */
export function passing(reason: string): Failure {
  return { reason, is_terminal: "no", retry_after_ms: null };
}

/**
 * What a failed load of the instrument list means. Throws again what is no
 * `InstrumentsUnavailable`.
 */
export function loadFailure(error: unknown): Failure {
  if (!(error instanceof InstrumentsUnavailable)) throw error;
  const { message, retry_after_ms } = error;
  const is_terminal = error.is_terminal ? "at_once" : "no";
  return { reason: `no instrument list: ${message}`, is_terminal, retry_after_ms };
}

/**
 * What the end of a socket means: refused by an HTTP status, ended because our requests break the
 * exchange's rules, else one that passes.
 *
 * @param of.wall_us Wall clock, microseconds since 1970: `Retry-After` may hold an instant.
 */
export function socketFailure(
  end: SocketEnd,
  of: { readonly exchange: string; readonly wall_us: number },
): Failure {
  const settings = `K2_${of.exchange.toUpperCase()}`;
  if (end.status !== null) {
    const retry_after_ms = retryAfterMs(end.retry_after, of.wall_us / 1_000);
    const refusal = readRefusal(end.status, `${settings}_WS_URL`);
    const is_terminal = refusal.is_terminal ? "at_once" : "no";
    return { reason: refusal.reason, is_terminal, retry_after_ms };
  }
  if (end.code !== policy_violation) return passing(end.reason);
  const remedy = `it does not accept what we ask; check ${settings}_WS_URL and ${settings}_SYMBOLS`;
  return { reason: `${end.reason}: ${remedy}`, is_terminal: "repeated", retry_after_ms: null };
}
