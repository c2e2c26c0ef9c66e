/**
 * Goal: each end of a socket is read as what it means for the next attempt.
 * Method: ends as sockets tell them.
 */

import { expect, test } from "bun:test";
import {
  isTerminal,
  loadFailure,
  passing,
  socketFailure,
  terminal,
} from "../../../actors/connection/failure.ts";
import { InstrumentsUnavailable } from "../../../actors/rest/instrument_list.ts";

const of = { exchange: "fake", wall_us: 1_787_733_299_000_000 };
const end = { reason: "gone", code: null, status: null, retry_after: null };

test.each([1000, 1001, 1006, 1011, 1012, 3001])("code %d passes", (code) => {
  const failure = socketFailure({ ...end, code }, of);
  expect(failure).toEqual(passing("gone"));
  expect(isTerminal(failure, 9)).toBe(false);
});

test("code 1008 is for the operator when it is repeated", () => {
  const failure = socketFailure({ ...end, code: 1008 }, of);
  expect(failure.reason).toContain("K2_FAKE_SYMBOLS");
  expect([isTerminal(failure, 1), isTerminal(failure, 2)]).toEqual([false, true]);
});

test.each([
  [401, true],
  [403, true],
  [404, true],
  [408, false],
  [429, false],
  [503, false],
])("HTTP %d: terminal is %p", (status, is_terminal) => {
  expect(isTerminal(socketFailure({ ...end, status }, of), 1)).toBe(is_terminal);
});

test("Retry-After is read as seconds and as an instant", () => {
  const after = (retry_after: string) => socketFailure({ ...end, status: 429, retry_after }, of);
  expect(after("7").retry_after_ms).toBe(7_000);
  const instant = new Date(of.wall_us / 1_000 + 9_000).toUTCString();
  expect(after(instant).retry_after_ms).toBe(9_000);
});

test("a list that is not to be had says so; anything else is a bug and is thrown again", () => {
  const away = new InstrumentsUnavailable("HTTP 451", { is_terminal: true, retry_after_ms: null });
  expect(loadFailure(away)).toEqual(terminal("no instrument list: HTTP 451"));
  expect(() => loadFailure(new TypeError("a bug"))).toThrow("a bug");
  expect(isTerminal(null, 1)).toBe(false);
});
