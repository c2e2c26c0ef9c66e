/**
 * Goal: a process that is started again, killed in between or not, keeps to what it has spent and
 * to the exchange's bans, and a wall clock that was set neither breaks a rule nor stops us for ever.
 * Method: the real file in a temporary folder, two clocks that are numbers, and restarts that give
 * the monotonic clock another origin; nothing is closed before the file is opened again.
 */

import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBudgetStore } from "../../../actors/rest/budget_store.ts";
import { FailureError } from "../../../actors/settings/exit.ts";
import { createRandom } from "../../schemas/random.ts";
import { fakeLog } from "../connection/fake_exchange.ts";
import { fullestWindow } from "./windows.ts";

const rule = { weight_max: 10, window_ms: 60_000 };
let folder = "";
let files_count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "k2-budgets-"));
});
afterAll(() => rm(folder, { recursive: true }));

function freshPath(): string {
  files_count += 1;
  return join(folder, String(files_count), "budgets.db");
}

/** One process: its monotonic clock begins anew, the wall clock goes on. */
function startProcess(path: string, wall: { ms: number }, rules = [rule]) {
  const began_ms = wall.ms;
  const shift = { ms: 0 };
  const { lines, log } = fakeLog();
  const clocks = { now_ms: () => 17 + wall.ms - began_ms + shift.ms, wall_ms: () => wall.ms };
  const store = openBudgetStore(path, clocks, log);
  return { budget: store.open("fake", "rest", rules), lines, shift, store };
}

test("spendings and blocks outlive the process, and nothing has to be closed for it", () => {
  const path = freshPath();
  const wall = { ms: 1_787_746_340_684 };
  const first = startProcess(path, wall);
  first.budget.spend(7);
  first.budget.blockFor(90_000);
  wall.ms += 20_000;
  const second = startProcess(path, wall);
  expect(second.budget.used(rule)).toBe(7);
  expect(second.budget.blockedMs()).toBe(70_000);
  wall.ms += 40_001;
  const third = startProcess(path, wall);
  expect(third.budget.used(rule)).toBe(0);
  expect(third.budget.blockedMs()).toBe(29_999);
});

test("each exchange and each kind has its own", () => {
  const path = freshPath();
  const clocks = { now_ms: () => 0, wall_ms: () => 5 };
  const store = openBudgetStore(path, clocks, fakeLog().log);
  store.open("fake", "rest", [rule]).spend(1);
  store.open("fake", "connections", [rule]).spend(2);
  store.open("other", "rest", [rule]).spend(3);
  store.close();
  const again = openBudgetStore(path, clocks, fakeLog().log);
  expect(again.open("fake", "rest", [rule]).used(rule)).toBe(1);
  expect(again.open("fake", "connections", [rule]).used(rule)).toBe(2);
  expect(again.open("other", "rest", [rule]).used(rule)).toBe(3);
  expect(again.open("other", "connections", [rule]).used(rule)).toBe(0);
});

test("a disk that refuses is said once, and the budget is kept to in memory", () => {
  const path = freshPath();
  const wall = { ms: 1_787_746_340_684 };
  const { budget, lines } = startProcess(path, wall);
  const other = new Database(path);
  other.exec("BEGIN IMMEDIATE");
  budget.spend(7);
  wall.ms += 1_000;
  budget.spend(2);
  budget.blockFor(5_000);
  expect(lines).toEqual(["warn Cannot write down request budgets: database is locked"]);
  expect([budget.used(rule), budget.blockedMs()]).toEqual([9, 5_000]);
  other.exec("ROLLBACK");
  wall.ms += 5_000;
  budget.spend(1);
  expect(lines.slice(1)).toEqual(["info Writes down request budgets again"]);
  expect(startProcess(path, wall).budget.used(rule)).toBe(10);
});

test("a wall clock that was set back makes spendings new and blocks no longer", () => {
  const path = freshPath();
  const wall = { ms: 1_000_000_000 };
  const first = startProcess(path, wall);
  first.budget.spend(7);
  first.budget.blockFor(90_000);
  wall.ms -= 500_000_000;
  const second = startProcess(path, wall);
  expect(second.budget.used(rule)).toBe(7);
  expect(second.budget.blockedMs()).toBe(90_000);
  expect(second.budget.waitMs(4)).toBe(90_000);
});

test.each([11, 12, 13])("no window is too full over restarts (seed %d)", (seed) => {
  const random = createRandom(seed);
  const path = freshPath();
  const wall = { ms: 1_787_746_340_000 };
  const rules = [
    { weight_max: 10, window_ms: 60_000 },
    { weight_max: 4, window_ms: 1_100 },
  ];
  const spent: { at_ms: number; weight: number }[] = [];
  for (let restart = 0; restart < 15; restart += 1) {
    const { budget } = startProcess(path, wall, rules);
    for (let turn = 0; turn < 20; turn += 1) {
      const weight = 1 + Math.floor(random() * 3);
      if (random() < 0.3) wall.ms += budget.waitMs(weight);
      if (budget.waitMs(weight) === 0) {
        budget.spend(weight);
        spent.push({ at_ms: wall.ms, weight });
      }
      wall.ms += random() * 2_000;
    }
  }
  for (const each of rules) {
    expect(fullestWindow(spent, each)).toBeLessThanOrEqual(each.weight_max);
    expect(fullestWindow(spent, each)).toBeGreaterThan(each.weight_max / 2);
  }
});

test("a file that is no database is refused with the remedy", async () => {
  const path = join(folder, "broken.db");
  await writeFile(path, "x".repeat(10_000));
  const clocks = { now_ms: () => 0, wall_ms: () => 0 };
  expect(() => openBudgetStore(path, clocks, fakeLog().log)).toThrow(FailureError);
  expect(() => openBudgetStore(path, clocks, fakeLog().log)).toThrow("remove the file");
});
