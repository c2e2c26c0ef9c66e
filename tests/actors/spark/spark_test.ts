/**
 * Goal: the actor shows what the driver says, and replaces a driver that is up but makes no
 * progress; a loss stands on the tree until it is accepted.
 * Method: a shell script in Python's place, in virtual time; and once the real driver on a real
 * broker, stopped where it stands.
 */

import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { SimulatedClock } from "xstate";
import { pythonOf } from "../../../actors/port/python.ts";
import { Outbox } from "../../../actors/producer/outbox.ts";
import { topicSpecs } from "../../../actors/producer/topics.ts";
import { MaintenanceDesk } from "../../../actors/spark/maintenance_desk.ts";
import { type SparkConfig, type SparkInput, spark } from "../../../actors/spark/spark.ts";
import {
  incarnate,
  keepingLog,
  startBroker,
  startTopics,
  temporaryFolder,
  until,
} from "../producer/rig.ts";

const root = resolve(import.meta.dir, "../../..");
const folder = temporaryFolder();
afterAll(folder.remove);
let starts = 0;

function configOf(data_dir: string, bootstrap_servers = "127.0.0.1:9"): SparkConfig {
  return {
    bootstrap_servers,
    kafka_options: {},
    trade_topics: ["market.crypto.trades.kraken"],
    frame_topics: ["market.crypto.frames.kraken"],
    event_topic: "market.crypto.events",
    dead_letter_topic: "market.crypto.dead_letters",
    schema_registry_url: "http://127.0.0.1:9",
    schema_registry_username: null,
    schema_registry_password: null,
    schema_registry_ca: null,
    catalog_uri: `jdbc:sqlite:${join(data_dir, "catalog.db")}`,
    warehouse: `file://${join(data_dir, "warehouse")}`,
    checkpoint_dir: join(data_dir, "checkpoints"),
    temp_dir: join(data_dir, "tmp"),
    jars_dir: join(root, ".setup/spark"),
    master: "local[2]",
    driver_memory: "512m",
    driver_java_options: "",
    trigger_seconds: 2,
    max_offsets_per_trigger: 1_000,
    accept_lost_offsets: false,
    mode: "stream",
    maintenance_minutes: 0,
    snapshot_hours_min: 1,
    retention_bronze_days: 7,
    retention_frames_days: 3,
    retention_silver_days: 30,
    retention_gold_days: 0,
  };
}

function begin(change: Pick<SparkInput, "python" | "config" | "after">) {
  const { log, lines } = keepingLog();
  let has_served = false;
  const driver = incarnate(spark, (incarnation) => ({
    incarnation,
    root,
    data_dir: folder.path,
    retention_ms: 24 * 3.6e6,
    maintenance: new MaintenanceDesk(),
    onServing: () => {
      has_served = true;
    },
    log,
    ...change,
  }));
  return { ...driver, lines, hasServed: () => has_served };
}

/** Starts the actor with a script in Python's place. */
function start(body: string) {
  starts += 1;
  const data_dir = join(folder.path, `driver${starts}`);
  mkdirSync(data_dir);
  const python = join(data_dir, "script");
  writeFileSync(python, `#!/bin/sh\nread -r config\n${body}\n`);
  chmodSync(python, 0o755);
  const clock = new SimulatedClock();
  function after(delay_ms: number, callback: () => void): () => void {
    const timer = clock.setTimeout(callback, delay_ms);
    return () => clock.clearTimeout(timer);
  }
  return { clock, ...begin({ python, config: configOf(data_dir), after }) };
}

const serves = `echo '{"type":"ready","queries":["refine"]}'`;

test("what the driver says becomes state and figures", async () => {
  const { report, ready, hasServed, lines, stop, exited } = start(
    `echo '{"type":"offsets_lost","query":"bronze_trades","reason":"t/0 has lost"}'
     ${serves}
     echo '{"type":"progress","query":"bronze_frames","rows":5,"lag_offsets":9,"lag_s":50000}'
     echo '{"type":"progress","query":"bronze_frames","rows":5,"lag_offsets":9,"lag_s":50001}'
     echo '{"type":"warning","reason":"a frame cannot be read"}'
     read -r drain`,
  );
  await ready;
  expect(hasServed()).toBe(true);
  await until(() => lines.some((line) => line.includes("a frame cannot be read")));
  expect(report).toMatchObject({ state: "running", figures: { bronze_frames_rows_total: 10 } });
  expect(report.figures.bronze_trades_stopped).toContain("--accept-lost-offsets");
  expect(report.figures.bronze_frames_lag_warning).toContain("lies 13.9 h behind");
  // Said once, however often it is seen.
  expect(lines.filter((line) => line.includes("lies 13.9 h behind"))).toHaveLength(1);
  expect(lines.filter((line) => line.includes("bronze_trades does not run"))).toHaveLength(1);
  stop();
  expect(await exited).toEqual({ kind: "normal" });
});

test("a driver whose main thread is silent is killed, and that is a crash", async () => {
  const { clock, ready, exited } = start(`${serves}; sleep 1000`);
  await ready;
  for (let looks = 0; looks <= 30; looks += 1) clock.increment(1_000);
  expect(await exited).toEqual({
    kind: "crash",
    reason: "spark is stuck: the driver has sent no heartbeat for 30 s",
  });
});

test("a driver that is told to stop is left to its drain, however silent", async () => {
  const { clock, ready, stop, exited } = start(`${serves}; read -r drain; exit 0`);
  await ready;
  stop();
  for (let looks = 0; looks <= 30; looks += 1) clock.increment(1_000);
  expect(await exited).toEqual({ kind: "normal" });
});

test("a real driver that stands still is replaced", async () => {
  const broker = await startBroker(folder.path);
  try {
    await createTopics(broker.brokers);
    let speed = 1;
    const { report, ready, exited, lines } = begin({
      python: pythonOf(root),
      config: configOf(join(folder.path, "real"), broker.brokers),
      after(delay_ms, callback) {
        const timer = setTimeout(callback, delay_ms / speed);
        return () => clearTimeout(timer);
      },
    });
    await ready;
    const queries = ["refine", "silver_frames", "bronze_trades", "bronze_dead_letters"];
    // Idle queries repeat their figures too.
    await until(() => queries.every((query) => `${query}_timestamp` in report.figures), 120_000);
    process.kill(Number(report.pid), "SIGSTOP");
    speed = 100;
    expect(await exited).toEqual({
      kind: "crash",
      reason: "spark is stuck: the driver has sent no heartbeat for 30 s",
    });
    expect(lines.join("")).not.toContain("does not run");
  } finally {
    broker.stop();
    await broker.exited;
  }
}, 240_000);

async function createTopics(brokers: string): Promise<void> {
  const limits = { trades_partitions: 1, replication_factor: 1 };
  const topics = startTopics({
    brokers,
    data_dir: folder.path,
    topics: topicSpecs({
      exchanges: ["kraken"],
      ...limits,
      retention_ms: 3_600_000,
      retention_bytes: 2 ** 30,
    }),
    outbox: new Outbox({
      exchanges: ["kraken"],
      flush_count: 1,
      flush_ms: 1,
      buffer_bytes_max: 2 ** 20,
      now_ms: () => 0,
      now_us: () => 0,
    }),
  });
  await topics.exited;
}
