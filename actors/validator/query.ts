/**
 * One read-only statement over the lake's tables. Whether it only reads is DuckDB's own word, the
 * type of the prepared statement; and should that ever be wrong, the connection can reach no file
 * but the tables' own, nor change its settings.
 *
 * @module
 */

import { type DuckDBConnection, DuckDBTypeId, StatementType } from "@duckdb/node-api";
import { FailureError, reasonOf, UsageError } from "../settings/exit.ts";
import { type LakeTable, openLake, quoted, type View } from "./lake.ts";
import { ReaderLeft, replaceFile, type Write, writeInto } from "./output.ts";
import { snapshotAsOf } from "./table_metadata.ts";
import { csvRecord, jsonRows, textTable } from "./text_table.ts";
import { textOf } from "./values.ts";

/** How a result can be written: for people, for programs, or as a file of columns. */
export const query_formats = ["table", "json", "csv", "parquet"] as const;

/** One of `query_formats`. */
export type QueryFormat = (typeof query_formats)[number];

interface Query {
  readonly sql: string;
  readonly format: QueryFormat;
  /** A file instead of `write`; Parquet needs one. */
  readonly output: string | null;
  /** The tables as they were then, milliseconds since 1970; null: as they are. */
  readonly as_of_ms: number | null;
  /** The checkout. */
  readonly root: string;
  readonly data_dir: string;
  readonly tables: readonly LakeTable[];
  /** Takes the result. */
  readonly write: Write;
  /** Takes a remark for the person. */
  readonly remark: (text: string) => void;
}

/** A table for people ends here: programs take JSON or CSV, which have no end. */
const table_rows_max = 1000;

const number_types: ReadonlySet<DuckDBTypeId> = new Set([
  DuckDBTypeId.TINYINT,
  DuckDBTypeId.SMALLINT,
  DuckDBTypeId.INTEGER,
  DuckDBTypeId.BIGINT,
  DuckDBTypeId.HUGEINT,
  DuckDBTypeId.UTINYINT,
  DuckDBTypeId.USMALLINT,
  DuckDBTypeId.UINTEGER,
  DuckDBTypeId.UBIGINT,
  DuckDBTypeId.UHUGEINT,
  DuckDBTypeId.FLOAT,
  DuckDBTypeId.DOUBLE,
  DuckDBTypeId.DECIMAL,
]);

/**
 * Runs a query and writes its result.
 *
 * @throws {UsageError} where the SQL is wrong, would write, or reads outside the lake.
 * @throws {FailureError} where the lake or the output cannot be read or written.
 * @throws {ReaderLeft} from `write`.
 */
export async function query(options: Query): Promise<void> {
  if (options.output === null) return await answer(options, options.write);
  await replaceFile(options.output, async (temporary) => {
    if (options.format === "parquet") return await answerParquet(options, temporary);
    await writeInto(temporary, async (write) => await answer(options, write));
  });
}

async function answer(options: Query, write: Write): Promise<void> {
  using lake = await openLake({ ...options, views: viewsOf(options) });
  await explained(async () => {
    await checkReadOnly(lake.connection, options.sql);
    if (options.format === "json") await writeJson(lake.connection, options.sql, write);
    else if (options.format === "csv") await writeCsv(lake.connection, options.sql, write);
    else await writeTable(lake.connection, options, write);
  });
}

async function answerParquet(options: Query, path: string): Promise<void> {
  using lake = await openLake({ ...options, views: viewsOf(options), writable_paths: [path] });
  await explained(async () => {
    await checkReadOnly(lake.connection, options.sql);
    // The line break ends a comment that the statement may end with. DuckDB's own temporary file
    // would have a name that the lock refuses; this one is temporary already.
    const statement = options.sql.replace(/[\s;]+$/, "");
    await lake.connection.run(
      `COPY (${statement}\n) TO ${quoted(path)} (FORMAT parquet, USE_TMP_FILE false)`,
    );
  });
}

function viewsOf({ tables, as_of_ms }: Query): readonly View[] {
  return tables.map((table) => {
    const snapshot =
      as_of_ms === null
        ? (table.metadata.snapshots[0] ?? null)
        : snapshotAsOf(table.metadata, as_of_ms);
    return { table, snapshot_id: snapshot?.snapshot_id ?? null };
  });
}

async function checkReadOnly(connection: DuckDBConnection, sql: string): Promise<void> {
  const statements = await extract(connection, sql);
  if (statements.count !== 1) {
    throw new UsageError(`The SQL has ${statements.count} statements: it must be one`);
  }
  const { statementType } = await statements.prepare(0);
  if (statementType === StatementType.SELECT) return;
  throw new UsageError(
    `${StatementType[statementType] ?? "This statement"} is not a query: the lake is read-only ` +
      "here, so the SQL must be one that only reads, such as SELECT, DESCRIBE or SHOW TABLES",
  );
}

async function extract(connection: DuckDBConnection, sql: string) {
  try {
    return await connection.extractStatements(sql);
  } catch (error) {
    // For a text without a statement, a comment for example, DuckDB has no sentence.
    if (!/Error:/.test(reasonOf(error))) {
      throw new UsageError("The SQL has no statement: it must be one");
    }
    throw error;
  }
}

async function writeJson(connection: DuckDBConnection, sql: string, write: Write): Promise<void> {
  const result = await connection.stream(sql);
  const names = result.deduplicatedColumnNames();
  let index = 0;
  for await (const rows of result.yieldRows()) {
    await write((index === 0 ? "[" : "") + jsonRows(names, rows, index));
    index += rows.length;
  }
  await write(index === 0 ? "[]\n" : "]\n");
}

async function writeCsv(connection: DuckDBConnection, sql: string, write: Write): Promise<void> {
  const result = await connection.stream(sql);
  await write(csvRecord(result.columnNames()));
  for await (const rows of result.yieldRows()) await write(rows.map(csvRecord).join(""));
}

async function writeTable(
  connection: DuckDBConnection,
  { sql, remark }: Query,
  write: Write,
): Promise<void> {
  const reader = await connection.streamAndReadUntil(sql, table_rows_max + 1);
  const columns = reader.columnNames().map((name, index) => ({
    name,
    is_right: number_types.has(reader.columnTypeId(index)),
  }));
  const rows = reader.getRows();
  const shown = rows.slice(0, table_rows_max).map((row) => row.map(textOf));
  await write(textTable(columns, shown));
  if (rows.length > table_rows_max) {
    remark(`Only the first ${table_rows_max} rows are shown: --format csv or json gives all`);
  }
}

/** Turns DuckDB's errors into one sentence and the right exit code. */
async function explained(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const is_ours = [UsageError, FailureError, ReaderLeft].some((kind) => error instanceof kind);
    if (is_ours) throw error;
    const sentence = duckDBSentence(reasonOf(error));
    // These are not the statement's fault.
    if (/^(IO|Out of Memory|Interrupt|INTERNAL|Fatal)\b/i.test(sentence)) {
      throw new FailureError(sentence);
    }
    throw new UsageError(sentence);
  }
}

/** DuckDB's message without the drawing of where in the statement it is. */
export function duckDBSentence(message: string): string {
  return message.replace(/^Failed to \w+ \w+: /, "").replace(/ LINE \d+:.*$/, "");
}
