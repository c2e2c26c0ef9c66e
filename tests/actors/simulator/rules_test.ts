/**
 * Goal: rules that clients break are counted, and those that they keep are not.
 * Method: limits in virtual time, and clients of each exchange that go just to them and over.
 */

import { expect, test } from "bun:test";
import { Allowance, Refusals, RuleBook, SlidingWindow } from "../../../actors/simulator/rules.ts";
import { FaultRig, second_us } from "./fault_rig.ts";

test("Allowance lets a burst pass and then a steady rate", () => {
  const allowance = new Allowance({ burst: 3, per_second: 2 });
  const at = (seconds: number) => allowance.exceeds(1_000 * second_us + seconds * second_us);
  expect([at(0), at(0), at(0), at(0)]).toEqual([false, false, false, true]);
  expect([at(0.5), at(0.5), at(1), at(1.4)]).toEqual([false, true, false, true]);
});

test("SlidingWindow counts any window, not only those of the clock", () => {
  const window = new SlidingWindow({ events_max: 2, window_us: second_us });
  const at = (seconds: number) => window.exceeds(seconds * second_us);
  expect([at(0.9), at(0.95), at(1.1), at(1.2), at(2.3)]).toEqual([false, false, true, true, false]);
});

test("Refusals remember for a minute", () => {
  const refusals = new Refusals();
  expect(refusals.isRepeated("X", 0)).toBe(false);
  expect(refusals.isRepeated("Y", 0)).toBe(false);
  expect(refusals.isRepeated("X", 59 * second_us)).toBe(true);
  expect(refusals.isRepeated("X", 119 * second_us)).toBe(false);
});

test("RuleBook counts what was broken and what was seen", () => {
  const book = new RuleBook();
  expect(book.report()).toEqual({ broken: {}, total: 0, last_us: {}, seen: {} });
  book.judge(["a.b", "a.c"], 1);
  book.judge(["a.b"], 2);
  book.judge(undefined, 3);
  book.see("a.messages");
  book.see("a.weight", 25);
  expect(book.report()).toEqual({
    broken: { "a.b": 2, "a.c": 1 },
    total: 3,
    last_us: { "a.b": 2, "a.c": 1 },
    seen: { "a.messages": 1, "a.weight": 25 },
  });
});

test("Binance: five messages a second, pings and pongs counted", () => {
  const rig = new FaultRig();
  const socket = rig.socket("binance");
  const list = { method: "LIST_SUBSCRIPTIONS", id: 1 };
  socket.say(list);
  socket.pinged();
  socket.pong("");
  socket.say(list);
  socket.say(list);
  expect(socket.broken).toEqual([]);
  rig.now_us += second_us - 1;
  socket.pong("");
  expect(socket.broken).toEqual(["binance.messages_per_second"]);
  expect(socket.last.close?.code).toBe(1008);
});

test("Binance: frames over 4,096 bytes, streams over 1,024, wrong and late pongs", () => {
  const rig = new FaultRig();
  const long = rig.socket("binance");
  long.say({ method: "SUBSCRIBE", params: ["x".repeat(4_096)], id: 1 });
  expect(long.broken).toEqual(["binance.message_too_long"]);

  const many = rig.socket("binance");
  for (let first = 0; first < 1_024; first += 256) {
    const params = Array.from({ length: 256 }, (_, at) => `s${first + at}@trade`);
    many.say({ method: "SUBSCRIBE", params, id: 1 });
    rig.now_us += second_us;
  }
  expect(many.broken).toEqual([]);
  many.say({ method: "SUBSCRIBE", params: ["s1@trade"], id: 1 });
  expect(many.broken).toEqual([]);
  many.say({ method: "SUBSCRIBE", params: ["one@trade"], id: 1 });
  expect(many.broken).toEqual(["binance.streams_per_connection"]);

  const pinged = rig.socket("binance");
  rig.now_us += 20 * second_us;
  pinged.tick();
  const { ping } = pinged.last;
  expect(ping).toBe(String(Math.floor(rig.now_us / 1_000)));
  pinged.pong(ping!);
  pinged.pong(ping!);
  pinged.pong("");
  expect(pinged.broken).toEqual([]);
  pinged.pong("something");
  expect(pinged.broken).toEqual(["binance.pong_payload_wrong"]);
  rig.now_us += 20 * second_us;
  pinged.tick();
  rig.now_us += 60 * second_us;
  pinged.tick();
  expect(pinged.broken).toEqual(["binance.pong_payload_wrong", "binance.pong_late"]);
});

test("Kraken: bursts of messages, symbols asked again, subscriptions that are held", () => {
  const rig = new FaultRig();
  const socket = rig.socket("kraken");
  for (let count = 0; count < 10; count += 1) socket.say({ method: "ping" });
  expect(socket.broken).toEqual([]);
  expect(socket.say({ method: "ping" })).toEqual([`{"Error":"Exceeded msg rate"}`]);
  expect(socket.broken).toEqual(["kraken.message_rate"]);
  rig.now_us += second_us;
  socket.subscribe("NO/PE", "BTC/USD");
  const other = rig.socket("kraken");
  other.subscribe("NO/PE");
  expect(other.broken).toEqual(["kraken.unknown_symbol_again"]);
  socket.subscribe("BTC/USD");
  expect(socket.broken).toEqual(["kraken.message_rate", "kraken.already_subscribed"]);
});
