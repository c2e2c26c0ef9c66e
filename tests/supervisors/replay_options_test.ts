/**
 * Goal: `replay` takes the reasons that Silver gives, and tells a wrong flag with what is allowed.
 * Method: the pure reader; the list of reasons is compared with Silver's own text.
 */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { quarantine_reasons, readReplayOptions } from "../../supervisors/replay_options.ts";

const now_ms = Date.parse("2026-11-23T12:00:00Z");

test("without flags everything in quarantine is meant", () => {
  expect(readReplayOptions({}, now_ms)).toEqual({ reason: null, since_ms: null });
});

test("a reason and a beginning narrow it down", () => {
  expect(readReplayOptions({ reason: "unknown_schema", since: "2h" }, now_ms)).toEqual({
    reason: "unknown_schema",
    since_ms: now_ms - 7_200_000,
  });
  const at = readReplayOptions({ since: "2026-11-23T10:00:00Z" }, now_ms);
  expect(at.since_ms).toBe(Date.parse("2026-11-23T10:00:00Z"));
});

test.each([
  [{ reason: "no_idea" }, '--reason is "no_idea": it must be one of bad_header, unknown_schema, '],
  [{ since: "soon" }, '--since is "soon"'],
  [{ since: "2026-11-24" }, '--since is "2026-11-24": it must be a time in the past'],
])("%p is refused", (flags, message) => {
  expect(() => readReplayOptions(flags, now_ms)).toThrow(message);
});

test("the reasons are those that Silver gives", () => {
  const silver = readFileSync(join(import.meta.dir, "../../spark/jobs/silver.py"), "utf8");
  const [, list = ""] = /^REASONS = \(\n([\s\S]*?)^\)/m.exec(silver) ?? [];
  expect([...list.matchAll(/"(\w+)"/g)].map(([, reason]) => reason)).toEqual([
    ...quarantine_reasons,
  ]);
});
