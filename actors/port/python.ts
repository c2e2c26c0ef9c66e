/**
 * The Python that the set-up has made, for whoever starts a program of ours in it. Pure.
 *
 * @module
 */

import { join } from "node:path";

/** Its path, in a checkout. */
export function pythonOf(root: string): string {
  return join(root, ".setup/python/bin/python");
}
