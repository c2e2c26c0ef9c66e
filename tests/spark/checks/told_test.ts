/**
 * Goal: what the checks cut out of frames and pages is what they tell, for every exchange, however
 * their JSON is spaced, and whatever fields it gets.
 * Method: the recorded and documented frames and pages of each exchange, with what is expected of
 * them; DuckDB reads their text.
 */

import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { exchanges } from "../../../actors/exchanges/mod.ts";
import type { WireTrade } from "../../../actors/messages.ts";
import { toldStatements } from "../../../actors/validator/checks.ts";
import { quoted } from "../../../actors/validator/lake.ts";
import { fixtureFrames, fixturePages } from "../../fixtures/frames.ts";

const root = resolve(import.meta.dir, "../../..");

interface Told {
  readonly request: string | null;
  readonly text: string;
  readonly trades: readonly WireTrade[];
}

/** What an exchange's fixtures tell; those of which items are rejected are not told for sure. */
function fixturesOf(exchange: string): readonly Told[] {
  const frames = fixtureFrames(exchange).flatMap(({ frame, expected }) =>
    expected.kind === "trades" && expected.rejects.length === 0
      ? [{ request: null, text: frame, trades: expected.trades }]
      : [],
  );
  const pages = fixturePages(exchange).flatMap(({ request, page, expected }) =>
    expected.kind === "trades" && expected.rejects.length === 0
      ? [{ request: asWritten(request, expected.trades), text: page, trades: expected.trades }]
      : [],
  );
  return [...frames, ...pages];
}

/** K2 notes the market behind a page's URL where the URL does not name it as the feed does. */
function asWritten(request: string, [trade]: readonly WireTrade[]): string {
  const is_named = trade === undefined || !request.includes("/0/public/");
  return is_named ? request : `${request}#symbol=${encodeURIComponent(trade.native_symbol)}`;
}

async function toldBy(exchange: string, fixtures: readonly Told[]): Promise<readonly string[]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'");
  await connection.run("CREATE SCHEMA checked");
  await connection.run(`CREATE TABLE checked.frames (exchange VARCHAR, connection_id VARCHAR,
    frame_sequence BIGINT, kind VARCHAR, request VARCHAR, frame VARCHAR)`);
  for (const [index, { request, text }] of fixtures.entries()) {
    const kind = request === null ? "'MESSAGE'" : "'PAGE'";
    const asked = request === null ? "NULL" : quoted(request);
    await connection.run(`INSERT INTO checked.frames VALUES
      (${quoted(exchange)}, 'a', ${index}, ${kind}, ${asked}, ${quoted(text)})`);
  }
  for (const sql of toldStatements(root)) await connection.run(sql);
  const reader = await connection.runAndReadAll(`
    SELECT concat_ws(' ', frame_sequence, exchange, native_symbol, trade_id,
      CASE WHEN is_sell THEN 'SELL' ELSE 'BUY' END, price::DECIMAL(38,18),
      quantity::DECIMAL(38,18), timestamp_us) FROM told.trades`);
  const rows = reader.getRows().map(([row]) => String(row));
  connection.closeSync();
  instance.closeSync();
  return rows.sort();
}

function expectedOf(exchange: string, fixtures: readonly Told[]): readonly string[] {
  return fixtures
    .flatMap(({ trades }, index) =>
      trades.map((trade) =>
        [
          ...[index, exchange, trade.native_symbol, trade.trade_id, trade.side],
          ...[withDigits(trade.price), withDigits(trade.quantity), trade.timestamp],
        ].join(" "),
      ),
    )
    .sort();
}

/** A plain decimal with eighteen digits after the point. */
function withDigits(text: string): string {
  const [whole = "", fraction = ""] = text.split(".");
  return `${whole}.${fraction.padEnd(18, "0")}`;
}

for (const { exchange } of exchanges) {
  test(`the trades of ${exchange}'s frames and pages are cut out of their text`, async () => {
    const fixtures = fixturesOf(exchange);
    expect(fixtures.some(({ request }) => request === null)).toBe(true);
    expect(fixtures.some(({ request }) => request !== null)).toBe(true);
    expect(await toldBy(exchange, fixtures)).toEqual(expectedOf(exchange, fixtures));
  });

  test(`the same of ${exchange}'s with spaces`, async () => {
    const spaced = fixturesOf(exchange).map((fixture) => ({
      ...fixture,
      text: fixture.text.replace(/":/g, '": ').replace(/,(["[{\d])/g, ", $1"),
    }));
    expect(await toldBy(exchange, spaced)).toEqual(expectedOf(exchange, spaced));
  });

  test(`the same of ${exchange}'s with a field that nobody knows yet`, async () => {
    const grown = fixturesOf(exchange).map((fixture) => ({
      ...fixture,
      text: fixture.text.replace(/"(t|trade_id|isBuyerMaker)":/g, '"new":{"deep":[1,"x"]},$&'),
    }));
    expect(grown.filter(({ text }) => text.includes('"new"')).length).toBeGreaterThan(1);
    expect(await toldBy(exchange, grown)).toEqual(expectedOf(exchange, grown));
  });
}
