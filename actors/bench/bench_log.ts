/**
 * The log of a bench: warnings and errors only, since what is measured is told by other lines.
 *
 * @module
 */

import { createLog, type Log } from "../settings/log.ts";

/** Makes it. */
export function warningsOnly(): Log {
  const log = createLog({
    format: "text",
    write: (line) => process.stderr.write(line),
    now_ms: Date.now,
  });
  return { ...log, info: () => {} };
}
