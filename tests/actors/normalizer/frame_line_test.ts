/**
 * Goal: a line is a frame, or it is unreadable for a stated reason.
 * Method: one whole line, changed in one place for each reason.
 */

import { expect, test } from "bun:test";
import { readFrameLine } from "../../../actors/normalizer/frame_line.ts";

const line = { exchange: "kraken", received_us: 1_787_746_340_684_123, frame: "{}" };

test("readFrameLine() reads a line that says only what it must", () => {
  expect(readFrameLine(JSON.stringify(line))).toEqual({
    kind: "frame",
    ...line,
    frame_kind: "MESSAGE",
    direction: "RECEIVED",
    request: "",
    connection_id: "",
    frame_sequence: null,
  });
});

test("readFrameLine() reads all that a recorder writes, null for what it does not know", () => {
  const recorded = {
    ...line,
    kind: "PAGE",
    direction: "RECEIVED",
    request: "GET https://host/",
    connection_id: "rest-1",
    frame_sequence: 3,
    received_monotonic_ns: 17,
  };
  expect(readFrameLine(JSON.stringify(recorded))).toMatchObject({
    frame_kind: "PAGE",
    request: "GET https://host/",
    connection_id: "rest-1",
    frame_sequence: 3,
  });
  expect(readFrameLine(JSON.stringify({ ...line, kind: null, request: null })).kind).toBe("frame");
});

test.each([
  ["line_unreadable", "nonsense"],
  ["line_unreadable", '"text"'],
  ["line_unreadable", "[]"],
  ["line_unreadable", "null"],
  ["exchange_unreadable", JSON.stringify({ ...line, exchange: 1 })],
  ["exchange_unreadable", "{}"],
  ["received_us_unreadable", JSON.stringify({ ...line, received_us: undefined })],
  ["received_us_unreadable", JSON.stringify({ ...line, received_us: "1787746340684123" })],
  ["received_us_unreadable", JSON.stringify({ ...line, received_us: 1.5 })],
  ["received_us_unreadable", JSON.stringify({ ...line, received_us: -1 })],
  ["received_us_unreadable", JSON.stringify({ ...line, received_us: 2 ** 53 })],
  ["frame_missing", JSON.stringify({ ...line, frame: undefined })],
  ["frame_missing", JSON.stringify({ ...line, frame: {} })],
  ["kind_unknown", JSON.stringify({ ...line, kind: "LETTER" })],
  ["direction_unknown", JSON.stringify({ ...line, direction: "UP" })],
  ["request_unreadable", JSON.stringify({ ...line, request: 1 })],
  ["connection_id_unreadable", JSON.stringify({ ...line, connection_id: 1 })],
  ["frame_sequence_unreadable", JSON.stringify({ ...line, frame_sequence: -1 })],
])("readFrameLine() is %s for %s", (reason, text) => {
  expect(readFrameLine(text)).toEqual({ kind: "unreadable", reason } as never);
});
