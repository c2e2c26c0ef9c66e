/**
 * Goal: trades of two exchanges reach Gold exactly, on the real broker, port, Spark and DuckDB,
 * whatever is killed on the way.
 * Method: the commands of the README as processes, in one temporary data directory: start, kill
 * the port and the driver, compare, stop, compare with the simulator's own list, kill K2 itself,
 * start again, compare again, and compute every bar once more from the frames alone.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { spawnPort } from "../../actors/port/port.ts";
import { startOfProcess } from "../../actors/port/process.ts";
import { afterOnHost } from "../../actors/port/timers.ts";
import { sendRaw } from "../../actors/producer/raw_sender.ts";
import { openTables } from "./lake_rig.ts";
import { differences, startSimulator } from "./ledger.ts";
import { oracleDifferences } from "./oracle.ts";
import {
  allNodes,
  command,
  environmentOf,
  eventually,
  nodeAt,
  type Platform,
  rowsOf,
  run,
  startPlatform,
  temporaryDataDirectory,
} from "./platform.ts";

const trade_schema = readFileSync(join(import.meta.dir, "../../schemas/trade.avsc"), "utf8");
const rate = "200";
const data = temporaryDataDirectory();
const environment = environmentOf(data.path);
const spark = "k2/platform/work/lake/spark";
const port = "k2/platform/work/feed/producer/port";
const producer = "k2/platform/work/feed/producer/producer";
const exchanges = ["binance", "kraken"];
const up = ["running", "connected"];
const test_ms = 600_000;

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform(["--simulate", "--rate", rate], environment);
}, test_ms);
afterAll(async () => {
  await platform.stop("SIGKILL");
  data[Symbol.dispose]();
});

test(
  "every node of the tree starts, and both exchanges stream",
  async () => {
    await eventually("the lake", async () => {
      const { state } = await platform.node(spark);
      return state === "running" ? state : undefined;
    });
    const tree = await platform.tree();
    for (const exchange of exchanges) {
      const connections = nodeAt(
        tree,
        `k2/platform/work/feed/exchanges/${exchange}/connections`,
      ).children;
      expect(connections.map(({ state }) => state)).toEqual(["streaming"]);
    }
    for (const node of allNodes(tree)) {
      if (node.kind === "port") expect(node.pid).toBeGreaterThan(1);
      expect(node.restarts.total).toBe(0);
    }
  },
  test_ms,
);

test(
  "bars of both exchanges stand in Gold",
  async () => {
    await goldBars();
    expect((await fetch(platform.url("/livez"))).status).toBe(200);
    await eventually("readiness", async () => {
      const { status } = await fetch(platform.url("/readyz"));
      return status === 200 ? status : undefined;
    });
    const metrics = await (await fetch(platform.url("/metrics"))).text();
    expect(metrics).toMatch(/^k2_\w+_total\{?.* \d+$/m);
  },
  test_ms,
);

test(
  "a killed port and a killed driver come back",
  async () => {
    for (const path of [port, spark]) {
      const { pid } = await platform.node(path);
      process.kill(Number(pid), "SIGKILL");
      await eventually(`${path} to come back`, async () => {
        const node = await platform.node(path);
        return node.restarts.total === 1 && node.pid !== pid && up.includes(node.state)
          ? node
          : undefined;
      });
    }
    const { figures } = await platform.node(spark);
    const before = Number(figures.refine_rows_total);
    await eventually("the new driver to refine", async () => {
      const node = await platform.node(spark);
      return Number(node.figures.refine_rows_total) > before ? node : undefined;
    });
  },
  test_ms,
);

test(
  "a live lake validates, and the status command shows the tree",
  async () => {
    const validated = await run(["validate"], environment);
    expect(validated.exit_code).toBe(0);
    const status = await run(["status"], {
      ...environment,
      K2_STATUS_PORT: new URL(platform.url("/")).port,
    });
    expect(status.exit_code).toBe(0);
    expect(status.stdout).toContain("spark");
  },
  test_ms,
);

test(
  "a record of an unknown schema is quarantined, and replayed once the schema is known",
  async () => {
    const ports = JSON.parse(readFileSync(join(data.path, "k2.json"), "utf8")).ports;
    const unknown_id = 1 + (await registerSchema(ports.registry, "first"));
    const [trade] = await rowsOf(
      "SELECT topic, base64(key) AS key, base64(value) AS value FROM bronze.trades LIMIT 1",
      environment,
    );
    const { topic, key, value: encoded } = trade as { topic: string; key: string; value: string };
    const value = Buffer.from(encoded, "base64");
    value.writeUInt32BE(unknown_id, 1);
    const record = { topic, key: Buffer.from(key, "base64"), value };
    await sendRaw(one([record]), {
      cluster: { brokers: `127.0.0.1:${ports.kafka}`, properties: {} },
      topics: [topic],
      data_dir: data.path,
      node: "node",
      spawn: spawnPort,
      after: afterOnHost,
    });
    const bytes = `unhex('${value.toString("hex")}')`;
    const counts = `SELECT (SELECT count(*)::INT FROM silver.quarantine WHERE value = ${bytes}) AS q,
      (SELECT count(*)::INT FROM bronze.trades b JOIN silver.trades USING (topic, partition, "offset")
        WHERE b.value = ${bytes} AND b.key = from_base64('${key}')) AS t`;
    await eventually("the record in quarantine", () => rowsEqual(counts, { q: 1, t: 0 }));
    expect(await registerSchema(ports.registry, "second")).toBe(unknown_id);

    const other = await run(["replay", "--reason", "bad_header"], environment);
    const replayed = await run(["replay", "--since", "1h"], environment);
    const again = await run(["replay"], environment);

    expect([other.stdout, other.exit_code]).toEqual(["replayed=0\n", 0]);
    expect([replayed.stdout, replayed.exit_code]).toEqual(["unknown_schema=1\nreplayed=1\n", 0]);
    expect([again.stdout, again.exit_code]).toEqual(["replayed=0\n", 0]);
    await eventually("the trade in Silver", () => rowsEqual(counts, { q: 1, t: 1 }));
  },
  test_ms,
);

test(
  "a live lake is kept in order when asked, and its size stands on the tree",
  async () => {
    const { exit_code, stdout } = await run(["maintain"], {
      ...environment,
      K2_STATUS_PORT: new URL(platform.url("/")).port,
    });
    expect([exit_code, stdout]).toEqual([0, expect.stringMatching(/gold\.trades +[1-9]/)]);
    const { figures } = await platform.node(spark);
    expect(figures.maintenance_error).toBeNull();
    expect(Number(figures.lake_files)).toBeGreaterThan(0);
    const metrics = await (await fetch(platform.url("/metrics"))).text();
    expect(metrics).toMatch(/^k2_lake_metadata_bytes\{table="gold\.ohlcv"\} \d+$/m);
  },
  test_ms,
);

test(
  "a second start on the same data directory is refused",
  async () => {
    const { exit_code, stderr } = await run(["start", "--simulate"], environment);
    expect(stderr).toContain(`in use by process ${platform.pid}`);
    expect(exit_code).toBe(2);
  },
  test_ms,
);

test(
  "SIGTERM drains everything within 30 s, and nothing stays behind",
  async () => {
    const pids = allNodes(await platform.tree()).flatMap(({ pid }) => pid ?? []);
    const { figures } = await platform.node(producer);
    expect(Number(figures.acknowledged_total)).toBeGreaterThan(0);
    const started_ms = performance.now();
    expect(await platform.stop("SIGTERM")).toBe(0);
    expect(performance.now() - started_ms).toBeLessThan(30_000);
    for (const pid of pids) expect(startOfProcess(Number(pid))).toBeNull();
    const replayed = await run(["replay"], environment);
    expect([replayed.stdout, replayed.exit_code]).toEqual(["", 1]);
    expect(replayed.stderr).toContain("run `bun run start` first");
  },
  test_ms,
);

test(
  "Gold equals the simulator's list, digit by digit, and a stopped lake validates",
  expectExact,
  test_ms,
);

test(
  "a stopped lake is kept in order without Kafka, and stays exact",
  async () => {
    const { exit_code, stdout, stderr } = await run(["maintain", "--format", "json"], environment);
    expect([exit_code, stderr.trimEnd()]).toEqual([
      0,
      `No platform runs on ${data.path}: Spark starts to maintain its lake`,
    ]);
    const { failure, tables } = JSON.parse(stdout);
    expect(failure).toBeNull();
    expect(tables.map(({ table }: { table: string }) => table)).toContain("gold.ohlcv");
    await expectExact();
  },
  test_ms,
);

test(
  "after kill -9 no process stays behind, and the next start goes on exactly",
  async () => {
    const killed = await startAgain();
    const pids = allNodes(await killed.tree()).flatMap(({ pid }) => pid ?? []);
    await killed.stop("SIGKILL");
    await eventually("the ports to end", () =>
      pids.every((pid) => startOfProcess(Number(pid)) === null) ? true : undefined,
    );
    const last = await startAgain();
    await using simulator = await startSimulator(["--rate", rate], environment);
    await eventually("what was sent meanwhile to be in Gold", async () => {
      const { found } = await differences(simulator.url, environment);
      return found.length === 0 ? true : undefined;
    });
    await expectBarsOfFrames(last);
    expect(await last.stop("SIGTERM")).toBe(0);
    await expectExact();
  },
  test_ms,
);

/** Registers the schema of trades with another doc, which makes it another one; returns its id. */
async function registerSchema(registry_port: number, doc: string): Promise<number> {
  const schema = JSON.stringify({ ...JSON.parse(trade_schema), doc });
  const url = `http://127.0.0.1:${registry_port}/subjects/replay-${doc}-value/versions`;
  const response = await fetch(url, { method: "POST", body: JSON.stringify({ schema }) });
  const { id } = (await response.json()) as { id: number };
  return id;
}

async function* one<T>(item: T): AsyncGenerator<T> {
  yield item;
}

async function rowsEqual(
  sql: string,
  row: Readonly<Record<string, number>>,
): Promise<true | undefined> {
  return Bun.deepEquals(await rowsOf(sql, environment), [row]) ? true : undefined;
}

/** Starts the platform once more, until its driver has refined new trades. */
async function startAgain(): Promise<Platform> {
  const again = await startPlatform(["--simulate", "--rate", rate], environment);
  try {
    await eventually("new trades in Gold", async () => {
      const { figures } = await again.node(spark);
      return Number(figures.refine_rows_total ?? 0) > 1000 ? true : undefined;
    });
    return again;
  } catch (error) {
    await again.stop("SIGKILL");
    throw error;
  }
}

/** Once no more comes, every bar is what the verbatim frames say. */
async function expectBarsOfFrames(running: Platform): Promise<void> {
  for (const exchange of exchanges) {
    await command(running, `k2/platform/work/feed/exchanges/${exchange}`, "stop");
  }
  let last = { differences: ["no lake was read"], bars_count: 0 };
  const equal = eventually("all frames and bars to be in the lake", async () => {
    using lake = await openTables(data.path);
    last = await oracleDifferences(lake.connection);
    return last.differences.length === 0 ? true : undefined;
  });
  await equal.catch(() => expect(last.differences).toEqual([]));
  // Seven intervals of four markets.
  expect(last.bars_count).toBeGreaterThanOrEqual(7 * 4);
}

/** Waits for a one-minute bar of every exchange. */
async function goldBars(): Promise<void> {
  await eventually("Gold bars of both exchanges", async () => {
    const { exit_code, stdout } = await run(
      ["query", "SELECT DISTINCT exchange FROM gold.ohlcv ORDER BY 1", "--format", "json"],
      environment,
    );
    if (exit_code !== 0) return undefined;
    const found = JSON.parse(stdout).map((row: { exchange: string }) => row.exchange);
    return Bun.deepEquals(found, exchanges) ? found : undefined;
  });
}

async function expectExact(): Promise<void> {
  await using simulator = await startSimulator(["--rate", rate], environment);
  const { found, counts } = await differences(simulator.url, environment);
  expect(found.slice(0, 5)).toEqual([]);
  expect(Object.keys(counts).length).toBe(4);
  for (const count of Object.values(counts)) expect(count).toBeGreaterThan(100);
  const validated = await run(["validate"], environment);
  expect(validated.exit_code).toBe(0);
  const [bars] = await rowsOf("SELECT count(*)::INT AS n FROM gold.ohlcv", environment);
  expect(Number(bars?.n)).toBeGreaterThan(0);
}
