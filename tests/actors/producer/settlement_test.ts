/**
 * Goal: `through` is the largest position up to which nothing is open, at every instant.
 * Method: random takings, holds and settlements in any order, against a list that is searched.
 */

import { expect, test } from "bun:test";
import { Settlement } from "../../../actors/producer/settlement.ts";
import { createRandom } from "../../schemas/random.ts";

test("through is what a search of the whole list says", () => {
  for (let seed = 1; seed <= 50; seed += 1) {
    const random = createRandom(seed);
    const settlement = new Settlement();
    const parts: number[] = [];
    for (let step = 0; step < 300; step += 1) {
      const open = parts.flatMap((count, index) => (count > 0 ? [index] : []));
      const index = open[Math.floor(random() * open.length)];
      const choice = random();
      if (index === undefined || choice < 0.3) {
        parts.push(1);
        expect(settlement.take()).toBe(parts.length);
      } else if (choice < 0.5) {
        parts[index]! += 1;
        settlement.hold(index + 1);
      } else {
        parts[index]! -= 1;
        settlement.settle(index + 1);
      }
      const first = parts.findIndex((count) => count > 0);
      expect(settlement.through).toBe(first < 0 ? parts.length : first);
      expect(settlement.last).toBe(parts.length);
    }
  }
});

test("a position that is not open can be neither held nor settled", () => {
  const settlement = new Settlement();
  expect(() => settlement.settle(1)).toThrow(/not open/);
  settlement.settle(settlement.take());
  expect(() => settlement.hold(1)).toThrow(/not open/);
});
