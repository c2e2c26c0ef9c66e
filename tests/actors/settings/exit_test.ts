/**
 * Goal: whatever is thrown becomes one line for a person.
 * Method: the odd values that code may throw.
 */

import { expect, test } from "bun:test";
import { FailureError, reasonOf, UsageError } from "../../../actors/settings/exit.ts";

test.each([
  ["an error", new Error("one\n  two"), "one two"],
  ["a failure", new FailureError(" no Java "), "no Java"],
  ["a text", "text", "text"],
  ["nothing", undefined, "undefined"],
])("reasonOf() makes one line of %s", (_, thrown, line) => {
  expect(reasonOf(thrown)).toBe(line);
});

test("the two kinds of failure are told apart", () => {
  expect(new UsageError("x")).not.toBeInstanceOf(FailureError);
  expect(new FailureError("x").name).toBe("FailureError");
});
