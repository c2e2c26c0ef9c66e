/**
 * Goal: the list of steps is whole, so that set-up can neither wait for ever nor forget a need.
 * Method: look at the data itself.
 */

import { expect, test } from "bun:test";
import { isStepName, step_names, steps, withNeeds } from "../../../actors/setup/steps.ts";

test("withNeeds() adds what a step needs, once, before it", () => {
  expect(withNeeds(["duckdb", "kafka_client", "duckdb"])).toEqual([
    "packages",
    "kafka_client",
    "python",
    "duckdb",
  ]);
  expect(withNeeds([])).toEqual([]);
});

test("every step stands after those it needs", () => {
  for (const name of step_names) {
    for (const need of steps[name].needs) {
      expect(step_names.indexOf(need)).toBeLessThan(step_names.indexOf(name));
    }
  }
});

test("every stamp is another file, inside what git ignores", () => {
  const stamps = step_names.map((name) => steps[name].stamp);
  expect(new Set(stamps).size).toBe(step_names.length);
  for (const stamp of stamps) expect(stamp).toMatch(/^(\.setup|node_modules)\//);
});

test("isStepName() knows the steps and nothing else", () => {
  expect(isStepName("pyspark")).toBe(true);
  expect(isStepName("toString")).toBe(false);
});
