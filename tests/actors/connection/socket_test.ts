/**
 * Goal: the socket tells everything that a server can do to it, once, and nothing after it is
 * closed; and a connection comes through all of that over a real network.
 * Method: a local WebSocket server that misbehaves by the path that is asked for.
 */

import { expect, test } from "bun:test";
import { createActor, createMachine, waitFor } from "xstate";
import { connection } from "../../../actors/connection/connection.ts";
import type {
  OpenedSocket,
  SocketEnd,
  SocketHandlers,
} from "../../../actors/connection/receiver.ts";
import { openSocket } from "../../../actors/connection/socket.ts";
import type { FrameTrades } from "../../../actors/messages.ts";
import { createReachability } from "../../../actors/rest/reachability.ts";
import {
  fake_adapter,
  fakeIncarnation,
  fakeLog,
  fakeSink,
  instrument,
  trade,
  tradesFrame,
} from "./fake_exchange.ts";

type Peer = Bun.ServerWebSocket<{ readonly path: string }>;

function serve(options: {
  readonly open?: (peer: Peer) => void;
  readonly message?: (peer: Peer, text: string) => void;
  readonly pong?: (peer: Peer, payload: Buffer) => void;
  readonly close?: (peer: Peer, code: number) => void;
}) {
  const server = Bun.serve<{ readonly path: string }>({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request, server) {
      const path = new URL(request.url).pathname;
      if (path === "/busy") {
        return new Response("slow down", { status: 429, headers: { "Retry-After": "7" } });
      }
      if (path === "/page") return new Response("not a socket");
      if (path === "/mute") return new Promise<Response>(() => {});
      return server.upgrade(request, { data: { path } })
        ? undefined
        : new Response("no", { status: 400 });
    },
    websocket: {
      sendPings: false,
      open: (peer) => options.open?.(peer),
      message: (peer, text) => options.message?.(peer, String(text)),
      pong: (peer, payload) => options.pong?.(peer, payload),
      close: (peer, code) => options.close?.(peer, code),
    },
  });
  return { server, url: (path: string) => `ws://127.0.0.1:${server.port}${path}` };
}

/** Opens a socket and keeps what it tells. */
function open(url: string, handlers: Partial<SocketHandlers> = {}) {
  const told: string[] = [];
  const end = Promise.withResolvers<SocketEnd>();
  const socket: OpenedSocket = openSocket(url, {
    opened: () => void told.push("opened"),
    text: (text) => void told.push(`text ${text}`),
    binary: (bytes) => void told.push(`binary ${bytes.join(",")}`),
    pinged: (payload) => void told.push(`pinged ${payload}`),
    closed: (it) => {
      told.push("closed");
      end.resolve(it);
    },
    ...handlers,
  });
  return { end: end.promise, socket, told };
}

test("text, binary frames and pings arrive, and a ping's payload comes back", async () => {
  const payload = Promise.withResolvers<string>();
  const { server, url } = serve({
    open(peer) {
      peer.send("hello");
      peer.sendBinary(new Uint8Array([1, 2, 3]));
      peer.ping("1787733299756");
    },
    pong(peer, bytes) {
      payload.resolve(bytes.toString());
      peer.close(1012, "restarting");
    },
  });
  const { end, told } = open(url("/"));
  expect(await payload.promise).toBe("1787733299756");
  expect(await end).toEqual({
    reason: "closed by the exchange with code 1012 (restarting)",
    code: 1012,
    status: null,
    retry_after: null,
  });
  expect(told).toEqual(["opened", "text hello", "binary 1,2,3", "pinged 1787733299756", "closed"]);
  await server.stop(true);
});

test("pings are answered with their payload in order, in the middle of many frames", async () => {
  const pings_count = 50;
  const answers: string[] = [];
  const answered = Promise.withResolvers<void>();
  const { server, url } = serve({
    open(peer) {
      for (let ping = 0; ping < pings_count; ping += 1) {
        for (let count = 0; count < 200; count += 1) peer.send("x".repeat(300));
        peer.ping(`178773329975${ping}`);
      }
    },
    pong(_, payload) {
      answers.push(payload.toString());
      if (answers.length === pings_count) answered.resolve();
    },
  });
  const { socket, told } = open(url("/"));
  await answered.promise;
  expect(answers).toEqual(Array.from({ length: pings_count }, (_, ping) => `178773329975${ping}`));
  expect(told.filter((it) => it.startsWith("text"))).toHaveLength(pings_count * 200);
  socket.close();
  await server.stop(true);
});

test("a refused upgrade tells its status and Retry-After", async () => {
  const { server, url } = serve({});
  const refused = open(url("/busy"));
  expect(await refused.end).toMatchObject({ code: null, status: 429, retry_after: "7" });
  expect(refused.told).toEqual(["closed"]);
  expect(await open(url("/page")).end).toMatchObject({ status: 200, retry_after: null });
  await server.stop(true);
});

test("a port where nobody listens, and a name that nobody has, are reasons", async () => {
  const { server, url } = serve({});
  const free_url = url("/");
  await server.stop(true);
  expect((await open(free_url).end).reason).toContain("ECONNREFUSED");
  expect((await open("ws://exchange.invalid/").end).reason).toContain("exchange.invalid");
});

test("a connection cut midway ends without a code", async () => {
  const { server, url } = serve({ open: (peer) => peer.terminate() });
  expect(await open(url("/")).end).toMatchObject({ reason: "the connection was lost", code: 1006 });
  await server.stop(true);
});

test("a message larger than the bound ends the socket", async () => {
  const { server, url } = serve({ open: (peer) => void peer.send("x".repeat(16 * 2 ** 20 + 1)) });
  const { end, told } = open(url("/"));
  expect((await end).reason).toBe("Max payload size exceeded");
  expect(told).toEqual(["opened", "closed"]);
  await server.stop(true);
});

test("a socket closed before its handshake is answered tells nothing", async () => {
  const { server, url } = serve({});
  const { socket, told } = open(url("/mute"));
  socket.close();
  const probe = open(url("/page"));
  await probe.end;
  expect(told).toEqual([]);
  await server.stop(true);
});

test("after close() no message is told, and the server sees a proper end", async () => {
  const closed = Promise.withResolvers<number>();
  const { server, url } = serve({
    message(peer) {
      for (let count = 0; count < 100; count += 1) peer.send(`late ${count}`);
    },
    close: (_, code) => closed.resolve(code),
  });
  const opened = Promise.withResolvers<void>();
  const { socket, told } = open(url("/"), { opened: () => opened.resolve() });
  expect(socket.send("dropped, as the socket is not open")).toBe(false);
  await opened.promise;
  expect(socket.send("go on")).toBe(true);
  socket.close();
  expect(await closed.promise).toBe(1000);
  expect(socket.send("dropped")).toBe(false);
  expect(told).toEqual([]);
  await server.stop(true);
});

/** A connection over real sockets, and one normalizer for each symbol that keeps what it gets. */
function connect(ws_url: string, native_symbols: readonly string[]) {
  const received: FrameTrades[] = [];
  const { incarnation, controller } = fakeIncarnation();
  const { letters, sink } = fakeSink();
  const { log } = fakeLog();
  const instruments = native_symbols.map((symbol) => instrument(symbol, symbol, "USD"));
  const normalizer = createMachine({
    on: { frame_trades: { actions: ({ event }) => received.push(event as FrameTrades) } },
  });
  const root = createMachine({
    invoke: [
      ...native_symbols.map((symbol) => ({ src: normalizer, systemId: `normalizer.${symbol}` })),
      {
        src: connection,
        id: "connection",
        input: {
          incarnation,
          adapter: {
            ...fake_adapter,
            listSubscriptions: () => null,
            ping: () => null,
            session: { ...fake_adapter.session, request_interval_ms: 0 },
          },
          native_symbols,
          exchange_symbols_count: native_symbols.length,
          ws_url,
          shard: 0,
          system_id: "fake.connection.0",
          attempts: { waitMs: () => 0, spend: () => {}, blockFor: () => {} },
          backfiller_id: "fake.backfiller",
          instruments: {
            exchange: "fake",
            load: async () => {},
            refresh: async () => {},
            get: (symbol: string) => instruments.find((it) => it.native_symbol === symbol),
            all: () => instruments,
            fetched_at_ms: () => 0,
          },
          reachability: createReachability({ exchange: "fake", log, remedy: "" }),
          connectionId: () => crypto.randomUUID(),
          normalizerId: (symbol: string) => `normalizer.${symbol}`,
          sink,
          onPressure: () => () => {},
          openSocket,
          log,
          random: () => 0,
          now_us: () => Math.round((performance.timeOrigin + performance.now()) * 1_000),
          monotonic_ns: () => Bun.nanoseconds(),
        },
      },
    ],
  });
  const actor = createActor(root).start();
  return { actor, controller, incarnation, letters, received };
}

async function until(isTrue: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setInterval(() => isTrue() && resolve(), 1);
  await promise;
  clearInterval(timer);
}

test("trades reach their normalizers across a drop, a refused symbol and odd frames", async () => {
  let connections_count = 0;
  const { server, url } = serve({
    open() {
      connections_count += 1;
    },
    message(peer, text) {
      const [, native_symbol] = text.split(" ");
      if (native_symbol === "XX") {
        const answer = { request_id: null, reason: "no such pair", is_terminal: true };
        peer.send(JSON.stringify({ kind: "refused", native_symbol, ...answer }));
        return;
      }
      peer.send(JSON.stringify({ kind: "acknowledged", request_id: null, native_symbol }));
      if (native_symbol !== "CD") return;
      peer.send(tradesFrame(trade("AB", "1"), trade("CD", "2"), trade("AB", "3")));
      if (connections_count === 1) return peer.terminate();
      peer.send("{truncated");
      peer.sendBinary(new Uint8Array([0x80]));
      peer.send(tradesFrame(trade("CD", "4")));
    },
  });
  const { actor, incarnation, letters, received } = connect(url(""), ["AB", "CD", "XX"]);
  const { report } = incarnation;
  await until(() => report.figures.trades_total === 7);
  await until(() => report.state === "streaming" && report.figures.refused === 1);
  expect(report.figures).toMatchObject({
    subscribed: 2,
    refused_reason: "XX: no such pair",
    reconnects_total: 1,
    undelivered_total: 0,
    dead_letters_total: 2,
  });
  const ids = received.map(({ frame_sequence, trades }) => [
    frame_sequence,
    trades.map(({ trade_id }) => trade_id).join(" "),
  ]);
  // Both sockets count from 0, and the second goes on after what nobody could read.
  const last = ids.pop();
  expect(ids.map(([, trade_ids]) => trade_ids)).toEqual(["1 3", "2", "1 3", "2"]);
  expect(last?.[1]).toBe("4");
  expect(
    letters.map(({ reason, payload }) => [reason, Buffer.from(payload).toString("hex")]),
  ).toEqual([
    ["not_json", Buffer.from("{truncated").toString("hex")],
    ["not_json", "80"],
  ]);
  expect(letters[0]?.connection_id).toBe(received.at(-1)!.connection_id);
  expect(received[0]?.connection_id).not.toBe(received.at(-1)!.connection_id);
  expect(Number(last?.[0])).toBe(letters[1]!.frame_sequence + 1);
  actor.stop();
  await server.stop(true);
});

test("a socket closes when its incarnation is over, whatever the connection does", async () => {
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const { server, url } = serve({ open: () => opened.resolve(), close: () => closed.resolve() });
  const { actor, controller } = connect(url(""), ["AB"]);
  await opened.promise;
  controller.abort();
  await closed.promise;
  actor.stop();
  await server.stop(true);
});

test("stopping closes the socket", async () => {
  const closed = Promise.withResolvers<void>();
  const { server, url } = serve({ close: () => closed.resolve() });
  const { actor, incarnation } = connect(url(""), ["AB"]);
  await until(() => incarnation.report.state === "subscribing");
  const child = actor.getSnapshot().children.connection!;
  child.send({ type: "stop" });
  await closed.promise;
  await waitFor(child, (snapshot) => snapshot.status === "done");
  expect(incarnation.report.state).toBe("stopped");
  actor.stop();
  await server.stop(true);
});
