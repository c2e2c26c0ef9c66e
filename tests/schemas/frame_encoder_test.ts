/**
 * Goal: what the fast encoder writes, avsc reads as exactly the frames that went in, and it knows
 * when there is no room.
 * Method: random sessions and frames - text of every width around the lengths at which Avro's
 * length grows, bytes, numbers from the edges - written one by one and read by avsc.
 */

import { expect, test } from "bun:test";
import {
  decodeFrameBatch,
  encodeFrameBatch,
  encodeFramesHead,
  type FrameRecord,
  frameBatchType,
  readSchemaId,
  writeFrame,
  writeFramesEnd,
} from "../../schemas/mod.ts";
import { createRandom } from "./random.ts";

const random = createRandom(11);

function below(limit: number): number {
  return Math.floor(random() * limit);
}

function pick<Item>(items: readonly Item[]): Item {
  return items[below(items.length)]!;
}

function randomText(): string {
  const alphabet = pick([
    'abcXYZ019:/{}"',
    "äß€",
    "中文🚀",
    "a\u0000\n\u007f\u0080",
    "aaaaaaaaaaaaé",
  ]);
  const letters = [...alphabet];
  const length = pick([0, 1, 21, 31, 32, 33, 62, 63, 64, 65, 200, 2_730, 4_095, 8_191, 8_192]);
  return Array.from({ length }, () => pick(letters)).join("");
}

/** The largest integer that avsc reads. */
const long_max = Number.MAX_SAFE_INTEGER - 1;

function randomLong(): number {
  const edge = 2 ** below(53) - pick([0, 1]);
  return pick([0, 1, 63, 64, 65, 1_787_746_340_684_123, edge, long_max]);
}

function randomFrame(): FrameRecord {
  const bytes = crypto.getRandomValues(new Uint8Array(pick([0, 1, 63, 64, 300])));
  return {
    frame_sequence: randomLong(),
    direction: pick(["RECEIVED", "SENT"]),
    kind: pick(["MESSAGE", "PAGE"]),
    request: pick([null, null, `GET ${randomText()}`]),
    received_us: randomLong(),
    received_monotonic_ns: randomLong(),
    frame: pick([randomText(), randomText(), bytes]),
  };
}

function randomSession() {
  return { exchange: "kraken", connection_id: randomText(), url: `wss://x/${randomText()}` };
}

/** As avsc gives it back: text as UTF-8. */
function read(frame: FrameRecord) {
  return { ...frame, frame: Buffer.from(frame.frame as string) };
}

test("avsc reads from the bytes exactly the frames that were written", () => {
  const buffer = Buffer.alloc(2 ** 20);
  for (let round = 0; round < 600; round += 1) {
    const session = randomSession();
    const frames = Array.from({ length: below(8) }, randomFrame);
    const head = encodeFramesHead(0x01020304, session);
    const start = below(100);
    head.copy(buffer, start);
    let position = start + head.length;
    for (const frame of frames) position = writeFrame(frame, buffer, position);
    const value = buffer.subarray(start, writeFramesEnd(buffer, position));
    expect(readSchemaId(value)).toBe(0x01020304);
    const wanted = { ...session, frames: frames.map(read) };
    expect(decodeFrameBatch(value)).toEqual(wanted);
    // Read and written again by avsc, which has one block for all: the same value.
    const again = frameBatchType.toBuffer(wanted);
    expect(decodeFrameBatch(Buffer.concat([value.subarray(0, 5), again]))).toEqual(wanted);
    expect(encodeFrameBatch(0x01020304, session, frames).equals(value)).toBe(true);
  }
});

test("writeFrame() says that a frame does not fit, and fits into exactly its own size", () => {
  for (let round = 0; round < 60; round += 1) {
    const frame = randomFrame();
    const whole = Buffer.alloc(2 ** 16);
    const bytes = writeFrame(frame, whole, 0);
    for (let size = 0; size < bytes; size += 1 + below(bytes / 10)) {
      expect(writeFrame(frame, Buffer.alloc(size), 0)).toBe(-1);
    }
    expect(writeFrame(frame, Buffer.alloc(bytes - 1), 0)).toBe(-1);
    const exact = Buffer.alloc(bytes);
    expect(writeFrame(frame, exact, 0)).toBe(bytes);
    expect(exact.equals(whole.subarray(0, bytes))).toBe(true);
  }
});

test("a text's length may take more bytes than its number of letters suggests", () => {
  const buffer = Buffer.alloc(2 ** 16);
  // One letter of two bytes pushes the length over the edge at which it takes a byte more.
  for (const edge of [64, 8_192]) {
    for (let length = edge - 3; length <= edge + 1; length += 1) {
      for (const at of [0, Math.floor(length / 2), length - 1]) {
        const text = `${"x".repeat(at)}é${"x".repeat(length - at - 1)}`;
        const frame = { ...randomFrame(), frame: text };
        const head = encodeFramesHead(1, randomSession());
        head.copy(buffer);
        const end = writeFramesEnd(buffer, writeFrame(frame, buffer, head.length));
        const [decoded] = decodeFrameBatch(buffer.subarray(0, end)).frames;
        expect(Buffer.from(decoded!.frame).toString()).toBe(text);
      }
    }
  }
});

test("encodeFrameBatch() holds a frame of any size", () => {
  const frame = { ...randomFrame(), frame: "€".repeat(5 * 2 ** 20) };
  const value = encodeFrameBatch(1, randomSession(), [frame]);
  expect(decodeFrameBatch(value).frames[0]?.frame.length).toBe(15 * 2 ** 20);
});

test("writeFrame() refuses numbers that are not exact", () => {
  const buffer = Buffer.alloc(2 ** 16);
  for (const wrong of [{ received_monotonic_ns: 1.5 }, { frame_sequence: 2 ** 53 }]) {
    expect(() => writeFrame({ ...randomFrame(), ...wrong }, buffer, 0)).toThrow(RangeError);
  }
});
