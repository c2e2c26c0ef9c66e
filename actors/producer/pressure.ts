/**
 * Whether no more records should come, with a memory: full at three quarters of the bound of
 * memory, relieved at half. What closes its sockets because of it needs the room between the two
 * to settle, and the last quarter takes what is already on its way. A disk with too little room is
 * full as well, whatever is in memory: the broker and the lake need what is left of it.
 *
 * @module
 */

import type { PressureListener } from "../messages.ts";

const full_share = 0.75;
const relieved_share = 0.5;
/** A disk is well again with such a share more than what must be free, and never more bytes. */
const disk_relief_share = 0.0625;
const disk_relief_bytes_max = 128 * 2 ** 20;

/** The bounds that pressure is about. */
export interface PressureOptions {
  readonly buffer_bytes_max: number;
  /** Below this much free space the disk is full. */
  readonly disk_free_min: number;
}

/** The state of pressure and its listeners. */
export class Pressure {
  readonly #options: PressureOptions;
  readonly #listeners = new Set<PressureListener>();
  #is_memory_full = false;
  #is_disk_low = false;
  #is_full = false;

  constructor(options: PressureOptions) {
    this.#options = options;
  }

  get is_full(): boolean {
    return this.#is_full;
  }

  /** Whether the disk has too little room. */
  get is_disk_low(): boolean {
    return this.#is_disk_low;
  }

  /** Why no more records should come; null where they may. */
  get reason(): string | null {
    if (this.#is_disk_low) return "the disk is nearly full";
    return this.#is_memory_full ? "the buffers are full" : null;
  }

  /** Adds a listener, which is told at once where it is already full; returns its removal. */
  listen(listener: PressureListener): () => void {
    this.#listeners.add(listener);
    if (this.reason !== null) listener.full(this.reason);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Takes the bytes now held in memory; listeners hear only of a change. */
  update(bytes: number): void {
    const share = this.#is_memory_full ? relieved_share : full_share;
    const bound_bytes = this.#options.buffer_bytes_max * share;
    this.#is_memory_full = this.#is_memory_full ? bytes > bound_bytes : bytes >= bound_bytes;
    if (this.#is_memory_full !== this.#is_full) this.#tell();
  }

  /** Takes the bytes now free on disk. */
  updateDisk(free_bytes: number): void {
    const { disk_free_min } = this.#options;
    const relief_bytes = Math.min(disk_free_min * disk_relief_share, disk_relief_bytes_max);
    this.#is_disk_low = free_bytes < disk_free_min + (this.#is_disk_low ? relief_bytes : 0);
    this.#tell();
  }

  #tell(): void {
    const { reason } = this;
    if ((reason !== null) === this.#is_full) return;
    this.#is_full = reason !== null;
    for (const listener of this.#listeners) {
      if (reason === null) listener.relieved();
      else listener.full(reason);
    }
  }
}
