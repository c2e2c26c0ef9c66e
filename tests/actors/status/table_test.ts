/**
 * Goal: the table shows what a person looks for first.
 * Method: a small tree, compared to the letter.
 */

import { expect, test } from "bun:test";
import { durationOf, tableOf } from "../../../actors/status/table.ts";
import { node } from "./sample_tree.ts";

test("tableOf() indents children and says why the last incarnation ended", () => {
  const restarts = { total: 12, in_window: 1, max: 5, window_ms: 60_000 };
  const tree = node("k2", {
    kind: "supervisor",
    restarts,
    children: [
      node("broker", { kind: "port", pid: 4711, figures: { port: 9092, error: null } }),
      node("spark", {
        kind: "port",
        pid: null,
        state: "failed",
        last_exit: { reason: "exit code 1", at: "2026-11-23T12:00:00.000Z" },
        figures: { note: "two words" },
      }),
    ],
  });
  const document = {
    version: "3.0.0",
    started_at: "",
    uptime_s: 65,
    health: "fail",
    tree,
  } as const;
  expect(tableOf(document)).toBe(
    [
      "K2 3.0.0: fail, up 1 min 5 s",
      "",
      "ACTOR     STATE    RESTARTS  PID   FIGURES",
      "k2        running  12",
      "  broker  running            4711  port=9092",
      '  spark   failed                   note="two words" last exit: exit code 1',
      "",
    ].join("\n"),
  );
});

test.each([
  [0, "0 s"],
  [59.9, "59 s"],
  [60, "1 min 0 s"],
  [3_725, "1 h 2 min"],
  [90_000, "1 d 1 h"],
])("durationOf(%p) is %s", (seconds, expected) => {
  expect(durationOf(seconds)).toBe(expected);
});
