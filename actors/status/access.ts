/**
 * Who may ask the status server what. Reading is open to whoever reaches the port, which by
 * default is this machine; commands need a token.
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";

/**
 * Whether an Authorization header carries the token. Digests are compared, in constant time, so
 * that the time taken tells nothing about the token, its length included.
 */
export function isAuthorized(authorization: string | null, token: string): boolean {
  const given = /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
  if (given === undefined || token === "") return false;
  return timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** What can be asked of an actor by hand. */
export type Command = "restart" | "stop" | "start";

/**
 * Reads `/actors/<path>/restart`. A path may hold slashes of its own (`BTC/USD`), so the command
 * is the last part.
 */
export function readCommand(pathname: string): { path: string; command: Command } | null {
  const match = /^\/actors\/(.+)\/(restart|stop|start)$/.exec(pathname);
  const [, encoded, command] = match ?? [];
  if (encoded === undefined) return null;
  if (command !== "restart" && command !== "stop" && command !== "start") return null;
  try {
    return { path: decodeURIComponent(encoded), command };
  } catch {
    return null;
  }
}
