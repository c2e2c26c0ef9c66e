/**
 * Goal: `bench feed` measures the live way from the socket to the trade, tells what was lost, and
 * ends by itself.
 * Method: the command as a process of its own against a server that floods it.
 */

import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { floodFrames, startFloodServer } from "./flood_server.ts";

const root = resolve(import.meta.dir, "../../..");
const folder = await mkdtemp(join(tmpdir(), "k2-bench-feed-"));
afterAll(() => rm(folder, { recursive: true }));

const runner = join(folder, "runner.ts");
await writeFile(
  runner,
  `import { run } from "${root}/actors/bench/bench_command.ts";
   import { exchanges } from "${root}/actors/exchanges/mod.ts";
   import { reasonOf } from "${root}/actors/settings/exit.ts";
   import { readSettings } from "${root}/actors/settings/settings.ts";
   const environment = process.env;
   const settings = readSettings(environment, exchanges);
   const invocation = { settings, environment, root: "${root}" };
   const { flags, positionals } = JSON.parse(process.argv[2]);
   try {
     process.exitCode = await run({ ...invocation, flags, positionals });
   } catch (error) {
     console.error(error.name + ": " + reasonOf(error));
     process.exitCode = error.name === "UsageError" ? 2 : 1;
   }
   process.exit();`,
);

const result =
  /^trades=(?<trades>\d+) seconds=(?<seconds>\d+\.\d+) cpu_s=(?<cpu_s>\d+\.\d+) rss_mb=(?<rss_mb>\d+) floor_ratio=(?<floor_ratio>\d+\.\d+|NaN) lost=(?<lost>\d+) p50_ms=(?<p50_ms>\d+\.\d+) p99_ms=(?<p99_ms>\d+\.\d+)$/;

async function bench(
  environment: Readonly<Record<string, string>>,
  flags: object = {},
  positionals: readonly string[] = ["feed"],
) {
  const invocation = JSON.stringify({ flags, positionals });
  const child = Bun.spawn([process.execPath, "--no-env-file", runner, invocation], {
    env: { PATH: process.env.PATH ?? "", K2_DATA_DIR: join(folder, "data"), ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  const groups = result.exec(stdout.trimEnd().split("\n").at(-1) ?? "")?.groups ?? {};
  const figures = Object.fromEntries(
    Object.entries(groups).map(([name, value]) => [name, Number(value)]),
  );
  return { figures, stderr, code };
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

test("to acknowledged, every trade is with a real broker, and the time of each is known", async () => {
  const server = startFloodServer(floodFrames(5_000), 2);
  const flags = { to: "acknowledged" };
  const { figures, code, stderr } = await bench(server.environment, flags);
  await server.stop();
  expect([code, stderr]).toEqual([0, expect.not.stringContaining("Error")]);
  expect(figures).toMatchObject({ trades: 10_000, lost: 0 });
  expect(figures.p50_ms).toBeGreaterThan(0);
  expect(figures.p99_ms).toBeGreaterThanOrEqual(figures.p50_ms!);
}, 120_000);

test("wrong use is one sentence", async () => {
  const cases = [
    [{ to: "record" }, ["feed"], '--to is "record": it must be trade or acknowledged'],
    [{ count: "5" }, ["feed"], "--count does not belong to bench feed"],
    [{ seconds: "5" }, ["normalize"], "--seconds does not belong to bench normalize"],
    [{ seconds: "-5" }, ["feed"], '--seconds is "-5"'],
    [{}, ["feet"], 'Cannot run this bench: "feet", it must be normalize or feed'],
  ] as const;
  for (const [flags, positionals, sentence] of cases) {
    const { code, stderr } = await bench({}, flags, positionals);
    expect([code, stderr]).toEqual([2, expect.stringContaining(sentence)]);
  }
}, 60_000);
