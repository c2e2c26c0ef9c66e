/**
 * Real lakes for tests: made once per test process by Spark's own code, one data directory for each
 * state and each planted fault (see tests/spark/make_lake.py).
 *
 * @module
 */

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pythonOf } from "../../../actors/port/python.ts";

/** The checkout. */
export const root = resolve(import.meta.dir, "../../..");

/** Spark starts, writes some fifty commits, and may share its cores. */
export const lakes_timeout_ms = 300_000;

const folder = join(tmpdir(), `k2-lakes-${process.pid}`);

/** Makes the lakes, unless another test file of this process has. Returns their folder. */
export async function makeLakes(): Promise<string> {
  if (existsSync(folder)) return folder;
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  try {
    await runScript("make_lake.py", [folder]);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return folder;
}

/** Runs a script of tests/spark to its end; it has Spark's own code at hand. */
export async function runScript(name: string, argv: readonly string[]): Promise<void> {
  const child = Bun.spawn([pythonOf(root), join(root, "tests", "spark", name), ...argv], {
    env: { ...process.env, PYTHONPATH: join(root, "spark", "jobs"), PYTHONDONTWRITEBYTECODE: "1" },
    stdout: "ignore",
    stderr: "pipe",
  });
  const stderr = await child.stderr.text();
  if ((await child.exited) !== 0) throw new Error(`${name} failed: ${stderr.slice(-2000)}`);
}

/** A temporary folder, removed at the end. */
export function temporaryFolder() {
  const path = mkdtempSync(join(tmpdir(), "k2-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
