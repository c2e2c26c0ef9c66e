/**
 * What a later start has to know of the processes of this one: a small file for each port under
 * `<data_dir>/run/`, and the end of those that an earlier start left behind.
 *
 * A leftover is only ended when its id and the time of its start are those that were written down:
 * the id alone may by now belong to somebody else.
 *
 * @module
 */

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { signalGroup, startOfProcess } from "./process.ts";

interface PortRecord {
  readonly name: string;
  readonly pid: number;
  readonly started: string;
}

const poll_ms = 50;

/** Writes down that this process belongs to this data directory. */
export function writePortRecord(data_dir: string, name: string, pid: number): void {
  const started = startOfProcess(pid);
  if (started === null) return;
  const record: PortRecord = { name, pid, started };
  mkdirSync(join(data_dir, "run"), { recursive: true });
  const path = recordPath(data_dir, name);
  // Renamed into place, so that a crash in mid-write leaves no half a record.
  writeFileSync(`${path}.new`, `${JSON.stringify(record)}\n`);
  renameSync(`${path}.new`, path);
}

/** Forgets a process that has ended; leaves the record of one that has replaced it. */
export function removePortRecord(data_dir: string, name: string, pid: number): void {
  const path = recordPath(data_dir, name);
  if (readPortRecord(path)?.pid === pid) rmSync(path, { force: true });
}

/**
 * Ends the processes that an earlier start of this data directory left behind: TERM to their
 * groups, then KILL to those still there.
 *
 * @param options.term_ms_max How long they may take to end by themselves.
 * @param options.kill_ms_max How long to wait for the end after KILL.
 * @returns Names of the ports that were still running.
 */
export async function endLeftovers(
  data_dir: string,
  options: { readonly term_ms_max: number; readonly kill_ms_max: number } = {
    term_ms_max: 10_000,
    kill_ms_max: 5_000,
  },
): Promise<readonly string[]> {
  const directory = join(data_dir, "run");
  const found: PortRecord[] = [];
  for (const file of listRecords(directory)) {
    const path = join(directory, file);
    const record = readPortRecord(path);
    if (record !== null && isRunning(record)) found.push(record);
    else rmSync(path, { force: true });
  }
  for (const { pid } of found) signalGroup(pid, "SIGTERM");
  await waitForEnd(found, options.term_ms_max);
  // The leader may be gone and others of its group not: KILL goes to all of them.
  for (const { pid } of found) signalGroup(pid, "SIGKILL");
  await waitForEnd(found, options.kill_ms_max);
  for (const { name, pid } of found) removePortRecord(data_dir, name, pid);
  return found.map(({ name }) => name);
}

async function waitForEnd(records: readonly PortRecord[], wait_ms_max: number): Promise<void> {
  for (let waited_ms = 0; waited_ms < wait_ms_max; waited_ms += poll_ms) {
    if (!records.some(isRunning)) return;
    await Bun.sleep(poll_ms);
  }
}

function isRunning({ pid, started }: PortRecord): boolean {
  return startOfProcess(pid) === started;
}

function recordPath(data_dir: string, name: string): string {
  return join(data_dir, "run", `${name}.json`);
}

function listRecords(directory: string): readonly string[] {
  try {
    return readdirSync(directory).filter((file) => file.endsWith(".json"));
  } catch {
    return [];
  }
}

/** Null where the file is missing or is no record: then there is nothing to end safely. */
function readPortRecord(path: string): PortRecord | null {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  if (!("name" in value && "pid" in value && "started" in value)) return null;
  const { name, pid, started } = value;
  if (typeof name !== "string" || typeof started !== "string") return null;
  if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid <= 1) return null;
  return { name, pid, started };
}
