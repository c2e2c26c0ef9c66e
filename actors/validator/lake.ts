/**
 * The lake on disk, read by DuckDB: which tables there are and where their current metadata stands
 * comes from the catalog (an Iceberg JDBC catalog in SQLite), never from guessing a version out of
 * file names. The catalog is read once, in one statement, so that all tables are seen at the same
 * instant; from then on every view is bound to one snapshot, whatever Spark commits meanwhile.
 *
 * A connection can read the tables' own folders and nothing else, and its settings are locked, so
 * that SQL from outside can neither write nor look around.
 *
 * @module
 */

import { Database } from "bun:sqlite";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { startOfProcess } from "../port/process.ts";
import { FailureError, reasonOf } from "../settings/exit.ts";
import { parseTableMetadata, type TableMetadata } from "./table_metadata.ts";

/** One table of the catalog. */
export interface LakeTable {
  /** As SQL names it: `gold.ohlcv`. */
  readonly name: string;
  readonly schema: string;
  /** The current `metadata.json`, an absolute path. */
  readonly metadata_path: string;
  readonly metadata: TableMetadata;
}

/** A view to make: one table at one snapshot. */
export interface View {
  readonly table: LakeTable;
  /** null: the table as it was before its first snapshot, without rows. */
  readonly snapshot_id: string | null;
  /** Keeps only some rows: what follows FROM, with the table's rows as `t`. */
  readonly only?: string;
}

interface LakeOptions {
  /** The checkout, which holds the extensions. */
  readonly root: string;
  readonly data_dir: string;
  readonly views: readonly View[];
  /** SQL to run before the views are made, for what they build on. */
  readonly before?: readonly string[];
  /** SQL to run once the views are there. */
  readonly after?: readonly string[];
  /** Files outside the lake that statements of ours may write. */
  readonly writable_paths?: readonly string[];
}

/** An open connection with the views in place. Dispose of it when done. */
export interface Lake extends Disposable {
  readonly connection: DuckDBConnection;
}

const memory_limit = "1GB";
const threads = "2";
const spill_size_max = "4GiB";
const catalog_busy_timeout_ms = 15_000;

/**
 * Every table of the catalog, all as of one instant.
 *
 * @throws {FailureError} where there is no lake yet, or it cannot be read.
 */
export async function readLake(catalog_path: string): Promise<readonly LakeTable[]> {
  const locations = readCatalog(catalog_path);
  return await Promise.all(
    locations.map(async ({ table_namespace, table_name, metadata_location }) => {
      const name = `${table_namespace}.${table_name}`;
      const metadata_path = pathOf(metadata_location, name);
      const metadata = await readMetadata(metadata_path, name);
      return { name, schema: table_namespace, metadata_path, metadata };
    }),
  );
}

/**
 * The table of a name.
 *
 * @throws {FailureError} where the lake has none yet.
 */
export function tableNamed(tables: readonly LakeTable[], name: string): LakeTable {
  const table = tables.find((candidate) => candidate.name === name);
  if (table !== undefined) return table;
  throw new FailureError(
    `The lake has no table ${name} yet: run 'bun run start' and wait for its first bars`,
  );
}

/** A table as it is now. */
export function newestView(table: LakeTable): View {
  return { table, snapshot_id: table.metadata.snapshots[0]?.snapshot_id ?? null };
}

/** Opens DuckDB in memory with one view per table, read-only and locked. */
export async function openLake(options: LakeOptions): Promise<Lake> {
  // A folder of its own per process: DuckDB names spilled files alike in every process.
  const spills = join(options.data_dir, "duckdb");
  removeLeftovers(spills);
  const spill = join(spills, String(process.pid));
  mkdirSync(spill, { recursive: true });
  const instance = await DuckDBInstance.create(":memory:", {
    threads,
    memory_limit,
    temp_directory: spill,
    max_temp_directory_size: spill_size_max,
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  });
  const connection = await instance.connect();
  const lake = {
    connection,
    [Symbol.dispose]: () => {
      connection.closeSync();
      instance.closeSync();
      rmSync(spill, { recursive: true, force: true });
    },
  };
  try {
    await loadExtensions(connection, options.root);
    await connection.run("SET TimeZone = 'UTC'");
    for (const sql of options.before ?? []) await connection.run(sql);
    for (const view of options.views) await createView(connection, view);
    await lock(connection, options);
    for (const sql of options.after ?? []) await connection.run(sql);
    return lake;
  } catch (error) {
    lake[Symbol.dispose]();
    throw error;
  }
}

/** What a process spilled that was ended by force. */
function removeLeftovers(spills: string): void {
  if (!existsSync(spills)) return;
  for (const name of readdirSync(spills)) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || startOfProcess(pid) !== null) continue;
    rmSync(join(spills, name), { recursive: true, force: true });
  }
}

interface CatalogRow {
  readonly table_namespace: string;
  readonly table_name: string;
  readonly metadata_location: string;
}

function readCatalog(path: string): readonly CatalogRow[] {
  if (!existsSync(path)) throw noLake(path);
  let rows: CatalogRow[];
  try {
    using catalog = new Database(path, { readonly: true });
    catalog.run(`PRAGMA busy_timeout = ${catalog_busy_timeout_ms}`);
    const sql = `SELECT table_namespace, table_name, metadata_location FROM iceberg_tables
      WHERE metadata_location IS NOT NULL ORDER BY 1, 2`;
    rows = catalog.query<CatalogRow, []>(sql).all();
  } catch (error) {
    const reason = reasonOf(error);
    // Spark makes the file before its first table.
    if (reason.includes("no such table")) throw noLake(path);
    throw new FailureError(`Cannot read the catalog ${path}: ${reason}`);
  }
  if (rows.length === 0) throw noLake(path);
  return rows;
}

function noLake(path: string): FailureError {
  return new FailureError(
    `There is no lake yet (${path} holds no table): ` +
      "run 'bun run start' and wait for its first bars, or set K2_DATA_DIR",
  );
}

async function readMetadata(path: string, name: string): Promise<TableMetadata> {
  try {
    const bytes = await Bun.file(path).bytes();
    // Iceberg names packed metadata so; what an earlier version wrote is plain.
    const is_packed = path.endsWith(".gz.metadata.json");
    const text = new TextDecoder().decode(is_packed ? Bun.gunzipSync(bytes) : bytes);
    return parseTableMetadata(text);
  } catch (error) {
    throw new FailureError(
      `Cannot read the metadata of ${name}: ${reasonOf(error)}; ` +
        "the lake has changed or lost files, so run it again, and if it stays, restore the lake",
    );
  }
}

/** Iceberg writes `file:/path`, `file:///path` or a plain path. */
function pathOf(location: string, name: string): string {
  if (location.startsWith("/")) return location;
  if (location.startsWith("file:")) return fileURLToPath(location);
  throw new FailureError(`${name} stands at ${location}: only local files can be read here`);
}

async function loadExtensions(connection: DuckDBConnection, root: string): Promise<void> {
  for (const extension of ["avro", "iceberg"]) {
    const path = join(root, ".setup", "duckdb", `${extension}.duckdb_extension`);
    if (!existsSync(path)) {
      throw new FailureError(`${path} is missing: run 'bun main.ts setup'`);
    }
    await connection.run(`LOAD ${quoted(path)}`);
  }
}

async function createView(connection: DuckDBConnection, view: View): Promise<void> {
  const { name, schema, metadata_path } = view.table;
  const [, table = ""] = name.split(".");
  const pin = view.snapshot_id === null ? "" : `, snapshot_from_id => ${view.snapshot_id}`;
  const scan = `iceberg_scan(${quoted(metadata_path)}${pin}) AS t`;
  const rows = view.snapshot_id === null ? "WHERE false" : (view.only ?? "");
  await connection.run(`CREATE SCHEMA IF NOT EXISTS ${identifier(schema)}`);
  await connection.run(
    `CREATE VIEW ${identifier(schema)}.${identifier(table)} AS SELECT t.* FROM ${scan} ${rows}`,
  );
}

async function lock(connection: DuckDBConnection, options: LakeOptions): Promise<void> {
  const folders = options.views.map(
    ({ table }) => `${pathOf(table.metadata.location, table.name).replace(/\/+$/, "")}/`,
  );
  const paths = options.writable_paths ?? [];
  await connection.run(`SET allowed_directories = ${listOf(folders)}`);
  await connection.run(`SET allowed_paths = ${listOf(paths)}`);
  await connection.run("SET enable_external_access = false");
  await connection.run("SET lock_configuration = true");
}

function listOf(texts: readonly string[]): string {
  return `[${texts.map(quoted).join(", ")}]`;
}

/** A text as a SQL literal. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
