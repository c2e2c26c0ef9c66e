/**
 * Goal: faults and rules work over real sockets and HTTP: upgrades are refused, connections end
 * without a handshake or in the middle of a frame, or stay open and dead; the control addresses
 * answer; a script begins with the simulator.
 * Method: a simulator on a free port with a clock that the test moves; conditions are awaited.
 */

import { afterEach, expect, test } from "bun:test";
import { createConnection } from "node:net";
import { WebSocket as Client } from "ws";
import { halfFrame } from "../../../actors/simulator/relay.ts";
import { type SimulatorOptions, startSimulator } from "../../../actors/simulator/server.ts";
import { epoch_us } from "../../../actors/simulator/trade.ts";

const second_us = 1_000_000;
let clock_us = epoch_us + 40 * 86_400 * second_us;
const running: { stop(): Promise<void> }[] = [];
const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.terminate();
  for (const simulator of running.splice(0)) await simulator.stop();
});

function start(options: Partial<SimulatorOptions> = {}) {
  const simulator = startSimulator({
    port: 0,
    hostname: "127.0.0.1",
    rate: 200,
    seed: 1,
    native_symbols: { binance: ["BTCUSDT"], kraken: ["BTC/USD"] },
    now_us: () => clock_us,
    ...options,
  });
  running.push(simulator);
  return { ...simulator, url: `http://127.0.0.1:${simulator.port}` };
}

async function control(url: string, method: string, path: string, body?: unknown) {
  const answer = await fetch(`${url}/simulator/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const value = (await answer.json()) as Record<string, unknown>;
  return { status: answer.status, value };
}

async function connect(url: string, path: string) {
  const socket = new Client(url.replace("http:", "ws:") + path, { perMessageDeflate: false });
  clients.push(socket);
  const frames: string[] = [];
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<number>();
  let heard = Promise.withResolvers<void>();
  socket.on("open", () => opened.resolve());
  socket.on("message", (data) => {
    frames.push(data.toString());
    heard.resolve();
    heard = Promise.withResolvers<void>();
  });
  socket.on("close", (code) => closed.resolve(code));
  socket.on("error", opened.reject);
  await opened.promise;
  return {
    socket,
    frames,
    closed: closed.promise,
    async until(count: number): Promise<void> {
      while (frames.length < count) await heard.promise;
    },
  };
}

/** What an upgrade is answered. */
function refusalOf(url: string): Promise<{ status: number; retry_after: string | undefined }> {
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number;
    retry_after: string | undefined;
  }>();
  const socket = new Client(`${url.replace("http:", "ws:")}/v2`);
  socket.on("unexpected-response", (_, { statusCode = 0, headers }) => {
    resolve({ status: statusCode, retry_after: headers["retry-after"] });
  });
  socket.on("open", () => reject(new Error("The upgrade was not refused")));
  socket.on("error", () => undefined);
  return promise;
}

test("refuse_upgrade: with its status and Retry-After; coming back too early breaks a rule", async () => {
  const { url } = start();
  const refused = { fault: "refuse_upgrade", exchange: "kraken" };
  await control(url, "POST", "faults", [
    { ...refused, status: 429, retry_after_s: 30 },
    { ...refused, status: 403 },
  ]);
  expect(await refusalOf(url)).toEqual({ status: 429, retry_after: "30" });
  expect((await control(url, "GET", "rules")).value.total).toBe(0);
  clock_us += 29 * second_us;
  expect(await refusalOf(url)).toEqual({ status: 403, retry_after: undefined });
  const { value } = await control(url, "GET", "rules");
  expect(value).toMatchObject({
    broken: { "kraken.connection_attempt_during_refusal": 1 },
    total: 1,
    seen: { "kraken.connection_attempts": 2 },
  });
  clock_us += second_us;
  const { socket } = await connect(url, "/v2");
  expect(socket.readyState).toBe(Client.OPEN);
});

test("too many connection attempts are refused and counted", async () => {
  const { url } = start();
  for (let count = 0; count < 20; count += 1) (await connect(url, "/")).socket.terminate();
  await expect(connect(url, "/")).rejects.toThrow();
  expect((await control(url, "GET", "rules")).value.broken).toEqual({
    "coinbase.connection_attempts": 1,
  });
});

test("close 1006 ends a connection without a handshake, 1008 with one", async () => {
  const { url } = start();
  const first = await connect(url, "/v2");
  await control(url, "POST", "faults", { fault: "close", exchange: "kraken" });
  expect(await first.closed).toBe(1006);
  const second = await connect(url, "/v2");
  await control(url, "POST", "faults", { fault: "close", exchange: "kraken", code: 1008 });
  expect(await second.closed).toBe(1008);
});

test("cut_in_frame: the bytes of a frame end in its middle", async () => {
  const { port, url } = start({ relay: true });
  const socket = createConnection({ port, host: "127.0.0.1" });
  const received: Buffer[] = [];
  const ended = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  socket.on("data", (chunk) => {
    received.push(Buffer.from(chunk));
    if (Buffer.concat(received).includes("\r\n\r\n")) answered.resolve();
  });
  socket.on("close", () => ended.resolve());
  socket.write(
    "GET /stream?streams=btcusdt@trade HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n" +
      "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" +
      "Sec-WebSocket-Version: 13\r\n\r\n",
  );
  await answered.promise;
  await control(url, "POST", "faults", { fault: "cut_in_frame", exchange: "binance" });
  clock_us += second_us;
  await ended.promise;
  const bytes = Buffer.concat(received);
  let at = bytes.indexOf("\r\n\r\n") + 4;
  let whole = 0;
  for (;;) {
    const short = bytes[at + 1]!;
    const length = short < 126 ? short + 2 : bytes.readUInt16BE(at + 2) + 4;
    if (at + length > bytes.length) break;
    at += length;
    whole += 1;
  }
  expect(whole).toBeLessThan(100);
  const left = bytes.subarray(at);
  expect(left.length).toBeGreaterThan(60);
  expect(left.toString()).toContain(`"stream":"btcusdt@trade"`);
});

test("cut_in_frame over a client: 1006, and whole frames only", async () => {
  const { url } = start({ faults: [{ fault: "cut_in_frame", exchange: "kraken", at_s: 5 }] });
  const client = await connect(url, "/v2");
  client.socket.send(
    JSON.stringify({ method: "subscribe", params: { channel: "trade", symbol: ["BTC/USD"] } }),
  );
  await client.until(2);
  clock_us += 2 * second_us;
  await client.until(3);
  clock_us += 4 * second_us;
  expect(await client.closed).toBe(1006);
  for (const frame of client.frames) JSON.parse(frame);
});

test("without the relay a cut is refused with a sentence", async () => {
  const { url } = start();
  const answer = await control(url, "POST", "faults", { fault: "cut_in_frame" });
  expect([answer.status, answer.value.error]).toEqual([400, expect.stringContaining("--relay")]);
});

test("half_open behind the relay: the socket stays open, pings are not answered", async () => {
  const { url } = start({ relay: true });
  const client = await connect(url, "/v2");
  let pongs = 0;
  let ponged = Promise.withResolvers<void>();
  client.socket.on("pong", () => {
    pongs += 1;
    ponged.resolve();
  });
  client.socket.ping();
  await ponged.promise;
  const other = await connect(url, "/v2");
  await control(url, "POST", "faults", { fault: "half_open", exchange: "kraken" });
  while (((await control(url, "GET", "faults")).value.faults as unknown[]).length > 0);
  ponged = Promise.withResolvers<void>();
  client.socket.ping();
  client.socket.send(`{"method":"ping"}`);
  other.socket.send(`{"method":"ping"}`);
  await other.until(2);
  expect(other.frames[1]).toContain("pong");
  expect(client.frames).toHaveLength(1);
  expect([pongs, client.socket.readyState]).toEqual([1, Client.OPEN]);
});

test("the relay passes everything as it is", async () => {
  const { url } = start({ relay: true });
  const client = await connect(url, "/stream?streams=btcusdt@trade&timeUnit=MICROSECOND");
  clock_us += 60 * second_us;
  const query = `trades?exchange=binance&symbol=BTCUSDT&from_us=${clock_us - 60 * second_us + 1}`;
  const answer = await fetch(`${url}/simulator/${query}`);
  const listed = (await answer.text()).trimEnd().split("\n");
  expect(listed.length).toBeGreaterThan(5_000);
  await client.until(listed.length);
  expect(client.frames.map((frame) => String(JSON.parse(frame).data.t))).toEqual(
    listed.map((line) => JSON.parse(line).trade_id),
  );
});

test("faults are listed, refused with a sentence, and cleared", async () => {
  const { url } = start();
  const posted = await control(url, "POST", "faults", [
    { fault: "half_open", exchange: "kraken", count: 2 },
    { fault: "halted", exchange: "binance", at_s: 60, for_s: 5 },
  ]);
  expect(posted).toEqual({ status: 200, value: { ids: [1, 2] } });
  expect((await control(url, "GET", "faults")).value.faults).toMatchObject([
    { id: 1, fault: "half_open", exchange: "kraken", left: 2, state: "active" },
    { id: 2, fault: "halted", state: "scheduled" },
  ]);
  for (const [body, sentence] of [
    [{ fault: "nothing" }, "fault must be one of"],
    [[{ fault: "halted", count: 2 }], "takes no count"],
  ] as const) {
    const { status, value } = await control(url, "POST", "faults", body);
    expect([status, value.error]).toEqual([400, expect.stringContaining(sentence)]);
  }
  const unreadable = await fetch(`${url}/simulator/faults`, { method: "POST", body: "{" });
  expect(unreadable.status).toBe(400);
  expect((await control(url, "DELETE", "faults")).value).toEqual({ faults: [] });
  expect((await control(url, "GET", "faults")).value).toEqual({ faults: [] });
  expect((await control(url, "PUT", "faults")).status).toBe(404);
});

test("a wrong fault at the start is a RangeError", () => {
  expect(() => start({ faults: [{ fault: "nothing" }] })).toThrow(RangeError);
});

test("a taken port is refused behind the relay too", () => {
  const { port } = start();
  expect(() => start({ port, relay: true })).toThrow("in use");
});

test("halfFrame() is half of a text frame with the whole one's length", () => {
  expect([...halfFrame("abcdef")]).toEqual([0x81, 6, 97, 98, 99]);
  const long = halfFrame("x".repeat(1_000));
  expect([...long.subarray(0, 4)]).toEqual([0x81, 126, 3, 232]);
  expect(long).toHaveLength(504);
});
