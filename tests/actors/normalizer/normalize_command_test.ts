/**
 * Goal: the command keeps its word to scripts: lines, counts, exit codes, streams.
 * Method: the command as a process of its own, fed by files and pipes.
 */

import { afterAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fixtureFrames } from "../../fixtures/frames.ts";

const folder = await mkdtemp(join(tmpdir(), "k2-normalize-"));
afterAll(() => rm(folder, { recursive: true }));

const received_us = 1_787_746_340_684_123;
const actors = join(import.meta.dir, "../../../actors");
const runner = `
  import { run } from "${actors}/normalizer/normalize_command.ts";
  import { reasonOf } from "${actors}/settings/exit.ts";
  const { flags, positionals, data_dir } = JSON.parse(process.argv[2]);
  try {
    process.exitCode = await run({ flags, positionals, settings: { data_dir } });
  } catch (error) {
    console.error(error.name + ": " + reasonOf(error));
    process.exitCode = error.name === "UsageError" ? 2 : 1;
  }
  process.exit();
`;
const runner_path = join(folder, "runner.ts");
await writeFile(runner_path, runner);

function start(positionals: readonly string[], flags: object = {}) {
  const invocation = JSON.stringify({ positionals, flags, data_dir: join(folder, "data") });
  return Bun.spawn([process.execPath, runner_path, invocation], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
}

async function runWith(input: string, positionals: readonly string[], flags: object = {}) {
  const child = start(positionals, flags);
  child.stdin.write(input);
  await child.stdin.end();
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { stdout, stderr, code: await child.exited };
}

const frames = ["binance", "kraken"].flatMap((exchange) =>
  fixtureFrames(exchange).map(({ frame }) => JSON.stringify({ exchange, received_us, frame })),
);
const closing_line = /^frames=(\d+) trades=(\d+) control=(\d+) rejected=(\d+) seconds=\d+\.\d+\n$/;

function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

test("normalize turns a file into trades and rejects, and counts them", async () => {
  const path = join(folder, "frames.ndjson");
  const rejects = join(folder, "rejects.ndjson");
  await writeFile(path, `${[...frames, "", "nonsense"].join("\r\n")}\r\n`);
  const { stdout, stderr, code } = await runWith("", [path], { rejects });
  expect(code).toBe(0);
  expect(closing_line.exec(stderr)?.slice(1)).toEqual(["28", "11", "18", "1"]);
  const trades = jsonLines(stdout);
  expect(trades).toHaveLength(11);
  expect(trades[0]).toEqual({
    line: 1,
    message_id: "binance:BTCUSDT:6511036449",
    exchange: "binance",
    symbol: null,
    native_symbol: "BTCUSDT",
    base_asset: null,
    quote_asset: null,
    trade_id: "6511036449",
    side: "BUY",
    price: "64522.19000000",
    quantity: "0.00775000",
    timestamp: 1_784_213_910_202_000,
    ingestion_timestamp: received_us,
    source: "STREAM",
    connection_id: "",
    frame_sequence: 0,
    vendor_data: { event_time: "1784213910202000", is_best_match: "true" },
  });
  const order = trades.map(({ line }) => Number(line));
  expect(order).toEqual(order.toSorted((one, other) => one - other));
  expect(jsonLines(await readFile(rejects, "utf8"))).toEqual([
    { line: 29, reason: "line_unreadable", item: "nonsense" },
  ]);
});

test("normalize reads stdin, and takes names from the cached instrument list", async () => {
  const instrument = {
    exchange: "binance",
    native_symbol: "BTCUSDT",
    base_asset: "BTC",
    quote_asset: "USDT",
    status: "TRADING",
    rest_names: [],
  };
  const cache = { fetched_at: "2026-01-01T00:00:00Z", instruments: [instrument] };
  await Bun.write(join(folder, "data/instruments/binance.json"), JSON.stringify(cache));
  const { stdout, code } = await runWith(frames.join("\n"), ["-"]);
  expect(code).toBe(0);
  expect(jsonLines(stdout)[0]).toMatchObject({ symbol: "BTC/USDT", quote_asset: "USDT" });
  await Bun.write(join(folder, "data/instruments/binance.json"), "damaged");
  const damaged = await runWith(frames.join("\n"), []);
  expect(jsonLines(damaged.stdout)[0]).toMatchObject({ symbol: null });
});

test("normalize of nothing ends well", async () => {
  const { stdout, stderr, code } = await runWith("", []);
  expect([stdout, code]).toEqual(["", 0]);
  expect(closing_line.exec(stderr)?.slice(1)).toEqual(["0", "0", "0", "0"]);
});

test("normalize ends quietly when its reader goes away", async () => {
  const path = join(folder, "many.ndjson");
  await writeFile(path, `${frames[0]}\n`.repeat(50_000));
  const child = start([path]);
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  expect(await child.exited).toBe(0);
  const [, read_count] = closing_line.exec(await child.stderr.text()) ?? [];
  expect(Number(read_count)).toBeLessThan(50_000);
});

test("normalize says in one sentence what it cannot do", async () => {
  const missing = await runWith("", [join(folder, "missing.ndjson")]);
  expect([missing.code, missing.stdout]).toEqual([1, ""]);
  expect(missing.stderr).toMatch(/^FailureError: Cannot read ".*missing.ndjson": ENOENT[^\n]*\n$/);
  expect((await runWith("", [folder])).code).toBe(1);
  const unwritable = await runWith("", [], { rejects: join(folder, "no/such/folder") });
  expect(unwritable.code).toBe(1);
  const path = join(folder, "same.ndjson");
  await writeFile(path, `${frames[0]}\n`);
  const same = await runWith("", [path], { rejects: path });
  expect(same.code).toBe(2);
  expect(await readFile(path, "utf8")).toBe(`${frames[0]}\n`);
});
