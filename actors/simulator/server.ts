/**
 * The simulator's server: one port for the WebSockets and REST of all exchanges, and for what tests
 * ask under `/simulator`. With the relay, the only file of the simulator that touches network,
 * clock and randomness; what is said on a socket is decided by the exchange's conversation and by
 * the faults around it.
 *
 * A ticker tells every conversation the time and sends what fell due. Whatever leaves a socket goes
 * through `send`, whatever leaves REST through `answer`. In a flood nothing waits for the ticker:
 * a socket is served whenever its client has read what it was sent before.
 *
 * @module
 */

import type { Server, ServerWebSocket, WebSocketHandler } from "bun";
import { answerControl, type Control } from "./control.ts";
import { Doors } from "./doors.ts";
import { type Conversation, isRecord, type Outgoing, type RestRequest } from "./exchange.ts";
import { createExchanges, type Exchanges } from "./exchanges.ts";
import { prepareFlood } from "./flood.ts";
import { type Relay, startRelay } from "./relay.ts";
import { readTapes } from "./tape_files.ts";
import { epoch_us } from "./trade.ts";

/** Between two deliveries of what fell due. */
const tick_interval_ms = 10;
/** A client that reads so slowly that this much waits for it is cut off. */
const backpressure_bytes_max = 64 * 1024 * 1024;
/** A flood goes on only while no more than this waits for a client. */
const flood_bytes_max = 1024 * 1024;
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
  /** Faults as `/simulator/faults` takes them, planned at the start. */
  readonly faults?: readonly unknown[];
  /**
   * Listens through the relay, without which frames cannot be cut in their middle; on by itself
   * where `faults` ask for it.
   */
  readonly relay?: boolean;
  /**
   * After a subscription a symbol's newest trades are sent at once, as fast as they are read, and
   * then nothing more. The frames of `native_symbols` are encoded before the port opens.
   */
  readonly flood?: { readonly trades_per_symbol: number };
}

/** A running simulator. */
export interface Simulator {
  readonly port: number;
  /** Says goodbye on every socket as the exchange would, then closes the port. */
  stop(): Promise<void>;
}

interface SocketData {
  readonly conversation: Conversation;
  readonly exchange: string;
  /** The client's port as the server sees it; the relay's where there is one. */
  readonly port: number;
}

type Socket = ServerWebSocket<SocketData>;

/** What the parts of one running simulator share. */
interface Running extends Exchanges {
  readonly options: SimulatorOptions;
  readonly doors: Doors;
  readonly now_us: () => number;
  readonly sockets: Set<Socket>;
  readonly counts: { connections: number; frames_sent: number };
  relay: Relay | undefined;
  is_pumping: boolean;
}

/**
 * Starts the simulator.
 *
 * @param signal Stops it when it aborts.
 * @throws {RangeError} if the rate is out of range or a fault is wrong.
 * @throws {Error} with code `EADDRINUSE` if the port is taken.
 */
export function startSimulator(options: SimulatorOptions, signal?: AbortSignal): Simulator {
  const { port, hostname, faults = [] } = options;
  const relay = options.relay === true || faults.some(isCut);
  const running = prepare(options);
  const server = Bun.serve<SocketData>({
    port: relay ? 0 : port,
    hostname,
    fetch(request, self) {
      const url = new URL(request.url);
      if (request.headers.get("upgrade")?.toLowerCase() === "websocket")
        return upgrade(running, { server: self, request, url });
      return answer(running, { request, url });
    },
    websocket: socketHandlers(running),
  });
  const inner_port = server.port ?? port;
  try {
    if (relay) running.relay = startRelay({ port, hostname, inner_port });
  } catch (error) {
    void server.stop(true);
    throw error;
  }
  const ticker = setInterval(() => tick(running), tick_interval_ms);

  async function stopOnce(): Promise<void> {
    clearInterval(ticker);
    signal?.removeEventListener("abort", stop);
    for (const socket of [...running.sockets])
      send(running, socket, socket.data.conversation.shutdown(running.now_us()));
    await Promise.race([server.stop(), Bun.sleep(stop_deadline_ms)]);
    running.relay?.close();
    await server.stop(true);
  }
  let stopped: Promise<void> | undefined;
  function stop(): Promise<void> {
    stopped ??= stopOnce();
    return stopped;
  }
  if (signal?.aborted) void stop();
  else signal?.addEventListener("abort", stop);
  return { port: running.relay?.port ?? inner_port, stop };
}

/** Everything but the sockets. */
function prepare(options: SimulatorOptions): Running {
  const { rate, seed, native_symbols, now_us = wallClockUs, flood = null } = options;
  const started_us = now_us();
  const made = createExchanges({
    tapes: readTapes(),
    seed,
    rate,
    native_symbols,
    started_us,
    flood,
  });
  made.plan.add(options.faults ?? [], started_us);
  if (flood !== null) {
    for (const exchange of made.exchanges) {
      const symbols = native_symbols[exchange.exchange] ?? [];
      prepareFlood(exchange, { native_symbols: symbols, now_us: started_us });
    }
  }
  return {
    ...made,
    options,
    doors: new Doors(made),
    now_us,
    sockets: new Set(),
    counts: { connections: 0, frames_sent: 0 },
    relay: undefined,
    is_pumping: false,
  };
}

function socketHandlers(running: Running): WebSocketHandler<SocketData> {
  const { sockets, counts, now_us } = running;
  const { rules } = running.doors;
  /** The faults are told the time before anyone is asked anything. */
  function reply(socket: Socket, say: (conversation: Conversation, now_us: number) => Outgoing) {
    const time_us = now_us();
    running.plan.advance(time_us);
    send(running, socket, say(socket.data.conversation, time_us));
  }
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
      rules.see(`${socket.data.exchange}.connections`);
      reply(socket, (conversation, time_us) => conversation.open(time_us));
    },
    message(socket, message) {
      const text = typeof message === "string" ? message : message.toString();
      rules.see(`${socket.data.exchange}.messages`);
      reply(socket, (conversation, time_us) => conversation.receive(text, time_us));
      if (running.options.flood !== undefined) pump(running);
    },
    ping(socket) {
      rules.see(`${socket.data.exchange}.pings`);
      reply(socket, (conversation, time_us) => conversation.pinged(time_us));
    },
    pong(socket, payload) {
      rules.see(`${socket.data.exchange}.pongs`);
      const text = payload.toString();
      reply(socket, (conversation, time_us) => conversation.pong(text, time_us));
    },
    drain() {
      if (running.options.flood !== undefined) pump(running);
    },
    close(socket) {
      sockets.delete(socket);
    },
  };
}

/** Sends every client what fell due since the last tick. Whether anything was sent. */
function tick(running: Running): boolean {
  const now_us = running.now_us();
  running.plan.advance(now_us);
  let has_sent = false;
  for (const socket of running.sockets) {
    const is_full =
      running.options.flood !== undefined && socket.getBufferedAmount() > flood_bytes_max;
    if (is_full) continue;
    const out = socket.data.conversation.tick(now_us);
    has_sent ||= out.frames.length > 0;
    send(running, socket, out);
  }
  return has_sent;
}

/** Serves a flood until every client has enough unread, or all of it. */
function pump(running: Running): void {
  if (running.is_pumping) return;
  running.is_pumping = true;
  setImmediate(() => {
    running.is_pumping = false;
    if (tick(running)) pump(running);
  });
}

/** The one place where anything leaves a socket. */
function send(running: Running, socket: Socket, out: Outgoing): void {
  const { frames, ping, close, cut_frame, is_frozen, broken } = out;
  running.doors.rules.judge(broken, running.now_us());
  running.counts.frames_sent += frames.length;
  // Corked, a tick's frames of one socket cost one write instead of one each.
  if (frames.length > 0) {
    socket.cork(() => {
      for (const frame of frames) socket.sendText(frame);
    });
  }
  if (ping !== undefined) socket.ping(ping);
  if (cut_frame !== undefined) running.relay?.cut(socket.data.port, cut_frame);
  if (is_frozen === true) running.relay?.freeze(socket.data.port);
  if (close?.code === 1006) socket.terminate();
  else if (close !== undefined) socket.close(close.code, close.reason);
}

/** Answers a request that is not a WebSocket's: the one place where anything leaves REST. */
async function answer(
  running: Running,
  { request, url }: { readonly request: Request; readonly url: URL },
): Promise<Response> {
  const { pathname: path, searchParams: query } = url;
  const { method, headers } = request;
  const body = method === "POST" ? await request.text() : "";
  const rest: RestRequest = { path, query, headers, now_us: running.now_us() };
  running.plan.advance(rest.now_us);
  const control = answerControl(controlOf(running), { ...rest, method, body });
  const found = control ?? running.doors.answer(rest);
  if (found === undefined) return new Response("Not found", { status: 404 });
  return new Response(found.body, { status: found.status, headers: { ...found.headers } });
}

function controlOf(running: Running): Control {
  const { exchanges, plan, options, sockets, counts } = running;
  const { rules } = running.doors;
  return {
    exchanges,
    plan,
    rules,
    impossible(fault) {
      if (!isCut(fault) || running.relay !== undefined) return undefined;
      return "Cannot cut a frame as the simulator runs without its relay: start it with --relay";
    },
    health() {
      const { seed, rate = null } = options;
      return { status: "ok", epoch_us, seed, rate, sockets: sockets.size, ...counts };
    },
  };
}

function isCut(fault: unknown): boolean {
  return isRecord(fault) && fault.fault === "cut_in_frame";
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
  const admission = running.doors.admit(url, { connection_id, now_us: running.now_us() });
  if (admission === undefined) return new Response("Not found", { status: 404 });
  if (admission.kind === "refused") {
    const { body, retry_after_s, status } = admission;
    const headers = new Headers();
    if (retry_after_s !== null) headers.set("retry-after", String(retry_after_s));
    return new Response(body, { status, headers });
  }
  const { conversation, exchange } = admission;
  const port = server.requestIP(request)?.port ?? 0;
  if (server.upgrade(request, { data: { conversation, exchange, port } })) return undefined;
  return new Response("Not a WebSocket handshake", { status: 400 });
}

function wallClockUs(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1_000);
}
