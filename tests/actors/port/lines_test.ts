/**
 * Goal: lines come out whole however the bytes were cut, and an endless line stays bounded.
 * Method: the same text in every possible pair of chunks.
 */

import { expect, test } from "bun:test";
import { createLineSplitter } from "../../../actors/port/lines.ts";

function split(chunks: readonly Uint8Array[], line_chars_max?: number): string[] {
  const lines: string[] = [];
  const splitter = createLineSplitter((line) => lines.push(line), line_chars_max);
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return lines;
}

test("createLineSplitter() gives whole lines wherever the bytes are cut", () => {
  const bytes = Buffer.from("first\r\n\nfünf €\nlast");
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    expect(split([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual([
      "first",
      "",
      "fünf €",
      "last",
    ]);
  }
});

test("createLineSplitter() gives no empty line after the last newline", () => {
  expect(split([Buffer.from("one\n")])).toEqual(["one"]);
});

test("createLineSplitter() cuts a line that is longer than allowed and goes on", () => {
  const chunks = [Buffer.from("abcdef"), Buffer.from("ghi\nxy\n")];
  expect(split(chunks, 4)).toEqual(["abcd", "xy"]);
});
