/**
 * Goal: what the feed remembers is there again in the next process, whoever it feeds, what follows
 * an import of history is told from what the live feed missed, and a disk that refuses stops nothing.
 * What waits on disk for Kafka is taken, as far as it is whole.
 * Method: the real files in a temporary folder, opened again by one process after the other.
 */

import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exchanges } from "../../actors/exchanges/mod.ts";
import type { FeedEvent } from "../../actors/messages.ts";
import { Outbox } from "../../actors/producer/outbox.ts";
import { openSpillStore } from "../../actors/producer/spill_store.ts";
import { readSettings } from "../../actors/settings/settings.ts";
import { openFeedMemory } from "../../supervisors/feed_memory.ts";
import { hostEffects, openHostStores } from "../../supervisors/host_effects.ts";
import { fakeLog } from "../actors/connection/fake_exchange.ts";
import { tradeOf } from "../actors/producer/records.ts";

const folder = mkdtempSync(join(tmpdir(), "k2-memory-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const began_us = 1_787_746_340_000_000;

/** One process on a data directory, fed with one symbol of Binance. */
function startProcess(data_dir: string, feeding: "live" | "history") {
  const settings = readSettings(
    { K2_DATA_DIR: data_dir, K2_EXCHANGES: "binance", K2_BINANCE_SYMBOLS: "BTCUSDT" },
    exchanges,
  );
  const events: FeedEvent[] = [];
  const { lines, log } = fakeLog();
  const clock = { ms: 0 };
  const effects = {
    ...hostEffects(data_dir),
    now_us: () => began_us + clock.ms * 1_000,
    monotonic_ns: () => clock.ms * 1e6,
  };
  const stores = openHostStores(data_dir, effects, log);
  const topics = stores.spill.adoptTopics([]);
  const memory = openFeedMemory({
    settings,
    exchanges: settings.exchanges,
    feeding,
    sink: {
      mark: () => 0,
      settled_through: 0,
      addEvent: (event) => void events.push(event),
      topics,
    },
    log,
    stores,
    effects,
  });
  const [binance] = memory.exchanges;
  const continuity = binance?.continuities.get("BTCUSDT");
  if (binance === undefined || continuity === undefined) throw new Error("nothing is remembered");
  return {
    continuity,
    lines,
    memory,
    requests: binance.requests,
    take(...ids: readonly number[]) {
      for (const id of ids) {
        continuity.observe({ trade_id: String(id), timestamp: began_us + id * 1_000 });
      }
    },
    /** What is told once the grace is over. */
    told() {
      clock.ms += 2_000;
      continuity.openOverdue();
      return events
        .splice(0)
        .map(({ event, from_id, found_by }) => [event, from_id, ...(found_by ? [found_by] : [])]);
    },
    /** The broker has everything: the state is stored, and the process ends. */
    end() {
      const state = continuity.state();
      if (state !== null) memory.store.writeStates([state], memory.store.noted_through);
      memory.close();
    },
  };
}

function newDirectory(): string {
  return mkdtempSync(join(folder, "data-"));
}

test("what a live feed missed between two processes is a gap like any other", () => {
  const data_dir = newDirectory();
  const first = startProcess(data_dir, "live");
  first.take(100, 101);
  first.requests.spend(25);
  expect(first.told()).toEqual([["coverage", 100]]);
  first.end();

  const second = startProcess(data_dir, "live");
  second.take(110);
  expect(second.told()).toEqual([["gap_opened", 102, "jump"]]);
  expect(second.requests.figures().weight_used).toBe(25);
  second.memory.close();

  // Killed: the gap that somebody has heard of is the same one again.
  const third = startProcess(data_dir, "history");
  expect(third.told()).toEqual([["gap_opened", 102, "jump"]]);
  third.memory.close();
});

test("what lies between imports, and from them to the first start, is an import's", () => {
  const data_dir = newDirectory();
  const first = startProcess(data_dir, "history");
  first.take(100, 101);
  first.end();

  const second = startProcess(data_dir, "history");
  second.take(200, 201);
  expect(second.told()).toEqual([["gap_opened", 102, "import"]]);
  second.end();

  const third = startProcess(data_dir, "live");
  third.take(300);
  third.continuity.goLive();
  third.take(310);
  expect(third.told()).toEqual([
    ["gap_opened", 202, "import"],
    ["gap_opened", 301, "jump"],
  ]);
  third.end();

  const fourth = startProcess(data_dir, "live");
  fourth.take(320);
  expect(fourth.told()).toEqual([["gap_opened", 311, "jump"]]);
  fourth.memory.close();
});

test("a disk that refuses stops neither requests nor events", () => {
  const data_dir = newDirectory();
  const { continuity, lines, memory, requests, take, told } = startProcess(data_dir, "live");
  const others = ["continuity.db", "budgets.db"].map((file) => new Database(join(data_dir, file)));
  for (const other of others) other.exec("BEGIN IMMEDIATE");
  requests.spend(25);
  take(100, 105);
  expect(told()).toEqual([
    ["coverage", 100],
    ["gap_opened", 101, "jump"],
  ]);
  expect(lines).toEqual([
    "warn Cannot write down request budgets: database is locked",
    "warn Cannot note what is missing: database is locked",
  ]);
  expect([continuity.openGaps().length, requests.figures().weight_used]).toEqual([1, 25]);
  for (const other of others) other.close();
  memory.close();
});

/** Leaves trades on disk as a process does that ends without Kafka. */
function leaveOnDisk(path: string, ids: readonly number[]): void {
  const spill = openSpillStore(path);
  const outbox = new Outbox({
    exchanges: ["binance", "kraken"],
    flush_count: 2,
    flush_ms: 0,
    buffer_bytes_max: 2 ** 23,
    spill,
    spill_bytes_max: 2 ** 30,
    now_ms: () => 0,
    now_us: () => 0,
  });
  outbox.setSchemaIds(Object.fromEntries(outbox.topics.map((topic) => [topic, 1])));
  for (const id of ids) outbox.addTrade(tradeOf("binance", "BTCUSDT", id));
  outbox.addTrade(tradeOf("kraken", "BTC/USD", 7));
  expect(outbox.storeAll()).toBe(true);
  spill.close();
}

test("trades that wait on disk are taken, and only what is between and behind them is missing", () => {
  const data_dir = newDirectory();
  const path = join(data_dir, "spill.db");
  const first = startProcess(data_dir, "live");
  first.take(100, 101);
  expect(first.told()).toEqual([["coverage", 100]]);
  first.end();
  leaveOnDisk(path, [101, 102, 103, 104, 107]);

  const second = startProcess(data_dir, "live");
  expect(second.lines).toEqual([
    "info 6 records of an earlier start wait on disk: they go to Kafka first",
  ]);
  expect(second.continuity.head?.trade_id).toBe(107);
  second.take(110);
  expect(second.told()).toEqual([
    ["gap_opened", 105, "jump"],
    ["gap_opened", 108, "jump"],
  ]);
  second.memory.close();
});

test("a batch that the disk has damaged is missing, and what is whole is not", () => {
  const data_dir = newDirectory();
  const path = join(data_dir, "spill.db");
  const first = startProcess(data_dir, "live");
  first.take(100);
  first.told();
  first.end();
  leaveOnDisk(path, [101, 102, 103, 104, 105, 106]);
  const file = new Database(path);
  file.exec("UPDATE batches SET checksum = checksum + 1 WHERE id = 2");
  file.close();

  const second = startProcess(data_dir, "live");
  expect(second.lines[0]).toBe(
    "error 2 records that waited on disk are damaged: they are fetched again",
  );
  expect(second.told()).toEqual([["gap_opened", 103, "jump"]]);
  second.memory.close();
});
