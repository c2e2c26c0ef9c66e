/**
 * What must stand in each table of the lake, told by what was sent and by nothing else, and where
 * the lake differs. A row is a text of its columns, so that a difference can be read.
 *
 * @module
 */

import type { DuckDBConnection } from "@duckdb/node-api";
import type { EventRecord } from "../../schemas/mod.ts";
import {
  dead_letters_topic,
  events_topic,
  isFramesTopic,
  isTradesTopic,
} from "../../schemas/mod.ts";
import {
  barsOf,
  decimalText,
  isComplete,
  type Knowledge,
  quoteQuantity,
  unscaled,
} from "./lake_bars.ts";
import type { Outgoing } from "./lake_records.ts";

/** A record that Kafka has taken. */
export interface Sent extends Outgoing {
  readonly offset: number;
  readonly timestamp_ms: number;
}

type SentTrade = Sent & { readonly means: { readonly kind: "trade" } };

/** Differences of each kind that are shown. */
const shown_max = 3;

const trade_columns = [
  ..."message_id exchange symbol native_symbol base_asset quote_asset trade_id side".split(" "),
  ..."price quantity epoch_us(timestamp) epoch_us(ingestion_timestamp) source".split(" "),
  ..."connection_id frame_sequence vendor_data quote_quantity".split(" "),
];
const position_columns = ["topic", '"partition"', '"offset"', "epoch_us(kafka_timestamp)"];
const bronze_columns = [...position_columns, "hex(key)", "hex(value)"];
const bar_columns = [
  ..."exchange symbol native_symbol interval epoch_us(window_start) epoch_us(window_end)".split(
    " ",
  ),
  ..."open high low close volume quote_volume vwap trade_count first_trade_id".split(" "),
  ..."last_trade_id is_complete".split(" "),
];
const frame_columns = [
  ..."exchange connection_id url frame_sequence direction kind request".split(" "),
  ..."epoch_us(received_us) received_monotonic_ns frame".split(" "),
];
const gap_columns = [
  ..."gap_id exchange native_symbol state from_id to_id".split(" "),
  ..."epoch_us(from_timestamp) epoch_us(to_timestamp)".split(" "),
];
const session_columns = ["connection_id", "exchange", "state", "reason"];
const coverage_columns = [
  ..."exchange native_symbol from_id epoch_us(from_timestamp) confirmed_id".split(" "),
  "epoch_us(confirmed_timestamp)",
];

/** Every table with its columns and the rows that it must have. */
function tablesOf(sent: readonly Sent[]) {
  const trades = sent.filter(isTrade);
  const events = sent.flatMap(({ means }) => (means.kind === "event" ? [means.event] : []));
  const bronze = (isIn: (topic: string) => boolean) =>
    [bronze_columns, sent.filter(({ topic }) => isIn(topic)).map(bronzeRow)] as const;
  return {
    "bronze.trades": bronze(isTradesTopic),
    "bronze.frames": bronze(isFramesTopic),
    "bronze.events": bronze((topic) => topic === events_topic),
    "bronze.dead_letters": bronze((topic) => topic === dead_letters_topic),
    "silver.trades": [[...trade_columns, ...position_columns], trades.map(silverRow)],
    "silver.quarantine": [
      [...position_columns, "reason", "hex(value)"],
      sent.flatMap((record) => (record.means.kind === "invalid" ? [quarantineRow(record)] : [])),
    ],
    "silver.frames": [[...frame_columns, ...position_columns], sent.flatMap(frameRows)],
    "silver.gaps": [gap_columns, newestGaps(events).map(gapRow)],
    "silver.sessions": [session_columns, sessionRows(events)],
    "silver.coverage": [coverage_columns, coverageRows(events)],
    "gold.ohlcv": [bar_columns, barRows(trades, events)],
  } satisfies Record<string, readonly [readonly string[], readonly string[]]>;
}

/** Where the lake differs from what was sent, by table; nothing where it is exact. */
export async function differencesOf(
  connection: DuckDBConnection,
  sent: readonly Sent[],
): Promise<Record<string, readonly string[]>> {
  const found: Record<string, readonly string[]> = {};
  for (const [table, [columns, wanted]] of Object.entries(tablesOf(sent))) {
    const rows = await textRows(connection, `SELECT ${rowText(columns)} FROM ${table}`);
    const differences = multisetDifferences(rows, wanted);
    if (differences.length > 0) found[table] = differences;
  }
  const gold = await goldDifferences(connection, sent.filter(isTrade));
  if (gold.length > 0) found["gold.trades"] = gold;
  return found;
}

/** Rows of one column of text. */
export async function textRows(connection: DuckDBConnection, sql: string): Promise<string[]> {
  const reader = await connection.runAndReadAll(sql);
  return reader.getRows().map(([value]) => String(value));
}

/** SQL of a row as text. */
export function rowText(columns: readonly string[]): string {
  const texts = columns.map((column) => `coalesce(CAST(${column} AS VARCHAR), 'NULL')`);
  return `concat_ws('|', ${texts.join(", ")})`;
}

/** What one list of rows lacks of the wanted ones, and has besides: the first of each. */
export function multisetDifferences(rows: readonly string[], wanted: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const row of wanted) counts.set(row, (counts.get(row) ?? 0) + 1);
  for (const row of rows) counts.set(row, (counts.get(row) ?? 0) - 1);
  const lacking = [...counts].filter(([, count]) => count > 0).map(([row]) => row);
  const extra = [...counts].filter(([, count]) => count < 0).map(([row]) => row);
  return [
    ...lacking
      .sort()
      .slice(0, shown_max)
      .map((row) => `lacks ${row} (of ${lacking.length})`),
    ...extra
      .sort()
      .slice(0, shown_max)
      .map((row) => `has ${row} (of ${extra.length})`),
  ];
}

/** One row for each message_id: one of its Silver rows, that of the first copy known. */
async function goldDifferences(
  connection: DuckDBConnection,
  trades: readonly SentTrade[],
): Promise<string[]> {
  const copies = Map.groupBy(trades, ({ means }) => means.trade.message_id);
  const found: string[] = [];
  const reader = await connection.runAndReadAll(
    `SELECT message_id, ${rowText([...trade_columns, ...position_columns])},
      ${rowText(["exchange_date", "exchange_hour"])} FROM gold.trades`,
  );
  const seen = new Set<string>();
  for (const [id, row, hour] of reader.getRows().map((values) => values.map(String))) {
    if (seen.has(id!)) found.push(`has ${id} twice`);
    seen.add(id!);
    const known = copies.get(id!) ?? [];
    const taken = known.find((copy) => silverRow(copy) === row);
    if (taken === undefined) found.push(`has ${row}`);
    else if (hour !== hourRow(taken)) found.push(`has ${id} in ${hour}`);
    else if (known.some((copy) => isKnownBefore(copy, taken))) found.push(`has a later ${row}`);
  }
  for (const id of copies.keys()) if (!seen.has(id)) found.push(`lacks ${id}`);
  return found.slice(0, 2 * shown_max);
}

/**
 * Whether one copy of a trade wins over another in whatever batches they come: those of one
 * partition are known in their order.
 */
function isKnownBefore(one: Sent, other: Sent): boolean {
  return (
    one.partition === other.partition &&
    one.offset < other.offset &&
    one.timestamp_ms <= other.timestamp_ms
  );
}

function isTrade(record: Sent): record is SentTrade {
  return record.means.kind === "trade";
}

function positionOf({ topic, partition, offset, timestamp_ms }: Sent) {
  return [topic, partition, offset, timestamp_ms * 1_000];
}

function bronzeRow(record: Sent): string {
  return line([...positionOf(record), hexOf(record.key), hexOf(record.value)]);
}

function quarantineRow(record: Sent): string {
  const reason = record.means.kind === "invalid" ? record.means.reason : null;
  return line([...positionOf(record), reason, hexOf(record.value)]);
}

function frameRows(record: Sent): string[] {
  if (record.means.kind !== "frames") return [];
  const { session, frame } = record.means;
  const row = line([
    ...[session.exchange, session.connection_id, session.url, frame.frame_sequence],
    ...[frame.direction, frame.kind, frame.request, frame.received_us],
    ...[frame.received_monotonic_ns, frame.frame, ...positionOf(record)],
  ]);
  return [row];
}

function silverRow(record: SentTrade): string {
  const { trade } = record.means;
  const vendor_data = Object.entries(trade.vendor_data).map(([name, value]) => `${name}=${value}`);
  return line([
    ...[trade.message_id, trade.exchange, trade.symbol, trade.native_symbol, trade.base_asset],
    ...[trade.quote_asset, trade.trade_id, trade.side],
    ...[decimalText(unscaled(trade.price)), decimalText(unscaled(trade.quantity))],
    ...[trade.timestamp, trade.ingestion_timestamp, trade.source, trade.connection_id],
    ...[trade.frame_sequence, `{${vendor_data.join(", ")}}`, decimalText(quoteQuantity(trade))],
    ...positionOf(record),
  ]);
}

function hourRow({ means }: SentTrade): string {
  const [date, time] = new Date(means.trade.timestamp / 1_000).toISOString().split("T");
  return line([date!, Number(time!.slice(0, 2))]);
}

function barRows(trades: readonly SentTrade[], events: readonly EventRecord[]): string[] {
  const knowledge = knowledgeOf(events);
  return barsOf(trades.map(({ means }) => means.trade)).map((bar) =>
    line([
      ...[bar.exchange, bar.symbol, bar.native_symbol, bar.interval, bar.start_us, bar.end_us],
      ...[bar.open, bar.high, bar.low, bar.close].map(decimalText),
      ...[bar.volume, bar.quote_volume, bar.vwap].map(decimalText),
      ...[bar.trade_count, bar.first_trade_id, bar.last_trade_id],
      isComplete(bar, knowledge.get(`${bar.exchange} ${bar.native_symbol}`)),
    ]),
  );
}

/** What is known of each market, by `exchange native_symbol`. */
function knowledgeOf(events: readonly EventRecord[]): ReadonlyMap<string, Knowledge> {
  const open = newestGaps(events).filter((gap) => ["open", "unfillable"].includes(stateOf(gap)));
  return new Map(
    coveragesOf(events).map(({ market, coverage, confirmed }) => [
      market,
      {
        from_us: coverage?.from_timestamp ?? null,
        confirmed_us: confirmed?.through_timestamp ?? null,
        brackets: open
          .filter(({ exchange, native_symbol }) => `${exchange} ${native_symbol}` === market)
          .map(({ from_timestamp, to_timestamp }) => [from_timestamp!, to_timestamp!] as const),
      },
    ]),
  );
}

function coveragesOf(events: readonly EventRecord[]) {
  const told = events.filter(({ event }) => event === "coverage" || event === "confirmed");
  const markets = Map.groupBy(told, (event) => `${event.exchange} ${event.native_symbol}`);
  return [...markets].map(([market, of_market]) => ({
    market,
    coverage: of_market.findLast(({ event }) => event === "coverage"),
    confirmed: of_market
      .filter(({ event }) => event === "confirmed")
      .sort((a, b) => a.through_timestamp! - b.through_timestamp!)
      .at(-1),
  }));
}

function coverageRows(events: readonly EventRecord[]): string[] {
  return coveragesOf(events).map(({ market, coverage, confirmed }) =>
    line([
      ...market.split(" "),
      ...[coverage?.from_id ?? null, coverage?.from_timestamp ?? null],
      ...[confirmed?.through_id ?? null, confirmed?.through_timestamp ?? null],
    ]),
  );
}

/** The newest event of each gap; the tests send a gap's events in their order. */
function newestGaps(events: readonly EventRecord[]): readonly EventRecord[] {
  const gaps = Map.groupBy(
    events.filter(({ gap_id }) => gap_id !== null),
    ({ gap_id }) => gap_id,
  );
  return [...gaps.values()].map((of_gap) => of_gap.at(-1)!);
}

function stateOf({ event }: EventRecord): string {
  return event === "gap_opened" ? "open" : event.slice("gap_".length);
}

function gapRow(gap: EventRecord): string {
  const { gap_id, exchange, native_symbol, from_id, to_id, from_timestamp, to_timestamp } = gap;
  const range = [from_id, to_id, from_timestamp, to_timestamp];
  return line([gap_id, exchange, native_symbol, stateOf(gap), ...range]);
}

function sessionRows(events: readonly EventRecord[]): string[] {
  const told = events.filter(({ event }) => event.startsWith("session_"));
  return [...Map.groupBy(told, ({ connection_id }) => connection_id)].map(([id, of_session]) => {
    const closed = of_session.find(({ event }) => event === "session_closed");
    const state = closed === undefined ? "open" : "closed";
    return line([id, of_session[0]!.exchange, state, closed?.reason ?? null]);
  });
}

function hexOf(bytes: Buffer | null): string | null {
  return bytes === null ? null : bytes.toString("hex").toUpperCase();
}

function line(values: readonly (string | number | boolean | null)[]): string {
  return values.map((value) => (value === null ? "NULL" : String(value))).join("|");
}
