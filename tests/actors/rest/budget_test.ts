/**
 * Goal: no window, however it is laid, ever holds more than a rule allows, nobody waits longer than
 * needed by much, and what is remembered stays small.
 * Method: a clock that is a number; random sequences of calls from a seed, whose spendings are
 * written down beside the budget and counted in every window afterwards.
 */

import { expect, test } from "bun:test";
import type { BudgetRule } from "../../../actors/exchanges/adapter.ts";
import { Budget } from "../../../actors/rest/budget.ts";
import { createRandom } from "../../schemas/random.ts";
import { fullestWindow } from "./windows.ts";

const day_ms = 24 * 3_600_000;

function start(rules: readonly BudgetRule[], now_ms = 1_000) {
  const clock = { now_ms };
  let changes = 0;
  const budget = new Budget({
    rules,
    now_ms: () => clock.now_ms,
    onChange: () => {
      changes += 1;
    },
  });
  return { budget, changes: () => changes, clock };
}

test("what has room may leave at once, and what has none waits for the oldest to leave", () => {
  const { budget, clock } = start([{ weight_max: 3, window_ms: 1_000 }]);
  budget.spend(2);
  clock.now_ms += 400;
  budget.spend(1);
  expect(budget.waitMs(1)).toBe(601);
  expect(budget.waitMs(3)).toBe(1_001);
  clock.now_ms += 601;
  expect(budget.waitMs(1)).toBe(0);
  expect(budget.waitMs(2)).toBe(0);
  expect(budget.waitMs(3)).toBe(400);
});

test("all rules must have room", () => {
  const { budget, clock } = start([
    { weight_max: 1, window_ms: 1_000 },
    { weight_max: 2, window_ms: 60_000 },
  ]);
  budget.spend(1);
  clock.now_ms += 1_001;
  budget.spend(1);
  clock.now_ms += 1_001;
  expect(budget.waitMs(1)).toBe(60_001 - 2 * 1_001);
});

test.each([1, 2, 3, 4, 5])("no window holds more than a rule allows (seed %d)", (seed) => {
  const random = createRandom(seed);
  const rules = [
    { weight_max: 20 + Math.floor(random() * 50), window_ms: 1_000 },
    { weight_max: 60 + Math.floor(random() * 100), window_ms: 7_000 },
  ];
  const { budget, clock } = start(rules);
  const spent: { at_ms: number; weight: number }[] = [];
  for (let turn = 0; turn < 1_500; turn += 1) {
    const weight = 1 + Math.floor(random() * 8);
    const wait_ms = budget.waitMs(weight);
    const is_patient = random() < 0.5;
    if (wait_ms === 0 || is_patient) {
      clock.now_ms += wait_ms;
      expect(budget.waitMs(weight)).toBe(0);
      budget.spend(weight);
      spent.push({ at_ms: clock.now_ms, weight });
    } else {
      expect(() => budget.spend(weight)).toThrow("Cannot spend");
    }
    clock.now_ms += random() < 0.7 ? 0 : random() * 300;
  }
  for (const rule of rules) {
    const fullest = fullestWindow(spent, rule);
    expect(fullest).toBeLessThanOrEqual(rule.weight_max);
    // Whoever never spent would pass too.
    expect(fullest).toBeGreaterThan(rule.weight_max / 2);
  }
});

test("thousands of requests in a window are remembered as a hundred", () => {
  const { budget, clock } = start([{ weight_max: 100_000, window_ms: 60_000 }]);
  for (let request = 0; request < 20_000; request += 1) {
    budget.spend(1);
    clock.now_ms += 3;
  }
  expect(budget.state().spent.length).toBeLessThanOrEqual(102);
  clock.now_ms += 3_600_000;
  budget.spend(1);
  expect(budget.state().spent).toHaveLength(1);
});

test("the exchange's own count counts where it is higher", () => {
  const rule = { weight_max: 100, window_ms: 60_000 };
  const { budget, clock } = start([rule]);
  budget.spend(30);
  budget.adopt(25);
  expect(budget.used(rule)).toBe(30);
  budget.adopt(95);
  expect(budget.used(rule)).toBe(95);
  expect(budget.waitMs(10)).toBeGreaterThan(0);
  clock.now_ms += 60_001;
  expect(budget.used(rule)).toBe(0);
  budget.adopt(Number.NaN);
  expect(budget.used(rule)).toBe(0);
});

test("a block holds whatever has room, at most three days, and a shorter one changes nothing", () => {
  const { budget, changes, clock } = start([{ weight_max: 10, window_ms: 1_000 }]);
  budget.blockFor(5_000);
  budget.blockFor(1_000);
  expect([budget.waitMs(1), budget.blockedMs(), changes()]).toEqual([5_000, 5_000, 1]);
  clock.now_ms += 4_999;
  expect(budget.waitMs(1)).toBe(1);
  clock.now_ms += 1;
  expect(budget.waitMs(1)).toBe(0);
  budget.blockFor(400 * day_ms);
  expect(budget.waitMs(1)).toBe(3 * day_ms);
});

test("what is restored counts, and an instant of the future counts as now", () => {
  const rule = { weight_max: 10, window_ms: 1_000 };
  const budget = new Budget({
    rules: [rule],
    now_ms: () => 5_000,
    spent: [
      { at_ms: 99_000, weight: 2 },
      { at_ms: 4_500, weight: 3 },
      { at_ms: 1_000, weight: 5 },
    ],
    blocked_until_ms: 5_700,
  });
  expect(budget.used(rule)).toBe(5);
  expect([budget.waitMs(5), budget.waitMs(6)]).toEqual([700, 700]);
  expect(budget.waitMs(10)).toBe(1_001);
});

test("wrong rules and weights beyond every window are refused", () => {
  expect(() => start([{ weight_max: 0, window_ms: 1_000 }])).toThrow(RangeError);
  expect(() => start([{ weight_max: 1, window_ms: 0 }])).toThrow(RangeError);
  expect(() => start([{ weight_max: 5, window_ms: 1_000 }]).budget.waitMs(6)).toThrow(RangeError);
});

test("figures are of the fullest rule", () => {
  const { budget } = start([
    { weight_max: 10, window_ms: 1_000 },
    { weight_max: 8, window_ms: 60_000 },
  ]);
  budget.spend(4);
  budget.blockFor(1_500);
  expect(budget.figures()).toEqual({ weight_used: 4, weight_max: 8, blocked_s: 2 });
});
