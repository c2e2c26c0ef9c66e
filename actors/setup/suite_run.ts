/**
 * Runs one suite of `check` or `test` in a process of its own and says how it went. A suite whose
 * parts cannot be set up, whose runner fails or takes too long, has failed; the others still run.
 *
 * @module
 */

import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { exit_codes, FailureError, reasonOf } from "../settings/exit.ts";
import { runChild } from "./child.ts";
import { secondsText } from "./progress.ts";
import { setUp } from "./set_up.ts";
import type { Place } from "./stamps.ts";
import type { StepName } from "./steps.ts";
import { type Counts, countTests, lastLine } from "./suites.ts";

/** A program whose outcome is counted. */
export interface Suite {
  readonly name: string;
  /** What must be set up for it. */
  readonly steps: readonly StepName[];
  /** The test files that it runs, or null for a check, which passes or fails as a whole. */
  readonly files: readonly string[] | null;
  /** The program and its arguments. `report` is where it writes its JUnit report. */
  readonly command: (report: string) => readonly [string, ...string[]];
  readonly timeout_ms: number;
}

/** Folder of the logs and reports, relative to the checkout. */
export const report_folder = ".setup/reports";

/**
 * Runs a suite and prints its line on stdout. The suite's own output goes to a log, and from there
 * to stderr where it failed: whoever passes reads one line.
 */
export async function runSuite(suite: Suite, place: Place): Promise<Counts> {
  const started_ms = performance.now();
  const { counts, reason } = await outcomeOf(suite, place);
  const seconds = secondsText(performance.now() - started_ms);
  const why = reason === null ? "" : ` (${reason})`;
  await print(`${suite.name.padEnd(14)} ${lastLine([counts])} in ${seconds}${why}`);
  return counts;
}

/** Prints the last line and gives the exit code of `check` and `test`. */
export async function conclude(counts: readonly Counts[]): Promise<number> {
  await print(lastLine(counts));
  const is_clean = counts.every(({ failed }) => failed === 0) && counts.length > 0;
  return is_clean ? exit_codes.done : exit_codes.failed;
}

interface Outcome {
  readonly counts: Counts;
  /** Why it failed as a whole, or null. */
  readonly reason: string | null;
}

const one_failed: Counts = { passed: 0, failed: 1 };

async function outcomeOf(suite: Suite, place: Place): Promise<Outcome> {
  if (suite.files?.length === 0) return { counts: one_failed, reason: "it has no test" };
  try {
    await setUp(suite.steps, place);
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    return { counts: one_failed, reason: reasonOf(error) };
  }
  return await runProgram(suite, place);
}

async function runProgram(suite: Suite, place: Place): Promise<Outcome> {
  const folder = join(place.root, report_folder);
  mkdirSync(folder, { recursive: true });
  const report = join(folder, `${suite.name}.xml`);
  const log = join(folder, `${suite.name}.log`);
  for (const path of [report, log]) rmSync(path, { force: true });

  const { exit_code, is_timed_out } = await runChild(suite.command(report), {
    cwd: place.root,
    environment: testEnvironment(place.environment),
    log,
    timeout_ms: suite.timeout_ms,
    signal: new AbortController().signal,
  });
  const reason = is_timed_out ? `ended after ${secondsText(suite.timeout_ms)}` : null;
  const text = existsSync(report) ? readFileSync(report, "utf8") : null;
  const counts = countsOf(suite, text, exit_code);
  if (counts.failed > 0) process.stderr.write(readFileSync(log));
  return { counts, reason };
}

function countsOf(suite: Suite, report: string | null, exit_code: number | null): Counts {
  if (suite.files !== null) return countTests({ report, exit_code, files: suite.files });
  return exit_code === 0 ? { passed: 1, failed: 0 } : one_failed;
}

/**
 * A person's own settings must not decide how tests end; CI makes Bun refuse `test.only`, which
 * would silently leave the other tests out.
 */
function testEnvironment(environment: Place["environment"]): Place["environment"] {
  const kept = Object.entries(environment).filter(([name]) => !name.startsWith("K2_"));
  return { ...Object.fromEntries(kept), CI: "true", NO_COLOR: "1" };
}

async function print(line: string): Promise<void> {
  await Bun.write(Bun.stdout, `${line}\n`);
}
