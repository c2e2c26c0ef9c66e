/**
 * Goal: times are exact microseconds, and only real calendar instants are times.
 * Method: cases by hand at every border, then every day of three centuries and random instants,
 * written in every way an exchange may write them, against `Date` and whole numbers.
 */

import { describe, expect, test } from "bun:test";
import {
  microsecondsAt,
  microsecondsFromEpoch,
  microsecondsFromIso,
  microsecondsFromSeconds,
} from "../../../actors/exchanges/timestamp.ts";
import { createRandom } from "../../fixtures/frames.ts";

test.each([
  ["1970-01-01T00:00:00Z", 0],
  ["1970-01-01T00:00:01.5Z", 1_500_000],
  ["2026-08-22T17:30:53.355059Z", 1_787_419_853_355_059],
  ["2026-08-22T17:30:53.3550599999Z", 1_787_419_853_355_059],
  ["1969-12-31T23:59:59.999999Z", -1],
  ["2024-02-29T23:59:59.000001Z", 1_709_251_199_000_001],
  ["2000-02-29T00:00:00Z", 951_782_400_000_000],
  ["2026-08-22T19:30:53.355059+02:00", 1_787_419_853_355_059],
  ["2026-08-22T12:00:53.355059-05:30", 1_787_419_853_355_059],
  ["2026-01-01T00:30:00+01:00", 1_767_223_800_000_000],
])("microsecondsFromIso(%p) is %p", (text, microseconds) => {
  expect(microsecondsFromIso(text)).toBe(microseconds);
});

test.each([
  "",
  "2026-02-30T00:00:00Z",
  "2026-02-29T00:00:00Z",
  "2100-02-29T00:00:00Z",
  "2026-04-31T00:00:00Z",
  "2026-00-10T00:00:00Z",
  "2026-13-10T00:00:00Z",
  "2026-01-00T00:00:00Z",
  "2026-01-01T24:00:00Z",
  "2026-01-01T25:61:00Z",
  "2026-01-01T23:60:00Z",
  "2016-12-31T23:59:60Z",
  "2026-01-01T00:00:00",
  "2026-01-01 00:00:00Z",
  "2026-01-01T00:00:00.Z",
  "2026-01-01T00:00Z",
  "2026-01-01",
  "2026-1-1T00:00:00Z",
  "2026-01-01T00:00:00z",
  " 2026-01-01T00:00:00Z",
  "2026-01-01T00:00:00Z ",
  "2026-01-01T00:00:00+24:00",
  "2026-01-01T00:00:00+0200",
  "+2026-01-01T00:00:00Z",
  "９999-01-01T00:00:00Z",
  // Beyond exact numbers of microseconds.
  "9999-12-31T23:59:59Z",
  "0001-01-01T00:00:00Z",
])("microsecondsFromIso(%p) is no instant", (text) => {
  expect(microsecondsFromIso(text)).toBeUndefined();
});

test("microsecondsFromIso() and microsecondsAt() agree with Date on every day it can name", () => {
  const day_ms = 86_400_000;
  const last_ms = Date.UTC(2255, 5, 5);
  let days = 0;
  for (let at_ms = Date.UTC(1685, 0, 1, 13, 14, 15); at_ms < last_ms; at_ms += day_ms) {
    const text = `${new Date(at_ms).toISOString().slice(0, 19)}.123456`;
    const microseconds = at_ms * 1000 + 123_456;
    if (microsecondsFromIso(`${text}Z`) !== microseconds) expect(text).toBe("an exact instant");
    if (microsecondsAt(`>${text}`, 1) !== microseconds) expect(text).toBe("an exact instant");
    days += 1;
  }
  expect(days).toBeGreaterThan(200_000);
});

test("microsecondsAt() refuses a day that its month does not have", () => {
  expect(microsecondsAt("2026-02-30T00:00:00.000000", 0)).toBeUndefined();
  expect(microsecondsAt("2026-06-31T00:00:00.000000", 0)).toBeUndefined();
  expect(microsecondsAt("2026-06-00T00:00:00.000000", 0)).toBeUndefined();
});

test("microsecondsFromEpoch() tells milliseconds from microseconds by their digits", () => {
  expect(microsecondsFromEpoch("1672515782136")).toBe(1_672_515_782_136_000);
  expect(microsecondsFromEpoch("1672515782136123")).toBe(1_672_515_782_136_123);
});

test.each([
  "",
  "0",
  "-1672515782136",
  "1672515782",
  "16725157821361",
  "1672515782136123456",
  "0672515782136",
  "1672515782136.5",
  "1.672515782136e12",
  "9999999999999",
  "9999999999999999",
])("microsecondsFromEpoch(%p) is no instant", (digits) => {
  expect(microsecondsFromEpoch(digits)).toBeUndefined();
});

test.each([
  ["1762795433.9717445", 1_762_795_433_971_744],
  ["1762795433.9999999", 1_762_795_433_999_999],
  ["1762795433", 1_762_795_433_000_000],
  ["1762795433.1", 1_762_795_433_100_000],
  ["1.7627954339717445e9", 1_762_795_433_971_744],
])("microsecondsFromSeconds(%p) cuts to %p", (lexeme, microseconds) => {
  expect(microsecondsFromSeconds(lexeme)).toBe(microseconds);
});

test.each(["", "-1762795433.5", "0", "1e19", "now", "1762795433."])(
  "microsecondsFromSeconds(%p) is no instant",
  (lexeme) => {
    expect(microsecondsFromSeconds(lexeme)).toBeUndefined();
  },
);

describe("of a random instant, every reader gives the very microsecond", () => {
  const random = createRandom(17);
  const instants = Array.from({ length: 20_000 }, () => {
    // From 2001, when epochs have their 13 and 16 digits, to 2255, when they end to be exact.
    const second = 1_000_000_000 + random(8_000_000_000);
    return { second, microsecond: random(1_000_000), finer: String(random(1_000_000_000)) };
  });
  const fractionOf = (microsecond: number) => String(microsecond).padStart(6, "0");

  test("as ISO text, with digits finer than it, and with an offset", () => {
    for (const { second, microsecond, finer } of instants) {
      const fraction = fractionOf(microsecond);
      const expected = second * 1_000_000 + microsecond;
      const utc = new Date(second * 1000).toISOString().slice(0, 19);
      expect(microsecondsFromIso(`${utc}.${fraction}Z`)).toBe(expected);
      expect(microsecondsFromIso(`${utc}.${fraction}${finer}Z`)).toBe(expected);
      expect(microsecondsAt(`${utc}.${fraction}`, 0)).toBe(expected);
      const minutes = random(24 * 60);
      const local = new Date((second + minutes * 60) * 1000).toISOString().slice(0, 19);
      const hour = String(Math.floor(minutes / 60)).padStart(2, "0");
      const offset = `+${hour}:${String(minutes % 60).padStart(2, "0")}`;
      expect(microsecondsFromIso(`${local}.${fraction}${offset}`)).toBe(expected);
    }
  });

  test("with any number of its digits, the rest being zeros", () => {
    for (const { second, microsecond } of instants) {
      const digits_count = 1 + random(6);
      const fraction = fractionOf(microsecond).slice(0, digits_count);
      const expected = second * 1_000_000 + Number(fraction.padEnd(6, "0"));
      const utc = new Date(second * 1000).toISOString().slice(0, 19);
      expect(microsecondsFromIso(`${utc}.${fraction}Z`)).toBe(expected);
      expect(microsecondsFromSeconds(`${second}.${fraction}`)).toBe(expected);
    }
  });

  test("as a count since 1970, of milliseconds, microseconds and seconds with finer digits", () => {
    for (const { second, microsecond, finer } of instants) {
      const expected = second * 1_000_000 + microsecond;
      if (String(expected).length === 16 && second < 9_000_000_000) {
        expect(microsecondsFromEpoch(String(expected))).toBe(expected);
        const millis = Math.floor(expected / 1000);
        expect(microsecondsFromEpoch(String(millis))).toBe(millis * 1000);
      }
      const lexeme = `${second}.${fractionOf(microsecond)}${finer}`;
      expect(microsecondsFromSeconds(lexeme)).toBe(expected);
    }
  });
});
