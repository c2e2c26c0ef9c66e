/**
 * The flags of `maintain`. Nothing here needs a package, so that a wrong flag is told at once.
 *
 * @module
 */

import { UsageError } from "../actors/settings/exit.ts";
import type { Flags } from "../actors/settings/invocation.ts";

/**
 * How the report is printed.
 *
 * @throws {UsageError} naming the value and what is allowed.
 */
export function readMaintainFormat({ format = "table" }: Flags): "table" | "json" {
  if (format === "table" || format === "json") return format;
  throw new UsageError(`--format is "${format}": it must be table or json`);
}
