/**
 * Goal: a suite's counts are those of its tests, and whatever keeps it from running makes it fail.
 * Method: the real runner over test files written into a temporary checkout, which needs no set-up.
 */

import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { conclude, runSuite, type Suite } from "../../../actors/setup/suite_run.ts";
import { bunSuite } from "../../../actors/setup/test_command.ts";

const root = mkdtempSync(join(tmpdir(), "k2-suite-"));
afterAll(() => rmSync(root, { recursive: true }));
const place = { root, environment: { PATH: "/usr/bin:/bin", K2_EXCHANGES: "wrong" } };

test("passed, failed, skipped and todo tests are counted, and a crash of a file is a failure", async () => {
  write("tests/a_test.ts", [
    'test("passes", () => expect(process.env.K2_EXCHANGES).toBeUndefined());',
    'test("fails", () => expect(1).toBe(2));',
    'test.skip("is skipped", () => {});',
    'test.todo("is to do");',
  ]);
  write("tests/b_test.ts", ['throw new Error("cannot load");']);
  write("tests/c_test.ts", ["expect(1).toBe(1);"]);
  expect(await runSuite(suite("a", "b", "c"), place)).toEqual({ passed: 1, failed: 5 });
});

test("a suite whose tests all pass passes", async () => {
  write("tests/d_test.ts", ['test("one", () => {});', 'test("two", () => {});']);
  expect(await runSuite(suite("d"), place)).toEqual({ passed: 2, failed: 0 });
});

test("test.only, which would leave tests out, fails", async () => {
  write("tests/e_test.ts", ['test.only("one", () => {});', 'test("two", () => {});']);
  expect((await runSuite(suite("e"), place)).failed).toBeGreaterThan(0);
});

test("a setting in a person's .env does not reach the tests", async () => {
  write(".env", ["K2_EXCHANGES=wrong"]);
  write("tests/f_test.ts", [
    'test("one", () => expect(process.env.K2_EXCHANGES).toBeUndefined());',
  ]);
  expect(await runSuite(suite("f"), place)).toEqual({ passed: 1, failed: 0 });
});

test("a suite that takes too long, has no file, or cannot be set up fails", async () => {
  write("tests/g_test.ts", ['test("hangs", () => new Promise(() => {}));']);
  const hanging = bunSuite("long", {
    files: ["tests/g_test.ts"],
    test_ms_max: 60_000,
    timeout_ms: 500,
  });
  expect(await runSuite({ ...hanging, steps: [] }, place)).toEqual({ passed: 0, failed: 1 });
  expect(await runSuite(suite(), place)).toEqual({ passed: 0, failed: 1 });
  const unready: Suite = { ...suite("d"), steps: ["kafka_broker"] };
  const without_java = { root, environment: { PATH: join(root, "none") } };
  expect(await runSuite(unready, without_java)).toEqual({ passed: 0, failed: 1 });
});

test("conclude() is 0 only where something ran and nothing failed", async () => {
  expect(await conclude([{ passed: 3, failed: 0 }])).toBe(0);
  expect(
    await conclude([
      { passed: 3, failed: 0 },
      { passed: 0, failed: 1 },
    ]),
  ).toBe(1);
  expect(await conclude([])).toBe(1);
});

function suite(...names: readonly string[]): Suite {
  const files = names.map((name) => `tests/${name}_test.ts`);
  return {
    ...bunSuite("unit", { files, test_ms_max: 5_000, timeout_ms: 20_000 }),
    steps: [],
  };
}

function write(path: string, lines: readonly string[]): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  const text = ['import { expect, test } from "bun:test";', "void [expect, test];", ...lines];
  writeFileSync(join(root, path), path.endsWith(".ts") ? text.join("\n") : lines.join("\n"));
}
