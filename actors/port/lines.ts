/**
 * Bytes into lines: what a process writes comes in chunks that end anywhere, also inside a
 * character. A line has an upper bound, because a process that never writes a newline must not
 * grow our memory: what is beyond the bound is cut.
 *
 * @module
 */

import { StringDecoder } from "node:string_decoder";

const line_chars_max_default = 2 ** 20;

/** Splits the chunks of one stream. */
interface LineSplitter {
  /** Takes the next bytes; every line they complete is given to `onLine`, without its newline. */
  push(chunk: Uint8Array): void;
  /** The stream ended: a last line without newline is given too. */
  end(): void;
}

/**
 * Makes a splitter for one stream of UTF-8.
 *
 * @param onLine Gets each line, without `\n` or `\r\n`.
 * @param line_chars_max Longest line that is kept; the rest of a longer one is dropped.
 */
export function createLineSplitter(
  onLine: (line: string) => void,
  line_chars_max: number = line_chars_max_default,
): LineSplitter {
  const decoder = new StringDecoder("utf8");
  let rest = "";

  function keep(text: string): void {
    if (rest.length < line_chars_max) rest += text.slice(0, line_chars_max - rest.length);
  }
  function flush(): void {
    const line = rest.endsWith("\r") ? rest.slice(0, -1) : rest;
    rest = "";
    onLine(line);
  }
  function push(chunk: Uint8Array): void {
    const text = decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      keep(text.slice(start, end));
      flush();
      start = end + 1;
    }
    keep(text.slice(start));
  }
  function end(): void {
    keep(decoder.end());
    if (rest !== "") flush();
  }
  return { push, end };
}
