/**
 * Goal: whatever fails, what must hold does hold in the worlds of a thousand seeds; one is replayed
 * with its whole history, and wrong use is refused.
 * Method: the command in a process of its own, because its result is what stands on stdout; wrong
 * use in this one.
 */

import { expect, test } from "bun:test";
import { exchanges } from "../../../actors/exchanges/mod.ts";
import { UsageError } from "../../../actors/settings/exit.ts";
import type { Flags, Invocation } from "../../../actors/settings/invocation.ts";
import { readSettings } from "../../../actors/settings/settings.ts";
import { run } from "../../../supervisors/fault_simulation/command.ts";
import { runSeed } from "../../../supervisors/fault_simulation/run.ts";

function invocation(flags: Flags): Invocation {
  const settings = readSettings({}, exchanges);
  return { flags, positionals: [], settings, environment: {}, root: process.cwd() };
}

async function runApart(flags: Flags) {
  const program = `
    import { run } from "./supervisors/fault_simulation/command.ts";
    process.exit(await run(${JSON.stringify(invocation(flags))}));
  `;
  const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe" });
  const stdout = await new Response(child.stdout).text();
  return { stdout, code: await child.exited };
}

test("all holds in the worlds of the seeds 1 to 1000", async () => {
  const { code, stdout } = await runApart({ seeds: "1000" });
  expect(stdout).toMatch(/^seeds=1000 failed=0 virtual_s=[1-9]\d* seconds=\d+\.\d\n$/);
  expect(code).toBe(0);
}, 600_000);

test("one seed is replayed with its whole history", async () => {
  const { code, stdout } = await runApart({ seed: "5" });
  const { history } = runSeed(5);
  expect(stdout).toStartWith(`${history.join("\n")}\nseed 5: all has held\nseeds=1 failed=0 `);
  expect(code).toBe(0);
}, 60_000);

test.each([
  [{ seeds: "0" }, '--seeds is "0": it must be an integer from 1'],
  [{ seed: "x" }, '--seed is "x"'],
  [{ seed: "1", seeds: "2" }, "give one of them"],
])("wrong use: %j", async (flags, reason) => {
  await expect(run(invocation(flags))).rejects.toThrow(UsageError);
  await expect(run(invocation(flags))).rejects.toThrow(reason);
});
