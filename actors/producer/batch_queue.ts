/**
 * Closed batches in memory, first in, first out, with their sums.
 *
 * @module
 */

import type { Batch } from "./batch.ts";

/** What a batch costs besides its packet. */
const batch_overhead_bytes = 512;
/** Batches that were taken leave the array's front in one go, not by a shift for each. */
const taken_max = 1_024;

/** Bytes of memory that a batch takes. */
export function bytesOf({ packet, received_us }: Batch): number {
  return packet.length + received_us.byteLength + batch_overhead_bytes;
}

/** A queue of batches. */
export class BatchQueue {
  #batches: Batch[];
  #from = 0;
  #records = 0;
  #bytes = 0;

  constructor(batches: readonly Batch[] = []) {
    this.#batches = [...batches];
    for (const batch of batches) this.#count(batch, 1);
  }

  get length(): number {
    return this.#batches.length - this.#from;
  }

  get records(): number {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** All of them, oldest first. */
  all(): readonly Batch[] {
    return this.#batches.slice(this.#from);
  }

  /** The oldest; null where there is none. */
  peek(): Batch | null {
    return this.#batches[this.#from] ?? null;
  }

  push(batch: Batch): void {
    this.#batches.push(batch);
    this.#count(batch, 1);
  }

  /** Puts batches before all others, in their order. */
  unshift(batches: readonly Batch[]): void {
    this.#batches = [...batches, ...this.all()];
    this.#from = 0;
    for (const batch of batches) this.#count(batch, 1);
  }

  /** Takes the oldest; null where there is none. */
  shift(): Batch | null {
    const batch = this.peek();
    if (batch === null) return null;
    this.#from += 1;
    this.#count(batch, -1);
    if (this.#from === this.#batches.length || this.#from >= taken_max) {
      this.#batches = this.#batches.slice(this.#from);
      this.#from = 0;
    }
    return batch;
  }

  /**
   * Takes out all that is behind the first so many bytes: from the first batch on there that does
   * not continue the one before, so that no trade is parted from its frame. Where each does, frames
   * are not kept, or one fills them all.
   */
  splitAfter(bytes_max: number): BatchQueue {
    const all = this.all();
    let bytes = 0;
    const beyond = all.findIndex((batch) => {
      bytes += bytesOf(batch);
      return bytes > bytes_max;
    });
    if (beyond < 0) return new BatchQueue();
    const whole = all.findIndex((batch, index) => index >= beyond && !batch.is_continuation);
    const first = whole < 0 ? beyond : whole;
    const rest = all.slice(first);
    for (const batch of rest) this.#count(batch, -1);
    this.#batches = all.slice(0, first);
    this.#from = 0;
    return new BatchQueue(rest);
  }

  #count(batch: Batch, sign: 1 | -1): void {
    this.#records += sign * batch.count;
    this.#bytes += sign * bytesOf(batch);
  }
}
