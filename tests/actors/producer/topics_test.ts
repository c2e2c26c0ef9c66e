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

test("topicSpecs() gives a topic to each exchange and one to dead letters", () => {
  expect(specs.map(({ name, partitions }) => [name, partitions])).toEqual([
    ["market.crypto.trades.binance", 3],
    ["market.crypto.trades.kraken", 3],
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

test("the dead-letters topic takes a record that was too large for its own topic", () => {
  expect(specs.at(-1)?.config["max.message.bytes"]).toBe(String(8 * 2 ** 20));
});
