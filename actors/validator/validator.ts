/**
 * The validator: runs the checks of the last hours on a schedule while the platform runs, in a
 * process of its own that takes only what the others leave of the cores. What they came to is on
 * the status tree; a fault in the lake degrades the platform's health and stops nothing.
 *
 * @module
 */

import { type EventObject, fromCallback } from "xstate";
import type { Figures, Incarnation, Stop } from "../messages.ts";
import { isObject } from "../plain_object.ts";
import { guarded, type Port, type PortExit, spawnPort } from "../port/port.ts";
import type { After } from "../port/timers.ts";
import type { Log } from "../settings/log.ts";

/** What the validator is started with. */
export interface ValidatorInput {
  readonly incarnation: Incarnation;
  readonly data_dir: string;
  /** Runs the checks once and writes their result as JSON; see `validateCommand()`. */
  readonly command: readonly string[];
  /** What the command needs in its environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** From the end of one run to the next. */
  readonly pause_ms: number;
  readonly log: Log;
  /** Wall clock, milliseconds since 1970. */
  readonly now_ms: () => number;
  /** Timers: `afterOnHost` in operation. */
  readonly after: After;
}

/** What one run came to, of the JSON that `validate` writes. */
interface Result {
  readonly is_valid: boolean;
  readonly checks: readonly {
    readonly name: string;
    readonly severity: string;
    readonly result: string;
    readonly violations: number;
  }[];
}

/**
 * How far back a run on schedule looks. Of what comes later than that, and of bars that began
 * earlier, `bun run validate` is the judge.
 */
const since = "2h";
/** Gold gets its first trades while Spark warms up. */
const first_pause_ms = 120_000;
const run_ms_max = 600_000;
/** Of a result: some twenty checks with five samples each take a hundredth of it. */
const result_chars_max = 2 ** 20;
const grace_s = 2;

/** The command that the validator runs: K2's own, at the lowest priority. */
export function validateCommand(root: string): readonly string[] {
  const validate = ["--no-env-file", `${root}/main.ts`, "validate", "--since", since];
  return ["nice", "-n", "19", process.execPath, ...validate, "--format", "json"];
}

/** Runs the checks again and again until told to stop. */
export const validator = fromCallback<EventObject | Stop, ValidatorInput>(({ input, receive }) => {
  const schedule = new Schedule(input);
  receive((event) => {
    if (event.type === "stop") schedule.stop();
  });
  return () => schedule.letGo();
});

/** Owns the timer, or the process of the run at hand. */
class Schedule {
  readonly #input: ValidatorInput;
  #port: Port | null = null;
  #cancel: () => void = () => {};
  #is_stopping = false;

  constructor(input: ValidatorInput) {
    this.#input = input;
    this.#wait(Math.min(first_pause_ms, input.pause_ms));
    input.incarnation.ready();
  }

  stop(): void {
    this.#is_stopping = true;
    this.letGo();
    if (this.#port === null) this.#input.incarnation.exit({ kind: "normal" });
    else this.#port.kill();
  }

  letGo(): void {
    this.#cancel();
  }

  #wait(pause_ms: number): void {
    this.#input.incarnation.report.state = "waiting";
    this.#cancel = this.#input.after(pause_ms, () => this.#run());
  }

  #run(): void {
    const { incarnation, data_dir, command, environment, now_ms, after } = this.#input;
    const { report, signal } = incarnation;
    report.state = "checking";
    const started_ms = now_ms();
    let text = "";
    let is_late = false;
    const port = spawnPort({
      name: "validator",
      command: guarded(command, grace_s),
      data_dir,
      environment,
      signal,
      onLine: (line) => {
        if (text.length < result_chars_max) text += line;
      },
      onErrorLine: () => {},
      onExit: (exit) => {
        this.#port = null;
        this.#cancel();
        report.pid = null;
        if (this.#is_stopping || signal.aborted) {
          incarnation.exit({ kind: "normal" });
          return;
        }
        report.figures.seconds = Math.round(now_ms() - started_ms) / 1_000;
        const late = `the checks took longer than ${run_ms_max / 1_000} s`;
        this.#take(readResult(text) ?? (is_late ? late : failureOf(exit)));
        this.#wait(this.#input.pause_ms);
      },
    });
    this.#port = port;
    report.pid = port.pid;
    this.#cancel = after(run_ms_max, () => {
      is_late = true;
      port.kill();
    });
  }

  #take(result: Result | string): void {
    const { incarnation, log } = this.#input;
    const { figures } = incarnation.report;
    const now_ms = this.#input.now_ms();
    figures.checked_at = new Date(now_ms).toISOString();
    if (typeof result === "string") {
      figures.error = result;
      log.warn(`validator: ${result}`);
      return;
    }
    figures.error = null;
    addResult(figures, result);
    if (result.is_valid) figures.valid_at_s = Math.floor(now_ms / 1_000);
    else log.error(`validator: the lake does not hold: ${figures.violated}: see bun run validate`);
  }
}

/** Adds a result to the figures: each check's violations by its name, and which ones have any. */
function addResult(figures: Figures, { checks }: Result): void {
  for (const { name, violations } of checks) figures[`${name}_violations`] = violations;
  const violated = checks.filter(({ result }) => result === "violated");
  function namesOf(severity: string): string | null {
    const names = violated.filter((check) => check.severity === severity).map(({ name }) => name);
    return names.length === 0 ? null : names.join(", ");
  }
  figures.checks = checks.length;
  figures.violated = namesOf("error");
  figures.warned = namesOf("warning");
}

/** The words of a command that could not run the checks stand on its stderr. */
function failureOf({ reason }: PortExit): string {
  return /k2 validate: (.*)$/.exec(reason)?.[1] ?? reason;
}

/** Reads what `validate --format json` wrote; null where it is no result. */
function readResult(text: string): Result | null {
  try {
    const value: unknown = JSON.parse(text);
    return isResult(value) ? value : null;
  } catch {
    return null;
  }
}

function isResult(value: unknown): value is Result {
  return (
    isObject(value) &&
    typeof value.is_valid === "boolean" &&
    Array.isArray(value.checks) &&
    value.checks.every(
      (check) =>
        isObject(check) &&
        ["name", "severity", "result"].every((name) => typeof check[name] === "string") &&
        typeof check.violations === "number",
    )
  );
}
