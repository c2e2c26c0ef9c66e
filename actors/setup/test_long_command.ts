/**
 * `test:long`: what takes too long for every change, such as minutes under load with kills in
 * between. Its files stand in `tests/long`.
 *
 * @module
 */

import type { Run } from "../settings/invocation.ts";
import { bunSuite, runTests } from "./test_command.ts";

const minute_ms = 60_000;

/** Runs the long tests, or only those whose path contains one of the arguments. */
export const run: Run = (invocation) =>
  runTests(invocation, {
    before: async () => [],
    suitesOf: ({ long }) => [
      bunSuite("long", { files: long, test_ms_max: 60 * minute_ms, timeout_ms: 240 * minute_ms }),
    ],
  });
