/**
 * Goal: a seed is one run, byte for byte, and another seed is another world.
 * Method: seeds twice, and a host whose clock and chance say something else, and whose timers refuse
 * to be asked. That all holds in many worlds, the command's test shows.
 */

import { afterEach, expect, spyOn, test } from "bun:test";
import { runSeed } from "../../../supervisors/fault_simulation/run.ts";

const spies: { mockRestore(): void }[] = [];
afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore();
});

test("a seed has the same history in every run", () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const [one, other] = [runSeed(seed), runSeed(seed)];
    expect(one.history.join("\n")).toBe(other.history.join("\n"));
    expect(one.history.length).toBeGreaterThan(10);
  }
}, 60_000);

test("processes die, trades arrive, and other seeds are other worlds", () => {
  const runs = Array.from({ length: 20 }, (_, index) => runSeed(100 + index));
  expect(runs.some(({ processes }) => processes > 2)).toBe(true);
  expect(runs.filter(({ trades }) => trades > 0).length).toBeGreaterThan(15);
  expect(new Set(runs.map(({ history }) => history.join("\n"))).size).toBe(20);
}, 60_000);

test("what the host's clock and chance say changes nothing, and its timers are not asked", () => {
  const before = Array.from({ length: 10 }, (_, index) => runSeed(index + 1).history.join("\n"));
  let names = 0;
  const refuse = (what: string) => () => {
    throw new Error(`${what} was asked`);
  };
  spies.push(
    // xstate notes when a timer was set, and names those that have no name; nobody reads either.
    spyOn(Date, "now").mockImplementation(() => 42),
    spyOn(Math, "random").mockImplementation(() => {
      names += 1;
      return names / 2 ** 32;
    }),
    spyOn(performance, "now").mockImplementation(refuse("performance.now")),
    spyOn(globalThis, "setTimeout").mockImplementation(refuse("setTimeout") as never),
    spyOn(globalThis, "setInterval").mockImplementation(refuse("setInterval") as never),
  );
  const after = before.map((_, index) => runSeed(index + 1).history.join("\n"));
  expect(after).toEqual(before);
}, 60_000);
