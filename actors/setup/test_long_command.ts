/**
 * `test:long`: what takes too long for every change, such as minutes under load with kills in
 * between. Its files stand in `tests/long`.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Run } from "../settings/invocation.ts";
import { report_folder } from "./suite_run.ts";
import { bunSuite, runTests } from "./test_command.ts";

const minute_ms = 60_000;

/** Lines of a long test's output that hold what it has measured. */
const figures_line = /^(rss_slope_mib_per_min=|restart_ms=|\{"counts")/;

/** Runs the long tests, or only those whose path contains one of the arguments. */
export const run: Run = async (invocation) => {
  const code = await runTests(invocation, {
    before: async () => [],
    suitesOf: ({ long }) => [
      bunSuite("long", { files: long, test_ms_max: 60 * minute_ms, timeout_ms: 240 * minute_ms }),
    ],
  });
  // A suite that could not be set up has left none.
  const log = await readFile(join(invocation.root, report_folder, "long.log"), "utf8").catch(
    () => "",
  );
  const figures = log.split("\n").filter((line) => figures_line.test(line));
  process.stderr.write(figures.map((line) => `${line}\n`).join(""));
  return code;
};
