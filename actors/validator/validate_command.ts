/**
 * `validate`: every check of `spark/checks` once, on a running or a stopped platform.
 *
 * @module
 */

import { lockHolder } from "../settings/data_directory.ts";
import { exit_codes, FailureError, reasonOf, UsageError } from "../settings/exit.ts";
import type { Invocation } from "../settings/invocation.ts";
import { catalogPath } from "./catalog_path.ts";
import { holds } from "./check.ts";
import { runChecks } from "./checks.ts";
import { readLake } from "./lake.ts";
import { openOut, whileRead } from "./output.ts";
import { pinTables } from "./pins.ts";
import { duckDBSentence } from "./query.ts";
import { parseSince } from "./time_bounds.ts";
import { type Validation, validationAsJson, validationAsText } from "./validation_report.ts";

/** Runs the command. */
export async function run(invocation: Invocation): Promise<number> {
  const { flags, settings, root } = invocation;
  const { format = "table", since = "all" } = flags;
  if (format !== "table" && format !== "json") {
    throw new UsageError(`--format is "${format}": it must be table or json`);
  }
  const now_ms = Date.now();
  const since_ms = parseSince(String(since), now_ms);
  const validation = await validate({
    catalog_path: catalogPath(settings),
    data_dir: settings.data_dir,
    root,
    since_ms,
    now_ms,
    is_running: lockHolder(settings.data_dir) !== null,
  });
  const text = format === "json" ? validationAsJson(validation) : validationAsText(validation);
  await whileRead(() => openOut()(text));
  return holds(validation.outcomes) ? exit_codes.done : exit_codes.failed;
}

/**
 * Reads the lake, pins it, and runs every check.
 *
 * @throws {FailureError} where there is no lake, or it cannot be read.
 */
export async function validate(options: {
  readonly catalog_path: string;
  readonly data_dir: string;
  readonly root: string;
  readonly since_ms: number | null;
  readonly now_ms: number;
  readonly is_running: boolean;
}): Promise<Validation> {
  const pins = pinTables(await readLake(options.catalog_path), options.since_ms);
  try {
    const outcomes = await runChecks({ ...options, pins });
    return {
      read_at_ms: options.now_ms,
      since_ms: options.since_ms,
      bounds: pins.bounds,
      positions: pins.positions,
      outcomes,
    };
  } catch (error) {
    if (error instanceof FailureError) throw error;
    throw new FailureError(`The checks could not be run: ${duckDBSentence(reasonOf(error))}`);
  }
}
