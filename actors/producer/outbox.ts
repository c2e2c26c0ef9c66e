/**
 * The outbox: every record from the moment it is taken until the broker has acknowledged it.
 *
 * It is made once and handed to each incarnation of the producer and of its port, so that their
 * crashes cost nothing: what is not acknowledged is still here, and goes to the next port in the
 * same order. At every instant
 * ```
 * received = acknowledged + in flight + buffered + spilled + dead-lettered
 * ```
 * where `in flight` is with the port, `buffered` is the open batch and the closed ones that wait in
 * memory, and `spilled` is what waits on disk. A record has exactly one outcome. Frames are records
 * in batches: those of a session become one record, received when its batch is closed. What an
 * earlier process left on disk is received when the outbox is made.
 *
 * It holds no timer and reads no clock but those it is given.
 *
 * @module
 */

import {
  type DeadLetterRecord,
  encodeDeadLetter,
  encodeEvent,
  encodeFrameBatch,
  recordKey,
  type TradeEncoder,
} from "../../schemas/mod.ts";
import type {
  DeadLetter,
  FeedEvent,
  Figures,
  FrameEntry,
  FrameLog,
  FrameSession,
  PressureListener,
  RecordSink,
  Trade,
} from "../messages.ts";
import { FatalError } from "../settings/exit.ts";
import { type Batch, type BatchLabel, BatchWriter, batchOf, readRecord } from "./batch.ts";
import { Destinations, keyOf } from "./destinations.ts";
import { Dispatch, type Transport } from "./dispatch.ts";
import { createFrameSource, type FrameSource } from "./frame_writer.ts";
import { Latency } from "./latency.ts";
import { originOf } from "./origin.ts";
import { Pressure } from "./pressure.ts";
import { Settlement } from "./settlement.ts";
import type { SpilledBatch, SpillStore } from "./spill.ts";

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
  /** Somebody has to close the open batch, not later than after this time. */
  opened(rest_ms: number): void;
  attached(): void;
  detached(): void;
  /** Nothing is left that is not settled. */
  emptied(): void;
}

/** How much an outbox takes, holds and sends, and its clocks. */
export interface OutboxOptions {
  /** Exchanges whose trades and frames are taken; two topics for each. */
  readonly exchanges: readonly string[];
  /** Records, not counting frames, after which a batch is closed, from 1 to 10,000. */
  readonly flush_count: number;
  /** Age of a batch's first record after which it is closed. */
  readonly flush_ms: number;
  /** Most bytes held in memory. From three quarters of it on listeners are told to stop. */
  readonly buffer_bytes_max: number;
  /** Bytes in memory beyond which the disk is used: half of the bound where it is not said. */
  readonly memory_bytes_max?: number;
  /** Where closed batches go that are too much for memory; without it, nowhere. */
  readonly spill?: SpillStore | null;
  /** Most bytes on disk. */
  readonly spill_bytes_max?: number;
  /** Below this much free space on disk, listeners are told to stop too. */
  readonly disk_free_min?: number;
  /** Longest packet of several records. */
  readonly batch_bytes_max?: number;
  /** Most batches and bytes in flight: what a crash of the port sends twice. */
  readonly window_batches_max?: number;
  readonly window_bytes_max?: number;
  /** Monotonic clock, milliseconds. */
  readonly now_ms: () => number;
  /** Wall clock, microseconds since 1970. */
  readonly now_us: () => number;
}

/** Of the bound of memory: from here on the disk is used. */
const spill_share = 0.5;
/** Of that: what stays in memory, to be there when Kafka comes back; as much may be in flight. */
const head_share = 0.5;

/**
 * Frames in which no trade was found wait up to this long for company: a heartbeat a second need
 * not be a record by itself, and nobody measures its latency.
 */
const frames_ms = 250;
/** How far events may go beyond the bound; some ten thousand of them. */
const events_reserve_bytes = 2 ** 21;
/** A payload beyond this is cut: its topic takes records of up to 8 MiB, and memory is bounded. */
const payload_bytes_max = 4 * 2 ** 20;
/** Longest symbol of a dead letter; no exchange has one half as long. */
const symbol_chars_max = 128;

/**
 * Holds every record from the normalizer until the broker has it, in order and in bounded memory.
 */
export class Outbox implements RecordSink {
  /** Topics in the order of the index that a packet carries. */
  readonly topics: readonly string[];
  readonly latency = new Latency();
  readonly #options: Required<OutboxOptions>;
  readonly #pressure: Pressure;
  readonly #destinations: Destinations;
  readonly #listeners = new Set<OutboxListener>();
  readonly #writer: BatchWriter;
  readonly #dispatch: Dispatch;
  readonly #settlement = new Settlement();
  #attachment: Attachment | null = null;
  #opened_ms = 0;
  #frames_opened_ms = 0;
  #next_id = 1;
  #received = 0;
  #acknowledged = 0;
  #dead_lettered = 0;
  #discarded = 0;
  #overflowed = 0;
  #batches = 0;
  #frames = 0;
  #last_acknowledged_us: number | null = null;

  constructor(options: OutboxOptions) {
    this.#options = withDefaults(options);
    const { exchanges, batch_bytes_max, flush_count, memory_bytes_max, spill } = this.#options;
    this.#destinations = new Destinations(
      exchanges,
      (wanted) => spill?.adoptTopics(wanted) ?? wanted,
    );
    this.topics = this.#destinations.topics;
    this.#writer = new BatchWriter(batch_bytes_max, flush_count);
    this.#dispatch = new Dispatch(
      {
        ...this.#options,
        head_bytes_max: memory_bytes_max * head_share,
      },
      this.#takeFound(spill?.found ?? []),
    );
    this.#pressure = new Pressure(this.#options);
  }

  /**
   * Gives the registry's ids of the schemas. A later call with other ids counts for records taken
   * from then on.
   *
   * @param ids By topic. Those of which only spilled records are left need none.
   * @throws {Error} where a topic has none.
   */
  setSchemaIds(ids: Readonly<Record<string, number>>): void {
    this.#destinations.setSchemaIds(ids);
  }

  /**
   * Takes a trade.
   *
   * @throws {RangeError} where a decimal of it cannot be encoded exactly.
   * @throws {Error} where the outbox is beyond its bound, or cannot know where the trade goes.
   */
  addTrade(trade: Trade): void {
    const destination = this.#destinations.of(trade.exchange);
    const encoder = this.#destinations.encoderOf(destination);
    this.#refuseBeyondBound();
    const { trades_index: topic_index } = destination;
    const key = keyOf(destination, trade.native_symbol);
    if (!this.#writer.addTrade(topic_index, key, trade, encoder)) {
      this.closeAll();
      if (!this.#writer.addTrade(topic_index, key, trade, encoder)) {
        this.#addAlone(topic_index, key, encodeAlone(trade, encoder));
        return;
      }
    }
    this.#taken();
  }

  /** Takes a dead letter; a payload beyond 4 MiB is cut. */
  addDeadLetter(letter: DeadLetter): void {
    // What an unreadable item calls its symbol may be anything, and a key has a bound.
    const symbol = letter.native_symbol?.slice(0, symbol_chars_max).toWellFormed() ?? null;
    const topic_index = this.#destinations.dead_letters_index;
    const value = this.#encodeLetter({ ...letter, native_symbol: symbol });
    this.#addEncoded(topic_index, recordKey(letter.exchange, symbol ?? ""), value);
  }

  /** Takes an event. */
  addEvent(event: FeedEvent): void {
    const topic_index = this.#destinations.events_index;
    const value = encodeEvent(this.#destinations.schemaId(topic_index), event);
    this.#addEncoded(topic_index, recordKey(event.exchange, event.native_symbol ?? ""), value);
  }

  /**
   * Takes the frames of a session. Nothing is held for a session that has none in the open batch,
   * so closing it does nothing, and a frame that comes later still is kept.
   *
   * @throws {Error} where the exchange has no topic.
   */
  openFrames(session: FrameSession): FrameLog {
    const { frames_index } = this.#destinations.of(session.exchange);
    const source = createFrameSource(session, frames_index);
    return { add: (entry) => this.#addFrame(source, entry), close: () => {} };
  }

  /**
   * A position that covers every record and frame taken so far. It may also cover later ones, of
   * the batch that is open now.
   */
  mark(): number {
    return this.#settlement.last + (this.#writer.is_empty ? 0 : 1);
  }

  /**
   * The largest position up to which everything is settled: the broker has it, or its dead letter,
   * or nobody will ever take it.
   */
  get settled_through(): number {
    return this.#settlement.through;
  }

  /**
   * Closes the open batch where it is old enough and there is room in the window; without room it
   * goes on filling, and is closed as soon as there is.
   *
   * @returns Milliseconds until the open batch is old enough, or null where none waits for that.
   */
  closeAged(): number | null {
    if (this.#writer.is_empty) return null;
    const rest_ms = this.#restMs();
    if (rest_ms > 0) return rest_ms;
    if (this.#dispatch.hasRoom(this.#writer.bytes)) {
      this.#close();
      this.#dispatch.pump();
    }
    return null;
  }

  /** Closes the open batch now, whatever its age. */
  closeAll(): void {
    this.#close();
    this.#dispatch.pump();
  }

  /** Sends from now on through this transport, beginning with what the last one left open. */
  attach(transport: Transport): Attachment {
    if (this.#attachment !== null) this.#detach();
    const attachment: Attachment = {
      acknowledge: (batch_id, refusals) => {
        if (this.#attachment === attachment) this.#acknowledge(batch_id, refusals);
      },
      detach: () => {
        if (this.#attachment === attachment) this.#detach();
      },
    };
    this.#attachment = attachment;
    this.#dispatch.attach(transport);
    this.#dispatch.pump();
    this.closeAged();
    // What was on disk may have come into memory.
    this.#pressure.update(this.#heldBytes());
    for (const listener of this.#listeners) listener.attached();
    return attachment;
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
    return this.#dispatch.is_attached;
  }

  /** Whether nothing is left that is not settled. */
  get is_empty(): boolean {
    return this.#dispatch.is_empty && this.#writer.is_empty;
  }

  /** Whether records wait on disk. */
  get is_spilling(): boolean {
    return this.#dispatch.backlog.spilled_records > 0;
  }

  /** Why the disk does not take what it should; null while it does. */
  get spill_error(): string | null {
    return this.#dispatch.backlog.refusal;
  }

  /** For how long the oldest batch has been with the port, milliseconds; 0 where none is. */
  get oldest_in_flight_ms(): number {
    return this.#dispatch.oldest_ms;
  }

  /**
   * Writes to disk all that the broker has not acknowledged, so that the next process finds it.
   *
   * @returns Whether all of it is there.
   */
  storeAll(): boolean {
    this.closeAll();
    return this.#dispatch.storeAll();
  }

  /**
   * To be called now and then: what was spilled becomes safe from a power cut.
   *
   * @param free_bytes Free space on the disk of the spill.
   */
  tend(free_bytes: number): void {
    const { backlog } = this.#dispatch;
    this.#pressure.updateDisk(free_bytes);
    backlog.is_disk_low = this.#pressure.is_disk_low;
    this.#dispatch.relieve();
    backlog.sync();
    this.#pressure.update(this.#heldBytes());
  }

  /** The accounts and what else the status tree shows of the producer. */
  figures(): Figures {
    const [p50_us, p99_us] = [this.latency.percentile(0.5), this.latency.percentile(0.99)];
    const at_us = this.#last_acknowledged_us;
    const { backlog } = this.#dispatch;
    return {
      received_total: this.#received,
      acknowledged_total: this.#acknowledged,
      in_flight: this.#dispatch.in_flight_records,
      buffered: backlog.records + this.#writer.count,
      spilled: backlog.spilled_records,
      dead_lettered_total: this.#dead_lettered,
      discarded_total: this.#discarded,
      overflowed_total: this.#overflowed,
      batches_total: this.#batches,
      frames_total: this.#frames,
      buffered_bytes: this.#heldBytes(),
      spilled_bytes: backlog.spilled_bytes,
      spill_error: this.spill_error,
      is_full: this.is_full,
      pressure_reason: this.#pressure.reason,
      acknowledging: this.#dispatch.is_acknowledging,
      last_acknowledged_at: at_us === null ? null : new Date(at_us / 1_000).toISOString(),
      latency_p50_ms: p50_us === null ? null : p50_us / 1_000,
      latency_p99_ms: p99_us === null ? null : p99_us / 1_000,
    };
  }

  /**
   * Counts everything again.
   *
   * @throws {FatalError} where the accounts do not agree with what is held: nothing it says can
   *   then be relied on.
   */
  check(): void {
    const { accounts, first_position } = this.#dispatch.count();
    const { backlog, in_flight_records } = this.#dispatch;
    const settled = this.#acknowledged + this.#dead_lettered;
    const waiting = backlog.records + backlog.spilled_records + this.#writer.count;
    const held = in_flight_records + waiting;
    const { last, through } = this.#settlement;
    const all = [
      ...accounts,
      ["received", this.#received, settled + held] as const,
      ["settled through", through, first_position === null ? last : first_position - 1] as const,
    ];
    for (const [what, stated, counted] of all) {
      if (stated !== counted) {
        throw new FatalError(
          `The outbox is inconsistent: ${what} is ${stated}, counted ${counted}`,
        );
      }
    }
  }

  #addEncoded(topic_index: number, symbol_key: string, value: Buffer): void {
    // Events say what is lost when nothing more is taken: they still are, within a reserve.
    const is_event = topic_index === this.#destinations.events_index;
    this.#refuseBeyondBound(is_event ? events_reserve_bytes : 0);
    const key = Buffer.from(symbol_key);
    if (!this.#writer.addRecord(topic_index, key, value)) {
      this.closeAll();
      if (!this.#writer.addRecord(topic_index, key, value)) {
        this.#addAlone(topic_index, key, value);
        return;
      }
    }
    this.#taken();
  }

  #addFrame(source: FrameSource, entry: FrameEntry): void {
    const schema_id = this.#destinations.schemaId(source.topic_index);
    this.#refuseBeyondBound();
    const is_first = this.#writer.frames_count === 0;
    if (!this.#writer.addFrame(source, schema_id, entry)) {
      this.closeAll();
      if (!this.#writer.addFrame(source, schema_id, entry)) {
        const value = encodeFrameBatch(schema_id, source.session, [entry]);
        this.#addAlone(source.topic_index, source.key, value);
        this.#frames += 1;
        return;
      }
      this.#framesOpened();
    } else if (is_first) {
      this.#framesOpened();
    }
    this.#frames += 1;
  }

  /** The open batch has its first frame. */
  #framesOpened(): void {
    this.#frames_opened_ms = this.#options.now_ms();
    // Records that are open are due sooner.
    if (this.#writer.count === 0) this.#tellOpened();
  }

  #taken(): void {
    this.#received += 1;
    if (this.#writer.count === 1) {
      this.#opened_ms = this.#options.now_ms();
      this.#tellOpened();
    }
    if (this.#writer.count >= this.#options.flush_count) {
      this.#close();
      this.#dispatch.pump();
    }
  }

  #tellOpened(): void {
    const rest_ms = Math.max(0, this.#restMs());
    for (const listener of this.#listeners) listener.opened(rest_ms);
  }

  /** Time until the open batch is old enough; zero or less where it is. */
  #restMs(): number {
    const { flush_ms } = this.#options;
    const { count, frames_count } = this.#writer;
    const due_ms = count === 0 ? Number.POSITIVE_INFINITY : this.#opened_ms + flush_ms;
    const frames_due_ms =
      frames_count === 0
        ? Number.POSITIVE_INFINITY
        : this.#frames_opened_ms + Math.max(frames_ms, flush_ms);
    return Math.min(due_ms, frames_due_ms) - this.#options.now_ms();
  }

  #close(): void {
    if (this.#writer.is_empty) return;
    this.#received += this.#writer.frames_count;
    this.#enqueue(this.#writer.close(this.#takeLabel()));
  }

  #enqueue(batch: Batch): void {
    this.#dispatch.enqueue(batch);
    this.#batches += 1;
    this.#pressure.update(this.#heldBytes());
  }

  /** Takes a record that is larger than any batch. The open batch is closed already. */
  #addAlone(topic_index: number, key: Uint8Array, value: Uint8Array): void {
    this.#enqueue(batchOf(this.#takeLabel(), topic_index, key, value));
    this.#received += 1;
    this.#dispatch.pump();
  }

  /** Of a batch that is closed now. */
  #takeLabel(): BatchLabel {
    return { id: this.#takeId(), position: this.#settlement.take(), outcome: "acknowledged" };
  }

  #acknowledge(batch_id: number, refusals: readonly Refusal[]): void {
    const batch = this.#dispatch.findSent(batch_id);
    if (batch === null) {
      throw new Error(`The port acknowledged batch ${batch_id}, which it was not sent`);
    }
    if (new Set(refusals.map(({ index }) => index)).size !== refusals.length) {
      throw new Error(`The port refused a record of batch ${batch_id} twice`);
    }
    this.#dispatch.remove(batch);
    for (const refusal of refusals) this.#refuse(batch, refusal);
    const taken = batch.count - refusals.length;
    if (batch.outcome === "acknowledged") this.#acknowledged += taken;
    else this.#dead_lettered += taken;
    this.#settlement.settle(batch.position);
    if (taken > 0) this.#measure(batch);
    this.#dispatch.pump();
    this.closeAged();
    this.#pressure.update(this.#heldBytes());
    if (this.is_empty) for (const listener of this.#listeners) listener.emptied();
  }

  /**
   * A record that is refused for good becomes a dead letter; one that already was is discarded,
   * and counted, because nobody would take it.
   */
  #refuse(batch: Batch, { index, reason }: Refusal): void {
    const { topic_index, value } = readRecord(batch, index);
    const kind = this.#destinations.kindOf(topic_index);
    if (kind === "dead_letter") {
      this.#dead_lettered += 1;
      this.#discarded += 1;
      return;
    }
    const topic = this.topics[topic_index] ?? null;
    const origin = originOf(kind, value);
    const key = Buffer.from(recordKey(origin.exchange, origin.native_symbol ?? ""));
    const letter = this.#encodeLetter({ ...origin, reason, payload: value, topic });
    const { position } = batch;
    const label = { id: this.#takeId(), position, outcome: "dead_lettered" } as const;
    this.#settlement.hold(position);
    this.#enqueue(batchOf(label, this.#destinations.dead_letters_index, key, letter));
  }

  #measure({ received_us }: Batch): void {
    const now_us = this.#options.now_us();
    this.#last_acknowledged_us = now_us;
    for (const time_us of received_us) if (time_us > 0) this.latency.add(now_us - time_us);
  }

  #detach(): void {
    this.#attachment = null;
    this.#dispatch.detach();
    for (const listener of this.#listeners) listener.detached();
  }

  #encodeLetter(letter: DeadLetterRecord): Buffer {
    const payload = letter.payload.subarray(0, payload_bytes_max);
    const schema_id = this.#destinations.schemaId(this.#destinations.dead_letters_index);
    return encodeDeadLetter(schema_id, { ...letter, payload });
  }

  #heldBytes(): number {
    return this.#dispatch.bytes + this.#writer.bytes;
  }

  #refuseBeyondBound(reserve_bytes = 0): void {
    if (this.#heldBytes() < this.#options.buffer_bytes_max + reserve_bytes) return;
    this.#overflowed += 1;
    throw new Error(
      `Cannot take a record: the outbox holds ${this.#heldBytes()} of at most ` +
        `${this.#options.buffer_bytes_max} bytes`,
    );
  }

  /**
   * Takes over what an earlier process left on disk: its ids, its records, and one position for
   * all of it, before every other.
   */
  #takeFound(found: readonly SpilledBatch[]): number {
    if (found.length === 0) return 0;
    const position = this.#settlement.take();
    for (const { id, count } of found) {
      this.#next_id = Math.max(this.#next_id, id + 1);
      this.#received += count;
    }
    for (let held = 1; held < found.length; held += 1) this.#settlement.hold(position);
    return position;
  }

  #takeId(): number {
    const id = this.#next_id;
    this.#next_id += 1;
    return id;
  }
}

function withDefaults(options: OutboxOptions): Required<OutboxOptions> {
  const memory_bytes_max = options.memory_bytes_max ?? options.buffer_bytes_max * spill_share;
  const defaults = {
    memory_bytes_max,
    batch_bytes_max: 512 * 2 ** 10,
    window_batches_max: 64,
    window_bytes_max: Math.min(8 * 2 ** 20, memory_bytes_max * head_share),
    spill: null,
    spill_bytes_max: 0,
    disk_free_min: 0,
  };
  return { ...defaults, ...options };
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
