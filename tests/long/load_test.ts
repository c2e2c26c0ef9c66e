/**
 * Goal: ten minutes under load, with the port and the driver each killed on the way, cost no trade
 * and no digit, and little memory.
 * Method: the platform as a process at 500 trades/s (`LOAD_RATE`, `LOAD_SECONDS` change it),
 * then Gold against the simulator's own list, and DuckDB's checks.
 */

import { expect, test } from "bun:test";
import { differences, startSimulator } from "../end_to_end/ledger.ts";
import {
  allNodes,
  command,
  environmentOf,
  eventually,
  nodeAt,
  rowsOf,
  run,
  startPlatform,
  temporaryDataDirectory,
} from "../end_to_end/platform.ts";

const rate = process.env.LOAD_RATE ?? "500";
const seconds = Number(process.env.LOAD_SECONDS ?? "600");
const spark = "k2/platform/work/lake/spark";
const port = "k2/platform/work/feed/producer/port";
const exchanges_path = "k2/platform/work/feed/exchanges";

test("ten minutes under load end exactly", async () => {
  using data = temporaryDataDirectory();
  const environment = environmentOf(data.path, { K2_SPARK_DRIVER_JAVA_OPTIONS: "" });
  const platform = await startPlatform(["--simulate", "--rate", rate], environment);
  try {
    await eventually("the lake", async () =>
      (await platform.node(spark)).state === "running" ? true : undefined,
    );
    const memory = await underLoad(platform, environment);
    await platform.stop("SIGTERM");
    await using simulator = await startSimulator(["--rate", rate], environment);
    const { found, counts } = await differences(simulator.url, environment);
    console.log(JSON.stringify({ counts, ...memory }));
    expect(found.slice(0, 5)).toEqual([]);
    expect(Object.keys(counts)).toHaveLength(4);
    const in_gold = Object.values(counts).reduce((sum, count) => sum + count, 0);
    expect(in_gold).toBe(memory.acknowledged);
    const [sums] = await rowsOf(
      `SELECT (SELECT count(*) FROM gold.trades)::VARCHAR AS trades,
         (SELECT sum(trade_count) FROM gold.ohlcv WHERE interval = '1m')::VARCHAR AS in_bars`,
      environment,
    );
    expect(sums?.in_bars).toBe(sums?.trades);
    const validated = await run(["validate"], environment);
    console.log(validated.stdout);
    expect(validated.exit_code).toBe(0);
  } finally {
    await platform.stop("SIGKILL");
  }
});

/** Runs for the stated time, kills each of the two once, and waits until nothing is behind. */
async function underLoad(
  platform: Awaited<ReturnType<typeof startPlatform>>,
  environment: Readonly<Record<string, string>>,
) {
  const started_ms = performance.now();
  const kills = [
    { path: port, at: 0.3 },
    { path: spark, at: 0.5 },
  ];
  let rss_mb_max = 0;
  let by_process: Record<string, number> = {};
  await eventually(
    "the end of the load",
    async () => {
      const share = (performance.now() - started_ms) / 1000 / seconds;
      const next = kills[0];
      if (next !== undefined && share > next.at) {
        kills.shift();
        process.kill(Number((await platform.node(next.path)).pid), "SIGKILL");
      }
      const now = memoryOf(platform.pid, await pidsOf(platform));
      if (now.total > rss_mb_max) {
        rss_mb_max = now.total;
        by_process = now.by_process;
      }
      return share >= 1 ? true : undefined;
    },
    seconds * 1000 + 60_000,
  );
  for (const path of [port, spark]) {
    expect((await platform.node(path)).restarts.total).toBe(1);
  }
  await command(platform, exchanges_path, "stop");
  let settled = { received: -1, since_ms: 0 };
  const acknowledged = await eventually("every trade to be acknowledged", async () => {
    const tree = await platform.tree();
    if (nodeAt(tree, exchanges_path).state !== "stopped") return undefined;
    const { figures } = nodeAt(tree, "k2/platform/work/feed/producer/producer");
    const received = Number(figures.received_total);
    const is_settled = figures.in_flight === 0 && figures.buffered === 0;
    // The producer's figures are half a second old, so they have to stay as they are for longer.
    if (!is_settled || received !== settled.received) {
      settled = { received, since_ms: performance.now() };
    }
    if (performance.now() - settled.since_ms < 2_000) return undefined;
    return allNodes(tree)
      .filter(({ path }) => path.includes("/normalizers/"))
      .reduce((sum, node) => sum + Number(node.figures.trades_total), 0);
  });
  // Asked of Gold itself: the driver's figures are as old as its latest report.
  await eventually("every acknowledged trade in Gold", async () => {
    const [row] = await rowsOf("SELECT count(*)::VARCHAR AS trades FROM gold.trades", environment);
    return Number(row?.trades) >= acknowledged ? true : undefined;
  });
  return { acknowledged, rss_mb_max, by_process };
}

async function pidsOf(platform: Awaited<ReturnType<typeof startPlatform>>) {
  return allNodes(await platform.tree()).flatMap(({ pid }) => pid ?? []);
}

/** Resident memory of K2, its ports and all their descendants, in MiB. */
function memoryOf(pid: number, ports: readonly number[]) {
  const { stdout } = Bun.spawnSync(["ps", "-eo", "pid=,pgid=,rss=,comm="]);
  const groups = new Set(ports);
  const by_process: Record<string, number> = {};
  let total = 0;
  for (const line of stdout.toString().trim().split("\n")) {
    const [id = "", group = "", rss = "0", name = ""] = line.trim().split(/\s+/);
    if (Number(id) !== pid && !groups.has(Number(group))) continue;
    const mebibytes = Number(rss) / 1024;
    total += mebibytes;
    by_process[name] = Math.round((by_process[name] ?? 0) + mebibytes);
  }
  return { total: Math.round(total), by_process };
}
