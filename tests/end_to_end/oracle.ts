/**
 * An oracle of the bars: DuckDB cuts the trades out of the verbatim text of `silver.frames` and
 * computes every bar from them. No line of what made `gold.ohlcv` takes part, from the adapters to
 * Spark, and no number goes through JSON's floats. Digits are those of Binance and Kraken: eight
 * before the binary exactness of DECIMAL(19,8) ends.
 *
 * @module
 */

import { resolve } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { toldStatements } from "../../actors/validator/checks.ts";
import { decimalText, unscaled, vwapOf } from "./lake_bars.ts";
import { multisetDifferences, rowText } from "./lake_expected.ts";

const root = resolve(import.meta.dir, "../..");

/** From coverage on: a page may reach back to trades that are history to the feed. */
const trades = `
  SELECT DISTINCT told.exchange, told.native_symbol, CAST(trade_id AS BIGINT) AS trade_id,
    timestamp_us AS us,
    CAST(price AS DECIMAL(19,8)) AS price, CAST(quantity AS DECIMAL(19,8)) AS quantity
  FROM told.trades AS told JOIN silver.coverage AS coverage
    ON coverage.exchange = told.exchange AND coverage.native_symbol = told.native_symbol
  WHERE CAST(trade_id AS BIGINT) >= coverage.from_id`;

const intervals = `(VALUES ('1m', 1), ('5m', 5), ('15m', 15), ('30m', 30), ('1h', 60), ('4h', 240),
  ('1d', 1440)) AS intervals("interval", minutes)`;

const bars = `
  SELECT exchange, native_symbol, "interval", us // length_us * length_us AS start,
    first(price ORDER BY us, trade_id) AS open, max(price) AS high, min(price) AS low,
    last(price ORDER BY us, trade_id) AS close, sum(quantity) AS volume,
    sum(price * quantity) AS quote_volume, count(*) AS trade_count,
    first(trade_id ORDER BY us, trade_id) AS first_trade_id,
    last(trade_id ORDER BY us, trade_id) AS last_trade_id
  FROM trades CROSS JOIN (SELECT "interval", minutes * 60000000::BIGINT AS length_us FROM ${intervals})
  GROUP BY ALL`;

/** What the frames tell is what the checks cut out of them, held to recorded frames elsewhere. */
const oracle = [
  "CREATE SCHEMA checked",
  "CREATE VIEW checked.frames AS SELECT * FROM silver.frames WHERE direction = 'RECEIVED'",
  ...toldStatements(root),
  `CREATE TEMP TABLE oracle_bars AS WITH trades AS (${trades}) ${bars}`,
];

const shared_columns = [
  ..."exchange native_symbol interval start open high low close".split(" "),
  ..."trade_count first_trade_id last_trade_id".split(" "),
];

/** Where the bars of Gold are not what the frames say, in any column of the market. */
export async function oracleDifferences(connection: DuckDBConnection) {
  for (const sql of oracle) await connection.run(sql);
  const wanted = await barRows(
    connection,
    `SELECT * REPLACE (open::DECIMAL(38,18) AS open, high::DECIMAL(38,18) AS high,
       low::DECIMAL(38,18) AS low, close::DECIMAL(38,18) AS close), NULL AS vwap
     FROM oracle_bars`,
  );
  const found = await barRows(
    connection,
    "SELECT *, epoch_us(window_start) AS start FROM gold.ohlcv",
  );
  return { differences: multisetDifferences(found, wanted), bars_count: wanted.length };
}

/** Bars as text, with the average price told or, where it is NULL, computed. */
async function barRows(connection: DuckDBConnection, bars_sql: string): Promise<string[]> {
  const reader = await connection.runAndReadAll(
    `SELECT ${rowText(shared_columns)}, volume::DECIMAL(38,18)::VARCHAR,
      quote_volume::DECIMAL(38,18)::VARCHAR, vwap::VARCHAR FROM (${bars_sql})`,
  );
  return reader.getRows().map(([row, volume, quote_volume, vwap]) => {
    const sums = [unscaled(String(quote_volume)), unscaled(String(volume))] as const;
    const average = vwap ?? decimalText(vwapOf(...sums));
    return [row, volume, quote_volume, average].map(String).join("|");
  });
}
