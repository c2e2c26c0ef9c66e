/**
 * Goal: topics have the partitions, retention and record sizes that the contract states.
 * Method: the specs for the local defaults.
 */

import { expect, test } from "bun:test";
import { topicSpecs } from "../../../actors/producer/topics.ts";

const specs = topicSpecs({
  exchanges: ["binance", "kraken"],
  trades_partitions: 3,
  replication_factor: 2,
  retention_ms: 86_400_000,
  retention_bytes: 4 * 2 ** 30,
});

test("topicSpecs() gives each exchange its trades and its frames, and one topic to all else each", () => {
  expect(specs.map(({ name, partitions }) => [name, partitions])).toEqual([
    ["market.crypto.trades.binance", 3],
    ["market.crypto.trades.kraken", 3],
    ["market.crypto.frames.binance", 1],
    ["market.crypto.frames.kraken", 1],
    ["market.crypto.events", 1],
    ["market.crypto.dead_letters", 1],
  ]);
  expect(specs.every(({ replication_factor }) => replication_factor === 2)).toBe(true);
});

test("all partitions together keep no more than the retention allows", () => {
  const kept = specs.reduce(
    (sum, { partitions, config }) => sum + partitions * Number(config["retention.bytes"]),
    0,
  );
  expect(kept).toBeLessThanOrEqual(4 * 2 ** 30);
  expect(kept).toBeGreaterThan(3.9 * 2 ** 30);
  for (const { config } of specs) {
    expect(config["retention.ms"]).toBe("86400000");
    // Only whole segments are deleted.
    expect(Number(config["segment.bytes"]) * 8).toBeLessThanOrEqual(
      Number(config["retention.bytes"]),
    );
  }
});

test("all topics but those of trades take large records, into segments that hold them", () => {
  const bytes = 8 * 2 ** 20;
  const small = topicSpecs({
    exchanges: ["kraken"],
    trades_partitions: 3,
    replication_factor: 1,
    retention_ms: 1,
    retention_bytes: 2 ** 24,
  });
  for (const { name, config } of [...specs, ...small]) {
    const is_large = !name.startsWith("market.crypto.trades.");
    expect([name, config["max.message.bytes"]]).toEqual([name, is_large ? `${bytes}` : undefined]);
    if (is_large) expect(Number(config["segment.bytes"])).toBeGreaterThanOrEqual(bytes);
  }
});
