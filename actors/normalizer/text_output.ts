/**
 * Text to a file descriptor in large writes, never more in memory than one of them: whoever adds
 * waits until the reader of a pipe has taken what was written before.
 *
 * @module
 */

import { write } from "node:fs";

/** Characters that are collected before they are written. */
const buffered_max = 1 << 16;
/** Until a descriptor that another process made non-blocking is tried again. */
const retry_ms = 2;

/** The reader of the pipe has gone: nothing more need be written. */
export class PipeClosedError extends Error {
  override readonly name = "PipeClosedError";
}

/** Collects lines and writes them to an open file descriptor, which it does not close. */
export class TextOutput {
  readonly #fd: number;
  #buffered = "";

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Adds one line; its end is added here. */
  async addLine(text: string): Promise<void> {
    this.#buffered += `${text}\n`;
    if (this.#buffered.length >= buffered_max) await this.flush();
  }

  /**
   * Writes what is collected.
   *
   * @throws {PipeClosedError} where the other end is closed.
   * @throws the system's error otherwise, a full disk for example.
   */
  async flush(): Promise<void> {
    const bytes = Buffer.from(this.#buffered);
    this.#buffered = "";
    let written = 0;
    while (written < bytes.length) written += await writeOnce(this.#fd, bytes.subarray(written));
  }
}

function writeOnce(fd: number, bytes: Uint8Array): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  write(fd, bytes, (error, written) => {
    if (error === null || error === undefined) resolve(written);
    else if (error.code === "EAGAIN") setTimeout(resolve, retry_ms, 0);
    else if (error.code === "EPIPE") reject(new PipeClosedError("The pipe is closed"));
    else reject(error);
  });
  return promise;
}
