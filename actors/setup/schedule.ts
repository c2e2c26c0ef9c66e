/**
 * Runs steps, each after those it needs, as many at a time as their groups allow. It knows nothing
 * of what a step does. The first failure aborts the steps still running and starts no other one,
 * because a person who must mend something wants to know it now.
 *
 * @module
 */

/** One piece of work and what must come before it. */
export interface Work<Name extends string> {
  readonly name: Name;
  /** Names of works before it; a name that is not scheduled counts as done. */
  readonly needs: readonly Name[];
  /** Works of one group run one after the other, in their order here; null runs freely. */
  readonly group: string | null;
}

/**
 * Runs every work once.
 *
 * @param options.run Does one work; it should end early when the signal aborts.
 * @param options.signal Aborts everything; the promise then rejects with the signal's reason.
 * @throws what the first failed work threw, after the running ones have ended.
 */
export async function runInOrder<Name extends string>(
  works: readonly Work<Name>[],
  options: {
    readonly run: (name: Name, signal: AbortSignal) => Promise<void>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  const done = new Map<Name, Promise<void>>();
  const last_of_group = new Map<string, Promise<void>>();

  async function runOne(work: Work<Name>, before: readonly Promise<void>[]): Promise<void> {
    await Promise.all(before);
    signal.throwIfAborted();
    try {
      await options.run(work.name, signal);
    } catch (error) {
      failure.abort(error);
      throw error;
    }
  }

  for (const work of works) {
    const before = work.needs.flatMap((name) => done.get(name) ?? []);
    const previous = work.group === null ? undefined : last_of_group.get(work.group);
    const running = runOne(work, previous === undefined ? before : [...before, previous]);
    done.set(work.name, running);
    if (work.group !== null) last_of_group.set(work.group, running);
  }
  await Promise.allSettled(done.values());
  signal.throwIfAborted();
}
