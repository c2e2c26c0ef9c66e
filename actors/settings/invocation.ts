/**
 * What a command gets from `main.ts`: its parsed flags, the validated settings, the environment
 * and the checkout. A command returns its exit code and never ends the process itself.
 *
 * @module
 */

import type { Settings } from "./settings.ts";

/**
 * Environment variable by which `main.ts` tells its next process, after set-up, when the command
 * began: milliseconds since 1970.
 */
export const begun_variable = "K2_BEGUN_MS";

/** Flags as `node:util` parses them: text, or true for a flag without a value. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>;

/** One call of a command, its flags and settings already checked. */
export interface Invocation {
  readonly flags: Flags;
  readonly positionals: readonly string[];
  readonly settings: Settings;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The checkout: where `main.ts` stands. */
  readonly root: string;
}

/** What a command's module exports as `run`. */
export type Run = (invocation: Invocation) => Promise<number>;
