/**
 * Where a command's result goes: stdout, or a file that appears only when it is whole. Writing
 * waits for the reader, because a process that ends with text still in a pipe's queue loses it.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { FailureError, reasonOf } from "../settings/exit.ts";

/** Takes text and resolves once it is written. */
export type Write = (text: string) => Promise<void>;

/** Whoever reads stdout has seen enough and is gone, as `head` does: no failure. */
export class ReaderLeft extends Error {
  override readonly name = "ReaderLeft";
}

/** Opens stdout for writing. What it returns throws {@link ReaderLeft}. */
export function openOut(): Write {
  // One for all writes: each holds a file descriptor of its own.
  const sink = Bun.stdout.writer();
  return async (text) => {
    try {
      // Either of the two may be what reports the error.
      await sink.write(text);
      await sink.flush();
    } catch (error) {
      const is_gone = error instanceof Error && "code" in error && error.code === "EPIPE";
      throw is_gone ? new ReaderLeft() : error;
    }
  };
}

/** Runs something that writes to stdout, until it is done or the reader has left. */
export async function whileRead(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof ReaderLeft)) throw error;
  }
}

/**
 * Lets `fill` write a file, and puts it in place when that has succeeded.
 *
 * @param fill Gets the path of the file to fill, in the same folder.
 * @throws {FailureError} where the file cannot be written.
 */
export async function replaceFile(
  file: string,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  const target = resolve(file);
  if (!existsSync(dirname(target))) {
    throw new FailureError(`Cannot write ${file}: there is no folder ${dirname(target)}`);
  }
  const temporary = `${target}.${randomUUID()}.partial`;
  try {
    await fill(temporary);
    try {
      renameSync(temporary, target);
    } catch (error) {
      throw new FailureError(`Cannot write ${file}: ${reasonOf(error)}`);
    }
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Lets `use` write text into a file, bit by bit. */
export async function writeInto(path: string, use: (write: Write) => Promise<void>): Promise<void> {
  const sink = Bun.file(path).writer();
  try {
    await use(async (text) => {
      await sink.write(text);
      await sink.flush();
    });
  } catch (error) {
    if (error instanceof Error && "syscall" in error) {
      throw new FailureError(`Cannot write ${path}: ${reasonOf(error)}`);
    }
    throw error;
  } finally {
    await sink.end();
  }
}
