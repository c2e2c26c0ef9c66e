/**
 * Which requests a server on this machine answers, by their Host header.
 *
 * A page anywhere on the web can make a browser send requests to this machine, and by rebinding a
 * name of its own to 127.0.0.1 read the answers (DNS rebinding). What gives it away is the Host
 * header, which then carries that name: on a loopback address only loopback names are answered.
 *
 * @module
 */

/** Whether a configured host is this machine's loopback. */
function isLoopback(hostname: string): boolean {
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
