/**
 * Goal: the simulation sees: each of these bugs is found within the first 1,000 seeds, and what is
 * said names what is wrong.
 * Method: each bug planted (`planted_bugs.ts`), seed after seed until one finds it.
 */

import { expect, test } from "bun:test";
import { runSeed } from "../../../supervisors/fault_simulation/run.ts";
import { type PlantedBug, planted_bugs } from "./planted_bugs.ts";

const seeds_max = 1_000;

/**
 * What the first seed says that finds the bug by its name. One may find it by what follows from it,
 * such as a port that gives up; null where none finds it at all.
 */
function found({ says, tamper }: PlantedBug): string | null {
  let other: string | null = null;
  for (let seed = 1; seed <= seeds_max; seed += 1) {
    const { violation } = runSeed(seed, tamper);
    if (violation !== null && says.test(violation)) return violation;
    other ??= violation;
  }
  return other;
}

test("at least eight bugs are planted", () => {
  expect(Object.keys(planted_bugs).length).toBeGreaterThanOrEqual(8);
});

test.each(Object.entries(planted_bugs))(
  "found: %s",
  (_, bug) => {
    expect(found(bug)).toMatch(bug.says);
  },
  300_000,
);
