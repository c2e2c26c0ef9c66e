/**
 * Goal: `bench producer` measures real work of the outbox, its port and a real broker, loses
 * nothing while that stands still, and says it in the promised line.
 * Method: the command as a process of its own, as short as it can be; what it packs is read back.
 */

import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countRecords, packTrades } from "../../../actors/bench/load.ts";
import { decodeTrade, tradesTopic } from "../../../schemas/mod.ts";
import { tradeOf } from "../producer/records.ts";
import { createBenchRunner, figuresOf } from "./run_bench.ts";

const folder = await mkdtemp(join(tmpdir(), "k2-bench-producer-"));
afterAll(() => rm(folder, { recursive: true }));
const runBench = await createBenchRunner(folder);

const number = String.raw`(\d+(\.\d+)?|NaN)`;

/** Runs it and reads its line, which has these figures and no other, in this order. */
async function bench(flags: object, names: string) {
  const { line, ...rest } = await runBench(["producer"], flags);
  const all = `records seconds cpu_s rss_mb floor_ratio ${names}`.split(" ");
  const pattern = new RegExp(`^${all.map((name) => `${name}=(?<${name}>${number})`).join(" ")}$`);
  return { figures: figuresOf(line, pattern), ...rest };
}

test("packTrades() packs each trade once, with its topic and its bytes", async () => {
  const trades = Array.from({ length: 1_234 }, (_, index) => tradeOf("kraken", "BTC/USD", index));
  const load = await packTrades(trades, {
    exchanges: ["binance", "kraken"],
    flush_count: 100,
    flush_ms: 2,
    buffer_bytes_max: 2 ** 26,
    now_ms: () => 0,
    now_us: () => 0,
  });
  expect(countRecords(load)).toBe(1_234);
  expect(load.packets.length).toBe(13);
  const [packet] = load.packets;
  expect(load.topics[packet![12]!]).toBe(tradesTopic("kraken"));
  const key_end = 15 + packet!.readUInt16LE(13);
  expect(packet!.subarray(15, key_end).toString()).toBe("kraken:BTC/USD");
  const value = packet!.subarray(key_end + 4, key_end + 4 + packet!.readUInt32LE(key_end));
  expect(decodeTrade(value)).toEqual(trades[0]!);
});

test("throughput is compared with that of the Kafka client alone", async () => {
  const names = "records_per_s floor_records_per_s cpu_ratio";
  const { figures, code, stderr } = await bench({ seconds: "0.2" }, names);
  expect([code, stderr]).toEqual([0, expect.not.stringContaining("Error")]);
  const { records, seconds, floor_ratio, records_per_s, floor_records_per_s } = figures;
  expect(records).toBeGreaterThan(0);
  expect(records_per_s).toBeCloseTo(records! / seconds!, -2);
  expect(floor_ratio).toBeCloseTo(records_per_s! / floor_records_per_s!, 1);
}, 120_000);

test("latency is told for each pace", async () => {
  const names = "p50_ms_at_1000 p99_ms_at_1000 p50_ms_at_20000 p99_ms_at_20000";
  const flags = { to: "latency", seconds: "0.5" };
  const { figures, code, stderr } = await bench(flags, names);
  expect([code, stderr]).toEqual([0, expect.not.stringContaining("Error")]);
  expect(figures).toMatchObject({ records: 10_500, floor_ratio: Number.NaN });
  expect(figures.p50_ms_at_1000).toBeGreaterThan(0);
  expect(figures.p99_ms_at_20000).toBeGreaterThanOrEqual(figures.p50_ms_at_20000!);
}, 120_000);

test("a broker that stands still costs no record", async () => {
  const names = "lost withheld spilled_mb rss_before_mb rss_half_mb rss_end_mb";
  const { figures, code, stderr } = await bench({ to: "outage", seconds: "2" }, names);
  expect([code, stderr]).toEqual([0, expect.not.stringContaining("Error")]);
  expect(figures).toMatchObject({ records: 80_000, lost: 0, withheld: 0 });
  expect(figures.rss_end_mb).toBeGreaterThan(0);
}, 120_000);

test("an event of the machine is compared with a message to a callback", async () => {
  const { figures, code } = await bench({ to: "events" }, "event_ns message_ns");
  expect(code).toBe(0);
  const { event_ns, message_ns, floor_ratio } = figures;
  expect(message_ns).toBeGreaterThan(0);
  expect(floor_ratio).toBeCloseTo(message_ns! / event_ns!, 1);
}, 60_000);

test("wrong use is one sentence", async () => {
  const cases = [
    [{ to: "trade" }, '--to is "trade": it must be throughput, latency, outage or events'],
    [{ to: "events", seconds: "1" }, "--seconds does not belong to bench producer --to events"],
    [{ count: "5" }, "--count does not belong to bench producer"],
  ] as const;
  for (const [flags, sentence] of cases) {
    const { code, stderr } = await runBench(["producer"], flags);
    expect([code, stderr]).toEqual([2, expect.stringContaining(sentence)]);
  }
}, 60_000);
