/**
 * Compares Gold with the simulator's own list of trades. The simulator is a pure function of its
 * seed and the clock, so that one started afterwards tells what every earlier one has sent.
 *
 * @module
 */

import { resolve } from "node:path";
import { rowsOf } from "./platform.ts";

const root = resolve(import.meta.dir, "../..");

export interface Listed {
  readonly trade_id: string;
  readonly price: string;
  readonly quantity: string;
  readonly side: string;
  readonly timestamp: number;
}

/** A simulator that runs until disposed. */
export async function startSimulator(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
) {
  const child = Bun.spawn([process.execPath, "--no-env-file", "main.ts", "simulate", ...argv], {
    cwd: root,
    env: { ...environment, K2_SIMULATOR_OUTPUT: "json" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const { port } = JSON.parse(new TextDecoder().decode(value));
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}

/**
 * Every difference between Gold and the simulator's list, as sentences; and how many trades of
 * each market were compared. The list is asked for from Gold's first to its last id.
 */
export async function differences(
  simulator_url: string,
  environment: Readonly<Record<string, string>>,
) {
  const found: string[] = [];
  const counts: Record<string, number> = {};
  const gold = await rowsOf(
    `SELECT exchange, native_symbol, trade_id, CAST(price AS VARCHAR) AS price,
       CAST(quantity AS VARCHAR) AS quantity, side, CAST(epoch_us(timestamp) AS VARCHAR) AS us
     FROM gold.trades ORDER BY exchange, native_symbol, CAST(trade_id AS HUGEINT)`,
    environment,
  );
  const markets = Map.groupBy(gold, (row) => `${row.exchange} ${row.native_symbol}`);
  for (const [market, rows] of markets) {
    const [exchange = "", native_symbol = ""] = market.split(" ");
    const first = String(rows[0]?.trade_id);
    const last = String(rows.at(-1)?.trade_id);
    const wanted = await listOf(simulator_url, { exchange, native_symbol, first, last });
    counts[market] = rows.length;
    if (rows.length !== wanted.length) {
      found.push(`${market}: ${rows.length} trades in Gold, ${wanted.length} in the list`);
    }
    const by_id = new Map(wanted.map((trade) => [trade.trade_id, trade]));
    for (const row of rows) {
      const trade = by_id.get(String(row.trade_id));
      const is_equal =
        trade !== undefined &&
        plain(String(row.price)) === plain(trade.price) &&
        plain(String(row.quantity)) === plain(trade.quantity) &&
        row.side === trade.side &&
        row.us === String(trade.timestamp);
      if (!is_equal) found.push(`${JSON.stringify(row)} is not ${JSON.stringify(trade)}`);
    }
  }
  return { found, counts };
}

/** The simulator's list of one market, from one id to another, both inclusive. */
export async function listOf(
  simulator_url: string,
  range: { exchange: string; native_symbol: string; first: string; last: string },
): Promise<Listed[]> {
  const trades: Listed[] = [];
  let from = BigInt(range.first);
  const last = BigInt(range.last);
  while (from <= last) {
    const url = new URL("/simulator/trades", simulator_url);
    url.searchParams.set("exchange", range.exchange);
    url.searchParams.set("symbol", range.native_symbol);
    url.searchParams.set("from_id", String(from));
    url.searchParams.set("to_id", range.last);
    const text = await (await fetch(url)).text();
    const page: Listed[] = text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
    trades.push(...page);
    const newest = page.at(-1);
    if (newest === undefined) break;
    from = BigInt(newest.trade_id) + 1n;
  }
  return trades;
}

/** A decimal without the zeros that do not count. */
export function plain(decimal: string): string {
  return decimal.includes(".") ? decimal.replace(/\.?0+$/, "") : decimal;
}
