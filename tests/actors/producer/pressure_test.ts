/**
 * Goal: listeners hear of a change once, and a late one hears what already is.
 * Method: bytes going up and down across both thresholds.
 */

import { expect, test } from "bun:test";
import { Pressure } from "../../../actors/producer/pressure.ts";

const full = "the buffers are full";

function hear(pressure: Pressure) {
  const heard: string[] = [];
  const unlisten = pressure.listen({
    full: (reason) => heard.push(reason),
    relieved: () => heard.push("relieved"),
  });
  return { heard, unlisten };
}

test("update() tells of full at three quarters and of relief at half, once each", () => {
  const pressure = new Pressure({ buffer_bytes_max: 100, disk_free_min: 0 });
  const { heard } = hear(pressure);
  for (const bytes of [0, 74, 75, 90, 74, 51, 75, 50, 0, 60, 75]) pressure.update(bytes);
  expect(heard).toEqual([full, "relieved", full]);
});

test("listen() tells a late listener at once, and a removed one nothing more", () => {
  const pressure = new Pressure({ buffer_bytes_max: 100, disk_free_min: 0 });
  pressure.update(100);
  const { heard, unlisten } = hear(pressure);
  expect(heard).toEqual([full]);
  unlisten();
  pressure.update(0);
  expect(heard).toEqual([full]);
});

test("updateDisk() is full below the bound, relieved above it with a margin, memory or not", () => {
  const pressure = new Pressure({ buffer_bytes_max: 100, disk_free_min: 1_600 });
  const { heard } = hear(pressure);
  pressure.updateDisk(1_600);
  expect(pressure.reason).toBeNull();
  pressure.updateDisk(1_599);
  expect(pressure.reason).toBe("the disk is nearly full");
  pressure.update(80);
  pressure.updateDisk(1_699);
  expect(pressure.is_disk_low).toBe(true);
  pressure.updateDisk(1_700);
  expect(pressure.reason).toBe(full);
  expect(heard).toEqual(["the disk is nearly full"]);
  pressure.update(50);
  expect(heard).toEqual(["the disk is nearly full", "relieved"]);
});

test("a disk of which much must be free is relieved by 128 MiB more", () => {
  const disk_free_min = 2 ** 40;
  const pressure = new Pressure({ buffer_bytes_max: 100, disk_free_min });
  pressure.updateDisk(disk_free_min - 1);
  pressure.updateDisk(disk_free_min + 128 * 2 ** 20 - 1);
  expect(pressure.is_disk_low).toBe(true);
  pressure.updateDisk(disk_free_min + 128 * 2 ** 20);
  expect(pressure.is_disk_low).toBe(false);
});
