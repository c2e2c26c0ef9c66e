/**
 * Goal: times and durations are read as people write them, and nothing else is taken for one.
 * Method: spellings with the value they stand for, and near misses.
 */

import { expect, test } from "bun:test";
import { readDurationMs, readInstantMs } from "../../../actors/settings/time.ts";

test.each([
  ["45s", 45_000],
  ["30m", 1_800_000],
  ["2h", 7_200_000],
  ["7d", 604_800_000],
])("%s is a duration", (text, duration_ms) => {
  expect(readDurationMs(text)).toBe(duration_ms);
});

test.each(["0h", "2", "h", "-1h", "2 h", "1.5h", "2H", "all", "2026-11-23"])(
  "%s is no duration",
  (text) => {
    expect(readDurationMs(text)).toBeNull();
  },
);

test.each([
  ["2026-11-23", Date.UTC(2026, 10, 23)],
  ["2026-11-23T14:30", Date.UTC(2026, 10, 23, 14, 30)],
  ["2026-11-23T14:30:05.250Z", Date.UTC(2026, 10, 23, 14, 30, 5, 250)],
  ["2026-11-23 14:30:00+02:00", Date.UTC(2026, 10, 23, 12, 30)],
])("%s is an instant", (text, instant_ms) => {
  expect(readInstantMs(text)).toBe(instant_ms);
});

test.each(["yesterday", "2026-02-31", "2026-13-01", "2026-11-23T25:00", "1787746340684", ""])(
  "%p is no instant",
  (text) => {
    expect(readInstantMs(text)).toBeNull();
  },
);
