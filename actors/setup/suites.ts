/**
 * Which files are which suite, and what each suite's report says. A suite counts only what really
 * ran: a skipped or todo test, a file without a test, a suite without a file, and a runner that
 * failed without a failed test all count as failed.
 *
 * @module
 */

/** How many tests of a suite passed and failed. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** Test files by suite, each sorted, relative to the checkout. */
export interface TestFiles {
  /** TypeScript, in one process. */
  readonly unit: readonly string[];
  /** Python. */
  readonly python: readonly string[];
  /** TypeScript, with the real parts. */
  readonly end_to_end: readonly string[];
  /** TypeScript, of `test:long` only. */
  readonly long: readonly string[];
}

const test_file = /^tests\/.*_test\.(ts|py)$/;

/**
 * Sorts test files into suites by their path.
 *
 * @param filters Keeps the files whose path contains one of these; none keeps all.
 */
export function sortTestFiles(
  paths: readonly string[],
  filters: readonly string[] = [],
): TestFiles {
  const files = paths
    .filter((path) => test_file.test(path))
    .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
    .sort();
  const typescript = files.filter((path) => path.endsWith(".ts"));
  const end_to_end = typescript.filter((path) => path.startsWith("tests/end_to_end/"));
  const long = typescript.filter((path) => path.startsWith("tests/long/"));
  return {
    unit: typescript.filter((path) => !end_to_end.includes(path) && !long.includes(path)),
    python: files.filter((path) => path.endsWith(".py")),
    end_to_end,
    long,
  };
}

/** What is known after a runner has ended. */
interface RunnerOutcome {
  /** The JUnit report that it wrote, or null where it wrote none. */
  readonly report: string | null;
  readonly exit_code: number | null;
  /** The files that it was told to run. */
  readonly files: readonly string[];
}

/**
 * Counts a suite from its JUnit report, as Bun and pytest write it.
 *
 * @returns at least one failed test where anything did not run or the runner itself failed.
 */
export function countTests({ report, exit_code, files }: RunnerOutcome): Counts {
  const cases = (report ?? "").split("<testcase").slice(1);
  const failed_cases = cases.filter((text) => /<(failure|error|skipped)\b/.test(text));
  const silent_files = files.filter((file) => !hasCase(report ?? "", file));
  const failed = failed_cases.length + silent_files.length;
  const passed = cases.length - failed_cases.length;
  const is_unexplained = failed === 0 && (exit_code !== 0 || cases.length === 0);
  return { passed, failed: is_unexplained ? 1 : failed };
}

/** Whether a report names a file: Bun by its path, pytest by its module. */
function hasCase(report: string, file: string): boolean {
  if (report.includes(`file="${file}"`)) return true;
  const module_name = file.replace(/\.py$/, "").replaceAll("/", ".");
  return file.endsWith(".py") && new RegExp(`classname="${module_name}[".]`).test(report);
}

/** The last line of `check` and `test`. */
export function lastLine(counts: readonly Counts[]): string {
  const passed = counts.reduce((sum, suite) => sum + suite.passed, 0);
  const failed = counts.reduce((sum, suite) => sum + suite.failed, 0);
  return `${passed} passed, ${failed} failed`;
}
