/**
 * Goal: times on the command line mean one instant, and a wrong one is refused with what is allowed.
 * Method: plain calls with a fixed now.
 */

import { expect, test } from "bun:test";
import { UsageError } from "../../../actors/settings/exit.ts";
import { parseAsOf, parseSince } from "../../../actors/validator/time_bounds.ts";

const now_ms = Date.parse("2026-11-23T01:30:00Z");

test("parseSince() goes back to the start of a UTC hour", () => {
  expect(parseSince("all", now_ms)).toBeNull();
  expect(parseSince("1h", now_ms)).toBe(Date.parse("2026-11-23T00:00:00Z"));
  expect(parseSince("2h", now_ms)).toBe(Date.parse("2026-11-22T23:00:00Z"));
  expect(parseSince("90m", now_ms)).toBe(Date.parse("2026-11-23T00:00:00Z"));
  expect(parseSince("7d", now_ms)).toBe(Date.parse("2026-11-16T01:00:00Z"));
  expect(parseSince("999999d", now_ms)).toBe(0);
});

test("parseSince() refuses anything else", () => {
  for (const since of ["", "0h", "2", "-2h", "2 h", "2w", "1.5h", "ALL", "2026-11-23"]) {
    expect(() => parseSince(since, now_ms)).toThrow(UsageError);
  }
});

test("parseAsOf() takes ISO 8601, in UTC unless it says otherwise", () => {
  const noon = Date.parse("2026-11-23T12:00:00Z");
  expect(parseAsOf("2026-11-23T12:00:00Z")).toBe(noon);
  expect(parseAsOf("2026-11-23 12:00")).toBe(noon);
  expect(parseAsOf("2026-11-23T13:00:00.250+01:00")).toBe(noon + 250);
  expect(parseAsOf("2026-11-23")).toBe(Date.parse("2026-11-23T00:00:00Z"));
});

test("parseAsOf() refuses what is no instant", () => {
  for (const text of ["", "yesterday", "2026-02-31", "2026-11-23T25:00", "1795408232249"]) {
    expect(() => parseAsOf(text)).toThrow(UsageError);
  }
});
