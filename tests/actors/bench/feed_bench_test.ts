/**
 * Goal: `bench feed` measures the live way from the socket to the trade, tells what was lost, and
 * ends by itself.
 * Method: the command as a process of its own against a server that floods it.
 */

import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { floodFrames, startFloodServer } from "./flood_server.ts";
import { createBenchRunner, figuresOf } from "./run_bench.ts";

const folder = await mkdtemp(join(tmpdir(), "k2-bench-feed-"));
afterAll(() => rm(folder, { recursive: true }));
const runBench = await createBenchRunner(folder);

const result =
  /^trades=(?<trades>\d+) seconds=(?<seconds>\d+\.\d+) cpu_s=(?<cpu_s>\d+\.\d+) rss_mb=(?<rss_mb>\d+) floor_ratio=(?<floor_ratio>\d+\.\d+|NaN) lost=(?<lost>\d+) p50_ms=(?<p50_ms>\d+\.\d+) p99_ms=(?<p99_ms>\d+\.\d+)$/;

async function bench(
  environment: Readonly<Record<string, string>>,
  flags: object = {},
  positionals: readonly string[] = ["feed"],
) {
  const { line, ...rest } = await runBench(positionals, flags, environment);
  return { figures: figuresOf(line, result), ...rest };
}

test("every trade of both exchanges is counted, none is lost, and the floor is measured", async () => {
  const server = startFloodServer(floodFrames(30_000));
  const { figures, code, stderr } = await bench(server.environment, { to: "trade" });
  await server.stop();
  expect([code, stderr]).toEqual([0, expect.not.stringContaining("Error")]);
  expect(figures).toMatchObject({ trades: 60_000, lost: 0 });
  expect(figures.floor_ratio).toBeGreaterThan(0);
  expect(figures.seconds).toBeGreaterThan(0);
  expect(figures.cpu_s).toBeGreaterThan(0);
  expect(figures.p99_ms).toBeGreaterThanOrEqual(figures.p50_ms!);
}, 120_000);

test("ids that the sockets skip are lost", async () => {
  const server = startFloodServer(floodFrames(2_000, [500, 501, 1_200]), 2);
  const { figures, code } = await bench(server.environment);
  await server.stop();
  expect(code).toBe(0);
  expect(figures).toMatchObject({ trades: 2 * 1_997, lost: 6 });
}, 120_000);

test("a source that sends its trades but once is measured, without a floor", async () => {
  const server = startFloodServer(floodFrames(2_000), 2);
  const { figures, code } = await bench(server.environment, { seconds: "1" });
  await server.stop();
  expect(code).toBe(0);
  expect(figures).toMatchObject({ trades: 4_000, lost: 0 });
  expect(figures.floor_ratio).toBeNaN();
}, 120_000);

test("to acknowledged, a real broker has every trade, and the Kafka client alone is the floor", async () => {
  const server = startFloodServer(floodFrames(5_000));
  const flags = { to: "acknowledged" };
  const { figures, code, stderr } = await bench(server.environment, flags);
  await server.stop();
  expect([code, stderr]).toEqual([0, expect.not.stringContaining("Error")]);
  expect(figures).toMatchObject({ trades: 10_000, lost: 0 });
  expect(figures.p50_ms).toBeGreaterThan(0);
  expect(figures.p99_ms).toBeGreaterThanOrEqual(figures.p50_ms!);
  expect(figures.floor_ratio).toBeGreaterThan(0);
}, 120_000);

test("wrong use is one sentence", async () => {
  const cases = [
    [{ to: "record" }, ["feed"], '--to is "record": it must be trade or acknowledged'],
    [{ count: "5" }, ["feed"], "--count does not belong to bench feed"],
    [{ seconds: "5" }, ["normalize"], "--seconds does not belong to bench normalize"],
    [{ seconds: "-5" }, ["feed"], '--seconds is "-5"'],
    [{}, ["feet"], 'Cannot run this bench: "feet", it must be one of normalize, feed, producer'],
  ] as const;
  for (const [flags, positionals, sentence] of cases) {
    const { code, stderr } = await bench({}, flags, positionals);
    expect([code, stderr]).toEqual([2, expect.stringContaining(sentence)]);
  }
}, 60_000);
