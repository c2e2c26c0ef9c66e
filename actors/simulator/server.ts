/**
 * The simulator's server: one port for the WebSockets and REST of all exchanges, and for
 * `/simulator/trades` and `/simulator/health`. The only file of the simulator that touches network,
 * clock and randomness; what is said on a socket is decided by the exchange's conversation.
 *
 * A ticker tells every conversation the time and sends what fell due. Whatever leaves a socket goes
 * through `send`: the one place where an exchange could be made to misbehave.
 *
 * @module
 */

import type { Server, ServerWebSocket, WebSocketHandler } from "bun";
import type { Conversation, Outgoing, RestRequest, SimulatedExchange } from "./exchange.ts";
import { createExchanges } from "./exchanges.ts";
import { listTrades } from "./list.ts";
import { readTapes } from "./tape_files.ts";
import { epoch_us } from "./trade.ts";

/** Between two deliveries of what fell due. */
const tick_interval_ms = 10;
/** A client that reads so slowly that this much waits for it is cut off. */
const backpressure_bytes_max = 64 * 1024 * 1024;
/** Of one message of a client, whatever the exchange's own limit is. */
const message_bytes_max = 1024 * 1024;
/** How long a stop waits for clients to close. */
const stop_deadline_ms = 1_000;

/** Where a simulator listens, and which trades it plays. */
export interface SimulatorOptions {
  /** 0: a free port. */
  readonly port: number;
  readonly hostname: string;
  /** Trades per second over all of `native_symbols`; undefined plays the recorded tapes. */
  readonly rate: number | undefined;
  readonly seed: number;
  /** Exchange to the symbols among which `rate` is divided. */
  readonly native_symbols: Readonly<Record<string, readonly string[]>>;
  /** Microseconds since 1970; the wall clock unless a test has its own. */
  readonly now_us?: () => number;
}

/** A running simulator. */
export interface Simulator {
  readonly port: number;
  /** Says goodbye on every socket as the exchange would, then closes the port. */
  stop(): Promise<void>;
}

interface SocketData {
  readonly conversation: Conversation;
}

type Socket = ServerWebSocket<SocketData>;

/** What the parts of one running simulator share. */
interface Running {
  readonly options: SimulatorOptions;
  readonly exchanges: readonly SimulatedExchange[];
  readonly now_us: () => number;
  readonly sockets: Set<Socket>;
  readonly counts: { connections: number; frames_sent: number };
}

/**
 * Starts the simulator.
 *
 * @param signal Stops it when it aborts.
 * @throws {RangeError} if the rate is out of range.
 * @throws {Error} with code `EADDRINUSE` if the port is taken.
 */
export function startSimulator(options: SimulatorOptions, signal?: AbortSignal): Simulator {
  const { port, hostname, rate, seed, native_symbols, now_us = wallClockUs } = options;
  const running: Running = {
    options,
    exchanges: createExchanges({ tapes: readTapes(), seed, rate, native_symbols }),
    now_us,
    sockets: new Set(),
    counts: { connections: 0, frames_sent: 0 },
  };
  const server = Bun.serve<SocketData>({
    port,
    hostname,
    fetch(request, self) {
      const url = new URL(request.url);
      if (request.headers.get("upgrade")?.toLowerCase() === "websocket")
        return upgrade(running, { server: self, request, url });
      return answer(running, { request, url });
    },
    websocket: socketHandlers(running),
  });
  const ticker = setInterval(() => tick(running), tick_interval_ms);

  async function stopOnce(): Promise<void> {
    clearInterval(ticker);
    signal?.removeEventListener("abort", stop);
    for (const socket of [...running.sockets])
      send(running, socket, socket.data.conversation.shutdown(now_us()));
    await Promise.race([server.stop(), Bun.sleep(stop_deadline_ms)]);
    await server.stop(true);
  }
  let stopped: Promise<void> | undefined;
  function stop(): Promise<void> {
    stopped ??= stopOnce();
    return stopped;
  }
  if (signal?.aborted) void stop();
  else signal?.addEventListener("abort", stop);
  return { port: server.port ?? port, stop };
}

function socketHandlers(running: Running): WebSocketHandler<SocketData> {
  const { sockets, counts, now_us } = running;
  return {
    // The exchanges' own pings and deadlines are theirs to keep, not the server's.
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: false,
    maxPayloadLength: message_bytes_max,
    backpressureLimit: backpressure_bytes_max,
    closeOnBackpressureLimit: true,
    open(socket) {
      sockets.add(socket);
      counts.connections += 1;
      send(running, socket, socket.data.conversation.open(now_us()));
    },
    message(socket, message) {
      const text = typeof message === "string" ? message : message.toString();
      send(running, socket, socket.data.conversation.receive(text, now_us()));
    },
    pong(socket, payload) {
      socket.data.conversation.pong(payload.toString());
    },
    close(socket) {
      sockets.delete(socket);
    },
  };
}

/** Sends every client what fell due since the last tick. */
function tick(running: Running): void {
  const now_us = running.now_us();
  for (const socket of running.sockets)
    send(running, socket, socket.data.conversation.tick(now_us));
}

/** The one place where anything leaves a socket. */
function send(running: Running, socket: Socket, { frames, ping, close }: Outgoing): void {
  running.counts.frames_sent += frames.length;
  // Corked, a tick's frames of one socket cost one write instead of one each.
  if (frames.length > 0) {
    socket.cork(() => {
      for (const frame of frames) socket.sendText(frame);
    });
  }
  if (ping !== undefined) socket.ping(ping);
  if (close !== undefined) socket.close(close.code, close.reason);
}

/** Answers a request that is not a WebSocket's. */
function answer(
  running: Running,
  { request, url }: { readonly request: Request; readonly url: URL },
): Response {
  const { pathname: path, searchParams: query } = url;
  if (path === "/simulator/health") return Response.json(healthOf(running));
  const rest: RestRequest = { path, query, headers: request.headers, now_us: running.now_us() };
  const found =
    path === "/simulator/trades"
      ? listTrades(running.exchanges, rest)
      : firstOf(running.exchanges, (exchange) => exchange.rest(rest));
  if (found === undefined) return new Response("Not found", { status: 404 });
  return new Response(found.body, { status: found.status, headers: { ...found.headers } });
}

function healthOf({ options, sockets, counts }: Running): Record<string, unknown> {
  const { seed, rate = null } = options;
  return { status: "ok", epoch_us, seed, rate, sockets: sockets.size, ...counts };
}

/** Opens a socket of the exchange that knows the address; 404 if none does. */
function upgrade(
  running: Running,
  options: {
    readonly server: Server<SocketData>;
    readonly request: Request;
    readonly url: URL;
  },
): Response | undefined {
  const { server, request, url } = options;
  const [random = 0n] = crypto.getRandomValues(new BigUint64Array(1));
  // The highest bit set: the exchange's ids are of 64 bits, and beyond what a float can hold.
  const connection_id = random | (1n << 63n);
  const conversation = firstOf(running.exchanges, (exchange) =>
    exchange.converse(url, connection_id),
  );
  if (conversation === undefined) return new Response("Not found", { status: 404 });
  if (server.upgrade(request, { data: { conversation } })) return undefined;
  return new Response("Not a WebSocket handshake", { status: 400 });
}

function firstOf<T>(
  exchanges: readonly SimulatedExchange[],
  ask: (exchange: SimulatedExchange) => T | undefined,
): T | undefined {
  for (const exchange of exchanges) {
    const found = ask(exchange);
    if (found !== undefined) return found;
  }
  return undefined;
}

function wallClockUs(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1_000);
}
