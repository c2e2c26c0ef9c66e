/**
 * The outbox: every record from the moment it is taken until the broker has acknowledged it.
 *
 * It is made once and handed to each incarnation of the producer and of its port, so that their
 * crashes cost nothing: what is not acknowledged is still here, and goes to the next port in the
 * same order. At every instant
 * ```
 * received = acknowledged + in flight + buffered + dead-lettered
 * ```
 * where `in flight` is with the port, and `buffered` is the open batch and the closed ones that
 * wait for room in the window. A record has exactly one outcome. The port's pipe is not asked
 * whether it is full: the window bounds what can stand in it.
 *
 * It holds no timer and reads no clock but those it is given.
 *
 * @module
 */

import {
  createTradeEncoder,
  type DeadLetterRecord,
  dead_letters_topic,
  decodeTrade,
  encodeDeadLetter,
  recordKey,
  type TradeEncoder,
  tradesTopic,
} from "../../schemas/mod.ts";
import type { DeadLetter, Figures, PressureListener, RecordSink, Trade } from "../messages.ts";
import { type Batch, BatchWriter, frameBytes, type Outcome, readRecord } from "./batch.ts";
import { Latency } from "./latency.ts";
import { Pressure } from "./pressure.ts";

/** What carries batches to the broker: the port. */
interface Transport {
  /** Takes a frame, in order; its bytes do not change until it is acknowledged. */
  send(frame: Buffer): void;
}

/** A record that the broker will never take, and why. */
export interface Refusal {
  /** Which record of its batch, from 0. */
  readonly index: number;
  readonly reason: string;
}

/** A transport's own access to the outbox; of no effect once another one is attached. */
export interface Attachment {
  /** Every record of the batch is settled: acknowledged, save those that are refused. */
  acknowledge(batch_id: number, refusals: readonly Refusal[]): void;
  /** The transport is gone: what it had not acknowledged goes to the next, in order. */
  detach(): void;
}

/** Who moves the outbox along: the producer. Called from within the outbox's own calls. */
interface OutboxListener {
  /** The first record of a batch came: somebody has to close it when it is old enough. */
  opened(): void;
  attached(): void;
  detached(): void;
  /** Nothing is left that is not settled. */
  emptied(): void;
}

/** How much an outbox takes, holds and sends, and its clocks. */
export interface OutboxOptions {
  /** Exchanges whose trades are taken; a topic for each. */
  readonly exchanges: readonly string[];
  /** Records after which a batch is closed, from 1 to 10,000. */
  readonly flush_count: number;
  /** Age of a batch's first record after which it is closed. */
  readonly flush_ms: number;
  /** Most bytes held in all. From three quarters on, listeners are told to stop. */
  readonly buffer_bytes_max: number;
  /** Longest frame of several records. */
  readonly batch_bytes_max?: number;
  /** Most batches and bytes in flight: what a crash of the port sends twice. */
  readonly window_batches_max?: number;
  readonly window_bytes_max?: number;
  /** Monotonic clock, milliseconds. */
  readonly now_ms: () => number;
  /** Wall clock, microseconds since 1970. */
  readonly now_us: () => number;
}

interface Destination {
  readonly topic_index: number;
  readonly keys: Map<string, Buffer>;
}

interface InFlight {
  readonly batch: Batch;
  readonly sent_ms: number;
}

const keys_kept_max = 8_192;
/** What a batch costs besides its frame. */
const batch_overhead_bytes = 512;
/** A payload beyond this is cut: its topic takes records of up to 8 MiB, and memory is bounded. */
const payload_bytes_max = 4 * 2 ** 20;
/** Longest symbol of a dead letter; no exchange has one half as long. */
const symbol_chars_max = 128;

/** Without an acknowledgement for this long, although records are in flight, Kafka is away. */
const acknowledging_ms_max = 10_000;

/**
 * Holds every record from the normalizer until the broker has it, in order and in bounded memory.
 */
export class Outbox implements RecordSink {
  /** Topics in the order of the index that a frame carries. */
  readonly topics: readonly string[];
  readonly latency = new Latency();
  readonly #options: Required<OutboxOptions>;
  readonly #pressure: Pressure;
  readonly #destinations = new Map<string, Destination>();
  readonly #listeners = new Set<OutboxListener>();
  readonly #writer: BatchWriter;
  readonly #in_flight = new Map<number, InFlight>();
  #encoders: readonly TradeEncoder[] = [];
  #dead_letter_schema_id = -1;
  #attachment: { readonly transport: Transport } | null = null;
  /** Closed batches that wait; those before the head are already sent. */
  #queue: (Batch | null)[] = [];
  #queue_head = 0;
  #opened_ms = 0;
  #next_id = 1;
  /** Frames of closed batches, with their overhead; and those of them in flight, without. */
  #closed_bytes = 0;
  #in_flight_bytes = 0;
  #received = 0;
  #acknowledged = 0;
  #in_flight_records = 0;
  #queued_records = 0;
  #dead_lettered = 0;
  #discarded = 0;
  #overflowed = 0;
  #batches = 0;
  #last_acknowledged_us: number | null = null;

  constructor(options: OutboxOptions) {
    this.#options = {
      batch_bytes_max: 256 * 2 ** 10,
      window_batches_max: 64,
      window_bytes_max: 8 * 2 ** 20,
      ...options,
    };
    const { exchanges, batch_bytes_max, flush_count, buffer_bytes_max } = this.#options;
    this.topics = [...exchanges.map(tradesTopic), dead_letters_topic];
    exchanges.forEach((exchange, topic_index) => {
      this.#destinations.set(exchange, { topic_index, keys: new Map() });
    });
    this.#writer = new BatchWriter(batch_bytes_max, flush_count);
    this.#pressure = new Pressure(buffer_bytes_max);
  }

  /**
   * Gives the registry's ids of the schemas. A later call with other ids counts for records taken
   * from then on.
   *
   * @param ids By topic.
   * @throws {Error} where a topic has none.
   */
  setSchemaIds(ids: Readonly<Record<string, number>>): void {
    const by_index = this.topics.map((topic) => {
      const id = ids[topic];
      if (id === undefined) throw new Error(`Cannot set schema ids: ${topic} has none`);
      return id;
    });
    this.#dead_letter_schema_id = by_index.at(-1) ?? -1;
    this.#encoders = by_index.slice(0, -1).map(createTradeEncoder);
  }

  /**
   * Takes a trade.
   *
   * @throws {RangeError} where a decimal of it cannot be encoded exactly.
   * @throws {Error} where the outbox is beyond its bound, or cannot know where the trade goes.
   */
  addTrade(trade: Trade): void {
    const destination = this.#destinations.get(trade.exchange);
    const encoder = this.#encoders[destination?.topic_index ?? -1];
    if (destination === undefined || encoder === undefined) throw this.#unprepared(trade.exchange);
    this.#refuseBeyondBound();
    const { topic_index } = destination;
    const key = keyOf(destination, trade);
    if (!this.#writer.addTrade(topic_index, key, trade, encoder)) {
      this.closeAll();
      if (!this.#writer.addTrade(topic_index, key, trade, encoder)) {
        this.#addAlone(topic_index, key, encodeAlone(trade, encoder), "acknowledged");
        this.#received += 1;
        this.#pump();
        return;
      }
    }
    this.#taken();
  }

  /** Takes a dead letter; a payload beyond 4 MiB is cut. */
  addDeadLetter(letter: DeadLetter): void {
    if (this.#dead_letter_schema_id < 0) throw this.#unprepared(dead_letters_topic);
    this.#refuseBeyondBound();
    const topic_index = this.topics.length - 1;
    // What an unreadable item calls its symbol may be anything, and a key has a bound.
    const symbol = letter.native_symbol?.slice(0, symbol_chars_max).toWellFormed() ?? null;
    const key = Buffer.from(recordKey(letter.exchange, symbol ?? ""));
    const value = this.#encodeLetter({ ...letter, native_symbol: symbol });
    if (!this.#writer.addRecord(topic_index, key, value)) {
      this.closeAll();
      if (!this.#writer.addRecord(topic_index, key, value)) {
        this.#addAlone(topic_index, key, value, "acknowledged");
        this.#received += 1;
        this.#pump();
        return;
      }
    }
    this.#taken();
  }

  /**
   * Closes the open batch where it is old enough and there is room in the window; without room it
   * goes on filling, and is closed as soon as there is.
   *
   * @returns Milliseconds until the open batch is old enough, or null where none waits for that.
   */
  closeAged(): number | null {
    if (this.#writer.count === 0) return null;
    const rest_ms = this.#opened_ms + this.#options.flush_ms - this.#options.now_ms();
    if (rest_ms > 0) return rest_ms;
    if (this.#hasRoom(this.#writer.bytes)) {
      this.#close();
      this.#pump();
    }
    return null;
  }

  /** Closes the open batch now, whatever its age. */
  closeAll(): void {
    this.#close();
    this.#pump();
  }

  /** Sends from now on through this transport, beginning with what the last one left open. */
  attach(transport: Transport): Attachment {
    if (this.#attachment !== null) this.#detach();
    const attachment = { transport };
    this.#attachment = attachment;
    this.#pump();
    this.closeAged();
    for (const listener of this.#listeners) listener.attached();
    const isCurrent = () => this.#attachment === attachment;
    return {
      acknowledge: (batch_id, refusals) => {
        if (isCurrent()) this.#acknowledge(batch_id, refusals);
      },
      detach: () => {
        if (isCurrent()) this.#detach();
      },
    };
  }

  /** Adds a listener; returns its removal. */
  listen(listener: OutboxListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Adds a listener to pressure, which hears at once where it is already full. */
  onPressure(listener: PressureListener): () => void {
    return this.#pressure.listen(listener);
  }

  /** Age at which an open batch is to be closed. */
  get flush_ms(): number {
    return this.#options.flush_ms;
  }

  get is_full(): boolean {
    return this.#pressure.is_full;
  }

  get is_attached(): boolean {
    return this.#attachment !== null;
  }

  /** Whether nothing is left that is not settled. */
  get is_empty(): boolean {
    return this.#in_flight_records + this.#queued_records + this.#writer.count === 0;
  }

  /** The accounts and what else the status tree shows of the producer. */
  figures(): Figures {
    const [p50_us, p99_us] = [this.latency.percentile(0.5), this.latency.percentile(0.99)];
    const at_us = this.#last_acknowledged_us;
    return {
      received_total: this.#received,
      acknowledged_total: this.#acknowledged,
      in_flight: this.#in_flight_records,
      buffered: this.#queued_records + this.#writer.count,
      dead_lettered_total: this.#dead_lettered,
      discarded_total: this.#discarded,
      overflowed_total: this.#overflowed,
      batches_total: this.#batches,
      buffered_bytes: this.#heldBytes(),
      is_full: this.is_full,
      acknowledging: this.#isAcknowledging(),
      last_acknowledged_at: at_us === null ? null : new Date(at_us / 1_000).toISOString(),
      latency_p50_ms: p50_us === null ? null : p50_us / 1_000,
      latency_p99_ms: p99_us === null ? null : p99_us / 1_000,
    };
  }

  /**
   * Counts everything again.
   *
   * @throws {Error} where the accounts do not agree with what is held: nothing it says can then be
   *   relied on.
   */
  check(): void {
    const waiting = this.#queue.slice(this.#queue_head).filter((batch) => batch !== null);
    const sent = [...this.#in_flight.values()].map(({ batch }) => batch);
    const queued = sum(waiting.map(({ count }) => count));
    const in_flight = sum(sent.map(({ count }) => count));
    const in_flight_bytes = sum(sent.map(({ frame }) => frame.length));
    const closed_bytes = sum([...waiting, ...sent].map(bytesOf));
    const settled = this.#acknowledged + this.#dead_lettered;
    const accounts = [
      ["buffered", this.#queued_records, queued],
      ["in flight", this.#in_flight_records, in_flight],
      ["bytes in flight", this.#in_flight_bytes, in_flight_bytes],
      ["bytes", this.#closed_bytes, closed_bytes],
      ["received", this.#received, settled + in_flight + queued + this.#writer.count],
    ] as const;
    for (const [what, stated, counted] of accounts) {
      if (stated !== counted) {
        throw new Error(`The outbox is inconsistent: ${what} is ${stated}, counted ${counted}`);
      }
    }
  }

  #taken(): void {
    this.#received += 1;
    if (this.#writer.count === 1) {
      this.#opened_ms = this.#options.now_ms();
      for (const listener of this.#listeners) listener.opened();
    }
    if (this.#writer.count >= this.#options.flush_count) {
      this.#close();
      this.#pump();
    }
  }

  #close(): void {
    if (this.#writer.count > 0) this.#enqueue(this.#writer.close(this.#nextId(), "acknowledged"));
  }

  #enqueue(batch: Batch): void {
    this.#queue.push(batch);
    this.#queued_records += batch.count;
    this.#closed_bytes += bytesOf(batch);
    this.#batches += 1;
    this.#pressure.update(this.#heldBytes());
  }

  /** A record in a batch of its own; its one count is the caller's to have accounted for. */
  #addAlone(topic_index: number, key: Uint8Array, value: Uint8Array, outcome: Outcome): void {
    const writer = new BatchWriter(frameBytes(key.length, value.length), 1);
    if (!writer.addRecord(topic_index, key, value)) throw new Error("A record outgrew its frame");
    this.#enqueue(writer.close(this.#nextId(), outcome));
  }

  #pump(): void {
    while (this.#attachment !== null && this.#queue_head < this.#queue.length) {
      const batch = this.#queue[this.#queue_head];
      if (batch === undefined || batch === null || !this.#hasRoom(batch.frame.length)) return;
      // Sent batches leave the queue's front in one go, not by a shift for each.
      this.#queue[this.#queue_head] = null;
      this.#queue_head += 1;
      if (this.#queue_head === this.#queue.length || this.#queue_head >= 1_024) {
        this.#queue = this.#queue.slice(this.#queue_head);
        this.#queue_head = 0;
      }
      this.#queued_records -= batch.count;
      this.#in_flight_records += batch.count;
      this.#in_flight_bytes += batch.frame.length;
      this.#in_flight.set(batch.id, { batch, sent_ms: this.#options.now_ms() });
      this.#attachment.transport.send(batch.frame);
    }
  }

  #hasRoom(bytes: number): boolean {
    const { window_batches_max, window_bytes_max } = this.#options;
    if (this.#attachment === null || this.#in_flight.size >= window_batches_max) return false;
    return this.#in_flight.size === 0 || this.#in_flight_bytes + bytes <= window_bytes_max;
  }

  #acknowledge(batch_id: number, refusals: readonly Refusal[]): void {
    const batch = this.#in_flight.get(batch_id)?.batch;
    if (batch === undefined) {
      throw new Error(`The port acknowledged batch ${batch_id}, which it was not sent`);
    }
    if (new Set(refusals.map(({ index }) => index)).size !== refusals.length) {
      throw new Error(`The port refused a record of batch ${batch_id} twice`);
    }
    this.#in_flight.delete(batch_id);
    this.#in_flight_records -= batch.count;
    this.#in_flight_bytes -= batch.frame.length;
    this.#closed_bytes -= bytesOf(batch);
    for (const refusal of refusals) this.#refuse(batch, refusal);
    const taken = batch.count - refusals.length;
    if (batch.outcome === "acknowledged") this.#acknowledged += taken;
    else this.#dead_lettered += taken;
    if (taken > 0) this.#measure(batch);
    this.#pressure.update(this.#heldBytes());
    this.#pump();
    this.closeAged();
    if (this.is_empty) for (const listener of this.#listeners) listener.emptied();
  }

  /**
   * A record that is refused for good becomes a dead letter; one that already was is discarded,
   * and counted, because nobody would take it.
   */
  #refuse(batch: Batch, { index, reason }: Refusal): void {
    const { topic_index, key, value } = readRecord(batch, index);
    const dead_letters_index = this.topics.length - 1;
    if (topic_index === dead_letters_index) {
      this.#dead_lettered += 1;
      this.#discarded += 1;
      return;
    }
    const topic = this.topics[topic_index] ?? null;
    const letter = this.#encodeLetter({ ...originOf(key, value), reason, payload: value, topic });
    this.#addAlone(dead_letters_index, key, letter, "dead_lettered");
  }

  #measure({ received_us }: Batch): void {
    const now_us = this.#options.now_us();
    this.#last_acknowledged_us = now_us;
    for (const time_us of received_us) if (time_us > 0) this.latency.add(now_us - time_us);
  }

  #detach(): void {
    this.#attachment = null;
    const again = [...this.#in_flight.values()].map(({ batch }) => batch);
    this.#queue = [...again, ...this.#queue.slice(this.#queue_head)];
    this.#queue_head = 0;
    this.#queued_records += this.#in_flight_records;
    this.#in_flight_records = 0;
    this.#in_flight_bytes = 0;
    this.#in_flight.clear();
    for (const listener of this.#listeners) listener.detached();
  }

  #encodeLetter(letter: DeadLetterRecord): Buffer {
    const payload = letter.payload.subarray(0, payload_bytes_max);
    return encodeDeadLetter(this.#dead_letter_schema_id, { ...letter, payload });
  }

  #isAcknowledging(): boolean {
    if (this.#attachment === null) return false;
    const oldest = this.#in_flight.values().next().value;
    const age_ms = oldest === undefined ? 0 : this.#options.now_ms() - oldest.sent_ms;
    return age_ms < acknowledging_ms_max;
  }

  #heldBytes(): number {
    return this.#closed_bytes + this.#writer.bytes;
  }

  #refuseBeyondBound(): void {
    if (this.#heldBytes() < this.#options.buffer_bytes_max) return;
    this.#overflowed += 1;
    throw new Error(
      `Cannot take a record: the outbox holds ${this.#heldBytes()} of at most ` +
        `${this.#options.buffer_bytes_max} bytes`,
    );
  }

  #nextId(): number {
    const id = this.#next_id;
    this.#next_id += 1;
    return id;
  }

  #unprepared(destination: string): Error {
    const why = this.#encoders.length === 0 ? "schema ids are not known yet" : "it has no topic";
    return new Error(`Cannot take a record for ${destination}: ${why}`);
  }
}

function keyOf({ keys }: Destination, trade: Trade): Buffer {
  const kept = keys.get(trade.native_symbol);
  if (kept !== undefined) return kept;
  if (keys.size >= keys_kept_max) keys.clear();
  const key = Buffer.from(recordKey(trade.exchange, trade.native_symbol));
  keys.set(trade.native_symbol, key);
  return key;
}

/** A trade that is larger than a whole batch may be. */
function encodeAlone(trade: Trade, encoder: TradeEncoder): Buffer {
  for (let bytes = 2 ** 16; bytes <= 2 ** 25; bytes *= 2) {
    const buffer = Buffer.alloc(bytes);
    const end = encoder.encode(trade, buffer, 0);
    if (end >= 0) return buffer.subarray(0, end);
  }
  throw new RangeError(`Cannot take ${trade.message_id}: it is larger than 32 MiB`);
}

/** Where a refused record came from, as far as its own bytes tell. */
function originOf(key: Buffer, value: Buffer) {
  const [exchange = "", ...rest] = key.toString().split(":");
  const { connection_id, frame_sequence, ingestion_timestamp } = decodeTrade(value);
  return {
    exchange,
    native_symbol: rest.join(":"),
    connection_id,
    frame_sequence,
    ingestion_timestamp,
  };
}

function bytesOf({ frame, count }: Batch): number {
  return frame.length + count * 8 + batch_overhead_bytes;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
