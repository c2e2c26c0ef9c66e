/**
 * Goal: each fault does to a socket what it says, no more, and REST and the list know nothing of it.
 * Method: all exchanges in virtual time; what a client heard is compared with the list of trades.
 */

import { expect, test } from "bun:test";
import { FaultRig, type RigSocket, second_us } from "./fault_rig.ts";

const markets = [
  ["binance", "BTCUSDT", "ETHUSDT"],
  ["kraken", "BTC/USD", "ETH/USD"],
  ["coinbase", "BTC-USD", "ETH-USD"],
] as const;

/** Ids that the list has from now on; called again it tells those that have come since. */
function listFrom(rig: FaultRig, exchange: string, symbol: string): () => number[] {
  const from_us = rig.now_us + 1;
  return () =>
    rig.list(exchange, symbol, `from_us=${from_us}`).map((trade) => Number(trade.trade_id));
}

function connect(rig: FaultRig, exchange: string, ...symbols: string[]): RigSocket {
  const socket = rig.socket(exchange);
  socket.subscribe(...symbols);
  return socket;
}

test("without faults every socket hears the list", () => {
  for (const [exchange, one, other] of markets) {
    const rig = new FaultRig({ rate: 100 });
    const lists = [one, other].map((symbol) => listFrom(rig, exchange, symbol));
    const socket = connect(rig, exchange, one, other);
    socket.run(5);
    for (const [at, symbol] of [one, other].entries())
      expect(socket.ids(symbol)).toEqual(lists[at]!());
    expect(socket.broken).toEqual([]);
  }
});

test("silent_subscription: acknowledged, silent, and healed by subscribing again", () => {
  for (const [exchange, one, other] of markets) {
    const rig = new FaultRig({ rate: 100 });
    rig.plan({ fault: "silent_subscription", exchange, native_symbol: one });
    const socket = rig.socket(exchange);
    expect(socket.subscribe(one, other).length).toBeGreaterThan(0);
    socket.run(5);
    expect(socket.ids(one)).toEqual([]);
    expect(socket.ids(other).length).toBeGreaterThan(50);
    socket.unsubscribe(one);
    socket.subscribe(one);
    socket.run(2);
    expect(socket.ids(one).length).toBeGreaterThan(10);
  }
});

test("silent_subscription of an existing one: silent from now on", () => {
  for (const [exchange, one] of markets) {
    const rig = new FaultRig({ rate: 100 });
    const socket = connect(rig, exchange, one);
    socket.run(2);
    const heard = socket.ids(one).length;
    expect(heard).toBeGreaterThan(5);
    rig.plan({ fault: "silent_subscription", exchange, native_symbol: one, existing: true });
    socket.tick();
    const before = socket.ids(one).length;
    socket.run(3);
    expect(socket.ids(one)).toHaveLength(before);
  }
});

test("Kraken: a silent subscription is not healed by asking while it is held", () => {
  const rig = new FaultRig({ rate: 100 });
  rig.plan({ fault: "silent_subscription", exchange: "kraken", native_symbol: "BTC/USD" });
  const socket = connect(rig, "kraken", "BTC/USD");
  expect(socket.subscribe("BTC/USD")[0]).toContain("Already subscribed");
  expect(socket.broken).toEqual(["kraken.already_subscribed"]);
  socket.run(3);
  expect(socket.ids("BTC/USD")).toEqual([]);
});

test("subscription_ignored: a subset is neither answered nor held", () => {
  const rig = new FaultRig({ rate: 100 });
  rig.plan({ fault: "subscription_ignored", native_symbol: "ETH/USD", exchange: "kraken" });
  rig.plan({ fault: "subscription_ignored", native_symbol: "ETHUSDT", exchange: "binance" });
  rig.plan({ fault: "subscription_ignored", native_symbol: "ETH-USD", exchange: "coinbase" });
  const kraken = rig.socket("kraken");
  const answers = kraken.subscribe("BTC/USD", "ETH/USD");
  expect(answers).toHaveLength(1);
  expect(answers[0]).toContain(`"symbol":"BTC/USD"`);
  const binance = connect(rig, "binance", "BTCUSDT", "ETHUSDT");
  expect(binance.frames).toEqual([`{"result":null,"id":1}`]);
  rig.now_us += 1_000_000;
  expect(binance.say({ method: "LIST_SUBSCRIPTIONS", id: 2 })).toEqual([
    `{"result":["btcusdt@trade"],"id":2}`,
  ]);
  const [held] = connect(rig, "coinbase", "BTC-USD", "ETH-USD").frames;
  expect(JSON.parse(held!).channels[0].product_ids).toEqual(["BTC-USD"]);
  kraken.run(3);
  expect(kraken.ids("ETH/USD")).toEqual([]);
  expect(kraken.ids("BTC/USD").length).toBeGreaterThan(5);
  // Used up: asking again is heard.
  expect(kraken.subscribe("ETH/USD")[0]).toContain(`"success":true`);
});

test("subscription_refused: in each exchange's words, passing or final", () => {
  const rig = new FaultRig({ rate: 100 });
  const refused = { fault: "subscription_refused" };
  rig.plan({ ...refused, exchange: "kraken", native_symbol: "ETH/USD" });
  const kraken = rig.socket("kraken");
  const answers = kraken.subscribe("BTC/USD", "ETH/USD").map((frame) => JSON.parse(frame));
  expect(answers.map((answer) => answer.success)).toEqual([true, false]);
  expect(answers[1]).toMatchObject({
    error: "Service temporarily unavailable",
    symbol: "ETH/USD",
    req_id: 1,
  });
  for (const [exchange, symbol, passing, final] of [
    ["binance", "BTCUSDT", `{"error":{"code":-1008,`, `{"code":2,"msg":"Invalid request: `],
    ["coinbase", "BTC-USD", `"Service temporarily`, `"BTC-USD is not a valid product"`],
  ] as const) {
    const socket = rig.socket(exchange);
    rig.plan({ ...refused, exchange }, { ...refused, exchange, terminal: true, count: 2 });
    expect(socket.subscribe(symbol)[0]).toContain(passing);
    expect(socket.subscribe(symbol)[0]).toContain(final);
    expect(socket.broken).toEqual([]);
    socket.subscribe(symbol);
    expect(socket.broken).toEqual([`${exchange}.unknown_symbol_again`]);
    socket.run(1);
    expect(socket.ids(symbol)).toEqual([]);
  }
});

test("half_open: the oldest socket hears nothing more and is not answered", () => {
  const rig = new FaultRig({ rate: 100 });
  const socket = connect(rig, "kraken", "BTC/USD");
  const other = connect(rig, "kraken", "BTC/USD");
  rig.plan({ fault: "half_open", exchange: "kraken" });
  rig.now_us += 100_000;
  socket.tick();
  expect(socket.last).toEqual({ frames: [], is_frozen: true });
  other.tick();
  const before = socket.frames.length;
  expect(socket.say({ method: "ping" })).toEqual([]);
  socket.run(10);
  expect(socket.frames).toHaveLength(before);
  expect(other.say({ method: "ping" })).toHaveLength(1);
});

test("close: with the code that was asked for, once", () => {
  const rig = new FaultRig();
  const sockets = [rig.socket("coinbase"), rig.socket("coinbase")];
  rig.plan({ fault: "close", exchange: "coinbase", code: 1008, reason: "Go" });
  for (const socket of sockets) socket.tick();
  expect(sockets.map((socket) => socket.last.close)).toEqual([
    { code: 1008, reason: "Go" },
    undefined,
  ]);
  rig.plan({ fault: "close", exchange: "coinbase" });
  sockets[1]!.tick();
  expect(sockets[1]!.last.close?.code).toBe(1006);
});

test("cut_in_frame: the next frame of trades goes out in part, and nothing after it", () => {
  for (const [exchange, one] of markets) {
    const rig = new FaultRig({ rate: 100 });
    const socket = connect(rig, exchange, one);
    rig.plan({ fault: "cut_in_frame", exchange });
    let cut: string | undefined;
    for (let step = 0; step < 100 && cut === undefined; step += 1) {
      socket.run(0.1);
      cut = socket.last.cut_frame;
    }
    expect(cut).toContain(one);
    expect(socket.run(1)).toEqual([]);
  }
});

test("batch: trades of several symbols share one frame, each once and in order", () => {
  const rig = new FaultRig({ rate: 100 });
  const lists = ["BTC/USD", "ETH/USD"].map((symbol) => listFrom(rig, "kraken", symbol));
  const socket = connect(rig, "kraken", "BTC/USD", "ETH/USD");
  rig.plan({ fault: "batch", trades: 40, count: 3 });
  socket.run(20);
  const batches = socket.frames
    .filter((frame) => frame.includes(`"type":"update"`) && frame.includes("trade_id"))
    .map((frame) => JSON.parse(frame).data);
  const mixed = batches.filter((data) => data.length === 40);
  expect(mixed).toHaveLength(3);
  expect(new Set(mixed[0].map((item: { symbol: string }) => item.symbol)).size).toBe(2);
  expect(socket.ids("BTC/USD")).toEqual(lists[0]!());
  expect(socket.ids("ETH/USD")).toEqual(lists[1]!());
});

test("snapshot_duplicate: a subscription begins with trades that were sent before", () => {
  for (const [exchange, one] of markets) {
    const rig = new FaultRig({ rate: 100 });
    const first = connect(rig, exchange, one);
    first.run(5);
    const heard = first.ids(one);
    rig.plan({ fault: "snapshot_duplicate", exchange, trades: 20 });
    const second = connect(rig, exchange, one);
    second.run(1);
    expect(second.ids(one).slice(0, 20)).toEqual(heard.slice(-20));
    expect(second.ids(one)[20]).toBe(heard.at(-1)! + 1);
  }
});

test("duplicate_trades: a trade is sent twice", () => {
  for (const [exchange, one] of markets) {
    const rig = new FaultRig({ rate: 100 });
    const list = listFrom(rig, exchange, one);
    const socket = connect(rig, exchange, one);
    rig.plan({ fault: "duplicate_trades", exchange, count: 3 });
    socket.run(5);
    const [a, b, c, ...rest] = list();
    expect(socket.ids(one)).toEqual([a!, a!, b!, b!, c!, c!, ...rest]);
  }
});

test("out_of_order: so many trades leave in reverse, none is lost", () => {
  for (const [exchange, one, other] of markets) {
    const rig = new FaultRig({ rate: 100 });
    const lists = [one, other].map((symbol) => listFrom(rig, exchange, symbol));
    const socket = connect(rig, exchange, one, other);
    rig.plan({ fault: "out_of_order", exchange, native_symbol: one, trades: 4 });
    socket.run(10);
    const [a, b, c, d, ...rest] = lists[0]!();
    expect(socket.ids(one)).toEqual([d!, c!, b!, a!, ...rest]);
    expect(socket.ids(other)).toEqual(lists[1]!());
  }
});

test("held trades leave after five seconds even if no more of them come", () => {
  const rig = new FaultRig({ rate: 100 });
  const list = listFrom(rig, "binance", "BTCUSDT");
  const socket = connect(rig, "binance", "BTCUSDT");
  rig.plan({
    fault: "out_of_order",
    trades: 100_000,
    native_symbol: "BTCUSDT",
    exchange: "binance",
  });
  socket.run(4);
  expect(socket.ids("BTCUSDT")).toEqual([]);
  socket.run(2);
  const heard = socket.ids("BTCUSDT");
  expect(heard.length).toBeGreaterThan(50);
  expect(heard.toSorted((a, b) => a - b)).toEqual(list().slice(0, heard.length));
});

test("spoilt_item: one item nobody can read among good ones, on the socket alone", () => {
  const fields = { price: "price", quantity: "qty", side: "side", timestamp: "timestamp" };
  for (const [field, key] of Object.entries(fields)) {
    const rig = new FaultRig({ rate: 100 });
    const socket = connect(rig, "kraken", "BTC/USD");
    rig.plan({ fault: "spoilt_item", field, trades: 3 });
    socket.run(5);
    const spoilt = socket.frames.filter((frame) => frame.includes("spoilt"));
    expect(spoilt).toHaveLength(1);
    const { data } = JSON.parse(spoilt[0]!);
    expect(data.map((item: Record<string, unknown>) => item[key] === "spoilt")).toEqual([
      false,
      true,
      false,
    ]);
    const id = data[1].trade_id;
    const page = rig.rest("kraken")(`/0/public/Trades?pair=XBTUSD`).body;
    expect(page).toContain(`,${id}]`);
    expect(page).not.toContain("spoilt");
  }
  for (const [exchange, one] of [
    ["binance", "BTCUSDT"],
    ["coinbase", "BTC-USD"],
  ] as const) {
    const rig = new FaultRig({ rate: 100 });
    const list = listFrom(rig, exchange, one);
    const socket = connect(rig, exchange, one);
    rig.plan({ fault: "spoilt_item", exchange });
    socket.run(3);
    expect(socket.frames.filter((frame) => frame.includes(`"spoilt"`))).toHaveLength(1);
    expect(socket.ids(one)).toEqual(list());
  }
});

test("drop_trades: so many, or a share of them, never reach any socket and are on REST", () => {
  for (const [exchange, one] of markets) {
    const rig = new FaultRig({ rate: 100 });
    const list = listFrom(rig, exchange, one);
    const socket = connect(rig, exchange, one);
    rig.plan({ fault: "drop_trades", exchange, native_symbol: one, trades: 10 });
    socket.run(5);
    const other = connect(rig, exchange, one);
    other.run(5);
    socket.tick();
    expect(socket.ids(one)).toEqual(list().slice(10));
  }
  const rig = new FaultRig({ rate: 100 });
  const list = listFrom(rig, "kraken", "BTC/USD");
  const socket = connect(rig, "kraken", "BTC/USD");
  rig.plan({ fault: "drop_trades", exchange: "kraken", trades: 1_000_000, share: 0.3 });
  socket.run(60);
  const heard = socket.ids("BTC/USD");
  expect(heard.length / list().length).toBeGreaterThan(0.6);
  expect(heard.length / list().length).toBeLessThan(0.8);
  rig.clear();
  const before = list().length;
  socket.run(10);
  const since = list().slice(before);
  expect(socket.ids("BTC/USD").slice(-since.length)).toEqual(since);
});

test("first_of_timestamp: of trades at one time only the first is on the socket", () => {
  for (const [exchange, one] of markets) {
    const rig = new FaultRig({ rate: 100 });
    rig.plan({ fault: "first_of_timestamp", exchange, for_s: 10 });
    const from_us = rig.now_us + 1;
    const socket = connect(rig, exchange, one);
    socket.run(9);
    const listed = rig.list(exchange, one, `from_us=${from_us}`);
    const firsts = listed.filter((trade, at) => trade.timestamp !== listed[at - 1]?.timestamp);
    expect(firsts.length).toBeLessThan(listed.length);
    expect(socket.ids(one)).toEqual(firsts.map((trade) => Number(trade.trade_id)));
    socket.run(5);
    const later = rig.list(exchange, one, `from_us=${rig.now_us - 3_000_000}`);
    const ids = later.map((trade) => Number(trade.trade_id));
    expect(socket.ids(one).slice(-ids.length)).toEqual(ids);
  }
});

test("unknown_fields: everything says more than it used to, and the same", () => {
  for (const [exchange, one] of markets) {
    const rig = new FaultRig({ rate: 100 });
    const list = listFrom(rig, exchange, one);
    rig.plan({ fault: "unknown_fields", exchange, for_s: 3 });
    const socket = connect(rig, exchange, one);
    socket.run(2);
    for (const frame of socket.frames) {
      expect(frame).toContain("new_field");
      JSON.parse(frame);
    }
    expect(socket.ids(one)).toEqual(list());
    socket.run(3);
    expect(socket.frames.at(-1)).not.toContain("new_field");
  }
});

test("server_shutdown: announced where the exchange does so, then closed; new sockets stay", () => {
  const rig = new FaultRig({ rate: 100 });
  const sockets = markets.map(([exchange, one]) => connect(rig, exchange, one));
  rig.now_us += 1_000_000;
  rig.plan({ fault: "server_shutdown", after_s: 3 });
  for (const socket of sockets) socket.tick();
  expect(sockets[0]!.frames.at(-1)).toContain("serverShutdown");
  rig.now_us += 500_000;
  const late = connect(rig, "binance", "BTCUSDT");
  rig.now_us += 2_000_000;
  for (const socket of [...sockets, late]) expect(socket.tick().length).toBeGreaterThan(0);
  rig.now_us += 500_000;
  for (const socket of [...sockets, late]) socket.tick();
  expect(sockets.map((socket) => socket.last.close?.code)).toEqual([1001, 1001, 1001]);
  expect(late.last.close).toBeUndefined();
});

test("maintenance: Kraken says its status, then closes", () => {
  const rig = new FaultRig();
  const socket = connect(rig, "kraken", "BTC/USD");
  const other = connect(rig, "binance", "BTCUSDT");
  rig.plan({ fault: "maintenance", after_s: 2 });
  socket.tick();
  expect(JSON.parse(socket.frames.at(-1)!).data[0].system).toBe("maintenance");
  rig.now_us += 2_000_000;
  socket.tick();
  other.tick();
  expect([socket.last.close?.code, other.last.close]).toEqual([1001, undefined]);
});

test("clock_offset: pings, pongs and REST's time are off, and their answers still right", () => {
  const rig = new FaultRig();
  const binance = rig.socket("binance");
  rig.plan({ fault: "clock_offset", offset_s: -90 });
  rig.now_us += 20 * second_us;
  binance.tick();
  const told_us = rig.now_us - 90 * second_us;
  const { ping } = binance.last;
  expect(ping).toBe(String(Math.floor(told_us / 1_000)));
  binance.pong(ping!);
  rig.now_us += 79 * second_us;
  binance.tick();
  expect([binance.broken, binance.last.close]).toEqual([[], undefined]);
  const [pong] = rig.socket("kraken").say({ method: "ping", req_id: 1 });
  const time_in = Date.parse(JSON.parse(pong!).time_in) * 1_000;
  expect(Math.abs(time_in - (rig.now_us - 90 * second_us))).toBeLessThan(1_000);
  const { serverTime } = JSON.parse(rig.rest("binance")("/api/v3/time").body);
  expect(serverTime).toBe(Math.floor(rig.now_us / 1_000) - 90_000);
});
