/**
 * The file in which continuity outlives the process: of each symbol the state that was last known
 * to be acknowledged, and notes of what was told since. WAL with `synchronous = FULL`: not even a
 * power cut takes back a note, because Kafka may hold what was told, and a coverage that begins
 * anew or a gap that is forgotten would contradict it for good.
 *
 * @module
 */

import { Database } from "bun:sqlite";
import type { FeedEvent } from "../messages.ts";
import { FailureError, reasonOf } from "../settings/exit.ts";
import { type Note, noteOf, readNote, withNotes } from "./notes.ts";
import { readSymbolState, type SymbolState } from "./symbol_state.ts";

/** SQLite's mark of files that are ours, "K2co", and the layout's version. */
const application_id = 0x4b32636f;
const format = 1;

/** What is stored of every symbol. */
export interface ContinuityStore {
  /**
   * Every symbol's state, with what was told after it was stored.
   *
   * @throws {FailureError} where a row cannot be read.
   */
  readStates(): readonly SymbolState[];
  /**
   * Notes a coverage or an opened gap, before it is told. Other events need no note.
   *
   * @throws where the disk refuses.
   */
  note(event: FeedEvent): void;
  /** The newest note; a state that is taken now needs none up to it. */
  readonly noted_through: number;
  /**
   * Replaces states, all of them or none.
   *
   * @param noted_through `noted_through` as it was when the states were taken.
   * @throws where the disk refuses.
   */
  writeStates(states: readonly SymbolState[], noted_through: number): void;
  close(): void;
}

interface StateRow {
  readonly exchange: string;
  readonly native_symbol: string;
  readonly state: string;
}

interface NoteRow {
  readonly exchange: string;
  readonly native_symbol: string;
  readonly note: string;
}

/**
 * Opens the file, and makes it where there is none. Its folder must be there.
 *
 * @throws {FailureError} where it cannot be opened, or is not a file of this kind.
 */
export function openContinuityStore(path: string): ContinuityStore {
  let database: Database | null = null;
  try {
    database = new Database(path, { create: true, strict: true });
    prepare(database, path);
    return createStore(database, path);
  } catch (error) {
    database?.close();
    if (error instanceof FailureError) throw error;
    throw new FailureError(`Cannot open ${path}: ${reasonOf(error)}; ${remedy}`);
  }
}

const remedy =
  "move the file away, and the feed begins anew without knowing what it missed before, " +
  "or set K2_DATA_DIR to another directory";

function prepare(database: Database, path: string): void {
  const tables = numberOf(database, "SELECT count(*) AS value FROM sqlite_master");
  if (tables > 0) {
    const id = numberOf(database, "SELECT application_id AS value FROM pragma_application_id");
    const version = numberOf(database, "SELECT user_version AS value FROM pragma_user_version");
    if (id !== application_id || version !== format) {
      throw new FailureError(`${path} does not hold continuity of this version: ${remedy}`);
    }
  }
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    BEGIN IMMEDIATE;
    PRAGMA application_id = ${application_id};
    PRAGMA user_version = ${format};
    CREATE TABLE IF NOT EXISTS states (
      exchange TEXT, native_symbol TEXT, state TEXT NOT NULL,
      PRIMARY KEY (exchange, native_symbol)
    );
    CREATE TABLE IF NOT EXISTS notes (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      exchange TEXT, native_symbol TEXT, about TEXT, note TEXT NOT NULL,
      UNIQUE (exchange, native_symbol, about)
    );
    COMMIT;
  `);
}

function createStore(database: Database, path: string): ContinuityStore {
  // What is told repeatedly is one note, the newest.
  const insertNote = database.query<null, [string, string, string, string]>(
    "INSERT OR REPLACE INTO notes (exchange, native_symbol, about, note) VALUES (?, ?, ?, ?)",
  );
  const insertState = database.query<null, [string, string, string]>(
    "INSERT OR REPLACE INTO states VALUES (?, ?, ?)",
  );
  const deleteNotes = database.query<null, [string, string, number]>(
    "DELETE FROM notes WHERE exchange = ? AND native_symbol = ? AND id <= ?",
  );
  let newest = numberOf(database, "SELECT coalesce(max(id), 0) AS value FROM notes");
  const write = database.transaction((states: readonly SymbolState[], noted_through: number) => {
    for (const state of states) {
      insertState.run(state.exchange, state.native_symbol, JSON.stringify(state));
      deleteNotes.run(state.exchange, state.native_symbol, noted_through);
    }
  });
  return {
    readStates: () => readStates(database, path),
    note(event) {
      const note = noteOf(event);
      if (note === null || event.native_symbol === null) return;
      const about = `${note.kind} ${event.from_id}`;
      const text = JSON.stringify(note);
      const result = insertNote.run(event.exchange, event.native_symbol, about, text);
      newest = Number(result.lastInsertRowid);
    },
    get noted_through() {
      return newest;
    },
    writeStates: (states, noted_through) => write.immediate(states, noted_through),
    close: () => database.close(),
  };
}

function readStates(database: Database, path: string): readonly SymbolState[] {
  const states = new Map<string, SymbolState>();
  const symbols = new Map<string, { readonly symbol: NoteRow; readonly notes: Note[] }>();
  for (const row of database.query<StateRow, []>("SELECT * FROM states").all()) {
    const state = readSymbolState(parsed(row.state));
    const is_its_own =
      state?.exchange === row.exchange && state.native_symbol === row.native_symbol;
    if (state === null || !is_its_own) throw unreadable(path, row);
    states.set(keyOf(row), state);
  }
  const rows = database
    .query<NoteRow, []>("SELECT exchange, native_symbol, note FROM notes ORDER BY id")
    .all();
  for (const row of rows) {
    const note = readNote(parsed(row.note));
    if (note === null) throw unreadable(path, row);
    const known = symbols.get(keyOf(row));
    if (known === undefined) symbols.set(keyOf(row), { symbol: row, notes: [note] });
    else known.notes.push(note);
  }
  for (const [key, { symbol, notes }] of symbols) {
    const state = withNotes(symbol, states.get(key) ?? null, notes);
    if (state !== null) states.set(key, state);
  }
  return [...states.values()];
}

function unreadable(
  path: string,
  row: { readonly exchange: string; readonly native_symbol: string },
): FailureError {
  return new FailureError(
    `${path} is damaged where it speaks of ${row.exchange} ${row.native_symbol}: ${remedy}`,
  );
}

function keyOf(row: { readonly exchange: string; readonly native_symbol: string }): string {
  return `${row.exchange}:${row.native_symbol}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function numberOf(database: Database, sql: string): number {
  return database.query<{ readonly value: number }, []>(sql).get()?.value ?? 0;
}
