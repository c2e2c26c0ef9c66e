/**
 * Certificates and keys stand in PEM files that settings name. They are looked at before anything
 * starts, because a client that cannot read one says so late, over and over, or not at all.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { reasonOf, UsageError } from "./exit.ts";

/**
 * The text of a PEM file.
 *
 * @param variable The setting that names it.
 * @throws {UsageError} where it cannot be read, or is none.
 */
export function readPem(variable: string, path: string): string {
  // Whoever has put the key itself there must not find it in a log.
  if (path.includes("-----")) {
    throw new UsageError(`${variable} holds a text: it must be the name of a PEM file`);
  }
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(
      `${variable} is "${path}": it must be a file that can be read (${reasonOf(error)})`,
    );
  }
  if (/^-----BEGIN [A-Z0-9 ]+-----$/m.test(text)) return text;
  throw new UsageError(`${variable} is "${path}": it must be a PEM file (-----BEGIN …-----)`);
}
