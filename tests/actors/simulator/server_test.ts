/**
 * Goal: over real sockets and HTTP a client gets both exchanges' protocols from one port, WebSocket
 * and REST tell of the same trades, and a restarted simulator continues.
 * Method: a simulator on a free port with a clock that the test moves; conditions are awaited.
 */

import { afterEach, expect, test } from "bun:test";
import { WebSocket as PingedWebSocket } from "ws";
import { startSimulator } from "../../../actors/simulator/server.ts";
import { epoch_us } from "../../../actors/simulator/trade.ts";

const start_us = epoch_us + 40 * 86_400_000_000;
let clock_us = start_us;
const running: { stop(): Promise<void> }[] = [];

interface Listed {
  readonly trade_id: string;
  readonly price: string;
  readonly quantity: string;
  readonly side: string;
  readonly timestamp: number;
}

afterEach(async () => {
  for (const simulator of running.splice(0)) await simulator.stop();
});

function start(rate?: number) {
  const simulator = startSimulator({
    port: 0,
    hostname: "127.0.0.1",
    rate,
    seed: 1,
    native_symbols: { binance: ["BTCUSDT", "ETHUSDT"], kraken: ["BTC/USD", "ETH/USD"] },
    now_us: () => clock_us,
  });
  running.push(simulator);
  return simulator;
}

/** A client that keeps what it hears and resolves when enough of it satisfies a condition. */
async function connect(url: string) {
  const socket = new WebSocket(url);
  const frames: string[] = [];
  let heard = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<number>();
  socket.addEventListener("message", ({ data }) => {
    frames.push(String(data));
    heard.resolve();
    heard = Promise.withResolvers<void>();
  });
  socket.addEventListener("close", ({ code }) => closed.resolve(code));
  const opened = Promise.withResolvers<void>();
  socket.addEventListener("open", () => opened.resolve());
  socket.addEventListener("error", () => opened.reject(new Error(`Cannot open ${url}`)));
  await opened.promise;
  return {
    frames,
    closed: closed.promise,
    say: (message: unknown) => socket.send(JSON.stringify(message)),
    async until(is_met: (frames: readonly string[]) => boolean): Promise<void> {
      while (!is_met(frames)) await heard.promise;
    },
  };
}

async function listOf(port: number, query: string): Promise<Listed[]> {
  const response = await fetch(`http://127.0.0.1:${port}/simulator/trades?${query}`);
  expect(response.status).toBe(200);
  const lines = (await response.text()).split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line));
}

test("Binance: the socket's trades are REST's and the list's", async () => {
  clock_us = start_us;
  const { port } = start();
  const client = await connect(
    `ws://127.0.0.1:${port}/stream?streams=btcusdt@trade&timeUnit=MICROSECOND`,
  );
  client.say({ method: "LIST_SUBSCRIPTIONS", id: 3 });
  await client.until((frames) => frames.includes(`{"result":["btcusdt@trade"],"id":3}`));
  clock_us += 12_000_000;
  const query = `exchange=binance&symbol=BTCUSDT&from_us=${start_us + 1}&to_us=${clock_us}`;
  const listed = await listOf(port, query);
  expect(listed.length).toBeGreaterThan(100);
  await client.until((frames) => frames.length > listed.length);

  const heard = client.frames.slice(1).map((frame) => JSON.parse(frame).data);
  const page = await fetch(
    `http://127.0.0.1:${port}/api/v3/historicalTrades?symbol=BTCUSDT&limit=1000` +
      `&fromId=${listed[0]!.trade_id}`,
    { headers: { "X-MBX-TIME-UNIT": "MICROSECOND" } },
  );
  expect(page.headers.get("X-MBX-USED-WEIGHT-1M")).toBe("25");
  const fetched = (await page.json()) as Record<string, unknown>[];
  const told = listed.map((one) => [
    Number(one.trade_id),
    one.price,
    one.quantity,
    one.timestamp,
    one.side === "SELL",
  ]);
  expect(heard.map(({ t, p, q, T, m }) => [t, p, q, T, m])).toEqual(told);
  expect(
    fetched.map(({ id, price, qty, time, isBuyerMaker }) => [id, price, qty, time, isBuyerMaker]),
  ).toEqual(told);
});

test("Kraken: the socket's trades are REST's and the list's, digit by digit", async () => {
  clock_us = start_us;
  const { port } = start();
  const client = await connect(`ws://127.0.0.1:${port}/v2`);
  client.say({
    method: "subscribe",
    params: { channel: "trade", symbol: ["BTC/USD", "NO/PE"], snapshot: true },
    req_id: 1,
  });
  await client.until((frames) => frames.length >= 4);
  const [status, ack, snapshot, refused] = client.frames;
  const connection_id = BigInt(/"connection_id":(\d+)/.exec(status!)![1]!);
  expect(connection_id).toBeGreaterThan(2n ** 53n);
  expect(JSON.parse(ack!)).toMatchObject({ method: "subscribe", req_id: 1, success: true });
  expect(JSON.parse(refused!).error).toBe("Currency pair not supported NO/PE");
  expect(JSON.parse(snapshot!).data).toHaveLength(50);

  clock_us += 3_600_000_000;
  const from_us = JSON.parse(snapshot!).data[0].trade_id;
  const listed = await listOf(port, `exchange=kraken&symbol=BTC/USD&from_id=${from_us}`);
  expect(listed.length).toBeGreaterThan(60);
  const item = new RegExp(
    `"side":"(\\w+)","price":([\\d.]+),"qty":([\\d.]+),"ord_type":"\\w+",` +
      `"trade_id":(\\d+),"timestamp":"([^"]+)"`,
    "g",
  );
  function heard(): string[][] {
    return client.frames.flatMap((frame) =>
      [...frame.matchAll(item)].map((found) => found.slice(1)),
    );
  }
  await client.until(() => heard().length >= listed.length);
  expect(heard()).toEqual(
    listed.map((one) => [
      one.side.toLowerCase(),
      one.price,
      one.quantity,
      one.trade_id,
      new Date(one.timestamp / 1_000)
        .toISOString()
        .replace(/\d{3}Z$/, (tail) =>
          tail.replace("Z", `${String(one.timestamp % 1_000).padStart(3, "0")}Z`),
        ),
    ]),
  );

  const since = `${listed[0]!.timestamp}000`;
  const page = await fetch(
    `http://127.0.0.1:${port}/0/public/Trades?pair=XBTUSD&since=${since}&count=1000`,
  );
  const rows = [
    ...(await page.text()).matchAll(/\["([\d.]+)","([\d.]+)",([\d.]+),"([bs])","[lm]","",(\d+)\]/g),
  ].filter(([, , , , , id]) => Number(id) >= Number(listed[0]!.trade_id));
  expect(
    rows.map(([, price, quantity, time, side, id]) => [
      id,
      Number(price),
      Number(quantity),
      Number(time!.replace(".", "").padEnd(17, "0").slice(0, 16)),
      side,
    ]),
  ).toEqual(
    listed.map((one) => [
      one.trade_id,
      Number(one.price),
      Number(one.quantity),
      one.timestamp,
      one.side === "BUY" ? "b" : "s",
    ]),
  );
});

test("a restarted simulator continues, and the past stays as it was", async () => {
  clock_us = start_us;
  const query = `exchange=kraken&symbol=ETH/USD&from_us=${start_us}`;
  const first = start();
  clock_us += 60_000_000;
  const before = await listOf(first.port, query);
  await first.stop();
  clock_us += 60_000_000;
  const after = await listOf(start().port, query);
  expect(before.length).toBeGreaterThan(20);
  expect(after.slice(0, before.length)).toEqual(before);
  expect(after.length).toBeGreaterThan(before.length + 20);
  const first_id = Number(after[0]!.trade_id);
  expect(after.map((one) => Number(one.trade_id))).toEqual(after.map((_, at) => first_id + at));
});

test("pings carry the milliseconds, and answering them keeps the connection", async () => {
  clock_us = start_us;
  const { port } = start();
  const socket = new PingedWebSocket(`ws://127.0.0.1:${port}/ws/misspelt@trade`, {
    perMessageDeflate: false,
  });
  const opened = Promise.withResolvers<void>();
  let pinged = Promise.withResolvers<string>();
  socket.on("open", () => opened.resolve());
  socket.on("ping", (payload) => pinged.resolve(payload.toString()));
  await opened.promise;
  for (let count = 0; count < 6; count += 1) {
    pinged = Promise.withResolvers<string>();
    clock_us += 20_000_000;
    expect(await pinged.promise).toBe(String(clock_us / 1_000));
  }
  expect(socket.readyState).toBe(PingedWebSocket.OPEN);
  socket.terminate();
});

test("a message over 4,096 bytes closes a Binance socket with 3001", async () => {
  const { port } = start();
  const client = await connect(`ws://127.0.0.1:${port}/ws`);
  client.say({ method: "SUBSCRIBE", params: ["x".repeat(4_096)], id: 1 });
  expect(await client.closed).toBe(3_001);
});

test("a stop says serverShutdown on Binance's sockets and closes them all", async () => {
  clock_us = start_us;
  const simulator = start();
  const binance = await connect(`ws://127.0.0.1:${simulator.port}/stream?streams=solusdt@trade`);
  const kraken = await connect(`ws://127.0.0.1:${simulator.port}/v2`);
  await simulator.stop();
  expect([await binance.closed, await kraken.closed]).toEqual([1001, 1001]);
  expect(binance.frames).toEqual([
    `{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":${start_us / 1_000}}}`,
  ]);
});

test("an aborted signal stops it", async () => {
  const controller = new AbortController();
  const options = { port: 0, hostname: "127.0.0.1", rate: undefined, seed: 1, native_symbols: {} };
  const simulator = startSimulator(options, controller.signal);
  const client = await connect(`ws://127.0.0.1:${simulator.port}/v2`);
  controller.abort();
  expect(await client.closed).toBe(1001);
  await simulator.stop();
});

test("20,000 trades per second reach two clients whole", async () => {
  clock_us = start_us;
  const { port } = start(20_000);
  const binance = await connect(
    `ws://127.0.0.1:${port}/stream?streams=btcusdt@trade/ethusdt@trade&timeUnit=MICROSECOND`,
  );
  const kraken = await connect(`ws://127.0.0.1:${port}/v2`);
  kraken.say({
    method: "subscribe",
    params: { channel: "trade", symbol: ["BTC/USD", "ETH/USD"] },
  });
  await kraken.until((frames) => frames.length >= 3);
  clock_us += 1_000_000;
  let expected = 0;
  for (const symbol of ["BTCUSDT", "ETHUSDT"]) {
    const query = `exchange=binance&symbol=${symbol}&from_us=${start_us + 1}`;
    expected += (await listOf(port, query)).length;
  }
  expect(Math.abs(expected - 10_000)).toBeLessThan(200);
  await binance.until((frames) => frames.length >= expected);
  const ids = binance.frames.map((frame) => {
    const { s, t } = JSON.parse(frame).data;
    return `${s}:${t}`;
  });
  expect(new Set(ids).size).toBe(expected);

  const trades = await listOf(port, `exchange=kraken&symbol=ETH/USD&from_us=${start_us + 1}`);
  function krakenIds(): string[] {
    const ids = kraken.frames.flatMap((frame) => [
      ...frame.matchAll(/"symbol":"ETH\/USD"[^}]*"trade_id":(\d+)/g),
    ]);
    return ids.map(([, id]) => id!);
  }
  await kraken.until(() => krakenIds().length >= trades.length);
  expect(krakenIds()).toEqual(trades.map((trade) => trade.trade_id));
});

test("health, and addresses that nobody has", async () => {
  clock_us = start_us;
  const { port } = start();
  const health = await fetch(`http://127.0.0.1:${port}/simulator/health`);
  expect(await health.json()).toMatchObject({ status: "ok", epoch_us, seed: 1, rate: null });
  for (const path of ["/", "/v2", "/simulator/nothing"])
    expect((await fetch(`http://127.0.0.1:${port}${path}`)).status).toBe(404);
  await expect(connect(`ws://127.0.0.1:${port}/nothing`)).rejects.toThrow("Cannot open");
});
