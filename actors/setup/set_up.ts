/**
 * Makes what a command needs, once: looks at the stamps, and where something is missing takes the
 * lock, checks tools and disk space, and runs the steps. It needs nothing but Bun itself, because
 * it runs before any package is installed.
 *
 * @module
 */

import { mkdirSync, statfsSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { FailureError, reasonOf } from "../settings/exit.ts";
import { diskSentence } from "./failure.ts";
import { install, log_folder, temporary_folder } from "./install.ts";
import { takeLock } from "./lock.ts";
import { createProgress, type Progress, secondsText } from "./progress.ts";
import { runInOrder } from "./schedule.ts";
import { isDone, type Place, writeStamp } from "./stamps.ts";
import { type StepName, steps, withNeeds } from "./steps.ts";
import { requireOnPath, requireVersions } from "./tools.ts";

interface SetUpOptions extends Place {
  /** Where progress goes; stderr where it is not given. */
  readonly progress?: Progress;
}

interface Making extends Place {
  readonly progress: Progress;
}

/** The longest wait for another set-up in the same checkout. */
const lock_ms_max = 60 * 60_000;

/** Time between two drawings of the live line. */
const tick_ms = 1_000;

/**
 * Makes sure that the wanted steps, and all that they need, are done. Where they are, it costs
 * milliseconds and writes nothing.
 *
 * @returns The steps that were missing and are now done.
 * @throws {FailureError} where a tool, the network, disk space or permission is missing, a program
 *   fails, or a signal interrupts it; running it again goes on where it stopped.
 */
export async function setUp(
  wanted: readonly StepName[],
  options: SetUpOptions,
): Promise<readonly StepName[]> {
  const names = withNeeds(wanted);
  requireOnPath(options.environment, [...new Set(names.flatMap((n) => steps[n].tools_in_use))]);
  const missing = await findMissing(names, options);
  if (missing.length === 0) return [];

  const { root, progress = stderrProgress() } = options;
  makeFolders(root);
  await withSignals(async (signal) => {
    const release = await takeLock(join(root, ".setup/lock"), {
      onWait: () => progress.note("another set-up is running in this folder, waiting for it"),
      wait_ms_max: lock_ms_max,
      signal,
    });
    try {
      // Another set-up may have done it while this one waited.
      const still_missing = await findMissing(names, options);
      if (still_missing.length > 0) await make(still_missing, { ...options, progress }, signal);
    } finally {
      release();
    }
  });
  return missing;
}

async function findMissing(names: readonly StepName[], place: Place): Promise<StepName[]> {
  const missing: StepName[] = [];
  for (const name of names) {
    if (!(await isDone(name, place))) missing.push(name);
  }
  return missing;
}

async function make(
  missing: readonly StepName[],
  options: Making,
  signal: AbortSignal,
): Promise<void> {
  const { root, environment, progress } = options;
  const started_ms = performance.now();
  await requireVersions(environment, [...new Set(missing.flatMap((n) => steps[n].tools))]);
  requireDisk(root, missing);

  const timer = setInterval(() => progress.tick(), tick_ms);
  try {
    await runInOrder(
      missing.map((name) => ({ name, needs: steps[name].needs, group: steps[name].group })),
      { run: (name, signal) => makeOne(name, options, signal), signal },
    );
  } finally {
    clearInterval(timer);
  }
  await rm(join(root, temporary_folder), { recursive: true, force: true });
  progress.note(`everything is there after ${secondsText(performance.now() - started_ms)}`);
}

async function makeOne(name: StepName, options: Making, signal: AbortSignal): Promise<void> {
  const { progress } = options;
  progress.started(name, steps[name].title);
  try {
    await install(name, options, signal);
    await writeStamp(name, options);
  } catch (error) {
    if (signal.aborted) progress.stopped(name);
    else progress.failed(name);
    throw error instanceof FailureError
      ? error
      : new FailureError(`Set-up could not make ${steps[name].title}: ${reasonOf(error)}`);
  }
  progress.done(name);
}

function stderrProgress(): Progress {
  return createProgress({
    write: (text) => process.stderr.write(text),
    is_terminal: process.stderr.isTTY,
    now_ms: () => performance.now(),
  });
}

function makeFolders(root: string): void {
  try {
    for (const folder of [temporary_folder, log_folder]) {
      mkdirSync(join(root, folder), { recursive: true });
    }
    // Programs of Node among the products must not take the checkout's module type for theirs.
    writeFileSync(join(root, ".setup/package.json"), "{}\n");
  } catch (error) {
    throw new FailureError(`Set-up cannot write into ${root}: ${reasonOf(error)}`);
  }
}

function requireDisk(root: string, missing: readonly StepName[]): void {
  const { bavail, bsize } = statfsSync(root);
  const free_mib = Math.floor((bavail * bsize) / 2 ** 20);
  const needed_mib = missing.reduce((sum, name) => sum + steps[name].disk_mib, 0);
  if (free_mib < needed_mib) throw new FailureError(diskSentence({ root, needed_mib, free_mib }));
}

/** Runs work that SIGINT and SIGTERM interrupt: its programs stand in groups of their own. */
async function withSignals(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const interruption = new AbortController();
  function interrupt(): void {
    interruption.abort(
      new FailureError("Set-up was interrupted: run the same command again to go on with it"),
    );
  }
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    await work(interruption.signal);
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}
