/**
 * Who may ask the status server what. Reading is open to whoever reaches the port, which by
 * default is this machine; commands need a token.
 *
 * A page anywhere on the web can make a browser send requests to this machine, and by rebinding a
 * name of its own to 127.0.0.1 read the answers (DNS rebinding). What gives it away is the Host
 * header, which then carries that name: on a loopback address only loopback names are answered.
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";

/** Whether a configured host is this machine's loopback. */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/^\[|\]$/g, "");
  return name === "localhost" || name === "::1" || /^127(\.\d{1,3}){3}$/.test(name);
}

/**
 * Whether a request with this Host header is answered.
 *
 * @param host The header: a name or address, with or without a port; null if there is none.
 * @param hostname What the server listens on.
 */
export function isHostAllowed(host: string | null, hostname: string): boolean {
  if (!isLoopback(hostname)) return true;
  const name = /^(\[[^\]]+\]|[^:]+)(:\d+)?$/.exec(host ?? "")?.[1];
  return name !== undefined && (isLoopback(name) || name.toLowerCase() === hostname.toLowerCase());
}

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
