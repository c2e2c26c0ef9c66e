/**
 * Goal: the last line counts what really ran; whatever did not run counts as failed.
 * Method: reports as `bun test` 1.4.5 and pytest 9 write them, shortened.
 */

import { expect, test } from "bun:test";
import { countTests, lastLine, sortTestFiles } from "../../../actors/setup/suites.ts";

const bun_report = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="4" assertions="2" failures="1" skipped="2" time="0.01">
  <testsuite name="tests/a_test.ts" file="tests/a_test.ts" tests="4" failures="1" skipped="2">
    <testsuite name="g" file="tests/a_test.ts" line="2" tests="4" failures="1" skipped="2">
      <testcase name="one" classname="g" time="0" file="tests/a_test.ts" line="2" />
      <testcase name="two &lt;failure&gt;" classname="g" file="tests/a_test.ts" line="2">
        <failure type="AssertionError" message="expect(received)">AssertionError</failure>
      </testcase>
      <testcase name="three" classname="g" time="0" file="tests/a_test.ts" line="2">
        <skipped />
      </testcase>
      <testcase name="four" classname="g" time="0" file="tests/a_test.ts" line="2">
        <skipped message="TODO" />
      </testcase>
    </testsuite>
  </testsuite>
</testsuites>`;

const pytest_report =
  '<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite ' +
  'name="pytest" errors="0" failures="0" skipped="0" tests="2"><testcase ' +
  'classname="tests.spark.gold_test" name="test_a" time="0.1" /><testcase ' +
  'classname="tests.spark.gold_test.TestBars" name="test_b" time="0.1" /></testsuite></testsuites>';

const green_report =
  '<testsuites><testsuite name="tests/a_test.ts" file="tests/a_test.ts">' +
  '<testcase name="one" file="tests/a_test.ts" /></testsuite></testsuites>';

test("failed, skipped and todo tests count as failed", () => {
  const outcome = { report: bun_report, exit_code: 1, files: ["tests/a_test.ts"] };
  expect(countTests(outcome)).toEqual({ passed: 1, failed: 3 });
});

test("passed tests of both runners count as passed", () => {
  const files = ["tests/spark/gold_test.py"];
  expect(countTests({ report: pytest_report, exit_code: 0, files })).toEqual({
    passed: 2,
    failed: 0,
  });
  expect(countTests({ report: green_report, exit_code: 0, files: ["tests/a_test.ts"] })).toEqual({
    passed: 1,
    failed: 0,
  });
});

test("a file that the report does not know counts as failed", () => {
  const ts = { report: green_report, exit_code: 0, files: ["tests/a_test.ts", "tests/b_test.ts"] };
  expect(countTests(ts)).toEqual({ passed: 1, failed: 1 });
  const py = { report: pytest_report, exit_code: 0, files: ["tests/spark/gold_tests_test.py"] };
  expect(countTests(py)).toEqual({ passed: 2, failed: 1 });
});

test("a runner that fails without a failed test, or writes no report, counts as failed", () => {
  const files = ["tests/a_test.ts"];
  expect(countTests({ report: green_report, exit_code: 1, files })).toEqual({
    passed: 1,
    failed: 1,
  });
  expect(countTests({ report: null, exit_code: 0, files })).toEqual({ passed: 0, failed: 1 });
  expect(countTests({ report: null, exit_code: 0, files: [] })).toEqual({ passed: 0, failed: 1 });
});

test("sortTestFiles() sorts by folder and kind, and filters by path", () => {
  const paths = [
    "tests/long/soak_test.ts",
    "tests/end_to_end/start_test.ts",
    "tests/spark/gold_test.py",
    "tests/b_test.ts",
    "tests/actors/a_test.ts",
    "tests/fixtures.ts",
    "actors/x_test.ts",
  ];
  expect(sortTestFiles(paths)).toEqual({
    unit: ["tests/actors/a_test.ts", "tests/b_test.ts"],
    python: ["tests/spark/gold_test.py"],
    end_to_end: ["tests/end_to_end/start_test.ts"],
    long: ["tests/long/soak_test.ts"],
  });
  expect(sortTestFiles(paths, ["gold", "b_test"])).toEqual({
    unit: ["tests/b_test.ts"],
    python: ["tests/spark/gold_test.py"],
    end_to_end: [],
    long: [],
  });
});

test("lastLine() adds the suites up", () => {
  expect(
    lastLine([
      { passed: 3, failed: 0 },
      { passed: 4, failed: 2 },
    ]),
  ).toBe("7 passed, 2 failed");
});
