/**
 * What the HTTP status of a refused request or upgrade means: whether asking again soon can help,
 * and what the operator has to change where it cannot. One place for both doors of an exchange,
 * REST and WebSocket, so that they say the same.
 *
 * @module
 */

/** Statuses below 500 that pass by themselves: timeout, ban, too early, too many requests. */
const passing_statuses: readonly number[] = [408, 418, 425, 429];

/** A refusal, read. */
interface Refusal {
  /** Asking again soon cannot help: somebody has to change something first. */
  readonly is_terminal: boolean;
  /** One clause without a full stop: what was answered and what to do. */
  readonly reason: string;
}

/**
 * Reads the status of a refused request.
 *
 * @param setting The setting that names the URL: `K2_BINANCE_WS_URL`.
 */
export function readRefusal(status: number, setting: string): Refusal {
  const is_terminal = status >= 400 && status < 500 && !passing_statuses.includes(status);
  return { is_terminal, reason: `HTTP ${status}: ${meaning(status, setting)}` };
}

function meaning(status: number, setting: string): string {
  if (status === 401 || status === 403) {
    return `the exchange does not admit this address; check ${setting} or use another network`;
  }
  if (status === 451) {
    return `the exchange does not serve this country; set ${setting} to an endpoint that does`;
  }
  if (status === 418 || status === 429) return "too many requests from this address";
  if (status >= 500) return "the exchange has a fault or is in maintenance";
  if (status === 408 || status === 425) return "the exchange asks to try again";
  return `not an endpoint of the exchange; check ${setting}`;
}
