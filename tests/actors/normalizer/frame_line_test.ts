/**
 * Goal: a line is a frame, or it is unreadable for a stated reason; and a frame that is written as
 * a line is read back to the byte.
 * Method: one whole line, changed in one place for each reason; recorded frames, the simulator's,
 * and texts and bytes that are hard to write, there and back.
 */

import { expect, test } from "bun:test";
import { readFrameLine, writeFrameLine } from "../../../actors/normalizer/frame_line.ts";
import { fixtureFrames, fixtureText } from "../../fixtures/frames.ts";

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
  ["frame_base64_unreadable", JSON.stringify({ ...line, frame: null, frame_base64: "?" })],
  ["frame_missing", JSON.stringify({ ...line, frame: undefined, frame_base64: 7 })],
  ["kind_unknown", JSON.stringify({ ...line, kind: "LETTER" })],
  ["direction_unknown", JSON.stringify({ ...line, direction: "UP" })],
  ["request_unreadable", JSON.stringify({ ...line, request: 1 })],
  ["connection_id_unreadable", JSON.stringify({ ...line, connection_id: 1 })],
  ["frame_sequence_unreadable", JSON.stringify({ ...line, frame_sequence: -1 })],
])("readFrameLine() is %s for %s", (reason, text) => {
  expect(readFrameLine(text)).toEqual({ kind: "unreadable", reason } as never);
});

const session = { exchange: "kraken", connection_id: "kraken-1" };
const entry = {
  frame_sequence: 3,
  direction: "RECEIVED",
  kind: "MESSAGE",
  request: null,
  received_us: 1_787_746_340_684_123,
} as const;

test("writeFrameLine() writes what normalize reads, in the documented order", () => {
  expect(writeFrameLine(session, { ...entry, frame: '{"a": 1.10}' })).toBe(
    '{"exchange":"kraken","received_us":1787746340684123,"frame":"{\\"a\\": 1.10}",' +
      '"kind":"MESSAGE","request":null,"direction":"RECEIVED","connection_id":"kraken-1",' +
      '"frame_sequence":3}',
  );
});

const hard_frames = [
  ...["binance", "kraken"].flatMap((exchange) => fixtureFrames(exchange).map((it) => it.frame)),
  fixtureText("kraken", "trades_page.json"),
  "",
  '\u0000\u001f\u007f\u2028\u2029\ufeff\r\n\t\\"/',
  "\ud83e\udd84 \ud800 lone",
  new Uint8Array(),
  Uint8Array.from({ length: 256 }, (_, byte) => byte),
];

test("a frame is read back to the byte", () => {
  for (const frame of hard_frames) {
    const text = writeFrameLine(session, { ...entry, frame });
    expect(text).not.toContain("\n");
    expect(readFrameLine(text)).toEqual({
      kind: "frame",
      exchange: "kraken",
      received_us: entry.received_us,
      frame,
      frame_kind: "MESSAGE",
      direction: "RECEIVED",
      request: "",
      connection_id: "kraken-1",
      frame_sequence: 3,
    });
  }
});

test("a line of what was sent, or of a page, says so", () => {
  const sent = writeFrameLine(session, { ...entry, direction: "SENT", frame: "{}" });
  expect(readFrameLine(sent)).toMatchObject({ direction: "SENT", frame_kind: "MESSAGE" });
  const request = "GET https://host/0/public/Trades?pair=XXBTZUSD";
  const page = writeFrameLine(session, { ...entry, kind: "PAGE", request, frame: "{}" });
  expect(readFrameLine(page)).toMatchObject({ frame_kind: "PAGE", request });
});
