/**
 * Goal: a time that makes sense is taken, any other is told.
 * Method: flags as they are parsed.
 */

import { expect, test } from "bun:test";
import { readSeconds } from "../../../actors/settings/seconds.ts";

test("readSeconds() takes whole and broken seconds, and null where none is given", () => {
  expect(readSeconds({})).toBeNull();
  expect(readSeconds({ seconds: "30" })).toBe(30);
  expect(readSeconds({ seconds: "0.5" })).toBe(0.5);
});

test.each(["", "0", "-1", "1e3", "soon", "99999999", true])(
  "readSeconds() refuses %p",
  (seconds) => {
    expect(() => readSeconds({ seconds })).toThrow("it must be a number of seconds above 0");
  },
);
