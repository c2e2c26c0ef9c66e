/**
 * `symbols`: an exchange's own instrument list on stdout, so that a person can find the name under
 * which it knows a market before writing it into the settings. It is the list that the connections
 * use, from the same place and the same cache.
 *
 * @module
 */

import { instrumentCacheOf } from "../exchanges/instrument_cache.ts";
import { exchangeNamed, exchanges } from "../exchanges/mod.ts";
import type { Instrument } from "../messages.ts";
import { exit_codes, FailureError, reasonOf, UsageError } from "../settings/exit.ts";
import type { Invocation, Run } from "../settings/invocation.ts";
import { createLog } from "../settings/log.ts";
import { readSettings } from "../settings/settings.ts";
import { Budget } from "./budget.ts";
import { getPage } from "./get_page.ts";
import { openInstrumentList } from "./open_instrument_list.ts";

const columns = ["native_symbol", "symbol", "base_asset", "quote_asset", "status"] as const;
type Row = Readonly<Record<(typeof columns)[number], string>>;

/**
 * Runs `symbols --exchange X [--format table|json]`.
 *
 * @throws {UsageError} for an exchange or a format that does not exist.
 * @throws {FailureError} where neither the exchange nor the cache has a list.
 */
export const run: Run = async (invocation) => {
  const rows = formatOf(invocation) === "json" ? jsonRows : tableRows;
  const instruments = await instrumentsOf(invocation);
  await writeResult(rows(instruments.map(toRow)));
  return exit_codes.done;
};

async function instrumentsOf(invocation: Invocation): Promise<readonly Instrument[]> {
  const { environment, flags, settings } = invocation;
  const name = flags.exchange;
  const adapter = typeof name === "string" ? exchangeNamed(name) : undefined;
  if (adapter === undefined) {
    const given = typeof name === "string" ? ` is "${name}": it` : "";
    const names = exchanges.map(({ exchange }) => exchange);
    const allowed = `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
    throw new UsageError(`--exchange${given} must be ${allowed}`);
  }
  // An exchange may be asked for its symbols before it is among those that run.
  const { exchange } = adapter;
  const [configured] = readSettings(
    { ...environment, K2_EXCHANGES: exchange },
    exchanges,
  ).exchanges;
  const rest_url = configured?.rest_url ?? adapter.rest_url_default;
  const list = openInstrumentList({
    adapter,
    rest_url,
    // One request of a process of its own; what the platform spends is in its own budget.
    budget: new Budget({ rules: adapter.rest.budgets, now_ms: () => performance.now() }),
    reachability: { failed: ignore, succeeded: ignore },
    log: createLog({ format: "text", write: writeLine, now_ms: Date.now }),
    signal: AbortSignal.abort(),
    world: {
      getPage,
      instrument_cache: instrumentCacheOf(settings.data_dir),
      now_ms: Date.now,
      random: Math.random,
      wait: Bun.sleep,
    },
  });
  try {
    await list.load();
  } catch (error) {
    throw new FailureError(
      `Cannot list the symbols of ${exchange} from ${rest_url}: ${reasonOf(error)}, and no list ` +
        `is cached in ${settings.data_dir}; try again with network access`,
    );
  }
  return list.all();
}

function formatOf({ flags: { format } }: Invocation): "table" | "json" {
  if (format === undefined || format === "table") return "table";
  if (format === "json") return "json";
  throw new UsageError(`--format is "${format}": it must be table or json`);
}

function toRow(instrument: Instrument): Row {
  const { native_symbol, base_asset, quote_asset, status } = instrument;
  return { native_symbol, symbol: `${base_asset}/${quote_asset}`, base_asset, quote_asset, status };
}

function jsonRows(rows: readonly Row[]): string {
  return `${JSON.stringify(rows, null, 2)}\n`;
}

/** Columns as wide as their widest cell, under a line of names. */
function tableRows(rows: readonly Row[]): string {
  const widths = columns.map((column) =>
    rows.reduce((width, row) => Math.max(width, row[column].length), column.length),
  );
  const header = Object.fromEntries(columns.map((column) => [column, column]));
  return [header, ...rows]
    .map((row) => columns.map((column, index) => row[column]?.padEnd(widths[index] ?? 0)))
    .map((cells) => `${cells.join("  ").trimEnd()}\n`)
    .join("");
}

/** Writes all of it before the process may end; a reader that has seen enough is no error. */
async function writeResult(text: string): Promise<void> {
  try {
    await Bun.write(Bun.stdout, text);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EPIPE")) throw error;
  }
}

function writeLine(line: string): void {
  process.stderr.write(line);
}

function ignore(): void {}
