/**
 * Goal: delays grow, are jittered, never vanish and never pass the cap.
 * Method: the two ends of the random range.
 */

import { expect, test } from "bun:test";
import { backoffMs } from "../../../actors/port/backoff.ts";

const smallest = { base_ms: 100, cap_ms: 5_000, random: () => 0 };
const largest = { ...smallest, random: () => 1 };

test("backoffMs() doubles from the base", () => {
  expect([1, 2, 3].map((attempt) => backoffMs(attempt, largest))).toEqual([100, 200, 400]);
});

test("backoffMs() stays at the cap for any number of attempts", () => {
  expect([7, 100, 1e9].map((attempt) => backoffMs(attempt, largest))).toEqual([5e3, 5e3, 5e3]);
});

test("backoffMs() keeps a quarter of the delay at its smallest", () => {
  expect(backoffMs(1, smallest)).toBe(25);
});
