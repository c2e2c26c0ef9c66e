/**
 * Runs many seeds over all cores.
 *
 * @module
 */

import type { SeedResult } from "./seed_worker.ts";

/**
 * Runs the seeds from 1 to `seeds`, each once and in no certain order.
 *
 * @param options.onResult Hears what came of each.
 * @throws {Error} where a thread dies, of what a run let escape.
 */
export async function runSeeds(options: {
  readonly seeds: number;
  readonly threads: number;
  readonly onResult: (result: SeedResult) => void;
}): Promise<void> {
  const { onResult, seeds, threads } = options;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let next = 1;
  let done = 0;
  const workers = Array.from({ length: Math.min(threads, seeds) }, () => {
    const worker = new Worker(new URL("./seed_worker.ts", import.meta.url));
    function giveNext(): void {
      if (next > seeds) return;
      worker.postMessage(next);
      next += 1;
    }
    worker.onmessage = ({ data }: MessageEvent<SeedResult>) => {
      onResult(data);
      done += 1;
      if (done === seeds) resolve();
      else giveNext();
    };
    worker.onerror = ({ message }) => reject(new Error(`A run let escape: ${message}`));
    giveNext();
    return worker;
  });
  try {
    await promise;
  } finally {
    for (const worker of workers) worker.terminate();
  }
}
