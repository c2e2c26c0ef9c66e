/**
 * Goal: percentiles are right to 3 %, in bounded memory, and forget.
 * Method: against the sorted list of the same random values.
 */

import { expect, test } from "bun:test";
import { Latency } from "../../../actors/producer/latency.ts";
import { createRandom } from "../../schemas/random.ts";

test("percentile() is at most 3 % above the true one and never below", () => {
  const random = createRandom(3);
  const latency = new Latency();
  const values = Array.from({ length: 20_000 }, () => Math.floor(2 ** (random() * 30)));
  for (const value of values) latency.add(value);
  const sorted = values.toSorted((one, other) => one - other);
  for (const share of [0.01, 0.5, 0.9, 0.99, 1]) {
    const exact = sorted[Math.ceil(sorted.length * share) - 1]!;
    expect(latency.percentile(share)!).toBeGreaterThanOrEqual(exact);
    expect(latency.percentile(share)!).toBeLessThanOrEqual(exact * 1.032 + 1);
  }
});

test("percentile() is exact for small values, and takes any value at all", () => {
  const latency = new Latency();
  expect(latency.percentile(0.5)).toBe(null);
  latency.add(-5);
  expect(latency.percentile(1)).toBe(0);
  latency.add(31);
  expect(latency.percentile(1)).toBe(31);
  latency.add(1e300);
  expect(latency.percentile(1)).toBe(2 ** 31 - 1);
});

test("rotate() keeps one window and forgets the one before", () => {
  const latency = new Latency();
  latency.add(10);
  latency.rotate();
  expect(latency.percentile(0.5)).toBe(10);
  latency.rotate();
  expect(latency.percentile(0.5)).toBe(null);
});
