/**
 * Goal: SQL over the lake's tables by name answers exactly, and can neither write nor look around.
 * Method: the query behind the command over a real lake, and the command itself for its flags.
 */

import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../../../actors/settings/exit.ts";
import { readLake } from "../../../actors/validator/lake.ts";
import { type QueryFormat, query } from "../../../actors/validator/query.ts";
import { run } from "../../../actors/validator/query_command.ts";
import { lakes_timeout_ms, makeLakes, root, temporaryFolder } from "./lakes.ts";

setDefaultTimeout(60_000);

let lakes: string;

beforeAll(async () => {
  lakes = await makeLakes();
}, lakes_timeout_ms);

interface How {
  readonly format?: QueryFormat;
  readonly output?: string;
  readonly as_of_ms?: number;
  readonly lake?: string;
}

async function ask(sql: string, how: How = {}) {
  let text = "";
  let remarks = "";
  const data_dir = join(lakes, how.lake ?? "whole");
  await query({
    sql,
    format: how.format ?? "json",
    output: how.output ?? null,
    as_of_ms: how.as_of_ms ?? null,
    root,
    data_dir,
    tables: await readLake(join(data_dir, "lake", "catalog.db")),
    write: async (more) => {
      text += more;
    },
    remark: (more) => {
      remarks += more;
    },
  });
  return { text, remarks };
}

async function rowsOf(sql: string, how: How = {}) {
  return JSON.parse((await ask(sql, how)).text);
}

test("every table is there by its name", async () => {
  const rows = await rowsOf(
    "SELECT table_schema || '.' || table_name AS name FROM information_schema.tables ORDER BY 1",
  );
  expect(rows.map(({ name }: { name: string }) => name)).toEqual([
    "bronze.dead_letters",
    "bronze.events",
    "bronze.frames",
    "bronze.trades",
    "gold.ohlcv",
    "gold.trades",
    "silver.coverage",
    "silver.frames",
    "silver.gaps",
    "silver.quarantine",
    "silver.sessions",
    "silver.trades",
  ]);
});

test("JSON keeps decimals, integers and times exact", async () => {
  const [row] = await rowsOf(
    `SELECT price, quantity, timestamp, "offset", vendor_data, exchange_date FROM gold.trades
     WHERE message_id = 'binance:SHIBBTC:1'`,
  );
  expect(row).toEqual({
    price: "0.000000000000000001",
    quantity: "90000000000000000000.000000000000000000",
    timestamp: "2026-08-26T12:00:01.000000Z",
    offset: 998,
    vendor_data: { ord_type: "limit" },
    exchange_date: "2026-08-26",
  });
  expect(await rowsOf("SELECT * FROM gold.trades WHERE false")).toEqual([]);
});

test("more rows than one chunk are one JSON array, and one CSV", async () => {
  const sql = "SELECT i AS n FROM range(5000) AS r (i) ORDER BY 1";
  const rows = await rowsOf(sql);
  expect(rows.length).toBe(5000);
  expect(rows[4999]).toEqual({ n: 4999 });
  const { text } = await ask(sql, { format: "csv" });
  expect(text.split("\r\n").length).toBe(5002);
  expect(text).toStartWith("n\r\n0\r\n");
});

test("a table shows the first thousand rows and says so", async () => {
  const { text, remarks } = await ask("FROM range(1001)", { format: "table" });
  expect(text.trimEnd().split("\n").length).toBe(1002);
  expect(remarks).toContain("Only the first 1000 rows");
});

test("Parquet holds the result, types included", async () => {
  using folder = temporaryFolder();
  const output = join(folder.path, "bars.parquet");
  const sql = "SELECT * FROM gold.ohlcv -- all of them";
  await ask(sql, { format: "parquet", output });
  expect(readdirSync(folder.path)).toEqual(["bars.parquet"]);
  const { DuckDBInstance } = await import("@duckdb/node-api");
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  const result = await connection.run(
    `SELECT typeof(vwap), count(*) FROM '${output}' GROUP BY ALL`,
  );
  const bars = (await rowsOf("SELECT count(*) AS n FROM gold.ohlcv"))[0].n;
  expect(await result.getRows()).toEqual([["DECIMAL(38,18)", BigInt(bars)]]);
  connection.closeSync();
});

test("a file appears only when it is whole", async () => {
  using folder = temporaryFolder();
  const output = join(folder.path, "out.json");
  const wrong = ask("SELECT error('half way') FROM gold.trades", { output });
  expect(wrong).rejects.toThrow(UsageError);
  await wrong.catch(() => {});
  expect(readdirSync(folder.path)).toEqual([]);
  await ask("SELECT 1 AS n", { output });
  expect(await Bun.file(output).json()).toEqual([{ n: 1 }]);
  const missing = ask("SELECT 1", { output: join(folder.path, "no", "out.json") });
  expect(missing).rejects.toThrow(/there is no folder/);
});

test("--as-of shows the tables as they were", async () => {
  const tables = await readLake(join(lakes, "whole", "lake", "catalog.db"));
  const gold = tables.find(({ name }) => name === "gold.trades")!;
  const times_ms = gold.metadata.snapshots.map(({ timestamp_ms }) => timestamp_ms).reverse();
  const counts: number[] = [];
  for (const as_of_ms of [times_ms[0]! - 1, ...times_ms]) {
    counts.push((await rowsOf("SELECT count(*) AS n FROM gold.trades", { as_of_ms }))[0].n);
  }
  expect(counts).toEqual([0, 78, 1002, 1062]);
  // Before its first snapshot a table has its columns and no row.
  expect(await rowsOf("SELECT vwap FROM gold.ohlcv", { as_of_ms: 0 })).toEqual([]);
});

describe("what would write, or look around, is refused", () => {
  const refused: readonly (readonly [sql: string, sentence: RegExp])[] = [
    ["CREATE TABLE t (i INT)", /CREATE is not a query/],
    ["DROP VIEW gold.ohlcv", /DROP is not a query/],
    ["DELETE FROM gold.ohlcv", /./],
    ["INSERT INTO gold.ohlcv SELECT * FROM gold.ohlcv", /./],
    ["COPY gold.ohlcv TO '/tmp/k2-query-test.csv'", /./],
    ["EXPORT DATABASE '/tmp/k2-query-test'", /./],
    ["EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/k2-query-test.csv'", /EXPLAIN is not a query|./],
    ["ATTACH '/tmp/k2-query-test.db'", /ATTACH is not a query/],
    ["INSTALL httpfs", /LOAD is not a query/],
    ["SET memory_limit = '100GB'", /SET is not a query/],
    ["PRAGMA memory_limit = '100GB'", /not a query|locked/],
    ["CALL pragma_version()", /CALL is not a query/],
    ["SELECT 1; DROP VIEW gold.ohlcv", /2 statements: it must be one/],
    ["SELECT * FROM read_csv('/etc/passwd')", /Cannot access file/],
    ["SELECT * FROM '/etc/passwd'", /./],
    ["SELECT content FROM read_text('/etc/hostname')", /Cannot access file/],
    ["SELECT * FROM glob('/etc/*')", /Cannot access file/],
    ["SELECT 1) TO '/tmp/k2-query-test.csv'; --", /syntax error/],
    ["-- nothing", /no statement/],
    [";", /no statement|statements/],
    ["SELEC 1", /^Parser Error: syntax error at or near "SELEC"$/],
    ["SELECT * FROM gold.bars", /^Catalog Error: Table with name bars does not exist!.*$/],
    ["SELECT nothing FROM gold.trades", /^Binder Error: Referenced column "nothing" not found/],
    ["SELECT 'x'::INT", /^Conversion Error: /],
  ];
  for (const [sql, sentence] of refused) {
    test(sql, async () => {
      const error = await ask(sql).then(
        () => null,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(UsageError);
      const { message } = error as UsageError;
      expect(message).toMatch(sentence);
      expect(message).not.toContain("\n");
      expect(readdirSync("/tmp").filter((name) => name.startsWith("k2-query-test"))).toEqual([]);
    });
  }

  test("not even the catalog can be read", async () => {
    const catalog = join(lakes, "whole", "lake", "catalog.db");
    expect(ask(`SELECT * FROM read_blob('${catalog}')`)).rejects.toThrow(/Cannot access file/);
    const around = `${lakes}/warehouse/gold/ohlcv/../../../whole/lake/catalog.db`;
    expect(ask(`SELECT * FROM read_blob('${around}')`)).rejects.toThrow(/Cannot access file/);
  });
});

describe("what only reads is not", () => {
  for (const sql of [
    "FROM gold.ohlcv LIMIT 1;",
    "WITH t AS (SELECT 1) SELECT * FROM t -- and a comment",
    "DESCRIBE gold.ohlcv",
    "SHOW ALL TABLES",
    "SUMMARIZE gold.ohlcv",
    "VALUES (1), (2)",
    "PIVOT (SELECT exchange, trade_count FROM gold.ohlcv) ON exchange IN ('kraken') USING sum(trade_count)",
  ]) {
    test(sql, async () => {
      expect((await rowsOf(sql)).length).toBeGreaterThan(0);
    });
  }
});

test("a reader that has seen enough is no failure", async () => {
  const entry = `import { run } from "${root}/actors/validator/query_command.ts";
    const settings = { data_dir: process.argv[1], catalog_uri: null };
    const sql = "SELECT * FROM range(2000000)";
    process.exitCode = await run({
      flags: { format: "csv" }, positionals: [sql], settings, environment: {}, root: "${root}",
    });`;
  const child = Bun.spawn([process.execPath, "-e", entry, join(lakes, "whole")], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  expect(await child.stderr.text()).toBe("");
  expect(await child.exited).toBe(0);
});

describe("the command", () => {
  const settings = { data_dir: "/nonexistent/k2", catalog_uri: null };

  async function command(flags: Record<string, string>, sql?: string): Promise<number> {
    return await run({
      flags,
      positionals: sql === undefined ? [] : [sql],
      settings,
      environment: {},
      root,
      // biome-ignore lint/suspicious/noExplicitAny: the command reads no other setting.
    } as any);
  }

  test("says what is missing or wrong", () => {
    expect(command({})).rejects.toThrow(/The SQL is missing/);
    expect(command({ format: "xml" }, "SELECT 1")).rejects.toThrow(
      '--format is "xml": it must be one of table, json, csv, parquet',
    );
    expect(command({ format: "parquet" }, "SELECT 1")).rejects.toThrow(/needs --output/);
    expect(command({ "as-of": "noon" }, "SELECT 1")).rejects.toThrow(/--as-of is "noon"/);
    const output = "/nonexistent/k2/lake/warehouse/x.json";
    expect(command({ output }, "SELECT 1")).rejects.toThrow(/outside the lake/);
    expect(command({}, "SELECT 1")).rejects.toThrow(/There is no lake yet/);
    expect(existsSync("/nonexistent")).toBe(false);
  });
});
