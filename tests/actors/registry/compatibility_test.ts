/**
 * Goal: each level allows and refuses what Confluent's documentation says.
 * Method: one record schema, changed in the ways that the documentation lists.
 */

import { expect, test } from "bun:test";
import {
  type CompatibilityLevel,
  compatibility_levels,
  findIncompatibilities,
  findInvalidity,
  normalizeSchema,
} from "../../../actors/registry/compatibility.ts";

function record(...fields: readonly object[]): string {
  return JSON.stringify({ type: "record", name: "R", fields });
}

const a = { name: "a", type: "string" };
const b_optional = { name: "b", type: "string", default: "" };
const b_required = { name: "b", type: "string" };
const b_number = { name: "b", type: "long", default: 0 };

function isAllowed(level: CompatibilityLevel, schema: string, ...earlier: string[]): boolean {
  const versions = earlier.map((text, index) => ({ version: index + 1, id: 1, schema: text }));
  return findIncompatibilities(level, schema, versions).length === 0;
}

test("every level takes a first schema, and the same again", () => {
  for (const level of compatibility_levels) {
    expect(isAllowed(level, record(a))).toBe(true);
    expect(isAllowed(level, record(a), record(a))).toBe(true);
  }
});

test("BACKWARD lets fields go and optional ones come, not required ones", () => {
  expect(isAllowed("BACKWARD", record(a, b_optional), record(a))).toBe(true);
  expect(isAllowed("BACKWARD", record(a), record(a, b_required))).toBe(true);
  expect(isAllowed("BACKWARD", record(a, b_required), record(a))).toBe(false);
});

test("FORWARD lets fields come and optional ones go, not required ones", () => {
  expect(isAllowed("FORWARD", record(a, b_required), record(a))).toBe(true);
  expect(isAllowed("FORWARD", record(a), record(a, b_optional))).toBe(true);
  expect(isAllowed("FORWARD", record(a), record(a, b_required))).toBe(false);
});

test("FULL wants both", () => {
  expect(isAllowed("FULL", record(a, b_optional), record(a))).toBe(true);
  expect(isAllowed("FULL", record(a, b_required), record(a))).toBe(false);
  expect(isAllowed("FULL", record(a), record(a, b_required))).toBe(false);
});

test("only transitive levels look behind the latest version", () => {
  const earlier = [record(a, b_number), record(a)];
  expect(isAllowed("BACKWARD", record(a, b_optional), ...earlier)).toBe(true);
  expect(isAllowed("BACKWARD_TRANSITIVE", record(a, b_optional), ...earlier)).toBe(false);
  expect(isAllowed("FORWARD_TRANSITIVE", record(a, b_optional), ...earlier)).toBe(false);
  expect(isAllowed("FULL_TRANSITIVE", record(a, b_optional), ...earlier)).toBe(false);
});

test("NONE allows anything", () => {
  expect(isAllowed("NONE", '"string"', record(a))).toBe(true);
});

test("an incompatibility names the version it is with", () => {
  const [message] = findIncompatibilities("BACKWARD", record(a, b_required), [
    { version: 4, id: 9, schema: record(a) },
  ]);
  expect(message).toContain("version 4");
});

test("what is no schema is told with a reason", () => {
  expect(findInvalidity(record(a))).toBe(null);
  for (const text of ["{", '{"type":"recrod"}', '"unknown"', "7", "null"]) {
    expect(findInvalidity(text)).toBeString();
  }
});

test("schemas that differ in spaces only are the same", () => {
  expect(normalizeSchema('{ "type" :\n "string" }')).toBe('{"type":"string"}');
});
