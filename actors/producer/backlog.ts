/**
 * Closed batches that wait for the port, oldest first: in memory, and beyond a bound on disk.
 *
 * ```
 * head (memory) -> disk -> tail (memory)
 * ```
 *
 * While nothing is on disk there is only the head. Once it is too large, what is behind its first
 * part goes to disk, and so does all that comes later, as long as anything there has not been read:
 * so the order is kept. The tail is what the disk has not taken, because it is full or refuses.
 * A batch that was read from disk stays there until the broker has it, so that the next process
 * finds it after a crash.
 *
 * @module
 */

import { FatalError, reasonOf } from "../settings/exit.ts";
import type { Batch } from "./batch.ts";
import { BatchQueue } from "./batch_queue.ts";
import type { SpilledBatch, SpillStore } from "./spill.ts";

/** How much may wait where. */
export interface BacklogOptions {
  /** Null: nothing goes to disk. */
  readonly spill: SpillStore | null;
  readonly spill_bytes_max: number;
  /** Bytes in memory beyond which the disk is used. */
  readonly memory_bytes_max: number;
  /** Bytes of those that stay in memory, before what is on disk. */
  readonly head_bytes_max: number;
}

/** A batch on disk that is not in memory. */
interface Unread extends SpilledBatch {
  readonly position: number;
}

/** Read from disk at once, as far as batches are not larger. */
const read_bytes = 2 ** 20;
/** Written to disk at once, beyond the first batch: a write holds up everything else. */
const write_bytes = 4 * 2 ** 20;
/** A spill that was full takes batches again from here on. */
const room_share = 0.75;

/** The batches that wait. */
export class Backlog {
  readonly #options: BacklogOptions;
  #head = new BatchQueue();
  #tail = new BatchQueue();
  /** Oldest first. */
  #unread: Unread[];
  #unread_records: number;
  /** Batches in memory or with the port that are on disk too: their bytes there, by id. */
  readonly #kept = new Map<number, number>();
  /** Settled batches that the disk did not let go of. */
  readonly #undead = new Set<number>();
  #spilled_bytes: number;
  #is_full = false;
  #is_dirty = false;
  /** Why the disk did not take what it was to take last. */
  #refusal: string | null = null;
  /** Whether the disk has too little room for anything more. */
  is_disk_low = false;

  /** @param position The one of all that is on disk already. */
  constructor(options: BacklogOptions, position: number) {
    this.#options = options;
    this.#unread = (options.spill?.found ?? []).map((batch) => ({ ...batch, position }));
    this.#unread_records = sum(this.#unread.map(({ count }) => count));
    this.#spilled_bytes = sum(this.#unread.map(({ bytes }) => bytes));
  }

  /** Records that wait in memory. */
  get records(): number {
    return this.#head.records + this.#tail.records;
  }

  /** Bytes of memory. */
  get bytes(): number {
    return this.#head.bytes + this.#tail.bytes;
  }

  /** Records that wait on disk alone. */
  get spilled_records(): number {
    return this.#unread_records;
  }

  /** Bytes of all batches on disk. */
  get spilled_bytes(): number {
    return this.#spilled_bytes;
  }

  get is_empty(): boolean {
    return this.#head.length + this.#tail.length + this.#unread.length === 0;
  }

  /** Why the disk does not take what it should; null while it does. */
  get refusal(): string | null {
    if (this.#refusal !== null) return this.#refusal;
    if (this.#is_full) return "the spill is full";
    return this.#undead.size === 0 ? null : "what Kafka has cannot be taken off the disk";
  }

  /** Adds a batch behind all others. */
  push(batch: Batch): void {
    const is_behind_disk = this.#tail.length + this.#unread.length > 0;
    (is_behind_disk ? this.#tail : this.#head).push(batch);
  }

  /** Puts batches before all others. */
  unshift(batches: readonly Batch[]): void {
    this.#head.unshift(batches);
  }

  /**
   * The oldest batch, or null where none waits.
   *
   * @throws {FatalError} where the disk does not give back what it took.
   */
  peek(): Batch | null {
    if (this.#head.length === 0) this.#read();
    return this.#head.peek();
  }

  /** Takes the batch that `peek` showed. */
  shift(): void {
    this.#head.shift();
  }

  /** A batch that was taken is settled. */
  settle({ id }: Batch): void {
    if (this.#kept.has(id)) this.#remove(id);
  }

  /**
   * Moves to disk what is too much for memory.
   *
   * @param elsewhere_bytes Memory that is taken by what does not wait here.
   */
  relieve(elsewhere_bytes: number): void {
    const { head_bytes_max, memory_bytes_max, spill } = this.#options;
    if (spill === null) return;
    if (this.#unread.length + this.#tail.length === 0) {
      if (this.bytes + elsewhere_bytes <= memory_bytes_max) {
        this.#refusal = null;
        return;
      }
      this.#tail = this.#head.splitAfter(head_bytes_max);
    }
    while (this.#tail.length > 0 && this.#writeTail(spill)) {
      // Whatever comes goes to disk until all that is there has been read.
    }
  }

  /**
   * Writes to disk all that is in memory alone.
   *
   * @param in_flight What is with the port.
   * @returns Whether everything is on disk.
   */
  storeAll(in_flight: readonly Batch[]): boolean {
    const { spill, spill_bytes_max } = this.#options;
    const waiting = [...in_flight, ...this.#head.all(), ...this.#tail.all()];
    const missing = waiting.filter(({ id }) => !this.#kept.has(id));
    if (missing.length === 0) return true;
    if (spill === null || spill_bytes_max === 0 || !this.#write(spill, missing)) return false;
    for (const { id, packet } of missing) this.#kept.set(id, packet.length);
    return refusalOf(() => spill.sync()) === null;
  }

  /** What was written becomes safe from a power cut; what the disk refused is tried again. */
  sync(): void {
    const { spill } = this.#options;
    if (spill === null) return;
    for (const id of this.#undead) this.#remove(id);
    if (this.#is_dirty) this.#is_dirty = refusalOf(() => spill.sync()) !== null;
  }

  /**
   * Counts everything again: pairs of what is stated and what is counted, by name, and the
   * smallest position of a batch that is here.
   */
  count() {
    const batches = [...this.#head.all(), ...this.#tail.all()];
    const kept_bytes = sum([...this.#kept.values()]);
    const unread_bytes = sum(this.#unread.map(({ bytes }) => bytes));
    return {
      accounts: [
        ["buffered", this.records, sum(batches.map(({ count }) => count))],
        ["spilled", this.#unread_records, sum(this.#unread.map(({ count }) => count))],
        ["bytes on disk", this.#spilled_bytes, kept_bytes + unread_bytes],
      ] as const,
      positions: [...batches, ...this.#unread].map(({ position }) => position),
    };
  }

  /** Writes the first part of the tail; false where the disk does not take it. */
  #writeTail(spill: SpillStore): boolean {
    const part = this.#tail.all().slice(0, this.#partLength());
    // What was read from disk, and came back from a port that died, is there still.
    const missing = part.filter(({ id }) => !this.#kept.has(id));
    if (!this.#hasRoom(sum(missing.map(({ packet }) => packet.length)))) return false;
    if (missing.length > 0 && !this.#write(spill, missing)) return false;
    for (const { id, count, outcome, packet, position } of part) {
      this.#tail.shift();
      this.#kept.delete(id);
      this.#unread.push({ id, count, outcome, bytes: packet.length, position });
      this.#unread_records += count;
    }
    return true;
  }

  #partLength(): number {
    let bytes = 0;
    const rest = this.#tail.all().findIndex(({ packet }) => {
      bytes += packet.length;
      return bytes > write_bytes;
    });
    return rest < 0 ? this.#tail.length : Math.max(1, rest);
  }

  #hasRoom(bytes: number): boolean {
    const { spill_bytes_max } = this.#options;
    const share = this.#is_full ? room_share : 1;
    this.#is_full = this.#spilled_bytes + bytes > spill_bytes_max * share;
    return !this.#is_full && !this.is_disk_low;
  }

  #write(spill: SpillStore, batches: readonly Batch[]): boolean {
    this.#refusal = refusalOf(() => spill.append(batches));
    if (this.#refusal !== null) return false;
    this.#spilled_bytes += sum(batches.map(({ packet }) => packet.length));
    this.#is_dirty = true;
    return true;
  }

  /** Takes the oldest batches from disk into memory, where they wait no longer than others. */
  #read(): void {
    const { head_bytes_max, spill } = this.#options;
    const bytes_max = Math.min(read_bytes, head_bytes_max);
    for (let bytes = 0; bytes < bytes_max; ) {
      const oldest = this.#unread[0];
      if (oldest === undefined || spill === null) break;
      const { id, count, outcome, position } = oldest;
      let packet: Buffer;
      try {
        packet = spill.read(id);
      } catch (error) {
        throw new FatalError(`What was spilled cannot be read again: ${reasonOf(error)}`);
      }
      // When it was received is not kept: a latency of hours would say nothing of the feed.
      const received_us = new Float64Array();
      const label = { id, position, outcome };
      this.#head.push({ ...label, count, packet, received_us, is_continuation: false });
      this.#unread.shift();
      this.#unread_records -= count;
      this.#kept.set(id, packet.length);
      bytes += packet.length;
    }
    if (this.#unread.length > 0 || this.#tail.length === 0) return;
    this.#head = new BatchQueue([...this.#head.all(), ...this.#tail.all()]);
    this.#tail = new BatchQueue();
  }

  /** Takes a batch off the disk, or keeps it in mind: until then it may be sent twice. */
  #remove(id: number): void {
    const bytes = this.#kept.get(id) ?? 0;
    const { spill, spill_bytes_max } = this.#options;
    if (refusalOf(() => spill?.remove(id)) !== null) {
      this.#undead.add(id);
      return;
    }
    this.#undead.delete(id);
    this.#kept.delete(id);
    this.#spilled_bytes -= bytes;
    this.#is_full &&= this.#spilled_bytes > spill_bytes_max * room_share;
    this.#is_dirty = true;
  }
}

/** Why the disk did not do it, or null. One that refuses is tried again, and stops nothing. */
function refusalOf(step: () => void): string | null {
  try {
    step();
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
