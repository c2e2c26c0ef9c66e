/**
 * Closed batches until they are settled: those that wait (`backlog.ts`), and those that are with
 * the port. What is with the port is bounded by a window, because all of it is sent again after a
 * crash; the port's pipe is not asked whether it is full, as nothing else can stand in it.
 *
 * @module
 */

import { Backlog, type BacklogOptions } from "./backlog.ts";
import type { Batch } from "./batch.ts";
import { bytesOf } from "./batch_queue.ts";

/** What carries batches to the broker: the port. */
export interface Transport {
  /** Takes a batch's packet, in order; its bytes do not change until it is acknowledged. */
  send(packet: Buffer): void;
}

/** How much may be with the port at once, and the clock. */
export interface DispatchOptions extends BacklogOptions {
  readonly window_batches_max: number;
  /** A batch that is alone in the window may be larger. */
  readonly window_bytes_max: number;
  /** Monotonic clock, milliseconds. */
  readonly now_ms: () => number;
}

interface InFlight {
  readonly batch: Batch;
  readonly sent_ms: number;
}

/** Without an acknowledgement for this long, although records are in flight, Kafka is away. */
const acknowledging_ms_max = 10_000;

/** Sends batches in order, and keeps each until it is taken as settled. */
export class Dispatch {
  readonly #options: DispatchOptions;
  readonly #in_flight = new Map<number, InFlight>();
  /** What waits; its bounds and figures are its own. */
  readonly backlog: Backlog;
  #transport: Transport | null = null;
  #in_flight_memory_bytes = 0;
  #in_flight_bytes = 0;
  #in_flight_records = 0;

  /** @param position The one of all that is on disk already. */
  constructor(options: DispatchOptions, position: number) {
    this.#options = options;
    this.backlog = new Backlog(options, position);
  }

  /** Records that are with the port. */
  get in_flight_records(): number {
    return this.#in_flight_records;
  }

  /** Bytes of memory of all batches here, with what they cost besides their packets. */
  get bytes(): number {
    return this.#in_flight_memory_bytes + this.backlog.bytes;
  }

  get is_attached(): boolean {
    return this.#transport !== null;
  }

  get is_empty(): boolean {
    return this.#in_flight.size === 0 && this.backlog.is_empty;
  }

  /** For how long the oldest batch has been with the port, milliseconds; 0 where none is. */
  get oldest_ms(): number {
    const oldest = this.#in_flight.values().next().value;
    return oldest === undefined ? 0 : this.#options.now_ms() - oldest.sent_ms;
  }

  /** Whether there is a port, and it acknowledges what it is given. */
  get is_acknowledging(): boolean {
    return this.#transport !== null && this.oldest_ms < acknowledging_ms_max;
  }

  /** Adds a batch behind all others; `pump` sends it. */
  enqueue(batch: Batch): void {
    this.backlog.push(batch);
    this.relieve();
  }

  /** Moves to disk what is too much for memory. */
  relieve(): void {
    this.backlog.relieve(this.#in_flight_memory_bytes);
  }

  /** Sends what waits, as far as there is room in the window. */
  pump(): void {
    while (this.#transport !== null && this.#in_flight.size < this.#options.window_batches_max) {
      const batch = this.backlog.peek();
      if (batch === null || !this.hasRoom(batch.packet.length)) return;
      this.backlog.shift();
      this.#count(batch, 1);
      this.#in_flight.set(batch.id, { batch, sent_ms: this.#options.now_ms() });
      this.#transport.send(batch.packet);
    }
  }

  /** Whether a packet could be sent now. */
  hasRoom(bytes: number): boolean {
    const { window_batches_max, window_bytes_max } = this.#options;
    if (this.#transport === null || this.#in_flight.size >= window_batches_max) return false;
    return this.#in_flight.size === 0 || this.#in_flight_bytes + bytes <= window_bytes_max;
  }

  /** Sends from now on through this transport. */
  attach(transport: Transport): void {
    this.#transport = transport;
  }

  /** The transport is gone: what was with it waits again, before all else, in order. */
  detach(): void {
    this.#transport = null;
    const again = [...this.#in_flight.values()].map(({ batch }) => batch);
    for (const batch of again) this.#count(batch, -1);
    this.#in_flight.clear();
    this.backlog.unshift(again);
  }

  /** The batch that was sent under this id, if there is one. */
  findSent(batch_id: number): Batch | null {
    return this.#in_flight.get(batch_id)?.batch ?? null;
  }

  /** Forgets a batch that was sent: it is settled, and what came of it is in here. */
  remove(batch: Batch): void {
    if (!this.#in_flight.delete(batch.id)) throw new Error(`Batch ${batch.id} was not sent`);
    this.#count(batch, -1);
    this.backlog.settle(batch);
  }

  /** Writes to disk all that is in memory alone; whether everything is there. */
  storeAll(): boolean {
    return this.backlog.storeAll([...this.#in_flight.values()].map(({ batch }) => batch));
  }

  /**
   * Counts everything again: pairs of what is stated and what is counted, by name, and the
   * smallest position of a batch that is here.
   */
  count() {
    const sent = [...this.#in_flight.values()].map(({ batch }) => batch);
    const { accounts, positions } = this.backlog.count();
    const all = [...positions, ...sent.map(({ position }) => position)];
    return {
      accounts: [
        ...accounts,
        ["in flight", this.#in_flight_records, sum(sent.map(({ count }) => count))],
        ["bytes in flight", this.#in_flight_bytes, sum(sent.map(({ packet }) => packet.length))],
        ["memory in flight", this.#in_flight_memory_bytes, sum(sent.map(bytesOf))],
      ] as const,
      first_position: all.reduce<number | null>(
        (first, position) => (first === null ? position : Math.min(first, position)),
        null,
      ),
    };
  }

  #count(batch: Batch, sign: 1 | -1): void {
    this.#in_flight_records += sign * batch.count;
    this.#in_flight_bytes += sign * batch.packet.length;
    this.#in_flight_memory_bytes += sign * bytesOf(batch);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
