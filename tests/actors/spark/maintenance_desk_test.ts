/**
 * Goal: whoever asks for maintenance gets an answer, whatever becomes of the driver.
 * Method: a driver that is a function, and answers when the test says so.
 */

import { expect, test } from "bun:test";
import { MaintenanceDesk } from "../../../actors/spark/maintenance_desk.ts";

const report = { timestamp: "2026-08-26T12:00:00.000Z", seconds: 1, failure: null, tables: [] };

test("without a driver the answer is a sentence", async () => {
  expect(await new MaintenanceDesk().ask()).toContain("No Spark driver runs here now");
});

test("all who wait get the driver's answer", async () => {
  const desk = new MaintenanceDesk();
  let asked = 0;
  desk.open(() => {
    asked += 1;
  });
  const answers = [desk.ask(), desk.ask()];
  expect(asked).toBe(2);
  desk.answer(report);
  expect(await Promise.all(answers)).toEqual([report, report]);
  // Its own turns answer nobody.
  desk.answer(report);
});

test("a driver that ends is told, and its end does not concern the next one", async () => {
  const desk = new MaintenanceDesk();
  const close = desk.open(() => {});
  const first = desk.ask();
  close();
  expect(await first).toContain("ended before it was done");
  desk.open(() => {});
  const second = desk.ask();
  close();
  desk.answer(report);
  expect(await second).toBe(report);
});

test("only so many wait", async () => {
  const desk = new MaintenanceDesk();
  desk.open(() => {});
  const waiting = Array.from({ length: 16 }, () => desk.ask());
  expect(await desk.ask()).toContain("16 wait for it already");
  desk.answer(report);
  expect(await Promise.all(waiting)).toHaveLength(16);
});
