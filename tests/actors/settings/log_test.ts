/**
 * Goal: one line an event, for people or for machines, whatever the event holds.
 * Method: a log that writes into a list, under a fixed clock.
 */

import { expect, test } from "bun:test";
import { createLog } from "../../../actors/settings/log.ts";

test("text lines hold time, level, message and fields", () => {
  const { log, lines } = createRecorder("text");
  log.info("started");
  log.warn("socket closed", { exchange: "kraken", code: 1006 });
  expect(lines).toEqual([
    "12:30:01 info  started\n",
    '12:30:01 warn  socket closed exchange="kraken" code=1006\n',
  ]);
});

test("JSON lines are one object each", () => {
  const { log, lines } = createRecorder("json");
  log.error("crashed", { reason: "a\nb" });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toEndWith("}\n");
  expect(JSON.parse(lines[0]!)).toEqual({
    time: "2026-11-23T12:30:01.000Z",
    level: "error",
    message: "crashed",
    reason: "a\nb",
  });
});

test.each(["text", "json"] as const)(
  "a %s line with a line break in a field is one line",
  (format) => {
    const { log, lines } = createRecorder(format);
    log.info("read", { frame: "a\nb\r\nc" });
    expect(lines[0]!.trimEnd()).not.toContain("\n");
  },
);

function createRecorder(format: "text" | "json") {
  const lines: string[] = [];
  const now_ms = Date.UTC(2026, 10, 23, 12, 30, 1);
  const log = createLog({ format, write: (line) => lines.push(line), now_ms: () => now_ms });
  return { log, lines };
}
