/**
 * Runs the checks of `spark/checks` on a pinned lake, one after the other: they share two threads
 * and one memory limit, and their times can be compared.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { reasonOf } from "../settings/exit.ts";
import { type Check, type Outcome, parseCheck, verdictOf } from "./check.ts";
import { type Lake, openLake, quoted } from "./lake.ts";
import type { Pins } from "./pins.ts";
import { rowAsJson } from "./values.ts";

const samples_max = 5;
/** Where all rows begin; -infinity would do, but DuckDB cannot subtract it from a time. */
const beginning = "0001-01-01T00:00:00Z";

interface ChecksOptions {
  /** The checkout. */
  readonly root: string;
  readonly data_dir: string;
  readonly pins: Pins;
  readonly now_ms: number;
  readonly is_running: boolean;
}

/** Every check, in the order of their file names. */
export function loadChecks(root: string): readonly Check[] {
  return sqlFiles(root).map(({ name, sql }) => parseCheck(name, sql));
}

/** Makes `told.trades`, which is what the frames of `checked.frames` tell. */
export function toldStatements(root: string): readonly string[] {
  const told = sqlFiles(root, "told").map(({ name, sql }) => ({
    sql,
    exchange: name.replace(".sql", ""),
  }));
  const views = told.map(
    ({ exchange, sql }) =>
      `CREATE VIEW told.${exchange} AS SELECT ${quoted(exchange)} AS exchange, * FROM (${sql})`,
  );
  const all = told.map(({ exchange }) => `SELECT * FROM told.${exchange}`).join(" UNION ALL ");
  return [readShared(root, "cutting"), ...views, `CREATE VIEW told.trades AS ${all}`];
}

/**
 * What checks share: the arithmetic of decimals, how trades are cut out of frames, and the rows
 * that checks look at with what all bars should be.
 */
export function readShared(root: string, name: "arithmetic" | "cutting" | "prepare"): string {
  return readFileSync(join(checksFolder(root), "shared", `${name}.sql`), "utf8");
}

function sqlFiles(root: string, ...inner: readonly string[]) {
  const folder = join(checksFolder(root), ...inner);
  return readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => ({ name, sql: readFileSync(join(folder, name), "utf8") }));
}

function checksFolder(root: string): string {
  return join(root, "spark", "checks");
}

/** Runs every check once and says what each came to. */
export async function runChecks(options: ChecksOptions): Promise<readonly Outcome[]> {
  const checks = loadChecks(options.root);
  using lake = await openPinned(options);
  const counts = new Map<string, number>();
  const outcomes: Outcome[] = [];
  for (const check of checks) {
    outcomes.push(
      check.needs === "platform" && !options.is_running
        ? notChecked(check, `${check.name} not checked: no platform is running`)
        : await runCheck(lake.connection, check, counts),
    );
  }
  return outcomes;
}

async function openPinned(options: ChecksOptions): Promise<Lake> {
  const { pins, now_ms, root } = options;
  return await openLake({
    root,
    data_dir: options.data_dir,
    views: pins.views,
    before: [
      "CREATE SCHEMA bounds",
      'CREATE TABLE bounds.positions (topic VARCHAR, "partition" INTEGER, next_offset BIGINT)',
      ...positionRows(pins).map((row) => `INSERT INTO bounds.positions VALUES ${row}`),
      ...Object.entries(pins.bounds).map(([name, since_ms]) => setSince(name, since_ms)),
      `SET VARIABLE now = ${quoted(new Date(now_ms).toISOString())}::TIMESTAMPTZ`,
    ],
    after: [readShared(root, "arithmetic"), readShared(root, "prepare"), ...toldStatements(root)],
  });
}

/** `bronze_ms` is `bronze_since` in SQL. */
function setSince(name: string, since_ms: number | null): string {
  const since = since_ms === null ? beginning : new Date(since_ms).toISOString();
  return `SET VARIABLE ${name.replace("_ms", "_since")} = ${quoted(since)}::TIMESTAMPTZ`;
}

function positionRows(pins: Pins): readonly string[] {
  return Object.entries(pins.positions).flatMap(([topic, partitions]) =>
    Object.entries(partitions).map(
      ([partition, next]) => `(${quoted(topic)}, ${Number(partition)}, ${next})`,
    ),
  );
}

/** @param counts Rows of the relations that are counted so far; what a check looks at is added. */
async function runCheck(
  connection: DuckDBConnection,
  check: Check,
  counts: Map<string, number>,
): Promise<Outcome> {
  const started_ms = performance.now();
  try {
    await connection.run(`CREATE OR REPLACE TEMP TABLE violations AS ${check.sql}`);
  } catch (error) {
    throw new Error(`${check.name}: ${reasonOf(error)}`);
  }
  const violations = await count(connection, "violations");
  let rows = 0;
  for (const relation of check.relations) {
    const counted = counts.get(relation) ?? (await count(connection, relation));
    counts.set(relation, counted);
    rows += counted;
  }
  return {
    check,
    verdict: verdictOf({ rows, violations }),
    reason: null,
    rows,
    violations,
    milliseconds: Math.round(performance.now() - started_ms),
    samples: violations === 0 ? [] : await firstViolations(connection),
  };
}

async function count(connection: DuckDBConnection, relation: string): Promise<number> {
  const result = await connection.run(`SELECT count(*) FROM ${relation}`);
  const [row] = await result.getRows();
  return Number(row?.[0]);
}

async function firstViolations(connection: DuckDBConnection): Promise<readonly string[]> {
  const result = await connection.run(`SELECT * FROM violations ORDER BY ALL LIMIT ${samples_max}`);
  const names = result.deduplicatedColumnNames();
  const rows = await result.getRows();
  return rows.map((row) => rowAsJson(names, row));
}

function notChecked(check: Check, reason: string): Outcome {
  return {
    check,
    verdict: "not_checked",
    reason,
    rows: 0,
    violations: 0,
    milliseconds: 0,
    samples: [],
  };
}
