/**
 * Goal: a program's end is known, its output stands in its log, and no part of it outlives us.
 * Method: small shell programs in a temporary folder.
 */

import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChild } from "../../../actors/setup/child.ts";

const folder = mkdtempSync(join(tmpdir(), "k2-child-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("runChild() gives the exit code and the end of what this program wrote", async () => {
  const log = join(folder, "code.log");
  await runChild(["sh", "-c", "echo earlier"], options(log));
  const outcome = await runChild(["sh", "-c", "echo out; echo err >&2; exit 3"], options(log));
  expect(outcome).toEqual({ exit_code: 3, tail: "out\nerr\n", is_timed_out: false });
  expect(readFileSync(log, "utf8")).toBe("earlier\nout\nerr\n");
});

test("runChild() does not give a program our stdin, and finds a missing program", async () => {
  const log = join(folder, "stdin.log");
  expect((await runChild(["cat"], options(log))).exit_code).toBe(0);
  const missing = await runChild(["k2-no-such-program"], options(log));
  expect(missing.exit_code).toBe(127);
  expect(missing.tail).toContain("not found");
});

test("runChild() ends a program that takes too long, with what it started", async () => {
  const log = join(folder, "long.log");
  const program = "sleep 600 & echo $!; wait";
  const outcome = await runChild(["sh", "-c", program], { ...options(log), timeout_ms: 300 });
  expect(outcome).toMatchObject({ exit_code: null, is_timed_out: true });
  await untilGone(Number(outcome.tail));
});

test("an abort ends a program, with what it started", async () => {
  const log = join(folder, "abort.log");
  const abort = new AbortController();
  const program = `sleep 600 & echo $! > ${folder}/abort.part; mv ${folder}/abort.part ${folder}/pid; wait`;
  const ended = runChild(["sh", "-c", program], { ...options(log), signal: abort.signal });
  await untilThere(join(folder, "pid"));
  abort.abort();
  expect((await ended).exit_code).toBeNull();
  await untilGone(Number(readFileSync(join(folder, "pid"), "utf8")));
});

test("a program ends when the process that started it is killed", async () => {
  const module_path = join(import.meta.dir, "../../../actors/setup/child.ts");
  const program = `sleep 600 & echo $! > ${folder}/o.part; mv ${folder}/o.part ${folder}/orphan; wait`;
  const parent = Bun.spawn(
    [
      process.execPath,
      "-e",
      `const { runChild } = await import(${JSON.stringify(module_path)});
       await runChild(["sh", "-c", ${JSON.stringify(program)}], {
         cwd: "/", environment: process.env, log: null, timeout_ms: 60_000,
         signal: new AbortController().signal });`,
    ],
    { stderr: "ignore", stdout: "ignore" },
  );
  await untilThere(join(folder, "orphan"));
  parent.kill("SIGKILL");
  await untilGone(Number(readFileSync(join(folder, "orphan"), "utf8")));
});

function options(log: string) {
  const signal = new AbortController().signal;
  return { cwd: folder, environment: process.env, log, timeout_ms: 20_000, signal };
}

async function untilThere(path: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const watcher = watch(folder, () => existsSync(path) && resolve());
  if (existsSync(path)) resolve();
  await promise;
  watcher.close();
}

/** A killed process whose parent has gone is a zombie until the machine's first process reaps it. */
async function untilGone(pid: number): Promise<void> {
  expect(pid).toBeGreaterThan(1);
  while (isAlive(pid)) await Bun.sleep(10);
}

function isAlive(pid: number): boolean {
  const stat = `/proc/${pid}/stat`;
  try {
    if (existsSync("/proc/self/stat")) return !/\) [ZX] /.test(readFileSync(stat, "utf8"));
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
