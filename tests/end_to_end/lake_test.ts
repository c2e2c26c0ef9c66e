/**
 * Goal: what Kafka holds stands in Bronze, Silver and Gold exactly: every record once, every digit,
 * every reason, every bar; also when a trade comes again, late or long afterwards, when the driver
 * is killed in the middle, when its checkpoints are gone, and when Kafka has lost records.
 * Method: one real broker, registry and driver; each scenario has markets of its own, and the whole
 * lake is compared with what was produced, row by row, by DuckDB. Bars are computed here a second
 * time, in exact integers.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import type { TradeRecord } from "../../schemas/mod.ts";
import { temporaryFolder } from "../actors/producer/rig.ts";
import { createRandom } from "../schemas/random.ts";
import { differencesOf } from "./lake_expected.ts";
import {
  day_us,
  eventRecord,
  hour_us,
  invalidRecords,
  type Market,
  type Meaning,
  minute_us,
  noon_us,
  type Outgoing,
  otherRecords,
  second_us,
  tradeOf,
  tradeRecord,
} from "./lake_records.ts";
import { type Driver, type LakeRig, startLakeRig } from "./lake_rig.ts";
import { eventually } from "./platform.ts";

const folder = temporaryFolder();
const random = createRandom(6);
const test_ms = 300_000;
const busy: readonly Market[] = [
  { exchange: "binance", native_symbol: "BTCUSDT" },
  { exchange: "binance", native_symbol: "ETHUSDT" },
  { exchange: "kraken", native_symbol: "BTC/USD" },
  { exchange: "kraken", native_symbol: "ETH/USD" },
];
const twin: Market = { exchange: "binance", native_symbol: "TWIN" };
const mixed: Market = { exchange: "kraken", native_symbol: "MIXED/USD" };
const known: Market = { exchange: "kraken", native_symbol: "KNOWN/USD" };
const killed: Market = { exchange: "binance", native_symbol: "KILLED" };
const shared = ["binance", "kraken"].map((exchange) => ({ exchange, native_symbol: "SHARED" }));

let rig: LakeRig;
let driver: Driver;

beforeAll(async () => {
  rig = await startLakeRig(folder.path);
  // Before the driver begins, so that its first batch holds them all.
  await rig.produce(firstRecords());
  driver = rig.startDriver();
  await rig.untilCaughtUp();
}, test_ms);

afterAll(async () => {
  await driver?.[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
  folder.remove();
}, 60_000);

test("10,000 trades of two exchanges reach every layer with every digit, and all bars", async () => {
  expect(await rig.differences()).toEqual({});
  const counts = await rig.rows(`SELECT exchange, count(*) FROM gold.trades
    WHERE native_symbol SIMILAR TO '(BTC|ETH).*' GROUP BY ALL ORDER BY ALL`);
  expect(counts).toEqual([
    ["binance", "5000"],
    ["kraken", "5000"],
  ]);
});

test("a trade that comes several times is one row of Gold: of those known, the first in Kafka", async () => {
  expect(await twinRows()).toEqual([
    ["1", "first"],
    ["2", "earlier"],
    ["3", "lower partition"],
  ]);
});

test("100 valid and 10 invalid records give 100 trades and 10 reasons", async () => {
  const [trades] = await rig.rows(
    "SELECT count(*) FROM silver.trades WHERE native_symbol = 'MIXED/USD'",
  );
  const invalid = invalidRecords(rig.ids, mixed).map(({ means }) => means);
  const reasons = invalid.map((means) => (means.kind === "invalid" ? means.reason : ""));
  const found = await rig.rows("SELECT reason FROM silver.quarantine");
  expect(trades).toEqual(["100"]);
  expect(new Set(reasons.slice(0, 10)).size).toBe(10);
  expect(found.flat().sort()).toEqual(reasons.sort());
});

test("1,000 and 500 trades with the same names on two exchanges stay apart", async () => {
  const markets = `SELECT exchange, count(*), max(price) < 10 FROM gold.trades
    WHERE native_symbol = 'SHARED' GROUP BY ALL ORDER BY ALL`;
  expect(await rig.rows(markets)).toEqual([
    ["binance", "1000", "true"],
    ["kraken", "500", "false"],
  ]);
  const bars = `SELECT exchange, interval, sum(trade_count), max(high) < 10, min(low) > 1000
    FROM gold.ohlcv WHERE native_symbol = 'SHARED' AND interval IN ('1m', '1d')
    GROUP BY ALL ORDER BY ALL`;
  expect(await rig.rows(bars)).toEqual([
    ["binance", "1d", "1000", "true", "false"],
    ["binance", "1m", "1000", "true", "false"],
    ["kraken", "1d", "500", "false", "true"],
    ["kraken", "1m", "500", "false", "true"],
  ]);
});

test("bars are complete between coverage and confirmation, where no gap touches them", async () => {
  expect(await completeMinutes()).toEqual([1, 3, 4]);
});

test(
  "trades that come late, a day late, or again, and events change just what they must",
  async () => {
    await rig.produce([...lateRecords(), ...laterEvents()]);
    await rig.untilCaughtUp();
    expect(await rig.differences()).toEqual({});
    expect(await twinRows()).toEqual([
      ["1", "first"],
      ["2", "earlier"],
      ["3", "lower partition"],
    ]);
    expect(await completeMinutes()).toEqual([1, 2, 3, 4, 5, 6, 8, 9]);
  },
  test_ms,
);

test("what is compared would show one digit, a lost record and one too many", async () => {
  using lake = await rig.open();
  const [first, ...others] = rig.sent;
  expect(first?.means.kind).toBe("trade");
  const { trade } = first!.means as Extract<Meaning, { kind: "trade" }>;
  const price = `${trade.price.slice(0, -1)}${trade.price.endsWith("1") ? 2 : 1}`;
  const changed = { ...first!, means: { kind: "trade", trade: { ...trade, price } } } as const;
  const exact = ["silver.trades", "gold.ohlcv", "gold.trades"];
  const { connection } = lake;
  expect(Object.keys(await differencesOf(connection, [changed, ...others]))).toEqual(exact);
  const doubled = { ...first!, offset: rig.sent.length };
  const records = ["bronze.trades", "silver.trades"];
  expect(Object.keys(await differencesOf(connection, [doubled, ...rig.sent]))).toEqual(records);
  const lost = await differencesOf(connection, others);
  expect(Object.keys(lost)).toEqual(["bronze.trades", ...exact]);
});

test("a query of one hour reads that hour's files and no other", async () => {
  const hour = new Date(noon_us / 1_000 + 3_600_000).toISOString();
  const [analyzed] = await rig.rows(`EXPLAIN (ANALYZE, FORMAT json)
    SELECT sum(quantity) FROM gold.trades WHERE timestamp >= TIMESTAMPTZ '${hour}'
      AND timestamp < TIMESTAMPTZ '${hour}' + INTERVAL 1 HOUR`);
  const read = [...String(analyzed).matchAll(/exchange_date=([\d-]+)\/exchange_hour=(\d+)/g)];
  expect(new Set(read.map(([, date, of_day]) => `${date} ${of_day}`))).toEqual(
    new Set(["2026-08-26 13"]),
  );
  expect(String(analyzed)).toContain(`"Total Files Read": "${read.length}"`);
  const [[hours] = []] = await rig.rows(
    "SELECT count(DISTINCT (exchange_date, exchange_hour)) FROM gold.trades",
  );
  expect(Number(hours)).toBeGreaterThan(20);
});

test(
  "killed -9 after 500 of 1,000 trades, the lake has 1,000",
  async () => {
    const before = Number(driver.report.figures.bronze_trades_rows_total);
    await rig.produce(tradesOf(killed, 1, 500));
    await eventually("the first 500 in Bronze", () =>
      Number(driver.report.figures.bronze_trades_rows_total) >= before + 500 ? true : undefined,
    );
    await driver[Symbol.asyncDispose]();
    await rig.produce(tradesOf(killed, 501, 1_000));
    driver = rig.startDriver();
    await rig.untilCaughtUp();
    expect(await rig.differences()).toEqual({});
  },
  test_ms,
);

test(
  "without any checkpoint nothing is doubled or lost",
  async () => {
    await driver.drain();
    rig.deleteCheckpoints();
    await rig.produce([...tradesOf(killed, 900, 1_100), ...invalidRecords(rig.ids, mixed)]);
    driver = rig.startDriver();
    await rig.untilCaughtUp();
    expect(await rig.differences()).toEqual({});
  },
  test_ms,
);

test(
  "what Kafka has lost stops the query, in one sentence, until a person accepts it",
  async () => {
    await driver.drain();
    const known = rig.sent.length;
    await rig.produce(tradesOf(killed, 1_101, 1_200));
    const { topic, partition, offset } = rig.sent[known]!;
    await rig.lose(topic, partition, offset + 40);
    driver = rig.startDriver();
    const sentence = await eventually("a word on what is lost", () => {
      const { bronze_trades_stopped = null } = driver.report.figures;
      return bronze_trades_stopped ?? undefined;
    });
    expect(sentence).toBe(
      `${topic}/${partition} has lost its offsets from ${offset} to ${offset + 39} in Kafka: ` +
        "`bun run start --accept-lost-offsets` goes on without them",
    );
    await driver.drain();
    rig.sent.splice(known, 40);
    driver = rig.startDriver({ accept_lost_offsets: true });
    await rig.untilCaughtUp();
    const { "silver.trades": trades, "gold.trades": gold } = await rig.differences();
    expect({ trades, gold }).toEqual({ trades: undefined, gold: undefined });
    const gap = await eventually("the loss among the gaps", async () => {
      const gaps = await rig.rows("SELECT state, reason FROM silver.gaps WHERE reason IS NOT NULL");
      return gaps.find(([, reason]) => String(sentence).startsWith(`${reason}:`));
    });
    expect(gap[0]).toBe("unfillable");
  },
  test_ms,
);

function firstRecords(): Outgoing[] {
  const many = busy.flatMap((market) =>
    numbers(1, 2_500).map((number) => {
      const timestamp = noon_us + number * 30 * second_us + Math.floor(random() * second_us);
      return recordOf(market, number, { timestamp, ingestion_timestamp: timestamp + 5_000 });
    }),
  );
  const invalid = invalidRecords(rig.ids, mixed);
  const hundred = [...tradesOf(mixed, 1, 100), ...invalid.slice(0, 10)];
  return [
    ...many,
    ...extremeTrades(),
    ...twins(),
    ...shuffled(hundred),
    ...invalid.slice(10),
    ...shared.flatMap(({ exchange, native_symbol }, index) =>
      numbers(1, index === 0 ? 1_000 : 500).map((number) =>
        recordOf({ exchange, native_symbol }, number, {
          price: `${index === 0 ? 7 : 7_000 + number}.5`,
          quantity: `0.0${number}`,
        }),
      ),
    ),
    ...tradesOf(known, 0, 599),
    ...firstEvents(),
    ...numbers(0, 20).flatMap((number) => otherRecords(rig.ids, "kraken", number)),
  ];
}

/** The ends of what 38 digits hold, each in a market of its own: their sums would not fit. */
function extremeTrades(): Outgoing[] {
  const pairs = [
    ["0.000000000000000003", "99999999999999999999"],
    ["20000.123", "1000000000.5"],
    ["12345678901234567.5", "0.000000000000000002"],
    ["64522.19000000", "0.00775000"],
  ] as const;
  return pairs.map(([price, quantity], index) =>
    recordOf({ exchange: "kraken", native_symbol: `EXTREME${index}` }, 1, { price, quantity }),
  );
}

/** Each copy says which it is. */
function twins(): Outgoing[] {
  const now_ms = Date.now() - 60_000;
  const copy = (number: number, is: string, partition: number, late_ms: number) =>
    tradeRecord(
      rig.ids,
      { ...twinOf(number), connection_id: is, source: late_ms > 0 ? "STREAM" : "BACKFILL" },
      { partition, timestamp_ms: now_ms + late_ms },
    );
  return [
    copy(1, "first", 0, 0),
    copy(1, "first", 0, 0),
    copy(2, "later", 0, 1_000),
    copy(2, "earlier", 2, 0),
    copy(3, "higher partition", 2, 500),
    copy(3, "lower partition", 1, 500),
  ];
}

function twinOf(number: number): TradeRecord {
  return tradeOf(twin, number, createRandom(number));
}

function firstEvents(): Outgoing[] {
  const market = { ...known, timestamp: noon_us };
  const session = { exchange: "kraken", connection_id: "kraken-1", url: "ws://127.0.0.1:1" };
  const hole = { gap_id: "kraken:KNOWN/USD:130", from_id: 130, to_id: 139, found_by: "jump" };
  const bracket = {
    from_timestamp: noon_us + 130 * second_us,
    to_timestamp: noon_us + 140 * second_us,
  };
  return [
    { ...session, event: "session_opened", timestamp: noon_us } as const,
    {
      ...market,
      event: "coverage",
      from_id: 30,
      from_timestamp: noon_us + 30 * second_us,
    } as const,
    { ...market, ...hole, ...bracket, event: "gap_opened" } as const,
    confirmation(320),
  ].map((said) => eventRecord(rig.ids, said));
}

/** The first gap is closed; there is another that never will be. */
function laterEvents(): Outgoing[] {
  const timestamp = noon_us + 10 * minute_us;
  const session = { exchange: "kraken", connection_id: "kraken-1", reason: "rotated" };
  const gap = (id: number) => ({
    ...known,
    timestamp,
    gap_id: `kraken:KNOWN/USD:${id}`,
    from_id: id,
    to_id: id + 9,
    from_timestamp: noon_us + id * second_us,
    to_timestamp: noon_us + (id + 10) * second_us,
  });
  return [
    { ...session, event: "session_closed", timestamp } as const,
    { ...gap(130), event: "gap_filled" } as const,
    { ...gap(430), event: "gap_unfillable" } as const,
    confirmation(600),
  ].map((said) => eventRecord(rig.ids, said));
}

function confirmation(number: number) {
  const through = { through_id: number, through_timestamp: noon_us + number * second_us };
  return { ...known, ...through, event: "confirmed", timestamp: noon_us } as const;
}

/** Within their hours, a day earlier, before and after everything; and copies of what is there. */
function lateRecords(): Outgoing[] {
  const late = busy.flatMap((market) =>
    numbers(10_000, 10_050).map((number) => {
      const timestamp = noon_us - (number % 2) * day_us + Math.floor(random() * 5 * hour_us);
      const times = { timestamp, ingestion_timestamp: timestamp + 2 * day_us };
      return recordOf(market, number, { ...times, source: "BACKFILL" });
    }),
  );
  const again = numbers(1, 3).map((number) =>
    tradeRecord(
      rig.ids,
      { ...twinOf(number), connection_id: "too late", source: "BACKFILL" },
      { partition: 0, timestamp_ms: Date.now() - 3_600_000 },
    ),
  );
  return [...shuffled(late), ...again];
}

function tradesOf(market: Market, first: number, last: number): Outgoing[] {
  return numbers(first, last).map((number) => recordOf(market, number));
}

/** The same trade for the same number, whenever it is asked for. */
function recordOf(market: Market, number: number, over: Partial<TradeRecord> = {}): Outgoing {
  return tradeRecord(rig.ids, { ...tradeOf(market, number, createRandom(number)), ...over });
}

function numbers(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

async function twinRows(): Promise<string[][]> {
  return await rig.rows(`SELECT trade_id, connection_id FROM gold.trades
    WHERE native_symbol = 'TWIN' ORDER BY ALL`);
}

async function completeMinutes(): Promise<number[]> {
  const rows = await rig.rows(`SELECT minute(window_start) FROM gold.ohlcv
    WHERE native_symbol = 'KNOWN/USD' AND interval = '1m' AND is_complete ORDER BY ALL`);
  return rows.flat().map(Number);
}
