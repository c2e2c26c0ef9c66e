/**
 * Goal: `record` writes every frame as `normalize` reads it, loses nothing without saying so, and
 * ends when it is told.
 * Method: the command as a process of its own against a simulator; what it wrote goes through the
 * very code of `normalize` and is compared, digit by digit, with the simulator's own list.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { exchanges } from "../../actors/exchanges/mod.ts";
import { readFrameLine } from "../../actors/normalizer/frame_line.ts";
import { createLineNormalizer } from "../../actors/normalizer/line_normalizer.ts";
import { startSimulator } from "../../actors/simulator/server.ts";
import { until } from "../actors/producer/rig.ts";

const native_symbols = { binance: ["BTCUSDT", "ETHUSDT"], kraken: ["BTC/USD", "ETH/USD"] };
const root = resolve(import.meta.dir, "../..");
const folder = await mkdtemp(join(tmpdir(), "k2-record-"));
const runner = join(folder, "runner.ts");
let simulator: ReturnType<typeof startSimulator>;

beforeAll(async () => {
  simulator = startTestSimulator(400);
  await writeFile(
    runner,
    `import { run } from "${root}/supervisors/record_command.ts";
     import { exchanges } from "${root}/actors/exchanges/mod.ts";
     import { exit_codes, reasonOf, UsageError } from "${root}/actors/settings/exit.ts";
     import { readSettings } from "${root}/actors/settings/settings.ts";
     const flags = JSON.parse(process.argv[2]);
     const settings = readSettings(process.env, exchanges);
     try {
       process.exitCode = await run({ flags, positionals: [], settings, environment: {}, root: "" });
     } catch (error) {
       console.error(error.name + ": " + reasonOf(error));
       process.exitCode = error instanceof UsageError ? exit_codes.wrong_use : exit_codes.failed;
     }
     process.exit();`,
  );
});
afterAll(async () => {
  await simulator.stop();
  await rm(folder, { recursive: true });
});

function startTestSimulator(rate: number) {
  return startSimulator({ port: 0, hostname: "127.0.0.1", rate, seed: 7, native_symbols });
}

function start(flags: object, { port } = simulator, more: Record<string, string> = {}) {
  return Bun.spawn([process.execPath, "--no-env-file", runner, JSON.stringify(flags)], {
    env: {
      PATH: process.env.PATH ?? "",
      K2_DATA_DIR: join(folder, "data"),
      K2_BINANCE_WS_URL: `ws://127.0.0.1:${port}`,
      K2_BINANCE_REST_URL: `http://127.0.0.1:${port}`,
      K2_KRAKEN_WS_URL: `ws://127.0.0.1:${port}/v2`,
      K2_KRAKEN_REST_URL: `http://127.0.0.1:${port}`,
      ...more,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

const summary = /^frames=(\d+) bytes=(\d+) seconds=\d+\.\d{3}$/;

function countsOf(stderr: string) {
  const [, frames, bytes] = summary.exec(stderr.trimEnd().split("\n").at(-1) ?? "") ?? [];
  return { frames: Number(frames), bytes: Number(bytes) };
}

function normalized(text: string) {
  const normalizeLine = createLineNormalizer(
    exchanges.map((adapter) => ({ adapter, instruments: [] })),
  );
  const results = text.split("\n").map((line, index) => normalizeLine(line, index + 1));
  return {
    rejects: results.flatMap(({ rejects }) => rejects),
    trades: results.flatMap(({ trades }) => trades),
  };
}

async function listed(exchange: string, symbol: string, range: { from: string; to: string }) {
  const url = new URL(`http://127.0.0.1:${simulator.port}/simulator/trades`);
  const query = { exchange, symbol, from_id: range.from, to_id: range.to };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const text = await (await fetch(url)).text();
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

test("what it records is, through normalize, the exchange's own list", async () => {
  const output = join(folder, "frames.ndjson");
  const child = start({ seconds: "3", output });
  const [stdout, stderr, code] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  expect([code, stdout]).toEqual([0, ""]);
  const text = await readFile(output, "utf8");
  const lines = text.trimEnd().split("\n");
  expect(countsOf(stderr)).toEqual({ frames: lines.length, bytes: Buffer.byteLength(text) });

  const readings = lines.map(readFrameLine);
  expect(readings.filter(({ kind }) => kind === "unreadable")).toEqual([]);
  const sessions = Map.groupBy(readings, (it) => (it.kind === "frame" ? it.connection_id : ""));
  expect(sessions.size).toBe(2);
  for (const frames of sessions.values()) {
    // One count for what was received and what was sent, without a hole.
    expect(frames.map((it) => (it.kind === "frame" ? it.frame_sequence : -1))).toEqual(
      frames.map((_, index) => index),
    );
    expect(frames.some((it) => it.kind === "frame" && it.direction === "SENT")).toBe(true);
  }

  const { rejects, trades } = normalized(text.trimEnd());
  expect(rejects).toEqual([]);
  const markets = Map.groupBy(trades, (it) => `${it.exchange} ${it.native_symbol}`);
  expect(markets.size).toBe(4);
  for (const [market, found] of markets) {
    const [exchange = "", symbol = ""] = market.split(" ");
    const unique = new Map(found.map((it) => [it.trade_id, it]));
    const recorded = [...unique.values()].sort((a, b) => Number(a.trade_id) - Number(b.trade_id));
    const range = { from: recorded[0]!.trade_id, to: recorded.at(-1)!.trade_id };
    const wanted = await listed(exchange, symbol, range);
    expect(wanted.length).toBeGreaterThan(50);
    expect(
      recorded.map(({ trade_id, price, quantity, side, timestamp }) => [
        trade_id,
        Number(price),
        Number(quantity),
        side,
        timestamp,
      ]),
    ).toEqual(
      wanted.map(({ trade_id, price, quantity, side, timestamp }) => [
        trade_id,
        Number(price),
        Number(quantity),
        side,
        timestamp,
      ]),
    );
  }
}, 30_000);

test("without --output it writes to stdout until SIGINT, and ends with 0", async () => {
  const child = start({ exchanges: "kraken", symbols: "kraken:BTC/USD" });
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes('"direction":"RECEIVED"')) {
    text += decoder.decode((await reader.read()).value, { stream: true });
  }
  child.kill("SIGINT");
  child.kill("SIGINT");
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    text += decoder.decode(read.value, { stream: true });
  }
  expect(await child.exited).toBe(0);
  const { frames } = countsOf(await child.stderr.text());
  expect(text.trimEnd().split("\n")).toHaveLength(frames);
  expect(text).not.toContain("ETH/USD");
  expect(text).not.toContain('"exchange":"binance"');
}, 30_000);

test("a reader that goes away ends it quietly", async () => {
  const child = start({});
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  expect(await child.exited).toBe(0);
  expect(countsOf(await child.stderr.text()).frames).toBeGreaterThan(0);
}, 30_000);

test("an output that is slow closes the sockets, which is told, and no line is cut", async () => {
  const busy = startTestSimulator(20_000);
  const pipe = join(folder, "pipe");
  const taken = join(folder, "taken.ndjson");
  Bun.spawnSync(["mkfifo", pipe]);
  // Holds the pipe open, and reads of it only once it is told to.
  const reader = Bun.spawn(["sh", "-c", 'exec 3<"$0"; read _; cat <&3 >"$1"', pipe, taken], {
    stdin: "pipe",
  });
  try {
    const child = start({ output: pipe }, busy, { K2_BUFFER_BYTES_MAX: "8MiB" });
    let stderr = "";
    const heard = (async () => {
      for await (const chunk of child.stderr) stderr += new TextDecoder().decode(chunk);
    })();
    await until(() => stderr.split("on purpose").length === 3);
    reader.stdin.write("\n");
    await reader.stdin.end();
    // With room again, both are streaming once more.
    await until(() => stderr.split(" streams").length === 5);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    await Promise.all([heard, reader.exited]);
    const lines = (await readFile(taken, "utf8")).trimEnd().split("\n");
    expect(lines).toHaveLength(countsOf(stderr).frames);
    const kinds = new Set(lines.map((line) => readFrameLine(line).kind));
    expect([...kinds]).toEqual(["frame"]);
    expect(stderr).not.toContain("ended:");
  } finally {
    reader.kill();
    await busy.stop();
  }
}, 60_000);

test("where nothing was received it says so, and ends with 1", async () => {
  const gone = startTestSimulator(1);
  await gone.stop();
  const output = join(folder, "nothing.ndjson");
  const child = start({ seconds: "1", exchanges: "kraken", output }, gone);
  const stderr = await child.stderr.text();
  expect([stderr, await child.exited]).toEqual([
    expect.stringContaining(`No frame came from kraken (ws://127.0.0.1:${gone.port}/v2): check`),
    1,
  ]);
  expect(stderr).toContain("Cannot reach kraken at ");
  expect(await readFile(output, "utf8")).toBe("");
}, 30_000);

test("wrong use and an output that cannot be written are one sentence", async () => {
  const cases = [
    [{ seconds: "soon" }, 2, '--seconds is "soon": it must be a number of seconds above 0'],
    [{ seconds: "0" }, 2, "--seconds"],
    [{ output: "" }, 2, "--output needs the name of a file"],
    [{ exchanges: "mtgox" }, 2, '--exchanges is "mtgox"'],
    [{ symbols: "BTCUSDT" }, 2, '--symbols has "BTCUSDT"'],
    [{ output: join(folder, "no/such/file") }, 1, "Cannot write"],
    [{ output: "/dev/full" }, 1, 'Cannot write "/dev/full"'],
  ] as const;
  for (const [flags, code, sentence] of cases) {
    const child = start(flags);
    const stderr = await child.stderr.text();
    expect([stderr, await child.exited]).toEqual([expect.stringContaining(sentence), code]);
  }
}, 30_000);
