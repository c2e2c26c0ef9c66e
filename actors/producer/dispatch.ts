/**
 * Closed batches until they are settled: those that wait, and those that are with the port. What
 * is with the port is bounded by a window, because all of it is sent again after a crash; the
 * port's pipe is not asked whether it is full, as nothing else can stand in it.
 *
 * @module
 */

import type { Batch } from "./batch.ts";

/** What carries batches to the broker: the port. */
export interface Transport {
  /** Takes a batch's packet, in order; its bytes do not change until it is acknowledged. */
  send(packet: Buffer): void;
}

/** How much may be with the port at once, and the clock. */
export interface DispatchOptions {
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

/** What a batch costs besides its packet. */
const batch_overhead_bytes = 512;
/** Without an acknowledgement for this long, although records are in flight, Kafka is away. */
const acknowledging_ms_max = 10_000;

/** Sends batches in order, and keeps each until it is taken as settled. */
export class Dispatch {
  readonly #options: DispatchOptions;
  readonly #in_flight = new Map<number, InFlight>();
  #transport: Transport | null = null;
  /** Batches that wait; those before the head are already sent. */
  #queue: (Batch | null)[] = [];
  #queue_head = 0;
  #bytes = 0;
  #in_flight_bytes = 0;
  #in_flight_records = 0;
  #queued_records = 0;

  constructor(options: DispatchOptions) {
    this.#options = options;
  }

  /** Records that wait. */
  get queued_records(): number {
    return this.#queued_records;
  }

  /** Records that are with the port. */
  get in_flight_records(): number {
    return this.#in_flight_records;
  }

  /** Bytes of all batches here, with what they cost besides their packets. */
  get bytes(): number {
    return this.#bytes;
  }

  get is_attached(): boolean {
    return this.#transport !== null;
  }

  /** Whether there is a port, and it acknowledges what it is given. */
  get is_acknowledging(): boolean {
    if (this.#transport === null) return false;
    const oldest = this.#in_flight.values().next().value;
    const age_ms = oldest === undefined ? 0 : this.#options.now_ms() - oldest.sent_ms;
    return age_ms < acknowledging_ms_max;
  }

  /** Adds a batch behind all others; `pump` sends it. */
  enqueue(batch: Batch): void {
    this.#queue.push(batch);
    this.#queued_records += batch.count;
    this.#bytes += bytesOf(batch);
  }

  /** Sends what waits, as far as there is room in the window. */
  pump(): void {
    while (this.#transport !== null && this.#queue_head < this.#queue.length) {
      const batch = this.#queue[this.#queue_head];
      if (batch === undefined || batch === null || !this.hasRoom(batch.packet.length)) return;
      // Sent batches leave the queue's front in one go, not by a shift for each.
      this.#queue[this.#queue_head] = null;
      this.#queue_head += 1;
      if (this.#queue_head === this.#queue.length || this.#queue_head >= 1_024) {
        this.#queue = this.#queue.slice(this.#queue_head);
        this.#queue_head = 0;
      }
      this.#queued_records -= batch.count;
      this.#in_flight_records += batch.count;
      this.#in_flight_bytes += batch.packet.length;
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
    this.#queue = [...again, ...this.#queue.slice(this.#queue_head)];
    this.#queue_head = 0;
    this.#queued_records += this.#in_flight_records;
    this.#in_flight_records = 0;
    this.#in_flight_bytes = 0;
    this.#in_flight.clear();
  }

  /** The batch that was sent under this id, if there is one. */
  findSent(batch_id: number): Batch | null {
    return this.#in_flight.get(batch_id)?.batch ?? null;
  }

  /** Forgets a batch that was sent: it is settled. */
  remove(batch: Batch): void {
    if (!this.#in_flight.delete(batch.id)) throw new Error(`Batch ${batch.id} was not sent`);
    this.#in_flight_records -= batch.count;
    this.#in_flight_bytes -= batch.packet.length;
    this.#bytes -= bytesOf(batch);
  }

  /**
   * Counts everything again: pairs of what is stated and what is counted, by name, and the
   * smallest position of a batch that is here.
   */
  count() {
    const waiting = this.#queue.slice(this.#queue_head).filter((batch) => batch !== null);
    const sent = [...this.#in_flight.values()].map(({ batch }) => batch);
    const sent_bytes = sum(sent.map(({ packet }) => packet.length));
    const all = [...waiting, ...sent];
    return {
      accounts: [
        ["buffered", this.#queued_records, sum(waiting.map(({ count }) => count))],
        ["in flight", this.#in_flight_records, sum(sent.map(({ count }) => count))],
        ["bytes in flight", this.#in_flight_bytes, sent_bytes],
        ["bytes", this.#bytes, sum(all.map(bytesOf))],
      ] as const,
      first_position: all.reduce<number | null>(
        (first, { position }) => (first === null ? position : Math.min(first, position)),
        null,
      ),
    };
  }
}

function bytesOf({ packet, received_us }: Batch): number {
  return packet.length + received_us.byteLength + batch_overhead_bytes;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
