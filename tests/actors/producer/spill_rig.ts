/**
 * The real spill in a folder, in files of its own, with a disk that refuses when it is told to.
 *
 * @module
 */

import { join } from "node:path";
import type { SpillStore } from "../../../actors/producer/spill.ts";
import { openSpillStore } from "../../../actors/producer/spill_store.ts";

/** Names files for spills in a folder, each another one. */
export function spillPaths(folder: string): () => string {
  let files = 0;
  return () => {
    files += 1;
    return join(folder, `spill${files}.db`);
  };
}

/** A spill whose writes and removals fail while `refuses` says so. */
export function openRefusingSpill(path: string) {
  const store = openSpillStore(path);
  const disk = { refuses_writes: false, refuses_removals: false, writes: 0 };
  function refuseIf(refuses: boolean): void {
    if (refuses) throw new Error("database or disk is full");
  }
  const spill: SpillStore = {
    found: store.found,
    damaged: store.damaged,
    adoptTopics: (wanted) => store.adoptTopics(wanted),
    append(entries) {
      refuseIf(disk.refuses_writes);
      disk.writes += entries.length;
      store.append(entries);
    },
    read: (id) => store.read(id),
    remove(id) {
      refuseIf(disk.refuses_removals);
      store.remove(id);
    },
    sync: () => store.sync(),
    close: () => store.close(),
  };
  return { spill, disk };
}
