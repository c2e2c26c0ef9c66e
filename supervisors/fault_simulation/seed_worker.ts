/**
 * A thread that runs seeds: it is sent one after the other, and answers what came of each. A run
 * is one synchronous call, so threads are what makes several cores useful.
 *
 * @module
 */

import { runSeed } from "./run.ts";

/** How much of a history a failed run is sent back with. */
const tail_lines = 60;

/** What came of a seed, small enough to be sent. */
export interface SeedResult {
  readonly seed: number;
  readonly violation: string | null;
  readonly virtual_s: number;
  /** The last lines of the history of a run that failed. */
  readonly tail: readonly string[];
}

declare const self: Worker;

self.onmessage = ({ data: seed }: MessageEvent<number>) => {
  const { history, violation, virtual_s } = runSeed(seed);
  const tail = violation === null ? [] : history.slice(-tail_lines);
  postMessage({ seed, violation, virtual_s, tail } satisfies SeedResult);
};
