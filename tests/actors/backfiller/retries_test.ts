/**
 * Goal: whatever fails is tried again, later each time and never later than a minute, unless
 * somebody has to change something first.
 * Method: a clock that is a number.
 */

import { expect, test } from "bun:test";
import { passing, Retries } from "../../../actors/backfiller/retries.ts";

function start(random: number) {
  const clock = { now_ms: 0 };
  return { clock, retries: new Retries({ random: () => random, now_ms: () => clock.now_ms }) };
}

test("a failure is waited for from a second to a minute, jittered, never not at all", () => {
  const { clock, retries } = start(1);
  const waits: number[] = [];
  for (let attempt = 0; attempt < 9; attempt += 1) {
    retries.fail("a", passing("no"));
    waits.push(retries.waitMs("a"));
    clock.now_ms += retries.waitMs("a");
    expect(retries.isDue("a")).toBe(true);
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1_000));
  const lucky = start(0);
  lucky.retries.fail("a", passing("no"));
  expect(lucky.retries.waitMs("a")).toBe(250);
});

test("a success forgets, and one key knows nothing of another", () => {
  const { retries } = start(1);
  retries.fail("a", passing("no"));
  retries.fail("a", passing("no"));
  retries.fail("b", passing("never"));
  expect([retries.attempts_max, retries.last_reason]).toEqual([2, "never"]);
  retries.succeed("b");
  expect([retries.isDue("b"), retries.isDue("a"), retries.last_reason]).toEqual([
    true,
    false,
    "no",
  ]);
  retries.keepOnly(new Set());
  expect([retries.isDue("a"), retries.attempts_max, retries.last_reason]).toEqual([true, 0, null]);
});

test("what the exchange asks for is waited for, and a terminal failure for five minutes", () => {
  const { retries } = start(0);
  retries.fail("a", { ...passing("busy"), retry_after_ms: 90_000 });
  expect([retries.waitMs("a"), retries.terminal_reason]).toEqual([90_000, null]);
  retries.fail("b", { ...passing("banned"), is_terminal: true });
  expect([retries.waitMs("b"), retries.terminal_reason]).toEqual([300_000, "banned"]);
});
