/**
 * Goal: a port tells what it says and how it ended, ends with its stdin, takes its whole group
 * with it, and leaves no orphan even when its owner dies of kill -9.
 * Method: real processes of sh and bun; every wait is for a condition with a deadline.
 */

import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endLeftovers } from "../../../actors/port/leftovers.ts";
import { guarded, type PortExit, type PortSpec, spawnPort } from "../../../actors/port/port.ts";
import { startOfProcess } from "../../../actors/port/process.ts";

const data_dir = mkdtempSync(join(tmpdir(), "k2_port_"));
afterAll(() => rmSync(data_dir, { recursive: true, force: true }));

// Ignores TERM and never reads stdin, as the worst of JVMs would.
const stubborn = "trap '' TERM; echo $$; while :; do sleep 1; done";

function start(command: PortSpec["command"], name = "test") {
  const controller = new AbortController();
  const lines: string[] = [];
  const error_lines: string[] = [];
  const exited = Promise.withResolvers<PortExit>();
  const port = spawnPort({
    name,
    command,
    data_dir,
    signal: controller.signal,
    onLine: (line) => lines.push(line),
    onErrorLine: (line) => error_lines.push(line),
    onExit: exited.resolve,
  });
  return { port, controller, lines, error_lines, exited: exited.promise };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline_ms = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline_ms) throw new Error(`Never came true: ${condition}`);
    await Bun.sleep(10);
  }
}

function isRunning(pid: number): boolean {
  return startOfProcess(pid) !== null;
}

test("a port reads its stdin, writes lines, and ends when its stdin ends", async () => {
  const { port, lines, exited } = start(["sh", "-c", "cat; echo done"]);
  const record = join(data_dir, "run", "test.json");
  expect(JSON.parse(readFileSync(record, "utf8")).pid).toBe(port.pid);
  port.write("one\ntwo\n");
  port.end();
  expect(await exited).toEqual({ code: 0, signal: null, reason: "test exited with code 0" });
  expect(lines).toEqual(["one", "two", "done"]);
  expect(existsSync(record)).toBe(false);
});

test("a port's exit code and last words are the reason of its end", async () => {
  const { error_lines, exited } = start(["sh", "-c", "echo before >&2; echo boom >&2; exit 3"]);
  expect(await exited).toEqual({ code: 3, signal: null, reason: "test exited with code 3: boom" });
  expect(error_lines).toEqual(["before", "boom"]);
});

test("a program that does not exist is an exit with a reason, not a throw", async () => {
  const { port, exited } = start(["/nowhere/to/be/found"]);
  expect(port.pid).toBe(null);
  expect((await exited).reason).toContain("test could not be started");
});

test("an aborted signal kills the port with everything it started", async () => {
  const { controller, lines, exited } = start([
    "sh",
    "-c",
    `sh -c "${stubborn.replaceAll("$", "\\$")}" & ${stubborn}`,
  ]);
  await until(() => lines.length === 2);
  controller.abort();
  expect((await exited).signal).toBe("SIGKILL");
  await until(() => !lines.some((pid) => isRunning(Number(pid))));
});

test("a port's own end takes what it started with it", async () => {
  const { lines, exited } = start(["sh", "-c", "sleep 1000 & echo $!"]);
  await exited;
  await until(() => !isRunning(Number(lines[0])));
});

test("a guarded command ends with stdin, by TERM where it listens to it", async () => {
  const { port, lines, exited } = start(
    guarded(
      ["sh", "-c", "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done"],
      30,
    ),
  );
  await until(() => lines.includes("up"));
  port.end();
  expect((await exited).code).toBe(7);
  expect(lines).toEqual(["up", "bye"]);
});

test("a guarded command that ignores TERM is killed after the grace", async () => {
  const { port, lines, exited } = start(guarded(["sh", "-c", stubborn], 0.2));
  await until(() => lines.length === 1);
  port.end();
  expect((await exited).code).toBe(128 + 9);
  await until(() => !isRunning(Number(lines[0])));
});

test("the guard passes a command's own end on", async () => {
  expect((await start(guarded(["sh", "-c", "exit 5"], 1)).exited).code).toBe(5);
});

test("kill -9 of the owner leaves no orphan, guarded or not", async () => {
  const script = join(data_dir, "owner.ts");
  const module_path = join(import.meta.dir, "../../../actors/port/port.ts");
  writeFileSync(
    script,
    `import { guarded, spawnPort } from ${JSON.stringify(module_path)};
    for (const [name, command] of [
      ["guarded", guarded(["sh", "-c", ${JSON.stringify(stubborn)}], 0.2)],
      ["reader", ["sh", "-c", "echo $$; cat"]],
      ["last", guarded(["sh", "-c", ${JSON.stringify(stubborn)}], 0.2)],
    ]) spawnPort({ name, command, data_dir: ${JSON.stringify(data_dir)},
      signal: new AbortController().signal, onLine: (line) => console.log(line),
      onErrorLine: () => {}, onExit: () => {} });`,
  );
  const owner = start([process.execPath, script], "owner");
  await until(() => owner.lines.length === 3);
  const pids = owner.lines.map(Number);
  expect(pids.every(isRunning)).toBe(true);
  process.kill(owner.port.pid!, "SIGKILL");
  await owner.exited;
  await until(() => !pids.some(isRunning));
});

test("endLeftovers() ends what an earlier start left, by TERM or by KILL", async () => {
  const polite = start(["sh", "-c", "echo up; exec sleep 1000"], "polite");
  const rude = start(["sh", "-c", stubborn], "rude");
  await until(() => polite.lines.length === 1 && rude.lines.length === 1);
  const ended = await endLeftovers(data_dir, { term_ms_max: 300, kill_ms_max: 5_000 });
  expect(ended.toSorted()).toEqual(["polite", "rude"]);
  expect((await polite.exited).signal).toBe("SIGTERM");
  expect((await rude.exited).signal).toBe("SIGKILL");
  expect(await endLeftovers(data_dir)).toEqual([]);
});

test("endLeftovers() spares a process that merely has the recorded id", async () => {
  const { port, exited, lines } = start(["sh", "-c", "echo up; cat"], "current");
  await until(() => lines.length === 1);
  const record = join(data_dir, "run", "earlier.json");
  writeFileSync(record, JSON.stringify({ name: "earlier", pid: port.pid, started: "long ago" }));
  rmSync(join(data_dir, "run", "current.json"));
  writeFileSync(join(data_dir, "run", "torn.json"), '{"name": "to');
  expect(await endLeftovers(data_dir)).toEqual([]);
  expect(existsSync(record)).toBe(false);
  expect(isRunning(port.pid!)).toBe(true);
  port.end();
  expect((await exited).code).toBe(0);
});
