/**
 * A port, as Erlang calls it: an operating-system process that belongs to an actor.
 *
 * It stands in a process group of its own (`detached`), so that Ctrl-C in the terminal reaches K2
 * alone, which then drains; and its group is killed as one, so that nothing it started is left.
 * Whoever owns it asks it to end by ending its stdin, which also happens when K2 dies of kill -9:
 * a port that reads stdin leaves no orphan. A command that ignores stdin (a JVM) stands behind
 * `guard.sh`, which reads for it; see `guarded()`. The deadline is the owner's AbortSignal: when
 * it aborts, the group is killed at once.
 *
 * @module
 */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { portEnvironment } from "./environment.ts";
import { removePortRecord, writePortRecord } from "./leftovers.ts";
import { createLineSplitter } from "./lines.ts";
import { signalGroup } from "./process.ts";

/** What to run, and who listens to it. */
export interface PortSpec {
  /** Names the record in `<data_dir>/run/`; unique among the ports of a data directory. */
  readonly name: string;
  /** Program and arguments. Never a secret: arguments are seen by every user of the machine. */
  readonly command: readonly [string, ...string[]];
  readonly data_dir: string;
  /** Folder it runs in; ours if left out. */
  readonly working_directory?: string;
  /** Variables besides the few that every port inherits, see `environment.ts`. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Aborts at the latest when the owner's incarnation is over: then the group is killed. */
  readonly signal: AbortSignal;
  /** A line on stdout. */
  readonly onLine: (line: string) => void;
  /** A line on stderr. */
  readonly onErrorLine: (line: string) => void;
  /** Called once, after the last line of both streams. */
  readonly onExit: (exit: PortExit) => void;
}

/** How a port ended. */
export interface PortExit {
  /** Exit code, or null where a signal ended it or it never began. */
  readonly code: number | null;
  /** `SIGKILL`, … or null. */
  readonly signal: string | null;
  /** One sentence for logs and the status tree, with the last words on stderr. */
  readonly reason: string;
}

/** A running port. */
export interface Port {
  /** Null where the program could not be started; `onExit` then says why. */
  readonly pid: number | null;
  /**
   * Writes to stdin; bytes must not change until the process has read them. False means that the
   * pipe is full: what is written on top of it waits in memory, so the writer bounds it.
   */
  write(chunk: Uint8Array | string): boolean;
  /** Ends stdin: the port finishes what it holds, then ends. */
  end(): void;
  /** Kills the whole group at once. */
  kill(): void;
}

/** Starts a port; `spawnPort` in operation. */
export type SpawnPort = (spec: PortSpec) => Port;

const guard_script = fileURLToPath(new URL("./guard.sh", import.meta.url));

/**
 * The command that runs `command` so that it ends with its stdin although it never reads it.
 *
 * @param grace_s Seconds from TERM to KILL once stdin has ended.
 */
export function guarded(
  command: readonly string[],
  grace_s: number,
): readonly [string, ...string[]] {
  return ["sh", guard_script, String(grace_s), ...command];
}

/** Starts a port. Never throws: a program that cannot be started is an exit with its reason. */
export function spawnPort(spec: PortSpec): Port {
  const [program, ...arguments_] = spec.command;
  const child = spawn(program, arguments_, {
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    env: portEnvironment(process.env, spec.environment),
    ...(spec.working_directory === undefined ? {} : { cwd: spec.working_directory }),
  });
  const pid = child.pid ?? null;
  if (pid !== null) writePortRecord(spec.data_dir, spec.name, pid);

  function kill(): void {
    if (pid !== null && child.exitCode === null && child.signalCode === null) {
      signalGroup(pid, "SIGKILL");
    }
  }
  watch(spec, child, pid, kill);
  if (spec.signal.aborted) kill();
  return {
    pid,
    write: (chunk) => child.stdin.write(chunk),
    end: () => {
      child.stdin.end();
    },
    kill,
  };
}

function watch(
  spec: PortSpec,
  child: ChildProcessWithoutNullStreams,
  pid: number | null,
  kill: () => void,
): void {
  let last_error_line = "";
  const lines = createLineSplitter(spec.onLine);
  const error_lines = createLineSplitter((line) => {
    if (line.trim() !== "") last_error_line = line.trim();
    spec.onErrorLine(line);
  });
  let is_over = false;
  function finish(code: number | null, signal: string | null, what: string): void {
    if (is_over) return;
    is_over = true;
    spec.signal.removeEventListener("abort", kill);
    lines.end();
    error_lines.end();
    const words = last_error_line === "" ? "" : `: ${last_error_line.slice(0, 500)}`;
    spec.onExit({ code, signal, reason: `${spec.name} ${what}${words}` });
  }

  spec.signal.addEventListener("abort", kill, { once: true });
  child.stdout.on("data", (chunk: Buffer) => lines.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => error_lines.push(chunk));
  // A write to a port that is gone fails here; how it ended is told by its exit.
  child.stdin.on("error", ignore);
  child.on("error", (error) => finish(null, null, `could not be started (${error.message})`));
  // What the leader started goes with it; this also closes the streams that it shared.
  child.on("exit", () => {
    if (pid === null) return;
    signalGroup(pid, "SIGKILL");
    removePortRecord(spec.data_dir, spec.name, pid);
  });
  child.on("close", (code, signal) => {
    finish(code, signal, signal === null ? `exited with code ${code}` : `was ended by ${signal}`);
  });
}

function ignore(): void {}
