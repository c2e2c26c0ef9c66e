/**
 * Goal: the bench measures real work on real forms of frames, and says it in the promised line.
 * Method: its frames against the adapters that it measures; the command as a process of its own.
 */

import { expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exchangeOf } from "../../../actors/bench/bench_frame.ts";
import { measure } from "../../../actors/bench/measure.ts";
import { seedFrames } from "../../../actors/bench/seed_frames.ts";
import { recordStretch, tradeStretch } from "../../../actors/bench/stretch.ts";
import { exchangeNamed, exchanges } from "../../../actors/exchanges/mod.ts";
import { fixtureFrames } from "../../fixtures/frames.ts";

const frames = seedFrames(3000);

test("seedFrames() makes the same readable frames of both exchanges every time", () => {
  expect(seedFrames(3000)).toEqual(frames);
  const kinds = new Map<string, number>();
  for (const { exchange, text } of frames) {
    const frame = exchangeNamed(exchange)!.parse(text);
    if (frame.kind === "trades") expect(frame.rejects).toEqual([]);
    const kind = `${exchange} ${frame.kind}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  expect(kinds.get("binance trades")).toBeGreaterThan(1000);
  expect(kinds.get("kraken trades")).toBeGreaterThan(1000);
  expect(kinds.get("kraken heartbeat")).toBeGreaterThan(0);
  expect([...kinds.keys()].filter((kind) => kind.endsWith("unreadable"))).toEqual([]);
});

test("exchangeOf() finds whose frame it is", () => {
  for (const { exchange } of exchanges) {
    for (const { frame } of fixtureFrames(exchange))
      expect(exchangeOf(frame, exchanges)).toBe(exchange);
  }
});

test("both stretches make every trade, and both floors do their work", () => {
  const trades_count = frames
    .map(({ exchange, text }) => exchangeNamed(exchange)!.parse(text))
    .reduce((sum, frame) => sum + (frame.kind === "trades" ? frame.trades.length : 0), 0);
  for (const stretch of [tradeStretch(frames, exchanges), recordStretch(frames, exchanges)]) {
    expect(stretch.ours()).toBe(trades_count);
  }
  expect(tradeStretch(frames, exchanges).createFloor()()).toBe(frames.length);
  expect(recordStretch(frames, exchanges).createFloor()()).toBe(trades_count);
});

test("measure() tells how much faster one way is than its floor", () => {
  const spin = (rounds: number) => () => {
    let sum = 0;
    for (let round = 0; round < rounds * 100_000; round += 1) sum += Math.sqrt(round);
    return sum > 0 ? rounds : 0;
  };
  const { trades, floor_ratio } = measure({ ours: spin(10), createFloor: () => spin(40) }, 0.05);
  expect(trades).toBe(10);
  expect(floor_ratio).toBeGreaterThan(2);
  expect(floor_ratio).toBeLessThan(8);
}, 60_000);

test("bench normalize ends with its line, for raw frames from a file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "k2-bench-"));
  try {
    const path = join(folder, "frames.txt");
    await writeFile(path, frames.map(({ text }) => text).join("\n"));
    const command = join(import.meta.dir, "../../../actors/bench/bench_command.ts");
    const script = `import { run } from ${JSON.stringify(command)};
      const flags = { frames: ${JSON.stringify(path)}, to: "record" };
      process.exit(await run({ flags, positionals: ["normalize"] }));`;
    await writeFile(join(folder, "run.ts"), script);
    const child = Bun.spawn([process.execPath, join(folder, "run.ts")], {
      stdout: "pipe",
      stderr: "ignore",
    });
    const lines = (await child.stdout.text()).trimEnd().split("\n");
    expect(await child.exited).toBe(0);
    expect(lines.at(-1)).toMatch(
      /^trades=\d{4} seconds=\d+\.\d+ cpu_s=\d+\.\d+ rss_mb=\d+ floor_ratio=\d+\.\d+$/,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}, 60_000);
