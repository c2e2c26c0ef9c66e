/**
 * Where maintenance is asked for: whoever asks waits here until the driver has answered. It is made
 * once in the tree and given to each incarnation of the driver, because a question outlives none of
 * them: when a driver ends, whoever waits is told so.
 *
 * @module
 */

import type { MaintenanceReport } from "./maintenance_report.ts";

/** A report, or one sentence that says why there is none. */
export type MaintenanceAnswer = MaintenanceReport | string;

const waiting_max = 16;

/** Brings questions and answers together. */
export class MaintenanceDesk {
  #send: (() => void) | null = null;
  #waiting: ((answer: MaintenanceAnswer) => void)[] = [];

  /** Asks the driver to maintain the lake now. One that is at it answers with that run. */
  ask(): Promise<MaintenanceAnswer> {
    if (this.#send === null) {
      return Promise.resolve("No Spark driver runs here now: see `bun run status`, and ask again");
    }
    if (this.#waiting.length >= waiting_max) {
      return Promise.resolve(`${waiting_max} wait for it already: ask again when it is done`);
    }
    const { promise, resolve } = Promise.withResolvers<MaintenanceAnswer>();
    this.#waiting.push(resolve);
    this.#send();
    return promise;
  }

  /**
   * A driver can be asked from now on.
   *
   * @param send Tells it to maintain the lake.
   * @returns A function to call when that driver has ended; calling it again does nothing.
   */
  open(send: () => void): () => void {
    this.#send = send;
    return () => {
      if (this.#send !== send) return;
      this.#send = null;
      this.answer("The Spark driver ended before it was done: see `bun run status`, and ask again");
    };
  }

  /** Gives everybody who waits the answer. */
  answer(answer: MaintenanceAnswer): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve(answer);
  }
}
