/**
 * The spill in a SQLite file, which is there only while something is spilled or has been: it is
 * made by the first batch, and made anew once it is empty, because a file that has held gigabytes
 * gives them back only so.
 *
 * WAL with `synchronous = NORMAL`: what is written outlives a killed process at once, and a power
 * cut after `sync`. A tail that a power cut tore is recognized by the WAL's own checksums; a row
 * that the disk has changed since, by ours. What is lost so is missing in the eyes of continuity,
 * whose cursors never pass what the broker has, and is fetched again.
 *
 * @module
 */

import { Database } from "bun:sqlite";
import { existsSync, rmSync } from "node:fs";
import { FailureError, reasonOf } from "../settings/exit.ts";
import type { Outcome } from "./batch.ts";
import type { SpillEntry, SpilledBatch, SpillStore } from "./spill.ts";

/** SQLite's mark of files that are ours, "K2sp", and the layout's version. */
const application_id = 0x4b327370;
const format = 1;
/** A batch has hundreds of KiB: in pages of 4 KiB it would be a chain of a hundred. */
const page_bytes = 32_768;
/** The write-ahead log is moved into the file beyond this, so that it does not grow without end. */
const log_bytes_max = 16 * 2 ** 20;

interface Row {
  readonly id: number;
  readonly count: number;
  readonly outcome: string;
  readonly bytes: number;
}

interface PacketRow {
  readonly checksum: number;
  readonly packet: Uint8Array;
}

/**
 * Opens the spill of a data directory.
 *
 * @param path The file; its folder must be there.
 * @throws {FailureError} where there is a file that cannot be read, or that is none of ours.
 */
export function openSpillStore(path: string): SpillStore {
  return new SqliteSpill(path);
}

class SqliteSpill implements SpillStore {
  readonly found: readonly SpilledBatch[];
  readonly damaged: number;
  readonly #path: string;
  #topics: readonly string[] = [];
  #database: Database | null = null;
  #rows = 0;
  #is_dirty = false;

  constructor(path: string) {
    this.#path = path;
    if (!existsSync(path)) {
      this.found = [];
      this.damaged = 0;
      return;
    }
    try {
      this.#database = openDatabase(path);
      this.#topics = readTopics(this.#database);
      const { found, damaged } = this.#examine(this.#database);
      this.found = found;
      this.damaged = damaged;
      this.#rows = found.length;
    } catch (error) {
      this.#database?.close();
      throw error instanceof FailureError ? error : unreadable(path, reasonOf(error));
    }
  }

  adoptTopics(wanted: readonly string[]): readonly string[] {
    const kept = this.#rows === 0 ? [] : this.#topics;
    this.#topics = [...kept, ...wanted.filter((topic) => !kept.includes(topic))];
    if (this.#database !== null) writeTopics(this.#database, this.#topics);
    return this.#topics;
  }

  append(entries: readonly SpillEntry[]): void {
    const database = this.#open();
    const insert = database.query<null, [number, number, string, number, Buffer]>(
      "INSERT INTO batches (id, count, outcome, checksum, packet) VALUES (?, ?, ?, ?, ?)",
    );
    database
      .transaction(() => {
        for (const { id, count, outcome, packet } of entries) {
          insert.run(id, count, outcome, Bun.hash.crc32(packet), packet);
        }
      })
      .immediate();
    this.#rows += entries.length;
    this.#is_dirty = true;
  }

  read(id: number): Buffer {
    const row = this.#open()
      .query<PacketRow, [number]>("SELECT checksum, packet FROM batches WHERE id = ?")
      .get(id);
    if (row === null) throw new Error(`${this.#path} does not hold batch ${id}`);
    if (Bun.hash.crc32(row.packet) !== row.checksum) {
      throw new Error(`${this.#path} is damaged: batch ${id} does not agree with its checksum`);
    }
    return Buffer.from(row.packet.buffer, row.packet.byteOffset, row.packet.byteLength);
  }

  remove(id: number): void {
    const { changes } = this.#open()
      .query<null, [number]>("DELETE FROM batches WHERE id = ?")
      .run(id);
    this.#rows -= changes;
  }

  sync(): void {
    if (this.#database === null) return;
    if (this.#rows === 0) {
      this.#database.close();
      this.#database = null;
      removeFile(this.#path);
    } else if (this.#is_dirty) {
      // Moving the log into the file syncs both, the log first.
      this.#database.exec("PRAGMA wal_checkpoint(PASSIVE)");
    }
    this.#is_dirty = false;
  }

  close(): void {
    this.#database?.close();
    this.#database = null;
  }

  #open(): Database {
    if (this.#database !== null) return this.#database;
    const database = openDatabase(this.#path);
    try {
      writeTopics(database, this.#topics);
    } catch (error) {
      database.close();
      throw error;
    }
    this.#database = database;
    return database;
  }

  /** Reads every batch once: a damaged one must be known before anyone relies on it. */
  #examine(database: Database): {
    readonly found: readonly SpilledBatch[];
    readonly damaged: number;
  } {
    const rows = database
      .query<Row, []>("SELECT id, count, outcome, length(packet) AS bytes FROM batches ORDER BY id")
      .all();
    const found: SpilledBatch[] = [];
    let damaged = 0;
    for (const { id, count, outcome, bytes } of rows) {
      if (isOutcome(outcome) && this.#isWhole(id)) {
        found.push({ id, count, outcome, bytes });
        continue;
      }
      damaged += count;
      this.remove(id);
    }
    return { found, damaged };
  }

  #isWhole(id: number): boolean {
    try {
      this.read(id);
      return true;
    } catch {
      return false;
    }
  }
}

function openDatabase(path: string): Database {
  const database = new Database(path, { create: true, strict: true });
  try {
    prepare(database, path);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function prepare(database: Database, path: string): void {
  const tables = numberOf(database, "SELECT count(*) AS value FROM sqlite_master");
  if (tables > 0) {
    const id = numberOf(database, "SELECT application_id AS value FROM pragma_application_id");
    const version = numberOf(database, "SELECT user_version AS value FROM pragma_user_version");
    if (id !== application_id || version !== format) {
      throw unreadable(path, "it was not written by this version");
    }
  }
  database.exec(`
    PRAGMA page_size = ${page_bytes};
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = ${log_bytes_max / page_bytes};
    BEGIN IMMEDIATE;
    PRAGMA application_id = ${application_id};
    PRAGMA user_version = ${format};
    CREATE TABLE IF NOT EXISTS topics (topic_index INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS batches (
      id INTEGER PRIMARY KEY, count INTEGER NOT NULL, outcome TEXT NOT NULL,
      checksum INTEGER NOT NULL, packet BLOB NOT NULL
    );
    COMMIT;
  `);
}

function readTopics(database: Database): readonly string[] {
  return database
    .query<{ readonly name: string }, []>("SELECT name FROM topics ORDER BY topic_index")
    .all()
    .map(({ name }) => name);
}

function writeTopics(database: Database, topics: readonly string[]): void {
  const insert = database.query<null, [number, string]>("INSERT INTO topics VALUES (?, ?)");
  database
    .transaction(() => {
      database.exec("DELETE FROM topics");
      topics.forEach((name, index) => {
        insert.run(index, name);
      });
    })
    .immediate();
}

function removeFile(path: string): void {
  // The log first: a log without its file is nothing, a file without its log lacks the newest rows.
  for (const suffix of ["-wal", "-shm", ""]) rmSync(`${path}${suffix}`, { force: true });
}

function unreadable(path: string, why: string): FailureError {
  return new FailureError(
    `Cannot use ${path}, where records wait for Kafka: ${why}; move the file away, and what it ` +
      "holds is fetched from the exchanges again",
  );
}

function isOutcome(text: string): text is Outcome {
  return text === "acknowledged" || text === "dead_lettered";
}

function numberOf(database: Database, sql: string): number {
  return database.query<{ readonly value: number }, []>(sql).get()?.value ?? 0;
}
