/**
 * Goal: the checks run on schedule, what they came to stands on the tree, and neither a fault in
 * the lake nor a run that fails or hangs ends the actor.
 * Method: a shell script in the command's place, in virtual time; and once the real command on a
 * real lake.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { SimulatedClock } from "xstate";
import { validateCommand, validator } from "../../../actors/validator/validator.ts";
import { incarnate, keepingLog, temporaryFolder, until } from "../producer/rig.ts";
import { lakes_timeout_ms, makeLakes, root } from "./lakes.ts";

const folder = temporaryFolder();
afterAll(folder.remove);
const now_ms = Date.parse("2026-08-26T12:30:00Z");
const pause_ms = 600_000;
const first_pause_ms = 120_000;

let lakes: string;

beforeAll(async () => {
  lakes = await makeLakes();
}, lakes_timeout_ms);

function start(command: readonly string[], data_dir = folder.path) {
  const clock = new SimulatedClock();
  function after(delay_ms: number, callback: () => void): () => void {
    const timer = clock.setTimeout(callback, delay_ms);
    return () => clock.clearTimeout(timer);
  }
  const { log, lines } = keepingLog();
  const actor = incarnate(validator, (incarnation) => ({
    incarnation,
    data_dir,
    command,
    environment: { K2_DATA_DIR: data_dir },
    pause_ms,
    log,
    now_ms: () => now_ms,
    after,
  }));
  return { clock, lines, ...actor };
}

function scripted(script: string) {
  return start(["sh", "-c", script]);
}

function resultOf(checks: readonly (readonly [string, string, number])[]): string {
  const is_valid = checks.every(([, severity, count]) => severity === "warning" || count === 0);
  return JSON.stringify({
    is_valid,
    checks: checks.map(([name, severity, violations]) => ({
      name,
      severity,
      result: violations > 0 ? "violated" : "passed",
      violations,
    })),
  });
}

test("a run comes after the first pause, and the next one after the pause", async () => {
  const count = join(folder.path, "runs");
  const result = resultOf([
    ["gold_ids", "error", 0],
    ["freshness", "warning", 1],
  ]);
  const { clock, report, ready, stop, exited } = scripted(`echo run >>${count}; echo '${result}'`);
  await ready;
  expect(report.state).toBe("waiting");
  clock.increment(first_pause_ms - 1);
  expect(existsSync(count)).toBe(false);
  clock.increment(1);
  expect(report.state).toBe("checking");
  expect(report.pid).toBeNumber();
  await until(() => report.state === "waiting");
  expect(report.pid).toBeNull();
  expect(report.figures).toMatchObject({
    checks: 2,
    error: null,
    violated: null,
    warned: "freshness",
    freshness_violations: 1,
    gold_ids_violations: 0,
    checked_at: "2026-08-26T12:30:00.000Z",
    valid_at_s: now_ms / 1_000,
  });
  clock.increment(pause_ms - 1);
  expect(report.state).toBe("waiting");
  clock.increment(1);
  expect(report.state).toBe("checking");
  await until(() => report.state === "waiting");
  expect(await Bun.file(count).text()).toBe("run\nrun\n");
  stop();
  expect(await exited).toEqual({ kind: "normal" });
});

test("a lake that does not hold is told, and checked again", async () => {
  const result = resultOf([
    ["bar_sums", "error", 3],
    ["gold_ids", "error", 1],
  ]);
  const { clock, report, lines, ready, stop } = scripted(`echo '${result}'; exit 1`);
  await ready;
  clock.increment(first_pause_ms);
  await until(() => report.state === "waiting");
  expect(report.figures).toMatchObject({ violated: "bar_sums, gold_ids", bar_sums_violations: 3 });
  expect(report.figures.valid_at_s).toBeUndefined();
  expect(lines.some((line) => line.includes("the lake does not hold: bar_sums"))).toBe(true);
  stop();
});

test("a run that cannot check says why, and one that hangs is ended", async () => {
  const failing = scripted("echo 'k2 validate: There is no lake yet' >&2; exit 1");
  await failing.ready;
  failing.clock.increment(first_pause_ms);
  await until(() => failing.report.state === "waiting");
  expect(failing.report.figures.error).toBe("There is no lake yet");
  failing.stop();

  const hanging = scripted("sleep 1000");
  await hanging.ready;
  hanging.clock.increment(first_pause_ms);
  hanging.clock.increment(600_000);
  await until(() => hanging.report.state === "waiting");
  expect(hanging.report.figures.error).toBe("the checks took longer than 600 s");
  hanging.stop();
});

test("told to stop in the midst of a run, it ends the run", async () => {
  const { clock, report, ready, stop, exited } = scripted("sleep 1000");
  await ready;
  clock.increment(first_pause_ms);
  const { pid } = report;
  stop();
  expect(await exited).toEqual({ kind: "normal" });
  expect(() => process.kill(pid ?? 0, 0)).toThrow();
});

test("the real command finds a fault in a real lake", async () => {
  // Its trades lie further back than a run on schedule looks.
  const command = validateCommand(root).map((word) => (word === "2h" ? "all" : word));
  const { clock, report, ready, stop } = start(command, join(lakes, "bar_sums.1"));
  await ready;
  clock.increment(first_pause_ms);
  await until(() => report.state === "waiting", 60_000);
  expect(report.figures).toMatchObject({
    error: null,
    violated: "bar_sums",
    bar_sums_violations: 1,
    gold_ids_violations: 0,
  });
  stop();
}, 90_000);
