/**
 * The two ways in which a command can fail, with their exit codes: exit code 2 for
 * wrong use, 1 for what could not be done or does not hold. The message is one sentence that says
 * what was wrong and what to do; `main.ts` prints it on stderr.
 *
 * @module
 */

/** Wrong use: flags, settings, a data directory of another kind or in use. Exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** It could not be done: a tool, the network, disk or a port is missing. Exit code 1. */
export class FailureError extends Error {
  override readonly name = "FailureError";
}

/**
 * No restart can help, so that none is tried: a supervisor that meets it gives up at once, and so
 * does its own, up to the root, which ends the process with this reason. Only a child that cools
 * down keeps it to itself.
 */
export class FatalError extends Error {
  override readonly name = "FatalError";
}

/** How an actor ends of a thrown value: for good, or to be started again. */
export function crashOf(error: unknown): {
  readonly kind: "crash" | "fatal";
  readonly reason: string;
} {
  return { kind: error instanceof FatalError ? "fatal" : "crash", reason: reasonOf(error) };
}

/** Exit codes of every command. */
export const exit_codes = { done: 0, failed: 1, wrong_use: 2 } as const;

/** The sentence of an unknown thrown value, on one line. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, " ").trim();
}
