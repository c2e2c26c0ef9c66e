/**
 * Goal: listeners hear of a change once, and a late one hears what already is.
 * Method: bytes going up and down across both thresholds.
 */

import { expect, test } from "bun:test";
import { Pressure } from "../../../actors/producer/pressure.ts";

function hear(pressure: Pressure) {
  const heard: string[] = [];
  const unlisten = pressure.listen({
    full: () => heard.push("full"),
    relieved: () => heard.push("relieved"),
  });
  return { heard, unlisten };
}

test("update() tells of full at three quarters and of relief at half, once each", () => {
  const pressure = new Pressure(100);
  const { heard } = hear(pressure);
  for (const bytes of [0, 74, 75, 90, 74, 51, 75, 50, 0, 60, 75]) pressure.update(bytes);
  expect(heard).toEqual(["full", "relieved", "full"]);
});

test("listen() tells a late listener at once, and a removed one nothing more", () => {
  const pressure = new Pressure(100);
  pressure.update(100);
  const { heard, unlisten } = hear(pressure);
  expect(heard).toEqual(["full"]);
  unlisten();
  pressure.update(0);
  expect(heard).toEqual(["full"]);
});
