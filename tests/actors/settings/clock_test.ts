/**
 * Goal: the platform's clock is finer than a millisecond, agrees with the wall clock, and follows
 * it when that is set.
 * Method: the real clocks, one of them replaced for the step.
 */

import { afterEach, expect, setSystemTime, test } from "bun:test";
import { hostClock, monotonicNs } from "../../../actors/settings/clock.ts";
import { until } from "../producer/rig.ts";

afterEach(() => {
  setSystemTime();
});

test("hostClock() tells whole microseconds of the wall clock, and does not stand still", async () => {
  const now_us = hostClock();
  const first_us = now_us();
  expect(Number.isSafeInteger(first_us)).toBe(true);
  expect(Math.abs(first_us - Date.now() * 1_000)).toBeLessThan(100_000);
  await until(() => now_us() > first_us);
});

test("hostClock() follows the wall clock where that is set", async () => {
  const now_us = hostClock();
  now_us();
  const wrong_ms = Date.now() + 3_600_000;
  setSystemTime(new Date(wrong_ms));
  await until(() => now_us() >= wrong_ms * 1_000);
});

test("monotonicNs() does not fall", () => {
  const first_ns = monotonicNs();
  expect(monotonicNs()).toBeGreaterThanOrEqual(first_ns);
});
