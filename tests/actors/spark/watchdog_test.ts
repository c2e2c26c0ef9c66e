/**
 * Goal: a driver that is stuck is noticed in time, and one that is only slow or idle is left alone.
 * Method: looks without a clock.
 */

import { expect, test } from "bun:test";
import { Watchdog } from "../../../actors/spark/watchdog.ts";

/** Looks so many times; the first thing that is found stuck, and after how many looks. */
function look(watchdog: Watchdog, looks: number, meanwhile: () => void = () => {}) {
  for (let number = 1; number <= looks; number += 1) {
    meanwhile();
    const stuck = watchdog.look();
    if (stuck !== null) return { number, stuck };
  }
  return null;
}

test("before the driver serves its start has a deadline of its own", () => {
  expect(look(new Watchdog(), 1_000)).toBeNull();
});

test("a main thread that is silent for 30 s is stuck, whatever its queries say", () => {
  const watchdog = new Watchdog();
  watchdog.begin(["refine"]);
  expect(look(watchdog, 30)).toBeNull();
  watchdog.heard();
  expect(look(watchdog, 60, () => watchdog.heardOf("refine"))).toEqual({
    number: 31,
    stuck: "the driver has sent no heartbeat for 30 s",
  });
});

test("a query that is silent for 300 s is stuck, though the others are not", () => {
  const watchdog = new Watchdog();
  watchdog.begin(["refine", "bronze_trades"]);
  function live(): void {
    watchdog.heard();
    watchdog.heardOf("bronze_trades");
    watchdog.heardOf("one that nobody knows");
  }
  expect(look(watchdog, 300, live)).toBeNull();
  watchdog.heardOf("refine");
  expect(look(watchdog, 400, live)).toEqual({
    number: 301,
    stuck: "refine has said nothing for 300 s",
  });
});
