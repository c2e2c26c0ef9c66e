/**
 * Schemas, versions and compatibility levels, in a SQLite file, so that an id once given out means
 * the same schema for as long as records carry it.
 *
 * @module
 */

import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import {
  type CompatibilityLevel,
  findIncompatibilities,
  isCompatibilityLevel,
  type SchemaVersion,
} from "./compatibility.ts";

/** What became of a registration. */
type Registration =
  | { readonly kind: "registered"; readonly id: number }
  | { readonly kind: "incompatible"; readonly messages: readonly string[] };

const level_default: CompatibilityLevel = "BACKWARD";
/** Stands for all subjects in the table of levels; no subject has an empty name. */
const all_subjects = "";

/** The registry's database: opened by its constructor, and closed by whoever made it. */
export class SchemaStore {
  readonly #database: Database;

  /** @param path The file; it and its folder are made where they are missing. */
  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.#database = new Database(path, { create: true, strict: true });
    // FULL: an id that was answered must not be given to another schema after a power cut.
    this.#database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      CREATE TABLE IF NOT EXISTS schemas (id INTEGER PRIMARY KEY AUTOINCREMENT, schema TEXT UNIQUE);
      CREATE TABLE IF NOT EXISTS versions (
        subject TEXT, version INTEGER, id INTEGER REFERENCES schemas (id),
        PRIMARY KEY (subject, version)
      );
      CREATE TABLE IF NOT EXISTS levels (subject TEXT PRIMARY KEY, level TEXT);
    `);
  }

  close(): void {
    this.#database.close();
  }

  subjects(): readonly string[] {
    return this.#database
      .query<{ subject: string }, []>("SELECT DISTINCT subject FROM versions ORDER BY subject")
      .all()
      .map(({ subject }) => subject);
  }

  /** All versions of a subject, oldest first; empty where there is no such subject. */
  versions(subject: string): readonly SchemaVersion[] {
    return this.#database
      .query<SchemaVersion, [string]>(
        "SELECT version, id, schema FROM versions JOIN schemas USING (id) " +
          "WHERE subject = ? ORDER BY version",
      )
      .all(subject);
  }

  /** The schema of an id, or null. */
  schema(id: number): string | null {
    const row = this.#database
      .query<{ schema: string }, [number]>("SELECT schema FROM schemas WHERE id = ?")
      .get(id);
    return row?.schema ?? null;
  }

  /** Where a schema is used: subjects and their versions. */
  uses(id: number): readonly { readonly subject: string; readonly version: number }[] {
    return this.#database
      .query<{ subject: string; version: number }, [number]>(
        "SELECT subject, version FROM versions WHERE id = ? ORDER BY subject, version",
      )
      .all(id);
  }

  /** The level of a subject alone, or null; of all subjects for null. */
  ownLevel(subject: string | null): CompatibilityLevel | null {
    const row = this.#database
      .query<{ level: string }, [string]>("SELECT level FROM levels WHERE subject = ?")
      .get(subject ?? all_subjects);
    return isCompatibilityLevel(row?.level) ? row.level : null;
  }

  /** The level that counts for a subject. */
  level(subject: string | null): CompatibilityLevel {
    return this.ownLevel(subject) ?? this.ownLevel(null) ?? level_default;
  }

  setLevel(subject: string | null, level: CompatibilityLevel): void {
    this.#database
      .query<null, [string, string]>("INSERT OR REPLACE INTO levels VALUES (?, ?)")
      .run(subject ?? all_subjects, level);
  }

  /** Makes a schema the subject's next version, unless it is one already or may not follow. */
  register(subject: string, schema: string): Registration {
    // Immediate: what is checked is what is written, whoever else has the file open.
    return this.#database.transaction(() => this.#register(subject, schema)).immediate();
  }

  #register(subject: string, schema: string): Registration {
    const earlier = this.versions(subject);
    const same = earlier.find((version) => version.schema === schema);
    if (same !== undefined) return { kind: "registered", id: same.id };
    const messages = findIncompatibilities(this.level(subject), schema, earlier);
    if (messages.length > 0) return { kind: "incompatible", messages };
    const id = this.#idOf(schema);
    this.#database
      .query<null, [string, number, number]>("INSERT INTO versions VALUES (?, ?, ?)")
      .run(subject, (earlier.at(-1)?.version ?? 0) + 1, id);
    return { kind: "registered", id };
  }

  #idOf(schema: string): number {
    this.#database
      .query<null, [string]>("INSERT INTO schemas (schema) VALUES (?) ON CONFLICT DO NOTHING")
      .run(schema);
    const row = this.#database
      .query<{ id: number }, [string]>("SELECT id FROM schemas WHERE schema = ?")
      .get(schema);
    if (row === null) throw new Error("Cannot find the schema that was just stored");
    return row.id;
  }
}
