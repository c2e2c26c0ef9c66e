/**
 * `query "<sql>"`: DuckDB over the lake's tables by name.
 *
 * @module
 */

import { join, relative, resolve } from "node:path";
import { exit_codes, UsageError } from "../settings/exit.ts";
import type { Invocation } from "../settings/invocation.ts";
import { catalogPath } from "./catalog_path.ts";
import { readLake } from "./lake.ts";
import { openOut, whileRead } from "./output.ts";
import { type QueryFormat, query, query_formats } from "./query.ts";
import { parseAsOf } from "./time_bounds.ts";

/** Runs the command. */
export async function run(invocation: Invocation): Promise<number> {
  const { flags, positionals, settings, root } = invocation;
  const [sql] = positionals;
  if (sql === undefined || sql.trim() === "") {
    throw new UsageError('The SQL is missing: bun run query "SELECT * FROM gold.ohlcv LIMIT 5"');
  }
  const format = formatOf(flags.format);
  const output = outputOf(flags.output, settings.data_dir);
  if (format === "parquet" && output === null) {
    throw new UsageError("--format parquet needs --output FILE");
  }
  const as_of = flags["as-of"];
  const as_of_ms = typeof as_of === "string" ? parseAsOf(as_of) : null;
  const tables = await readLake(catalogPath(settings));
  await whileRead(() =>
    query({
      sql,
      format,
      output,
      as_of_ms,
      root,
      data_dir: settings.data_dir,
      tables,
      write: openOut(),
      remark: (text) => process.stderr.write(`${text}\n`),
    }),
  );
  return exit_codes.done;
}

function formatOf(flag: string | boolean | undefined): QueryFormat {
  if (flag === undefined) return "table";
  const format = query_formats.find((name) => name === flag);
  if (format !== undefined) return format;
  throw new UsageError(`--format is "${flag}": it must be one of ${query_formats.join(", ")}`);
}

function outputOf(flag: string | boolean | undefined, data_dir: string): string | null {
  if (flag === undefined) return null;
  if (typeof flag !== "string" || flag.trim() === "") {
    throw new UsageError("--output needs the name of a file");
  }
  const within = relative(join(data_dir, "lake"), resolve(flag));
  if (!within.startsWith("..")) {
    throw new UsageError(`--output is "${flag}": it must stand outside the lake`);
  }
  return flag;
}
