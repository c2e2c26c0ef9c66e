/**
 * Runs a program to its end: the compilers and package managers of set-up, the test runners of
 * `test`. Each stands in a process group of its own, so that ending it also ends what it started,
 * and each has a deadline. Its output goes to a log file or to stderr, never to stdout, which
 * carries only results.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** How a program ended. */
export interface ChildOutcome {
  /** Null where it was ended by a signal. */
  readonly exit_code: number | null;
  /** The last 8 KiB that it wrote to its log; empty where it wrote to stderr. */
  readonly tail: string;
  readonly is_timed_out: boolean;
}

interface ChildOptions {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Path of a log file that is appended to, or null for this process's stderr. */
  readonly log: string | null;
  readonly timeout_ms: number;
  /** Ends the program, and what it started, when it aborts. */
  readonly signal: AbortSignal;
}

const tail_bytes = 8192;

/**
 * Runs a program to its end; resolves however it ended.
 *
 * @param command The program, by name or path, and its arguments.
 */
export async function runChild(
  command: readonly [string, ...string[]],
  options: ChildOptions,
): Promise<ChildOutcome> {
  const output = options.log === null ? null : openSync(options.log, "a+");
  // What an earlier program wrote to the same log says nothing about this one.
  const from = output === null ? 0 : fstatSync(output).size;
  try {
    const ended = await runToEnd(command, options, output ?? 2);
    const tail = output === null ? "" : readTail(output, from);
    return { ...ended, tail };
  } finally {
    if (output !== null) closeSync(output);
  }
}

/**
 * Starts the program and ends its whole group when our end of its stdin closes: that happens
 * however this process dies, and a compiler or an installer must not go on beside the next set-up.
 */
const guard = `
exec 3<&0
"$@" 3<&- </dev/null & program=$!
(read -r _ <&3; kill -KILL 0) & watcher=$!
wait "$program"; code=$?
kill -KILL "$watcher"
exit "$code"
`;

function runToEnd(
  command: readonly [string, ...string[]],
  { cwd, environment, timeout_ms, signal }: ChildOptions,
  output: number,
) {
  const { promise, resolve } = Promise.withResolvers<Omit<ChildOutcome, "tail">>();
  const child = spawn("/bin/sh", ["-c", guard, "guard", ...command], {
    cwd,
    env: { ...environment },
    stdio: ["pipe", output, output],
    detached: true,
  });
  let is_timed_out = false;

  function endGroup(): void {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // The group has ended by itself.
    }
  }
  function settle(exit_code: number | null): void {
    clearTimeout(deadline);
    signal.removeEventListener("abort", endGroup);
    child.stdin?.destroy();
    resolve({ exit_code, is_timed_out });
  }

  const deadline = setTimeout(() => {
    is_timed_out = true;
    endGroup();
  }, timeout_ms);
  child.on("error", () => settle(null));
  child.on("exit", settle);
  if (signal.aborted) endGroup();
  else signal.addEventListener("abort", endGroup);
  return promise;
}

function readTail(file: number, from: number): string {
  const { size } = fstatSync(file);
  const length = Math.min(size - from, tail_bytes);
  const buffer = Buffer.alloc(length);
  readSync(file, buffer, 0, length, size - length);
  return buffer.toString("utf8");
}
