/**
 * Bytes into lines, of any length, one at a time: a file of any size costs the memory of its
 * longest line.
 *
 * A line ends with a line feed, with or without a carriage return before it; the last one may end
 * with the file. Bytes that are not UTF-8 make their own line unreadable, no other.
 *
 * @module
 */

/** One line without its end. `text` is undefined where the bytes are not UTF-8. */
export interface Line {
  readonly text: string | undefined;
  /** The line's text with a replacement character for each byte that is none. */
  readonly lossy_text: string;
  /** From 1. */
  readonly number: number;
}

const line_feed = 0x0a;
const carriage_return = 0x0d;

/** The lines of a stream of bytes, those without any text left out but counted. */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly Line[]> {
  const strict = new TextDecoder("utf-8", { fatal: true });
  let number = 0;
  let started: Uint8Array[] = [];

  function lineOf(bytes: Uint8Array): readonly Line[] {
    number += 1;
    const has_return = bytes.at(-1) === carriage_return;
    const line = has_return ? bytes.subarray(0, -1) : bytes;
    const text = decode(strict, line);
    if (text !== undefined && text.trim() === "") return [];
    return [{ text, lossy_text: text ?? new TextDecoder().decode(line), number }];
  }

  for await (const chunk of chunks) {
    const lines: Line[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(line_feed, start);
      if (end === -1) break;
      const rest = chunk.subarray(start, end);
      lines.push(...lineOf(started.length === 0 ? rest : Buffer.concat([...started, rest])));
      started = [];
      start = end + 1;
    }
    // Copied, because a stream may write its next chunk into the same memory.
    if (start < chunk.length) started.push(chunk.slice(start));
    if (lines.length > 0) yield lines;
  }
  if (started.length > 0) yield lineOf(Buffer.concat(started));
}

function decode(decoder: TextDecoder, bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
