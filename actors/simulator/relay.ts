/**
 * A TCP relay in front of the simulator, only where it is asked for: a WebSocket server can end a
 * connection between two frames, and no one can be made to stop in the middle of one. The relay
 * passes bytes, and on request writes half a frame and hangs up, or lets nothing through any more
 * while the connection stays open.
 *
 * @module
 */

import { createConnection, createServer, type Socket } from "node:net";

/** How long bytes on their way to a client may take before its connection is cut behind them. */
const quiet_ms = 50;

/** One client's connection and the one behind it. */
interface Link {
  readonly client: Socket;
  readonly inner: Socket;
}

/** A running relay. */
export interface Relay {
  readonly port: number;
  /** Writes the first half of a frame to a client, then hangs up. `port`: of the inner side. */
  cut(port: number, frame: string): void;
  /** Passes nothing more in either direction. */
  freeze(port: number): void;
  close(): void;
}

/**
 * Listens in front of a server.
 *
 * @throws {Error} with code `EADDRINUSE` if the port is taken.
 */
export function startRelay(options: {
  readonly port: number;
  readonly hostname: string;
  readonly inner_port: number;
}): Relay {
  const { port, hostname, inner_port } = options;
  const links = new Map<number, Link>();
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const inner = createConnection({ port: inner_port, host: hostname });
    let inner_local_port = 0;
    for (const socket of [client, inner]) {
      open.add(socket);
      socket.setNoDelay(true);
      // An error is followed by the end that is acted on.
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        open.delete(socket);
        links.delete(inner_local_port);
        client.destroy();
        inner.destroy();
      });
    }
    inner.on("connect", () => {
      inner_local_port = inner.localPort ?? 0;
      links.set(inner_local_port, { client, inner });
    });
    client.pipe(inner);
    inner.pipe(client);
  });
  // Bun listens at once; what it cannot take has no address.
  server.on("error", ignore);
  server.listen(port, hostname);
  const address = server.address();
  if (typeof address !== "object" || address === null)
    throw Object.assign(new Error(`port ${port} is in use`), { code: "EADDRINUSE" });
  return {
    port: address.port,
    cut(inner_side, frame) {
      const link = links.get(inner_side);
      if (link === undefined) return;
      const { client, inner } = link;
      // What was sent before the cut is let through: the server has fallen silent by now.
      setTimeout(() => {
        inner.unpipe(client);
        client.end(halfFrame(frame));
      }, quiet_ms);
    },
    freeze(inner_side) {
      const link = links.get(inner_side);
      if (link === undefined) return;
      const { client, inner } = link;
      inner.unpipe(client);
      client.unpipe(inner);
      // Both sides are read on and forgotten, so that neither notices anything.
      client.resume();
      inner.resume();
    },
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** The first half of a server's text frame, header included. */
export function halfFrame(frame: string): Uint8Array {
  const payload = Buffer.from(frame);
  const is_short = payload.length < 126;
  const header = Buffer.alloc(is_short ? 2 : 4);
  header[0] = 0x81;
  if (is_short) {
    header[1] = payload.length;
  } else {
    header[1] = 126;
    header.writeUInt16BE(Math.min(payload.length, 0xffff), 2);
  }
  return Buffer.concat([header, payload.subarray(0, Math.floor(payload.length / 2))]);
}

/** What is wrong is seen in the missing address. */
function ignore(): void {}
