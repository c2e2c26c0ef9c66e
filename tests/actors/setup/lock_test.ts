/**
 * Goal: two set-ups of one checkout never run at once, and a dead one leaves nothing behind.
 * Method: two holders of one file; one of them a process that is killed.
 */

import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { takeLock } from "../../../actors/setup/lock.ts";

const folder = mkdtempSync(join(tmpdir(), "k2-lock-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("the second one says once that it waits, and goes on when the first one ends", async () => {
  const path = join(folder, "two");
  const first = await takeLock(path, options());
  const waiting = Promise.withResolvers<void>();
  const second = takeLock(path, { ...options(), onWait: waiting.resolve });
  await waiting.promise;
  first();
  const release = await second;
  release();
});

test("a wait is bounded", async () => {
  const path = join(folder, "bounded");
  const release = await takeLock(path, options());
  await expect(takeLock(path, { ...options(), wait_ms_max: 0 })).rejects.toThrow(
    "Another set-up has been running in this folder for too long",
  );
  release();
});

test("a wait can be interrupted", async () => {
  const path = join(folder, "interrupted");
  const release = await takeLock(path, options());
  const abort = new AbortController();
  const waiting = takeLock(path, {
    ...options(),
    onWait: () => abort.abort(new Error("interrupted")),
    signal: abort.signal,
  });
  await expect(waiting).rejects.toThrow("interrupted");
  release();
});

test("a killed holder gives the lock back", async () => {
  const path = join(folder, "killed");
  const module_path = join(import.meta.dir, "../../../actors/setup/lock.ts");
  const holder = Bun.spawn(
    [
      process.execPath,
      "-e",
      `const { takeLock } = await import(${JSON.stringify(module_path)});
       globalThis.release = await takeLock(${JSON.stringify(path)}, { onWait() {}, wait_ms_max: 0,
         signal: new AbortController().signal });
       process.stdout.write("held");
       await Bun.stdin.text();`,
    ],
    // It ends with its stdin, so that a failed test leaves nothing behind.
    { stdin: "pipe", stdout: "pipe" },
  );
  const { value } = await holder.stdout.getReader().read();
  expect(new TextDecoder().decode(value)).toBe("held");
  await expect(takeLock(path, { ...options(), wait_ms_max: 0 })).rejects.toThrow();
  holder.kill("SIGKILL");
  await holder.exited;
  (await takeLock(path, options()))();
});

function options() {
  return { onWait: () => {}, wait_ms_max: 10_000, signal: new AbortController().signal };
}
