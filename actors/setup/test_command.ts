/**
 * `test`: the checks, then the unit tests, Python's tests and the end-to-end tests, each suite in a
 * process of its own, one after the other, because the machine's cores are part of what they test.
 * `bun test` and pytest end in their own words, so the counts are taken from their reports.
 *
 * @module
 */

import { FailureError, reasonOf, UsageError } from "../settings/exit.ts";
import type { Invocation, Run } from "../settings/invocation.ts";
import { runChecks } from "./check_command.ts";
import { setUp } from "./set_up.ts";
import type { Place } from "./stamps.ts";
import { type StepName, step_names } from "./steps.ts";
import { conclude, runSuite, type Suite } from "./suite_run.ts";
import { type Counts, sortTestFiles, type TestFiles } from "./suites.ts";

/** Runs what CI runs, or only the test files whose path contains one of the arguments. */
export const run: Run = (invocation) =>
  runTests(invocation, {
    before: runChecks,
    suitesOf: ({ unit, python, end_to_end }) => [
      bunSuite("unit", { files: unit, test_ms_max: 30_000, timeout_ms: 20 * minute_ms }),
      pytestSuite(python),
      bunSuite("end_to_end", {
        files: end_to_end,
        test_ms_max: 10 * minute_ms,
        timeout_ms: 40 * minute_ms,
      }),
    ],
  });

const minute_ms = 60_000;

/**
 * Runs suites over the test files of the checkout.
 *
 * @param options.before What runs before them where no filter is given.
 * @throws {UsageError} where filters are given and no file matches.
 */
export async function runTests(
  invocation: Invocation,
  options: {
    readonly before: (place: Place) => Promise<readonly Counts[]>;
    readonly suitesOf: (files: TestFiles) => readonly Suite[];
  },
): Promise<number> {
  const { root, environment, positionals } = invocation;
  const paths = [...new Bun.Glob("tests/**/*_test.{ts,py}").scanSync(root)];
  const all = options.suitesOf(sortTestFiles(paths, positionals));
  const is_filtered = positionals.length > 0;
  const suites = is_filtered ? all.filter(({ files }) => files?.length !== 0) : all;
  if (suites.length === 0) {
    throw new UsageError(`No test file's path contains ${positionals.join(" or ")}`);
  }

  try {
    await setUp(step_names, { root, environment });
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    // The suites that need what is missing will fail, and say so; the others still run.
    process.stderr.write(`${reasonOf(error)}\n`);
  }
  const counts: Counts[] = is_filtered ? [] : [...(await options.before({ root, environment }))];
  for (const suite of suites) {
    process.stderr.write(`${suite.name}: running ${suite.files?.length ?? 0} files …\n`);
    counts.push(await runSuite(suite, { root, environment }));
  }
  return await conclude(counts);
}

/** A suite of TypeScript tests. */
export function bunSuite(
  name: string,
  options: {
    readonly files: readonly string[];
    readonly test_ms_max: number;
    readonly timeout_ms: number;
  },
): Suite {
  const { files, test_ms_max, timeout_ms } = options;
  return {
    name,
    steps: step_names,
    files,
    timeout_ms,
    command: (report) => [
      process.execPath,
      "--no-env-file",
      "test",
      `--timeout=${test_ms_max}`,
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      // With the dot it is a path, without it would be a pattern.
      ...files.map((file) => `./${file}`),
    ],
  };
}

const python_steps: readonly StepName[] = ["spark_classes", "duckdb", "notebooks"];

function pytestSuite(files: readonly string[]): Suite {
  return {
    name: "python",
    steps: [...python_steps, "test_tools"],
    files,
    timeout_ms: 25 * minute_ms,
    command: (report) => [
      ".setup/python/bin/python",
      "-m",
      "pytest",
      "--quiet",
      "--continue-on-collection-errors",
      "--override-ini=xfail_strict=true",
      `--junit-xml=${report}`,
      ...files,
    ],
  };
}
