/**
 * The only file that opens a WebSocket.
 *
 * It uses the `ws` API because that shows what the global WebSocket hides: the HTTP status and
 * headers of a refused upgrade, and the pings. Bun answers pings itself, with their payload.
 * permessage-deflate is off, as it costs a factor of ten in receive rate; messages are bounded,
 * because a peer must not decide how much memory we hold.
 *
 * @module
 */

import { WebSocket } from "ws";
import { reasonOf } from "../settings/exit.ts";
import type { OpenedSocket, SocketEnd, SocketHandlers } from "./receiver.ts";

/** The largest message taken; a full Kraken snapshot of every market is far below it. */
const message_bytes_max = 16 * 2 ** 20;
/** An exchange that has not answered the upgrade by then will not. */
const handshake_ms_max = 10_000;
/** How long a peer may take over the closing handshake before the connection is cut. */
const closing_ms_max = 1_000;

/** Opens a WebSocket; see {@linkcode SocketHandlers} for what it calls. */
export function openSocket(url: string, handlers: SocketHandlers): OpenedSocket {
  const ws = new WebSocket(url, {
    perMessageDeflate: false,
    maxPayload: message_bytes_max,
    handshakeTimeout: handshake_ms_max,
  });
  let is_over = false;
  let has_opened = false;
  let error_reason: string | null = null;

  function end(reason: string, known: Partial<SocketEnd>): void {
    if (is_over) return;
    is_over = true;
    handlers.closed({ code: null, status: null, retry_after: null, ...known, reason });
  }
  ws.on("open", () => {
    has_opened = true;
    if (!is_over) handlers.opened();
  });
  // As an event handler property: `on("message")` would copy every text into a buffer first.
  ws.onmessage = ({ data }) => {
    if (is_over) return;
    if (typeof data === "string") handlers.text(data);
    else handlers.binary(bytesOf(data));
  };
  ws.on("ping", (payload) => {
    if (!is_over) handlers.pinged(payload.toString());
  });
  ws.on("unexpected-response", (_, response) => {
    const status = response.statusCode ?? 0;
    const retry_after = response.headers["retry-after"] ?? null;
    end(`the upgrade was refused with HTTP ${status}`, { status, retry_after });
    ws.terminate();
  });
  // `close` follows every `error`, and knows less.
  ws.on("error", (error) => {
    error_reason ??= reasonOf(error);
  });
  ws.on("close", (code, reason) => {
    end(error_reason ?? closeReason(code, reason.toString()), { code: has_opened ? code : null });
  });
  return {
    send(text) {
      if (is_over || ws.readyState !== WebSocket.OPEN) return false;
      ws.send(text);
      return true;
    },
    close() {
      is_over = true;
      if (ws.readyState === WebSocket.CLOSED) return;
      const cut = setTimeout(() => ws.terminate(), closing_ms_max);
      cut.unref();
      ws.once("close", () => clearTimeout(cut));
      ws.close(1000);
    },
  };
}

function closeReason(code: number, reason: string): string {
  // 1006 is never sent: it stands for an end without a closing handshake (RFC 6455, 7.4.1).
  if (code === 1006) return "the connection was lost";
  return `closed by the exchange with code ${code}${reason === "" ? "" : ` (${reason})`}`;
}

function bytesOf(data: Buffer | ArrayBuffer | readonly Buffer[]): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return data instanceof Uint8Array ? data : Buffer.concat(data);
}
