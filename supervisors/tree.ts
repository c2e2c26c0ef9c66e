/**
 * The supervision tree, as data.
 *
 * Here and in `feed_tree.ts`, its largest branch, stands who runs, in which order, under whose
 * care, and who talks to whom. Actors find each other by the system ids given here. What must
 * survive a crash - the outbox of unacknowledged records, the continuity of each symbol, the
 * budgets - is a plain object, handed to each incarnation.
 *
 * @module
 */

import { join } from "node:path";
import { type BrokerInput, brokerActor } from "../actors/broker/broker.ts";
import { pythonOf } from "../actors/port/python.ts";
import type { OutboxOptions } from "../actors/producer/outbox.ts";
import type { SpillStore } from "../actors/producer/spill.ts";
import { type TopicsInput, topicSpecs, topicsActor } from "../actors/producer/topics.ts";
import { type RegistryAccess, registerSchemas } from "../actors/registry/client.ts";
import { type RegistryInput, registryActor } from "../actors/registry/registry.ts";
import { readPem } from "../actors/settings/pem_file.ts";
import type { Settings } from "../actors/settings/settings.ts";
import { type SimulatorPortInput, simulatorPort } from "../actors/simulator/simulator_port.ts";
import { javaClientOptions } from "../actors/spark/kafka_options.ts";
import { type SparkConfig, type SparkInput, spark } from "../actors/spark/spark.ts";
import { catalogFile } from "../actors/validator/catalog_path.ts";
import { type ValidatorInput, validateCommand, validator } from "../actors/validator/validator.ts";
import {
  dead_letters_topic,
  events_topic,
  framesTopic,
  schemasByTopic,
  tradesTopic,
} from "../schemas/mod.ts";
import { type Effects, monotonicMs } from "./effects.ts";
import { feed } from "./feed_tree.ts";
import {
  cool_down,
  type Ground,
  intensity,
  part_intensity,
  type Simulation,
  shutdown,
  type TreeParts,
} from "./ground.ts";
import { type ChildSpec, type SupervisorSpec, supervisorChild } from "./supervisor.ts";

/** A first start of Spark on a busy machine. */
const spark_start_ms_max = 300_000;
/**
 * With fewer, the tasks of trades wait in line behind one that takes seconds, of frames or of
 * maintenance, where the cores would have taken turns.
 */
const spark_slots_min = 4;

/**
 * The outbox that every incarnation of producer and port works on, as settings want it.
 *
 * @param spill Where records wait on disk; null where none can.
 */
export function outboxOptions(
  settings: Settings,
  effects: Pick<Effects, "now_us" | "monotonic_ns">,
  spill: SpillStore | null,
): OutboxOptions {
  return {
    exchanges: settings.exchanges.map(({ exchange }) => exchange),
    flush_count: settings.flush_count,
    flush_ms: settings.flush_ms,
    buffer_bytes_max: settings.buffer_bytes_max,
    spill_bytes_max: settings.spill_bytes_max,
    disk_free_min: settings.disk_free_min,
    spill,
    now_ms: () => monotonicMs(effects),
    now_us: effects.now_us,
  };
}

/** Makes the tree. */
export function plantTree(parts: TreeParts): SupervisorSpec & { readonly id: string } {
  const { settings, ports, role } = parts;
  const brokers = settings.kafka.brokers ?? `127.0.0.1:${ports.kafka}`;
  const ground: Ground = {
    ...parts,
    cluster: { brokers, properties: settings.kafka.properties },
    registry: registryAccess(settings, ports.registry),
  };
  const { memory } = parts;
  const work = [
    ...(memory === null ? [] : [feed(ground, memory)]),
    ...(role === "feed" ? [] : [lake(ground)]),
  ];
  const platform = supervisorChild({
    id: "platform",
    strategy: "rest_for_one",
    ...part_intensity,
    children: [
      infrastructure(ground),
      supervisorChild({ id: "work", strategy: "one_for_one", ...part_intensity, children: work }),
    ],
  });
  return {
    id: "k2",
    strategy: "one_for_one",
    restarts_max: intensity.restarts_max,
    window_ms: part_intensity.window_ms,
    children: [
      parts.status,
      ...(parts.simulate === null ? [] : [simulator(ground, parts.simulate)]),
      platform,
    ],
  };
}

/** @param port Of the embedded registry. */
function registryAccess(settings: Settings, port: number): RegistryAccess {
  const { schema_registry_url: url, schema_registry_login, schema_registry_ca_location } = settings;
  if (url === null) return { url: `http://127.0.0.1:${port}`, login: null, ca: null };
  const ca =
    schema_registry_ca_location === null
      ? null
      : readPem("K2_SCHEMA_REGISTRY_CA_LOCATION", schema_registry_ca_location);
  return { url, login: schema_registry_login, ca };
}

function simulator({ settings, ports, root, log }: Ground, simulate: Simulation): ChildSpec {
  return {
    id: "simulator",
    system_id: "simulator",
    kind: "port",
    logic: simulatorPort,
    input: (incarnation): SimulatorPortInput => ({
      incarnation,
      root,
      data_dir: settings.data_dir,
      port: ports.simulator,
      ...simulate,
      log,
    }),
    restart: "permanent",
    start_ms_max: 20_000,
    shutdown_ms: shutdown.short_ms,
  };
}

function infrastructure(ground: Ground): ChildSpec {
  const { settings } = ground;
  return supervisorChild({
    id: "infrastructure",
    strategy: "rest_for_one",
    ...intensity,
    children: [
      ...(settings.kafka.brokers === null ? [broker(ground)] : []),
      ...(settings.schema_registry_url === null ? [registry(ground)] : []),
      topics(ground),
    ],
  });
}

function broker({ settings, ports, cluster_id, root, log }: Ground): ChildSpec {
  return {
    id: "broker",
    system_id: "broker",
    kind: "port",
    logic: brokerActor,
    input: (incarnation): BrokerInput => ({
      incarnation,
      data_dir: settings.data_dir,
      jars_directory: join(root, ".setup/kafka"),
      java: "java",
      cluster_id,
      port: ports.kafka,
      controller_port: ports.kafka_controller,
      retention_ms: settings.kafka.retention_ms,
      retention_bytes: settings.kafka.retention_bytes,
      log,
    }),
    restart: "permanent",
    start_ms_max: 90_000,
    shutdown_ms: shutdown.broker_ms,
  };
}

function registry({ settings, ports }: Ground): ChildSpec {
  return {
    id: "registry",
    system_id: "registry",
    kind: "worker",
    logic: registryActor,
    input: (incarnation): RegistryInput => ({
      incarnation,
      database_path: join(settings.data_dir, "registry.db"),
      port: ports.registry,
    }),
    restart: "permanent",
    start_ms_max: 10_000,
    shutdown_ms: shutdown.short_ms,
  };
}

function topics(ground: Ground): ChildSpec {
  const { settings, cluster, outbox, registry, log, effects } = ground;
  const { trades_partitions, replication_factor, retention_ms, retention_bytes } = settings.kafka;
  const exchanges = settings.exchanges.map(({ exchange }) => exchange);
  return {
    id: "topics",
    system_id: "topics",
    kind: "worker",
    logic: topicsActor,
    input: (incarnation): TopicsInput => ({
      incarnation,
      topics: topicSpecs({
        exchanges,
        trades_partitions,
        replication_factor,
        retention_ms,
        retention_bytes,
      }),
      cluster,
      outbox,
      registerSchemas: (signal: AbortSignal) =>
        registerSchemas(registry, schemasByTopic(exchanges), { fetch, signal }),
      data_dir: settings.data_dir,
      node: "node",
      log,
      after: effects.after,
      random: effects.random,
    }),
    restart: "transient",
    // It retries for as long as the cluster is away.
    start_ms_max: Number.POSITIVE_INFINITY,
    shutdown_ms: shutdown.short_ms,
  };
}

function lake(ground: Ground): ChildSpec {
  const { root, log, settings, effects, maintenance } = ground;
  // What was lost before this start is accepted once; what is lost later is another decision.
  let accept_lost_offsets = ground.accept_lost_offsets;
  return supervisorChild({
    id: "lake",
    strategy: "one_for_one",
    ...intensity,
    cool_down,
    children: [
      {
        id: "spark",
        system_id: "spark",
        kind: "port",
        logic: spark,
        input: (incarnation): SparkInput => ({
          incarnation,
          root,
          data_dir: settings.data_dir,
          config: { ...sparkConfig(ground), accept_lost_offsets },
          python: pythonOf(root),
          retention_ms: settings.kafka.retention_ms,
          onServing: () => {
            accept_lost_offsets = false;
          },
          maintenance,
          log,
          after: effects.after,
        }),
        restart: "permanent",
        start_ms_max: spark_start_ms_max,
        shutdown_ms: shutdown.spark_ms,
      },
      ...(isChecked(settings) ? [checks(ground)] : []),
    ],
  });
}

/** Only a catalog in a file can be read here; the address of another one may hold a password. */
function isChecked(settings: Settings): boolean {
  return settings.validation_minutes > 0 && catalogFile(settings) !== null;
}

function checks({ root, log, settings, effects }: Ground): ChildSpec {
  const { data_dir, catalog_uri, validation_minutes } = settings;
  return {
    id: "validator",
    system_id: "validator",
    kind: "worker",
    logic: validator,
    input: (incarnation): ValidatorInput => ({
      incarnation,
      data_dir,
      command: validateCommand(root),
      environment: {
        K2_DATA_DIR: data_dir,
        ...(catalog_uri === null ? {} : { K2_CATALOG_URI: catalog_uri }),
      },
      pause_ms: validation_minutes * 60_000,
      log,
      now_ms: () => effects.now_us() / 1_000,
      after: effects.after,
    }),
    restart: "permanent",
    start_ms_max: 10_000,
    shutdown_ms: shutdown.short_ms,
  };
}

/** The driver's configuration, as the settings want it. */
export function sparkConfig({
  settings,
  cluster,
  registry,
  root,
}: Pick<Ground, "settings" | "cluster" | "registry" | "root">): SparkConfig {
  const { data_dir, retention } = settings;
  return {
    bootstrap_servers: cluster.brokers,
    kafka_options: javaClientOptions(settings.kafka.properties, readPem),
    trade_topics: settings.exchanges.map(({ exchange }) => tradesTopic(exchange)),
    frame_topics: settings.exchanges.map(({ exchange }) => framesTopic(exchange)),
    event_topic: events_topic,
    dead_letter_topic: dead_letters_topic,
    schema_registry_url: registry.url,
    schema_registry_username: registry.login?.username ?? null,
    schema_registry_password: registry.login?.password ?? null,
    schema_registry_ca: registry.ca,
    catalog_uri: settings.catalog_uri ?? `jdbc:sqlite:${join(data_dir, "lake/catalog.db")}`,
    warehouse: settings.warehouse ?? `file://${join(data_dir, "lake/warehouse")}`,
    checkpoint_dir: join(data_dir, "lake/checkpoints"),
    temp_dir: join(data_dir, "tmp/spark"),
    jars_dir: join(root, ".setup/spark"),
    master: settings.spark_master ?? localMaster(),
    driver_memory: settings.spark_driver_memory,
    driver_java_options: settings.spark_driver_java_options,
    trigger_seconds: settings.trigger_seconds,
    max_offsets_per_trigger: 100_000,
    mode: "stream",
    maintenance_minutes: settings.maintenance_minutes,
    snapshot_hours_min: settings.snapshot_hours_min,
    retention_bronze_days: retention.bronze_days,
    retention_frames_days: retention.frames_days,
    retention_silver_days: retention.silver_days,
    retention_gold_days: retention.gold_days,
    accept_lost_offsets: false,
  };
}

/** Spark in one process, with a task slot for each core, and enough of them for all queries. */
function localMaster(): string {
  return `local[${Math.max(navigator.hardwareConcurrency, spark_slots_min)}]`;
}
