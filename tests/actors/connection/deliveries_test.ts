/**
 * Goal: a subscription that brings nothing is told from a pair that nobody trades, within the
 * stated times, and never because of our wall clock.
 * Method: deliveries written by hand at made-up instants.
 */

import { expect, test } from "bun:test";
import {
  attend,
  type Delivery,
  hasTakenOver,
  noDelivery,
  noteAcknowledged,
  noteResubscribed,
  settleProbe,
  standingOf,
} from "../../../actors/connection/deliveries.ts";
import { ExchangeClock } from "../../../actors/connection/exchange_clock.ts";

/** The exchange's clock shows our monotonic clock. */
const clock = new ExchangeClock({ wall_us: 0, monotonic_ms: 0 });

function acknowledged(at_ms: number): Delivery {
  const delivery = noDelivery();
  noteAcknowledged(delivery, at_ms);
  return delivery;
}

function look(delivery: Delivery, now_ms: number, is_expected = true) {
  const options = { now_ms, symbols_count: 1, isExpected: () => is_expected };
  const { silent, undelivering } = attend(new Map([["AB", delivery]]), options);
  return { is_silent: silent !== null, is_undelivering: undelivering.length > 0 };
}

function settle(delivery: Delivery, now_ms: number, newest: readonly [string, number] | null) {
  delivery.probed_ms = now_ms - 100;
  const trade = newest === null ? null : { trade_id: newest[0], timestamp: newest[1] * 1_000 };
  settleProbe(delivery, trade, { now_ms, clock });
}

test("silence is probed 5 s after the acknowledgement, then 60 s after the last trade", () => {
  const delivery = acknowledged(1_000);
  expect(look(delivery, 5_999).is_silent).toBe(false);
  expect(look(delivery, 6_000).is_silent).toBe(true);
  delivery.streamed_ms = 6_500;
  expect(look(delivery, 66_499).is_silent).toBe(false);
  expect(look(delivery, 66_500).is_silent).toBe(true);
  expect(look(noDelivery(), 1_000_000).is_silent).toBe(false);
});

test("a halted symbol is not probed", () => {
  expect(look(acknowledged(0), 6_000, false).is_silent).toBe(false);
});

test("one symbol is probed at a look, four at a time, and each has its turn", () => {
  const names = ["A", "B", "C", "D", "E", "F"];
  const deliveries = new Map(names.map((name) => [name, acknowledged(0)]));
  function probe(now_ms: number): string | null {
    const options = { now_ms, symbols_count: names.length, isExpected: () => true };
    const { silent } = attend(deliveries, options);
    if (silent !== null) deliveries.get(silent)!.probed_ms = now_ms;
    return silent;
  }
  expect([6_000, 7_000, 8_000, 9_000].map(probe)).toEqual(["A", "B", "C", "D"]);
  expect(probe(125_999)).toBeNull();
  // Nobody answered: the first gives its place away.
  expect([126_000, 127_000].map(probe)).toEqual(["E", "F"]);
});

test("of many symbols each is probed less often, whatever socket they are on", () => {
  const deliveries = new Map([["AB", { ...acknowledged(0), settled_ms: 1 }]]);
  const options = { symbols_count: 100, isExpected: () => true };
  const at = (now_ms: number) => attend(deliveries, { ...options, now_ms }).silent;
  expect(at(400_000)).toBeNull();
  expect(at(400_001)).toBe("AB");
});

test("the longest silent is probed first: where REST is slow, the last has its turn too", () => {
  const names = Array.from({ length: 50 }, (_, index) => `Q${index}`);
  const deliveries = new Map(names.map((name) => [name, acknowledged(0)]));
  const probed = new Set<string>();
  // One answer in six seconds, where each of fifty asks every 200 s.
  for (let now_ms = 6_000; now_ms <= 306_000; now_ms += 6_000) {
    const options = { now_ms, symbols_count: names.length, isExpected: () => true };
    const { silent } = attend(deliveries, options);
    if (silent === null) continue;
    probed.add(silent);
    settle(deliveries.get(silent)!, now_ms, null);
  }
  expect(probed.size).toBe(50);
});

test("a trade that should have come makes a subscription be made anew, 2 s later", () => {
  const delivery = acknowledged(10_000);
  settle(delivery, 16_000, ["7", 14_000]);
  expect(look(delivery, 17_999).is_undelivering).toBe(false);
  expect(look(delivery, 18_000)).toEqual({ is_silent: false, is_undelivering: true });
});

test("a trade that arrives in time clears the suspicion", () => {
  const delivery = acknowledged(10_000);
  settle(delivery, 16_000, ["7", 14_000]);
  delivery.streamed_ms = 16_500;
  expect(look(delivery, 30_000).is_undelivering).toBe(false);
});

test.each([
  ["no trade at all", null],
  ["one from before the acknowledgement", ["7", 9_000]],
  ["one within the margin of the clocks", ["7", 13_000]],
] as const)(
  "REST that shows %s makes a symbol quiet, and it is asked again after 60 s",
  (_, newest) => {
    const delivery = acknowledged(10_000);
    settle(delivery, 16_000, newest);
    expect(standingOf(new Map([["AB", delivery]]))).toEqual({ quiet: 1, not_delivering: [] });
    expect(look(delivery, 75_999).is_silent).toBe(false);
    expect(look(delivery, 76_000).is_silent).toBe(true);
    delivery.streamed_ms = 76_100;
    look(delivery, 77_000);
    expect(standingOf(new Map([["AB", delivery]])).quiet).toBe(0);
  },
);

test("the trade that came last is not newer than itself, nor a smaller id of more digits", () => {
  const delivery = acknowledged(0);
  delivery.streamed_ms = 1_000;
  delivery.trade_id = "100";
  settle(delivery, 70_000, ["100", 60_000]);
  expect(delivery.is_quiet).toBe(true);
  settle(delivery, 70_000, ["99", 60_000]);
  expect(delivery.is_quiet).toBe(true);
  settle(delivery, 70_000, ["101", 60_000]);
  expect(delivery.is_quiet).toBe(false);
});

test("after three times in vain a symbol does not deliver, until a trade comes", () => {
  const delivery = acknowledged(0);
  const deliveries = new Map([["AB", delivery]]);
  let now_ms = 0;
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    expect(standingOf(deliveries).not_delivering).toEqual([]);
    noteResubscribed(delivery, { now_ms, backoffMs: (count) => count * 100_000 });
    noteAcknowledged(delivery, now_ms);
    settle(delivery, now_ms + 6_000, ["7", now_ms + 5_000]);
    expect(look(delivery, now_ms + attempt * 100_000 - 1).is_undelivering).toBe(false);
    now_ms += attempt * 100_000;
    expect(look(delivery, now_ms).is_undelivering).toBe(true);
  }
  expect(standingOf(deliveries)).toEqual({ quiet: 0, not_delivering: ["AB"] });
  delivery.streamed_ms = now_ms + 1;
  look(delivery, now_ms + 2);
  expect(standingOf(deliveries).not_delivering).toEqual([]);
});

test("a socket has taken over what the other pushed lately, and nothing else", () => {
  const old = new Map([
    ["AB", { ...noDelivery(), streamed_ms: 95_000, trade_id: "9" }],
    ["CD", { ...noDelivery(), streamed_ms: 80_000, trade_id: "3" }],
  ]);
  const own = new Map([
    ["AB", noDelivery()],
    ["CD", noDelivery()],
  ]);
  const of = { predecessor: old, now_ms: 100_000, recent_ms: 10_000 };
  expect(hasTakenOver(own, of)).toBe(false);
  own.get("AB")!.first_streamed_id = "10";
  expect(hasTakenOver(own, of)).toBe(false);
  old.get("AB")!.trade_id = "10";
  expect(hasTakenOver(own, of)).toBe(true);
});
