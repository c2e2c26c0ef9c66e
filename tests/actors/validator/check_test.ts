/**
 * Goal: a check's file says all that a reader of its violations needs, or is refused.
 * Method: files written out here, and every file of spark/checks.
 */

import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { holds, type Outcome, parseCheck, verdictOf } from "../../../actors/validator/check.ts";
import { loadChecks } from "../../../actors/validator/checks.ts";

const root = resolve(import.meta.dir, "../../..");
const file = `-- name: gold_unique
-- severity: error
-- rows: gold.trades, gold.ohlcv
-- wrong: It stands twice.
-- remedy: Rebuild it.
--
-- Why it is so.
SELECT 1`;

test("parseCheck() reads the header", () => {
  expect(parseCheck("gold_unique.sql", file)).toEqual({
    name: "gold_unique",
    severity: "error",
    relations: ["gold.trades", "gold.ohlcv"],
    needs: null,
    wrong: "It stands twice.",
    remedy: "Rebuild it.",
    sql: file,
  });
});

test("parseCheck() refuses a header that lacks something or has a wrong word", () => {
  function parse(from: string, to: string) {
    return () => parseCheck("gold_unique.sql", file.replace(from, to));
  }
  expect(parse("-- remedy: Rebuild it.\n", "")).toThrow('must have "-- remedy: "');
  expect(parse("severity: error", "severity: fatal")).toThrow("must be error or warning");
  expect(parse("name: gold_unique", "name: other")).toThrow("must be that of the file");
  expect(parse("-- wrong", "-- needs: luck\n-- wrong")).toThrow("needs must be platform");
});

test("every file of spark/checks is a check", () => {
  const checks = loadChecks(root);
  expect(checks.length).toBeGreaterThan(15);
  for (const check of checks) {
    expect(check.wrong).toEndWith(".");
    expect(check.remedy).toMatch(/\.$|bun run/);
  }
});

test("verdictOf() tells nothing found from nothing looked at", () => {
  expect(verdictOf({ rows: 5, violations: 0 })).toBe("passed");
  expect(verdictOf({ rows: 0, violations: 0 })).toBe("no_rows");
  expect(verdictOf({ rows: 0, violations: 1 })).toBe("violated");
});

test("holds() lets a warning pass and an error not", () => {
  const check = parseCheck("gold_unique.sql", file);
  const outcome: Outcome = {
    check,
    verdict: "violated",
    reason: null,
    rows: 1,
    violations: 1,
    milliseconds: 1,
    samples: [],
  };
  expect(holds([{ ...outcome, check: { ...check, severity: "warning" } }])).toBe(true);
  expect(holds([{ ...outcome, verdict: "no_rows" }])).toBe(true);
  expect(holds([outcome])).toBe(false);
});
