/**
 * `setup`: makes everything that any command needs, or only the named steps, and ends. Every
 * command sets up for itself; this one fills images and caches.
 *
 * @module
 */

import { exit_codes, UsageError } from "../settings/exit.ts";
import type { Run } from "../settings/invocation.ts";
import { setUp } from "./set_up.ts";
import { isStepName, step_names } from "./steps.ts";

/** Sets up the steps named as arguments; none means all. */
export const run: Run = async ({ positionals, root, environment }) => {
  const unknown = positionals.find((name) => !isStepName(name));
  if (unknown !== undefined) {
    throw new UsageError(`There is no step "${unknown}": it must be of ${step_names.join(", ")}`);
  }
  const wanted = positionals.filter(isStepName);
  await setUp(wanted.length === 0 ? step_names : wanted, { root, environment });
  return exit_codes.done;
};
