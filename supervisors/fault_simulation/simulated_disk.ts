/**
 * A disk in virtual time. What is written is there for whoever reads it, and outlives a killed
 * process; only what is synced, or older than the system's own write-back, outlives a power cut,
 * which undoes the newest commits of each file, in order, as a log of SQLite's loses its tail.
 * A full disk refuses.
 *
 * @module
 */

import type { ContinuityStore } from "../../actors/continuity/continuity_store.ts";
import { type Note, noteOf, readNote, withNotes } from "../../actors/continuity/notes.ts";
import { readSymbolState, type SymbolState } from "../../actors/continuity/symbol_state.ts";
import type {
  CachedInstruments,
  InstrumentCache,
} from "../../actors/exchanges/instrument_cache.ts";
import type { SpilledBatch, SpillStore } from "../../actors/producer/spill.ts";
import type { BudgetRow, BudgetRows } from "../../actors/rest/kept_budgets.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

/** The system writes back what nobody has synced after so long. */
const write_back_us = 30_000_000;

const plenty_bytes = 2 ** 40;
const low_bytes = 2 ** 20;

interface Commit<Value> {
  readonly at_us: number;
  /** Keys with the values that they had before. */
  readonly before: readonly (readonly [string, Value | undefined])[];
}

/** A disk that has no room. */
export class DiskFull extends Error {
  override readonly name = "DiskFull";
}

/** One file of rows. Rows keep the order in which they were first written. */
export class SimulatedFile<Value = string> {
  readonly #world: World;
  readonly #isFull: () => boolean;
  readonly #rows = new Map<string, Value>();
  #unsynced: Commit<Value>[] = [];

  constructor(world: World, isFull: () => boolean) {
    this.#world = world;
    this.#isFull = isFull;
  }

  /** All rows, in order. */
  get rows(): ReadonlyMap<string, Value> {
    return this.#rows;
  }

  /**
   * Changes rows, all of them or none; undefined takes one out.
   *
   * @throws {DiskFull} where there is no room; nothing is changed then.
   */
  commit(changes: readonly (readonly [string, Value | undefined])[]): void {
    if (this.#isFull()) throw new DiskFull("database or disk is full");
    const before = changes.map(([key]) => [key, this.#rows.get(key)] as const);
    for (const [key, value] of changes) this.#set(key, value);
    const { now_us } = this.#world;
    this.#unsynced.push({ at_us: now_us, before });
    const first = this.#unsynced[0];
    if (first !== undefined && now_us - first.at_us > write_back_us) {
      this.#unsynced = this.#unsynced.filter(({ at_us }) => now_us - at_us <= write_back_us);
    }
  }

  /** What is written outlives a power cut from now on. */
  sync(): void {
    this.#unsynced = [];
  }

  /** The power goes: some of the newest commits are gone. Returns how many. */
  cutPower(random: Random): number {
    const { now_us } = this.#world;
    const at_risk = this.#unsynced.filter(({ at_us }) => now_us - at_us <= write_back_us);
    const lost = random.integer(0, at_risk.length);
    for (const { before } of at_risk.slice(at_risk.length - lost).reverse()) {
      for (const [key, value] of [...before].reverse()) this.#set(key, value);
    }
    this.#unsynced = [];
    return lost;
  }

  #set(key: string, value: Value | undefined): void {
    if (value === undefined) this.#rows.delete(key);
    else this.#rows.set(key, value);
  }
}

/** What the spill holds: a batch, or its topics. */
type Spilled =
  | { readonly kind: "batch"; readonly batch: SpilledBatch; readonly packet: Buffer }
  | { readonly kind: "topics"; readonly topics: readonly string[] };

/** The files of one data directory. */
export class SimulatedDisk {
  readonly continuity: SimulatedFile;
  readonly budgets: SimulatedFile;
  readonly lists: SimulatedFile;
  readonly spill: SimulatedFile<Spilled>;
  readonly #world: World;
  readonly #random: Random;
  is_full = false;
  /** Whether little is free, though there is some. */
  is_low = false;
  /** Whether a note was refused: what was told without it may be forgotten. */
  has_refused_note = false;
  /** Whether a budget was not written down: the next process knows too little. */
  has_refused_budget = false;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
    const isFull = () => this.is_full;
    this.continuity = new SimulatedFile(world, isFull);
    this.budgets = new SimulatedFile(world, isFull);
    this.lists = new SimulatedFile(world, isFull);
    this.spill = new SimulatedFile(world, isFull);
  }

  /** Free space. */
  freeBytes(): number {
    return this.is_full || this.is_low ? low_bytes : plenty_bytes;
  }

  /** The power goes. */
  cutPower(): void {
    const { budgets, continuity, lists, spill } = this;
    for (const [name, file] of Object.entries({ continuity, budgets, lists, spill })) {
      const lost = file.cutPower(this.#random);
      if (lost > 0) this.#world.note(`disk: ${lost} commits of ${name} are gone`);
    }
  }
}

/**
 * The store of continuity in a file: what `continuity_store.ts` is on SQLite, each commit synced as
 * there.
 */
export function continuityStoreIn(disk: SimulatedDisk): ContinuityStore {
  const file = disk.continuity;
  let newest = Math.max(0, ...notesIn(file).map(({ id }) => id));
  return {
    readStates: () => statesIn(file),
    note(event) {
      const note = noteOf(event);
      const { exchange, native_symbol, from_id } = event;
      if (note === null || native_symbol === null) return;
      const about = `${note.kind} ${from_id}`;
      const row: NoteRow = { id: newest + 1, exchange, native_symbol, about, note };
      const earlier = notesIn(file).filter((other) => isSameSubject(other, row));
      disk.has_refused_note ||= disk.is_full;
      file.commit([
        ...earlier.map(({ id }) => [noteKey(id), undefined] as const),
        [noteKey(row.id), JSON.stringify(row)],
      ]);
      file.sync();
      newest += 1;
    },
    get noted_through() {
      return newest;
    },
    writeStates(states, noted_through) {
      const told = notesIn(file).filter(
        (note) => note.id <= noted_through && states.some((state) => isOf(note, state)),
      );
      file.commit([
        ...states.map((state) => [stateKey(state), JSON.stringify(state)] as const),
        ...told.map(({ id }) => [noteKey(id), undefined] as const),
      ]);
      file.sync();
    },
    close() {},
  };
}

interface Symbol {
  readonly exchange: string;
  readonly native_symbol: string;
}

interface NoteRow extends Symbol {
  readonly id: number;
  readonly about: string;
  readonly note: Note;
}

function noteKey(id: number): string {
  return `note ${id}`;
}

function stateKey({ exchange, native_symbol }: Symbol): string {
  return `state ${exchange}:${native_symbol}`;
}

function isOf(one: Symbol, other: Symbol): boolean {
  return one.exchange === other.exchange && one.native_symbol === other.native_symbol;
}

function isSameSubject(one: NoteRow, other: NoteRow): boolean {
  return isOf(one, other) && one.about === other.about;
}

function notesIn(file: SimulatedFile): readonly NoteRow[] {
  const notes: NoteRow[] = [];
  for (const [key, text] of file.rows) {
    if (!key.startsWith("note ")) continue;
    const row: NoteRow = JSON.parse(text);
    const note = readNote(row.note);
    if (note === null) throw new Error(`The note ${text} cannot be read`);
    notes.push({ ...row, note });
  }
  return notes.sort((one, other) => one.id - other.id);
}

function statesIn(file: SimulatedFile): readonly SymbolState[] {
  const states = new Map<string, SymbolState>();
  for (const [key, text] of file.rows) {
    if (!key.startsWith("state ")) continue;
    const state = readSymbolState(JSON.parse(text));
    if (state === null) throw new Error(`The state ${text} cannot be read`);
    states.set(key, state);
  }
  const notes = notesIn(file);
  for (const note of notes) {
    const key = stateKey(note);
    const own = notes.filter((other) => isOf(other, note));
    // All notes of a symbol are applied at its first one.
    if (own[0] !== note) continue;
    const { exchange, native_symbol } = note;
    const stored = states.get(key) ?? null;
    const state = withNotes(
      { exchange, native_symbol },
      stored,
      own.map((one) => one.note),
    );
    if (state !== null) states.set(key, state);
  }
  return [...states.values()];
}

/** The rows of the budgets in a file. */
export function budgetRowsIn(disk: SimulatedDisk): BudgetRows {
  const file = disk.budgets;
  return {
    read(exchange, name) {
      const text = file.rows.get(`${exchange} ${name}`);
      if (text === undefined) return null;
      const row: BudgetRow = JSON.parse(text);
      return row;
    },
    write(exchange, name, row) {
      disk.has_refused_budget ||= disk.is_full;
      file.commit([[`${exchange} ${name}`, JSON.stringify(row)]]);
    },
    close() {},
  };
}

/** The instrument lists in a file. */
export function instrumentCacheIn(file: SimulatedFile): InstrumentCache {
  return {
    async read(exchange) {
      const text = file.rows.get(exchange);
      if (text === undefined) return null;
      const cached: CachedInstruments = JSON.parse(text);
      return cached;
    },
    async write(exchange, cached) {
      file.commit([[exchange, JSON.stringify(cached)]]);
    },
  };
}

const topics_key = "topics";

/** The spill in a file: what `spill_store.ts` is on SQLite. */
export function spillStoreIn(file: SimulatedFile<Spilled>): SpillStore {
  const found: SpilledBatch[] = [];
  for (const row of file.rows.values()) if (row.kind === "batch") found.push(row.batch);
  found.sort((one, other) => one.id - other.id);
  const row = file.rows.get(topics_key);
  const kept = row?.kind === "topics" && found.length > 0 ? row.topics : [];
  let adopted: Spilled | null = null;
  return {
    found,
    damaged: 0,
    adoptTopics(wanted) {
      const topics = [...kept, ...wanted.filter((topic) => !kept.includes(topic))];
      adopted = { kind: "topics", topics };
      return topics;
    },
    append(entries) {
      const batches = entries.map(({ id, count, outcome, packet }) => {
        const batch: SpilledBatch = { id, count, outcome, bytes: packet.length };
        return [`batch ${id}`, { kind: "batch", batch, packet: Buffer.from(packet) }] as const;
      });
      file.commit([...(adopted === null ? [] : [[topics_key, adopted] as const]), ...batches]);
    },
    read(id) {
      const held = file.rows.get(`batch ${id}`);
      if (held?.kind !== "batch") throw new Error(`batch ${id} is not on disk`);
      return Buffer.from(held.packet);
    },
    remove: (id) => file.commit([[`batch ${id}`, undefined]]),
    sync: () => file.sync(),
    close() {},
  };
}
