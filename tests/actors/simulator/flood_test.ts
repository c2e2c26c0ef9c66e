/**
 * Goal: a flood sends so many trades of each symbol at once, every one, then nothing, and holds no
 * more for a slow client than it may; REST and the list have the same trades.
 * Method: a simulator on a free port and a frozen clock, as nothing in a flood falls due.
 */

import { afterEach, expect, test } from "bun:test";
import { WebSocket as Client } from "ws";
import { startSimulator } from "../../../actors/simulator/server.ts";
import { epoch_us } from "../../../actors/simulator/trade.ts";
import { FaultRig } from "./fault_rig.ts";

const now_us = epoch_us + 40 * 86_400_000_000;
const trades_per_symbol = 30_000;
const running: { stop(): Promise<void> }[] = [];

afterEach(async () => {
  for (const simulator of running.splice(0)) await simulator.stop();
});

test("two exchanges at once: every trade of each symbol in order, as the list has them", async () => {
  const simulator = startSimulator({
    port: 0,
    hostname: "127.0.0.1",
    rate: undefined,
    seed: 1,
    native_symbols: { binance: ["BTCUSDT", "ETHUSDT"], kraken: ["BTC/USD"] },
    now_us: () => now_us,
    flood: { trades_per_symbol },
  });
  running.push(simulator);
  const { port } = simulator;
  const [binance, kraken] = await Promise.all([
    collect(`ws://127.0.0.1:${port}/stream?timeUnit=MICROSECOND`, {
      message: { method: "SUBSCRIBE", params: ["btcusdt@trade", "ethusdt@trade"], id: 1 },
      pattern: /"s":"(\w+)","t":(\d+)/g,
      count: 2 * trades_per_symbol,
    }),
    collect(`ws://127.0.0.1:${port}/v2`, {
      message: {
        method: "subscribe",
        params: { channel: "trade", symbol: ["BTC/USD"], snapshot: true },
      },
      pattern: /"symbol":"([^"]+)","side"[^}]*"trade_id":(\d+)/g,
      count: trades_per_symbol + 50,
    }),
  ]);
  for (const [exchange, symbol, ids] of [
    ["binance", "BTCUSDT", binance.get("BTCUSDT")],
    ["binance", "ETHUSDT", binance.get("ETHUSDT")],
    ["kraken", "BTC/USD", kraken.get("BTC/USD")],
  ] as const) {
    const answer = await fetch(
      `http://127.0.0.1:${port}/simulator/trades?exchange=${exchange}&symbol=${symbol}` +
        `&from_id=${ids![0]}`,
    );
    const listed = (await answer.text()).trimEnd().split("\n");
    expect(ids!).toEqual(listed.map((line) => JSON.parse(line).trade_id));
  }
});

/** The ids by symbol that one client hears until it has so many. */
function collect(
  url: string,
  options: { message: unknown; pattern: RegExp; count: number },
): Promise<Map<string, string[]>> {
  const { promise, resolve, reject } = Promise.withResolvers<Map<string, string[]>>();
  const socket = new Client(url, { perMessageDeflate: false });
  const ids = new Map<string, string[]>();
  let total = 0;
  socket.on("error", reject);
  socket.on("open", () => socket.send(JSON.stringify(options.message)));
  socket.on("message", (data) => {
    for (const [, symbol, id] of data.toString().matchAll(options.pattern)) {
      const known = ids.get(symbol!) ?? [];
      ids.set(symbol!, known);
      known.push(id!);
      total += 1;
    }
    if (total < options.count) return;
    socket.terminate();
    resolve(ids);
  });
  return promise;
}

test("then it is silent, whatever the time", () => {
  for (const [exchange, symbol] of [
    ["binance", "BTCUSDT"],
    ["kraken", "BTC/USD"],
    ["coinbase", "BTC-USD"],
  ] as const) {
    const rig = new FaultRig({ flood: 500 });
    const socket = rig.socket(exchange);
    socket.subscribe(symbol);
    while (socket.ids(symbol, socket.tick()).length > 0);
    const ids = socket.ids(symbol);
    expect(ids).toHaveLength(500);
    expect(ids).toEqual(ids.map((_, at) => ids[0]! + at));
    socket.run(30);
    expect(socket.ids(symbol)).toHaveLength(500);
  }
});

test("Kraken's frames of a flood hold the trades of one time", () => {
  const rig = new FaultRig({ flood: 2_000 });
  const socket = rig.socket("kraken");
  socket.subscribe("ETH/USD");
  while (socket.tick().length > 0);
  const [, ...updates] = socket.frames.filter((frame) => frame.includes("trade_id"));
  const frames = updates.map((frame) => JSON.parse(frame).data as { timestamp: string }[]);
  for (const data of frames) expect(new Set(data.map((one) => one.timestamp)).size).toBe(1);
  expect(Math.max(...frames.map((data) => data.length))).toBeGreaterThan(1);
});
