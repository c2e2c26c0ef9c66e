/**
 * An oracle of the bars: DuckDB cuts the trades of Binance and Kraken out of the verbatim text of
 * `silver.frames` by regular expressions and computes every bar from them. No line of what made
 * `gold.ohlcv` takes part, from the adapters to Spark, and no number goes through JSON's floats.
 *
 * Formats: Binance's trade stream and `historicalTrades`, Kraken's channel `trade` of WebSocket v2
 * and REST `Trades`. Digits are those of both exchanges: eight before the binary exactness of
 * DECIMAL(19,8) ends.
 *
 * @module
 */

import type { DuckDBConnection } from "@duckdb/node-api";
import { decimalText, unscaled, vwapOf } from "./lake_bars.ts";
import { multisetDifferences, rowText } from "./lake_expected.ts";

/** Kraken's REST names of the markets of the tests. */
const kraken_names = `CASE pair WHEN 'XXBTZUSD' THEN 'BTC/USD' WHEN 'XETHZUSD' THEN 'ETH/USD' END`;

/** Every trade of every frame, as often as it was told; fields as they stand in the text. */
const told = `
  SELECT 'binance' AS exchange, field(frame, '"s":"([^"]+)"') AS native_symbol,
    field(frame, '"t":([0-9]+)') AS trade_id, field(frame, '"p":"([^"]+)"') AS price,
    field(frame, '"q":"([^"]+)"') AS quantity, us_of(field(frame, '"T":([0-9]+)')) AS us
  FROM received
  WHERE exchange = 'binance' AND kind = 'MESSAGE' AND frame LIKE '%"e":"trade"%'
  UNION ALL
  SELECT 'binance', field(request, '[?&]symbol=([^&]+)'), field(item, '"id":([0-9]+)'),
    field(item, '"price":"([^"]+)"'), field(item, '"qty":"([^"]+)"'),
    us_of(field(item, '"time":([0-9]+)'))
  FROM (
    SELECT request, unnest(regexp_extract_all(frame, '[{][^{}]*"isBuyerMaker"[^{}]*[}]')) AS item
    FROM received WHERE exchange = 'binance' AND kind = 'PAGE'
  )
  UNION ALL
  SELECT 'kraken', field(item, '"symbol":"([^"]+)"'), field(item, '"trade_id":([0-9]+)'),
    field(item, '"price":([^,}]+)'), field(item, '"qty":([^,}]+)'),
    epoch_us(CAST(field(item, '"timestamp":"([^"]+)"') AS TIMESTAMPTZ))
  FROM (
    SELECT unnest(regexp_extract_all(frame, '[{][^{}]*"trade_id"[^{}]*[}]')) AS item
    FROM received
    WHERE exchange = 'kraken' AND kind = 'MESSAGE' AND frame LIKE '%"channel":"trade"%'
  )
  UNION ALL
  SELECT 'kraken', ${kraken_names}, field(item, ',([0-9]+)[]]$'), field(item, '^[[]"([^"]+)"'),
    field(item, '^[[]"[^"]+","([^"]+)"'),
    CAST(field(item, ',([0-9]+)[.]?[0-9]*,"[bs]"') AS BIGINT) * 1000000
      + CAST(rpad(left(field(item, '[.]([0-9]+),"[bs]"'), 6), 6, '0') AS BIGINT)
  FROM (
    SELECT field(frame, '"result":[{]"([^"]+)":') AS pair,
      unnest(regexp_extract_all(frame, '[[]"[^][]*[]]')) AS item
    FROM received WHERE exchange = 'kraken' AND kind = 'PAGE'
  )`;

/** From coverage on: a page may reach back to trades that are history to the feed. */
const trades = `
  SELECT DISTINCT told.exchange, told.native_symbol, CAST(trade_id AS BIGINT) AS trade_id, us,
    CAST(price AS DECIMAL(19,8)) AS price, CAST(quantity AS DECIMAL(19,8)) AS quantity
  FROM told JOIN silver.coverage AS coverage
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

const oracle = `
  CREATE OR REPLACE TEMP MACRO field(text, pattern) AS regexp_extract(text, pattern, 1);
  CREATE OR REPLACE TEMP MACRO us_of(digits) AS
    CAST(digits AS BIGINT) * CASE WHEN length(digits) < 16 THEN 1000 ELSE 1 END;
  CREATE OR REPLACE TEMP TABLE oracle_bars AS
  WITH received AS (SELECT * FROM silver.frames WHERE direction = 'RECEIVED'),
    told AS (${told}), trades AS (${trades})
  ${bars}`;

const shared_columns = [
  ..."exchange native_symbol interval start open high low close".split(" "),
  ..."trade_count first_trade_id last_trade_id".split(" "),
];

/** Where the bars of Gold are not what the frames say, in any column of the market. */
export async function oracleDifferences(connection: DuckDBConnection) {
  await connection.run(oracle);
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
