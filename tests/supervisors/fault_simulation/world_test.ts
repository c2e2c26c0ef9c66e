/**
 * Goal: things happen in the order of their times, the dead order nothing, and promises are settled
 * before time goes on.
 * Method: small worlds of a few happenings, and a thousand random ones.
 */

import { expect, test } from "bun:test";
import { Random } from "../../../supervisors/fault_simulation/random.ts";
import { everlasting, World } from "../../../supervisors/fault_simulation/world.ts";

function go(world: World, seconds = 10) {
  const escaped: unknown[] = [];
  const at_us = world.now_us + seconds * 1e6;
  world.run({ at_us, isOver: () => false, onEscape: (error) => escaped.push(error) });
  return escaped;
}

test("things happen in the order of their times, those of one time as they were ordered", () => {
  const world = new World(0);
  const random = new Random(7);
  const happened: { readonly at_us: number; readonly order: number }[] = [];
  for (let order = 0; order < 1_000; order += 1) {
    const at_us = random.integer(0, 200);
    world.after(at_us, everlasting, () => {
      expect(world.now_us).toBe(at_us);
      happened.push({ at_us, order });
    });
  }
  go(world);
  const sorted = happened.toSorted(
    (one, other) => one.at_us - other.at_us || one.order - other.order,
  );
  expect(happened).toHaveLength(1_000);
  expect(happened).toEqual(sorted);
  expect(world.seconds).toBe(10);
});

test("what was taken back, or ordered by the dead, does not happen", () => {
  const world = new World(0);
  const happened: string[] = [];
  const life = { is_alive: true };
  world.after(1, life, () => happened.push("alive"));
  world.after(3, life, () => happened.push("dead"));
  const takeBack = world.after(4, everlasting, () => happened.push("taken back"));
  world.after(2, everlasting, () => {
    life.is_alive = false;
    takeBack();
  });
  go(world);
  expect(happened).toEqual(["alive"]);
});

test("promises are settled before the next thing happens", () => {
  const world = new World(0);
  const happened: string[] = [];
  world.after(1, everlasting, () => {
    void Promise.resolve()
      .then(() => {})
      .then(() => happened.push("settled"));
  });
  world.after(1, everlasting, () => happened.push("next"));
  go(world);
  expect(happened).toEqual(["settled", "next"]);
});

test("what escapes is told, and time goes on", () => {
  const world = new World(0);
  let happened = 0;
  world.after(1, everlasting, () => {
    throw new Error("escaped");
  });
  world.after(2, everlasting, () => {
    happened += 1;
  });
  expect(go(world)).toEqual([new Error("escaped")]);
  expect(happened).toBe(1);
});

test("a world that goes in circles, or leaks, is violated", () => {
  const circling = new World(0);
  const again = () => {
    circling.after(0, everlasting, again);
  };
  again();
  go(circling);
  expect(circling.violation).toContain("time stands still");
  const leaking = new World(0);
  for (let order = 0; order <= 20_000; order += 1) leaking.after(1, everlasting, () => {});
  expect(leaking.violation).toContain("leaks");
});
