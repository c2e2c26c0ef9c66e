/**
 * What the tests of the lake stand on: a real broker, a real registry with the schemas, records
 * produced by a client that is not ours, the Spark driver as the platform runs it, which can be
 * killed at any moment, and DuckDB over the tables. Everything that was produced is remembered
 * with its offset: it alone is what the lake is compared with.
 *
 * @module
 */

import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { Admin, Producer } from "@platformatic/kafka";
import { signalGroup } from "../../actors/port/process.ts";
import { pythonOf } from "../../actors/port/python.ts";
import { afterOnHost } from "../../actors/port/timers.ts";
import { Outbox } from "../../actors/producer/outbox.ts";
import { topicSpecs } from "../../actors/producer/topics.ts";
import { registerSchemas } from "../../actors/registry/client.ts";
import { registryActor } from "../../actors/registry/registry.ts";
import { MaintenanceDesk } from "../../actors/spark/maintenance_desk.ts";
import { type SparkInput, spark } from "../../actors/spark/spark.ts";
import { catalogPath } from "../../actors/validator/catalog_path.ts";
import { type Lake, newestView, openLake, readLake } from "../../actors/validator/lake.ts";
import { consumedPositions } from "../../actors/validator/table_metadata.ts";
import {
  dead_letters_topic,
  events_topic,
  framesTopic,
  schemasByTopic,
  tradesTopic,
} from "../../schemas/mod.ts";
import { incarnate, keepingLog, startBroker, startTopics } from "../actors/producer/rig.ts";
import { differencesOf, type Sent } from "./lake_expected.ts";
import { type Outgoing, odd_schemas, trades_partitions } from "./lake_records.ts";
import { eventually, quick_java } from "./platform.ts";

const root = resolve(import.meta.dir, "../..");
/** Exchanges of the tests of the lake. */
export const exchanges = ["binance", "kraken"] as const;

/** Of so many earlier states of the bars is asked what they called complete. */
const states_max = 50;

/** What `startLakeRig` gives. */
export type LakeRig = Awaited<ReturnType<typeof startLakeRig>>;

/** A running driver. */
export type Driver = ReturnType<LakeRig["startDriver"]>;

/** A broker with its topics and a registry with its schemas, in a folder. */
export async function startLakeRig(folder: string) {
  const broker = await startBroker(join(folder, "kafka"));
  const registry = incarnate(registryActor, (incarnation) => ({
    incarnation,
    database_path: join(folder, "registry.db"),
    port: 0,
  }));
  await registry.ready;
  const registry_url = `http://127.0.0.1:${registry.report.figures.port}`;
  const ids = await registerSchemas(
    { url: registry_url, login: null, ca: null },
    { ...schemasByTopic(exchanges), ...odd_schemas },
    { fetch, signal: AbortSignal.timeout(30_000) },
  );
  await createTopics(broker.brokers, folder);
  const producer = await openProducer(broker.brokers);
  const place = { folder, brokers: broker.brokers, registry_url };
  return {
    /** The registry's ids of schemas by topic. */
    ids,
    /** All that was produced. */
    sent: producer.sent,
    produce: producer.produce,
    startDriver: (options: DriverOptions = {}) => startDriver(place, options),
    /** Has Kafka lose what a partition holds before an offset, as retention does. */
    lose: (topic: string, partition: number, offset: number) =>
      lose(broker.brokers, { topic, partition, offset }),
    /** As if somebody had deleted it: no query knows what it has read. */
    deleteCheckpoints: () => rmSync(join(folder, "lake/checkpoints"), { recursive: true }),
    open: () => openTables(folder),
    /** Rows of a query, each value as text. */
    rows: (sql: string) => rowsOf(folder, sql),
    /** Where the lake differs from what was produced, by table; nothing where it is exact. */
    async differences() {
      using lake = await openTables(folder);
      return await differencesOf(lake.connection, producer.sent);
    },
    brokenPromises: () => brokenPromises(folder),
    /** Resolves once bars have taken in all that was produced. */
    untilCaughtUp: () => untilCaughtUp(folder, producer.sent),
    async [Symbol.asyncDispose]() {
      await producer.close();
      registry.stop();
      await registry.exited;
      broker.stop();
      await broker.exited;
    },
  };
}

async function createTopics(brokers: string, folder: string): Promise<void> {
  const limits = { flush_count: 100, flush_ms: 2, buffer_bytes_max: 2 ** 20 };
  const clocks = { now_ms: () => performance.now(), now_us: () => Date.now() * 1_000 };
  const topics = startTopics({
    brokers,
    data_dir: folder,
    topics: topicSpecs({
      exchanges,
      trades_partitions,
      replication_factor: 1,
      retention_ms: 86_400_000,
      retention_bytes: 2 ** 32,
    }),
    outbox: new Outbox({ exchanges, ...limits, ...clocks }),
  });
  const exit = await topics.exited;
  if (exit.kind !== "normal") throw new Error(`No topics: ${JSON.stringify(exit)}`);
}

/** A client that is not ours, and everything that it has sent. */
async function openProducer(brokers: string) {
  const producer = new Producer({ clientId: "test", bootstrapBrokers: [brokers], retries: 0 });
  const sent: Sent[] = [];
  const ends = new Map<string, number>();
  async function produce(records: readonly Outgoing[]): Promise<void> {
    const stamped = records.map((record) => ({ timestamp_ms: Date.now(), ...record }));
    const messages = stamped.map(({ topic, partition, key, value, timestamp_ms }) => ({
      topic,
      partition,
      key,
      ...(value === null ? {} : { value }),
      timestamp: BigInt(timestamp_ms),
    }));
    const { offsets = [] } = await producer.send({ messages, acks: -1, autocreateTopics: false });
    // The broker's own word on where each partition's records begin.
    for (const { topic, partition, offset } of offsets) {
      const end = ends.get(`${topic} ${partition}`) ?? 0;
      if (Number(offset) !== end) throw new Error(`${topic} goes on at ${offset}, not at ${end}`);
    }
    for (const record of stamped) {
      const name = `${record.topic} ${record.partition}`;
      const offset = ends.get(name) ?? 0;
      ends.set(name, offset + 1);
      sent.push({ ...record, offset });
    }
  }
  return { sent, produce, close: async () => await producer.close() };
}

async function lose(
  brokers: string,
  { topic, partition, offset }: Pick<Sent, "topic" | "partition" | "offset">,
): Promise<void> {
  const admin = new Admin({ clientId: "test", bootstrapBrokers: [brokers] });
  try {
    const partitions = [{ partition, offset: BigInt(offset) }];
    await admin.deleteRecords({ topics: [{ name: topic, partitions }] });
  } finally {
    await admin.close();
  }
}

interface DriverOptions {
  /** The boundary at which the driver is to kill itself. */
  readonly fault?: string | null;
  /** As `start --accept-lost-offsets`. */
  readonly accept_lost_offsets?: boolean;
}

interface Place {
  readonly folder: string;
  readonly brokers: string;
  readonly registry_url: string;
}

function startDriver(
  { folder, brokers, registry_url }: Place,
  { fault = null, accept_lost_offsets = false }: DriverOptions,
) {
  const { log, lines } = keepingLog();
  const config = {
    bootstrap_servers: brokers,
    kafka_options: {},
    trade_topics: exchanges.map(tradesTopic),
    frame_topics: exchanges.map(framesTopic),
    event_topic: events_topic,
    dead_letter_topic: dead_letters_topic,
    schema_registry_url: registry_url,
    schema_registry_username: null,
    schema_registry_password: null,
    schema_registry_ca: null,
    catalog_uri: `jdbc:sqlite:${catalogOf(folder)}`,
    warehouse: `file://${join(folder, "lake/warehouse")}`,
    checkpoint_dir: join(folder, "lake/checkpoints"),
    temp_dir: join(folder, "tmp"),
    jars_dir: join(root, ".setup/spark"),
    master: "local[*]",
    driver_memory: "1g",
    driver_java_options: quick_java,
    trigger_seconds: 0.5,
    max_offsets_per_trigger: 100_000,
    mode: "stream",
    maintenance_minutes: 0,
    snapshot_hours_min: 1,
    retention_bronze_days: 7,
    retention_frames_days: 3,
    retention_silver_days: 30,
    retention_gold_days: 0,
    accept_lost_offsets,
    fault,
  } as const;
  const driver = incarnate(
    spark,
    (incarnation): SparkInput => ({
      incarnation,
      root,
      data_dir: folder,
      config,
      maintenance: new MaintenanceDesk(),
      python: pythonOf(root),
      retention_ms: 86_400_000,
      onServing: () => {},
      log,
      after: afterOnHost,
    }),
  );
  return {
    ...driver,
    lines,
    /** As `kill -9` of Python and the JVM; nothing of them runs when this resolves. */
    async [Symbol.asyncDispose](): Promise<void> {
      const { pid } = driver.report;
      // Where there is no process, 0 would be our own group.
      if (pid === null) throw new Error("The driver has no process");
      signalGroup(pid, "SIGKILL");
      await driver.exited;
    },
    /** Lets the running batch end. */
    async drain(): Promise<void> {
      driver.stop();
      const exit = await driver.exited;
      if (exit.kind !== "normal") throw new Error(JSON.stringify(exit));
    },
  };
}

function catalogOf(folder: string): string {
  return catalogPath({ data_dir: folder, catalog_uri: null });
}

/** DuckDB over the newest snapshot of every table of the lake in a data directory. */
export async function openTables(folder: string): Promise<Lake> {
  const tables = await readLake(catalogOf(folder));
  return await openLake({ root, data_dir: folder, views: tables.map(newestView) });
}

/**
 * Bars that an earlier state of the table called complete and that are not like that any more, as
 * long as what was produced never speaks of a complete bar again.
 */
async function brokenPromises(folder: string): Promise<string[]> {
  const tables = await readLake(catalogOf(folder));
  const bars = tables.find(({ name }) => name === "gold.ohlcv")!;
  const [newest, ...older] = bars.metadata.snapshots;
  const step = Math.ceil(older.length / states_max);
  const states = older.filter((_, index) => index % step === 0);
  const views = states.map(({ snapshot_id }, index) => ({
    table: { ...bars, schema: "earlier", name: `earlier.state_${index}` },
    snapshot_id,
  }));
  const now = { table: bars, snapshot_id: newest!.snapshot_id };
  using lake = await openLake({ root, data_dir: folder, views: [now, ...views] });
  const found: string[] = [];
  for (const { table } of views) {
    const reader = await lake.connection.runAndReadAll(
      `SELECT * EXCLUDE (updated_at) FROM ${table.name} WHERE is_complete
       EXCEPT SELECT * EXCLUDE (updated_at) FROM gold.ohlcv`,
    );
    found.push(...reader.getRows().map(String));
  }
  return found;
}

async function rowsOf(folder: string, sql: string): Promise<string[][]> {
  using lake = await openTables(folder);
  const reader = await lake.connection.runAndReadAll(sql);
  return reader.getRows().map((values) => values.map(String));
}

async function untilCaughtUp(folder: string, sent: readonly Sent[]): Promise<void> {
  const wanted = new Map<string, Map<number, number>>();
  for (const { topic, partition, offset } of sent) {
    const ends = wanted.getOrInsertComputed(topic, () => new Map());
    ends.set(partition, Math.max(offset + 1, ends.get(partition) ?? 0));
  }
  await eventually("bars of everything that was produced", async () => {
    const tables = await readLake(catalogOf(folder)).catch(() => []);
    const bars = tables.find(({ name }) => name === "gold.ohlcv");
    const consumed = bars === undefined ? null : consumedPositions(bars.metadata);
    const refined = [...exchanges.map(tradesTopic), events_topic];
    const is_refined = refined.every((topic) =>
      [...(wanted.get(topic) ?? [])].every(
        ([partition, end]) => (consumed?.[topic]?.[partition] ?? 0) >= end,
      ),
    );
    return is_refined ? true : undefined;
  });
  const frames = sent.filter(({ means }) => means.kind === "frames").length;
  const letters = sent.filter(({ means }) => means.kind === "letter").length;
  await eventually("frames in Silver and dead letters in Bronze", async () => {
    const [[in_silver, in_bronze] = []] = await rowsOf(
      folder,
      "SELECT (SELECT count(*) FROM silver.frames), (SELECT count(*) FROM bronze.dead_letters)",
    );
    return Number(in_silver) >= frames && Number(in_bronze) >= letters ? true : undefined;
  });
}
