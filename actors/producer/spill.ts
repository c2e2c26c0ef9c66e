/**
 * Where closed batches wait on disk while Kafka is away: a first-in, first-out file of packets that
 * outlives the process. What is in it need be in nobody's memory; it is taken out when the broker
 * has it. `spill_store.ts` keeps it in SQLite.
 *
 * @module
 */

import type { Outcome } from "./batch.ts";

/** One batch on disk, without its packet. */
export interface SpilledBatch {
  /** The batch's id: its place in the order of all batches, of earlier processes too. */
  readonly id: number;
  /** Records in it. */
  readonly count: number;
  readonly outcome: Outcome;
  /** Bytes of its packet. */
  readonly bytes: number;
}

/** A batch as it is written. */
export interface SpillEntry {
  readonly id: number;
  readonly count: number;
  readonly outcome: Outcome;
  /** As `batch.ts` lays it out. */
  readonly packet: Buffer;
}

/** The file. Every method may throw where the disk refuses; nothing has changed then. */
export interface SpillStore {
  /**
   * What was on disk when the file was opened, oldest first. A batch that did not agree with its
   * checksum is left out, and forgotten.
   */
  readonly found: readonly SpilledBatch[];
  /** Records of batches that were left out, as far as their rows tell. */
  readonly damaged: number;
  /**
   * The topics by the index that packets carry: those of batches on disk keep theirs, and those of
   * `wanted` that are new follow.
   */
  adoptTopics(wanted: readonly string[]): readonly string[];
  /** Writes batches, all of them or none. They are read in the order of their ids. */
  append(entries: readonly SpillEntry[]): void;
  /**
   * The packet of a batch.
   *
   * @throws {Error} where it is not there, or does not agree with its checksum.
   */
  read(id: number): Buffer;
  /** Forgets a batch: the broker has it. */
  remove(id: number): void;
  /** When this returns, all that was written is on the disk itself, and outlives a power cut. */
  sync(): void;
  close(): void;
}
