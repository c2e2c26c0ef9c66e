/**
 * Goal: waits grow, are capped and jittered over their whole range, and an exchange's own wish is
 * read in both its forms.
 * Method: a random number that is given.
 */

import { expect, test } from "bun:test";
import { backoffMs, retry_after_ms_max, retryAfterMs } from "../../../actors/rest/backoff.ts";

test("backoffMs() doubles from the base, and stops at the cap", () => {
  const options = { base_ms: 100, cap_ms: 500, random: () => 1 };
  expect([1, 2, 3, 4, 50, 5_000].map((attempt) => backoffMs(attempt, options))).toEqual([
    100, 200, 400, 500, 500, 500,
  ]);
});

test("backoffMs() is jittered from nothing to the whole delay", () => {
  const delays_ms = [0, 0.25, 0.999].map((random) =>
    backoffMs(2, { base_ms: 500, cap_ms: 30_000, random: () => random }),
  );
  expect(delays_ms).toEqual([0, 250, 999]);
});

test("retryAfterMs() reads seconds and HTTP dates, within bounds", () => {
  const now_ms = Date.parse("2026-11-23T04:00:00Z");
  expect(retryAfterMs("7", now_ms)).toBe(7_000);
  expect(retryAfterMs(" 0 ", now_ms)).toBe(0);
  expect(retryAfterMs("Mon, 23 Nov 2026 04:02:00 GMT", now_ms)).toBe(120_000);
  expect(retryAfterMs("Mon, 23 Nov 2026 03:00:00 GMT", now_ms)).toBe(0);
  expect(retryAfterMs("99999999999", now_ms)).toBe(retry_after_ms_max);
  expect(retryAfterMs("soon", now_ms)).toBeNull();
  expect(retryAfterMs("", now_ms)).toBeNull();
  expect(retryAfterMs(null, now_ms)).toBeNull();
});
