/**
 * `check`: Biome and tsc over the TypeScript, ruff over the Python, side by side. Each is one check
 * that passes or fails; what a failed one has to say goes to stderr.
 *
 * @module
 */

import type { Run } from "../settings/invocation.ts";
import type { Place } from "./stamps.ts";
import { conclude, runSuite, type Suite } from "./suite_run.ts";
import type { Counts } from "./suites.ts";

/** Runs the checks; exit code 1 where one failed. */
export const run: Run = async (invocation) => conclude(await runChecks(invocation));

/** Runs the checks and prints a line for each. */
export function runChecks(place: Place): Promise<readonly Counts[]> {
  return Promise.all(checks.map((check) => runSuite(check, place)));
}

const python_folders = ["spark", "tests"] as const;

const ruff = ".setup/python/bin/ruff";

const checks: readonly Suite[] = [
  check("biome", ["node_modules/.bin/biome", "check", "--error-on-warnings", "."]),
  check("tsc", ["node_modules/.bin/tsc", "-p", "."]),
  check("ruff", [ruff, "check", "--no-cache", ...python_folders]),
  check("ruff_format", [ruff, "format", "--no-cache", "--check", "--diff", ...python_folders]),
];

function check(name: string, command: readonly [string, ...string[]]): Suite {
  return {
    name,
    steps: ["packages", "test_tools"],
    files: null,
    command: () => command,
    timeout_ms: 5 * 60_000,
  };
}
