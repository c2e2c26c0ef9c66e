/**
 * Goal: lines come out the same however the bytes are cut into chunks.
 * Method: one text with every kind of line end, cut at every size.
 */

import { expect, test } from "bun:test";
import { type Line, readLines } from "../../../actors/normalizer/lines.ts";

/** Gives the bytes in chunks from one memory that is written again, as a stream may. */
async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  const memory = new Uint8Array(size);
  for (let start = 0; start < bytes.length; start += size) {
    const length = Math.min(size, bytes.length - start);
    memory.set(bytes.subarray(start, start + length));
    yield memory.subarray(0, length);
  }
}

async function linesOf(bytes: Buffer, size: number): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const some of readLines(inChunks(bytes, size))) lines.push(...some);
  return lines;
}

test("readLines() yields the same lines whatever the chunks", async () => {
  const bytes = Buffer.from("\ufefffirst\n\n  \r\nsecond €\r\nthi\rrd\n\nlast");
  for (let size = 1; size <= bytes.length; size += 1) {
    const lines = (await linesOf(bytes, size)).map(({ text, number }) => [number, text]);
    expect(lines).toEqual([
      [1, "first"],
      [4, "second €"],
      [5, "thi\rrd"],
      [7, "last"],
    ]);
  }
});

test("readLines() marks a line that is not UTF-8, and no other", async () => {
  const bytes = Buffer.concat([
    Buffer.from("a\n"),
    Buffer.from([0x62, 0xff, 0x0a]),
    Buffer.from("c"),
  ]);
  const lines = await linesOf(bytes, 2);
  expect(lines.map(({ text }) => text)).toEqual(["a", undefined, "c"]);
  expect(lines[1]?.lossy_text).toBe("b\ufffd");
});

test("readLines() yields nothing for no bytes, and no line after the last line feed", async () => {
  expect(await linesOf(Buffer.from(""), 5)).toEqual([]);
  expect(await linesOf(Buffer.from("a\n"), 5)).toHaveLength(1);
});
