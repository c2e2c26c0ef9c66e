/**
 * Takes frames as the connections keep them and writes each as a line: the sink of `record`.
 *
 * A connection cannot wait, and an output can be slow, so lines wait here in between, bounded:
 * whoever hands in the frames hears of pressure and closes its sockets, which is told, rather than
 * that frames are dropped, which nobody would see. Where it writes to is handed to it.
 *
 * @module
 */

import type { FrameEntry, FrameLog, FrameSession } from "../messages.ts";
import { writeFrameLine } from "./frame_line.ts";

/** What the writer needs. */
interface FrameLineWriterOptions {
  /** Writes lines, which end with a line feed each; resolves once they are written. */
  readonly write: (lines: string) => Promise<void>;
  /** Most characters of lines that wait; beyond it frames are refused. */
  readonly waiting_max: number;
  /** Hears how many characters wait, at every change. */
  readonly onWaiting: (characters: number) => void;
}

/** Frames to lines, in the order in which they come. */
export class FrameLineWriter {
  readonly #options: FrameLineWriterOptions;
  readonly #failed = Promise.withResolvers<never>();
  #waiting = "";
  /** Characters that are being written. */
  #leaving = 0;
  #writing: Promise<void> | null = null;
  #has_failed = false;
  #frames = 0;
  #bytes = 0;

  constructor(options: FrameLineWriterOptions) {
    this.#options = options;
    // Nobody need ask for it: `drain` tells it, too.
    this.#failed.promise.catch(() => {});
  }

  /** Rejects with the output's error as soon as it cannot be written to. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Frames taken, and bytes of their lines that are written. */
  get counts(): { readonly frames: number; readonly bytes: number } {
    return { frames: this.#frames, bytes: this.#bytes };
  }

  /** Opens the log of one socket. */
  openFrames(session: FrameSession): FrameLog {
    return {
      add: (entry) => this.#add(session, entry),
      close() {
        // A line stands for itself: there is nothing to finish.
      },
    };
  }

  /**
   * Resolves once everything that came is written.
   *
   * @throws the output's error.
   */
  async drain(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    if (this.#has_failed) await this.#failed.promise;
  }

  #add(session: FrameSession, entry: FrameEntry): void {
    const held = this.#waiting.length + this.#leaving;
    if (held >= this.#options.waiting_max) {
      throw new Error(
        `Cannot record a frame: ${held} characters wait for the output, at most ` +
          `${this.#options.waiting_max} may`,
      );
    }
    this.#frames += 1;
    this.#waiting += `${writeFrameLine(session, entry)}\n`;
    this.#writing ??= this.#writeAll();
    this.#tell();
  }

  async #writeAll(): Promise<void> {
    // One turn later: the frames that come together are written together.
    await Promise.resolve();
    try {
      while (this.#waiting !== "" && !this.#has_failed) {
        const lines = this.#waiting;
        this.#waiting = "";
        this.#leaving = lines.length;
        await this.#options.write(lines);
        this.#leaving = 0;
        this.#bytes += Buffer.byteLength(lines);
        this.#tell();
      }
    } catch (error) {
      this.#has_failed = true;
      this.#failed.reject(error);
    }
    this.#writing = null;
  }

  #tell(): void {
    this.#options.onWaiting(this.#waiting.length + this.#leaving);
  }
}
