/**
 * The supervision tree, as data, and the objects that outlive every incarnation in it.
 *
 * This is the one place that says who runs, in which order, under whose care, and who talks to
 * whom. Actors find each other by the system ids given here. What must survive a crash - the
 * outbox of unacknowledged records, each normalizer's inbox, the instrument lists - is made here
 * and handed to each incarnation.
 *
 * @module
 */

import { join } from "node:path";
import { type BrokerInput, brokerActor } from "../actors/broker/broker.ts";
import { type ConnectionInput, connection } from "../actors/connection/connection.ts";
import type { InstrumentList } from "../actors/connection/instrument_list.ts";
import { openInstrumentList } from "../actors/connection/open_instrument_list.ts";
import {
  createReachability,
  type Reachability,
  simulate_remedy,
} from "../actors/connection/reachability.ts";
import { openSocket } from "../actors/connection/socket.ts";
import type { ExchangeAdapter } from "../actors/exchanges/adapter.ts";
import { exchangeNamed } from "../actors/exchanges/mod.ts";
import type { PressureListener } from "../actors/messages.ts";
import {
  NormalizerInbox,
  type NormalizerInput,
  normalizer,
} from "../actors/normalizer/normalizer.ts";
import { afterOnHost } from "../actors/port/timers.ts";
import type { KafkaCluster } from "../actors/producer/kafka_properties.ts";
import { Outbox } from "../actors/producer/outbox.ts";
import { type KafkaPortInput, kafkaPort } from "../actors/producer/port.ts";
import { type ProducerInput, producerMachine } from "../actors/producer/producer.ts";
import { type TopicsInput, topicSpecs, topicsActor } from "../actors/producer/topics.ts";
import { registerSchemas } from "../actors/registry/client.ts";
import { type RegistryInput, registryActor } from "../actors/registry/registry.ts";
import type { Log } from "../actors/settings/log.ts";
import type { ExchangeSettings, Role, Settings } from "../actors/settings/settings.ts";
import { type SimulatorPortInput, simulatorPort } from "../actors/simulator/simulator_port.ts";
import { javaClientOptions } from "../actors/spark/kafka_options.ts";
import { type SparkConfig, type SparkInput, spark } from "../actors/spark/spark.ts";
import { dead_letters_topic, schemasByTopic, tradesTopic } from "../schemas/mod.ts";
import { type ChildSpec, type SupervisorSpec, supervisorChild } from "./supervisor.ts";

/** Loopback ports of what the platform runs itself. */
export interface Ports {
  readonly kafka: number;
  readonly kafka_controller: number;
  readonly registry: number;
  readonly simulator: number;
}

/** What the tree is made of: settings whose URLs already point where they should. */
export interface TreeParts {
  readonly role: Role;
  readonly simulate: { readonly rate: number | null; readonly seed: number } | null;
  readonly settings: Settings;
  readonly ports: Ports;
  /** Kafka's id of the embedded cluster. */
  readonly cluster_id: string;
  /** The checkout. */
  readonly root: string;
  readonly log: Log;
  /** What is not acknowledged; the caller asks it, after the drain, whether anything is left. */
  readonly outbox: Outbox;
  /** Wall clock, microseconds since 1970. */
  readonly now_us: () => number;
  /** A child that serves the tree's status; made by the caller, because it shows the tree. */
  readonly status: ChildSpec;
  /** Aborts when the platform ends. */
  readonly signal: AbortSignal;
}

/** The parts, and what follows from them. */
interface Ground extends TreeParts {
  readonly cluster: KafkaCluster;
  readonly registry_url: string;
}

/** Restarts of one supervisor's children within a window; one more, and it gives up. */
const intensity = { restarts_max: 5, window_ms: 60_000 } as const;
/**
 * The same for supervisors of supervisors. A child that gives up needs a while for it, so the
 * window is long; and what two fresh starts of a whole part do not heal, a person must look at.
 */
const part_intensity = { restarts_max: 2, window_ms: 600_000 } as const;
/** An exchange's or the lake's bad day must not stop the others. */
const cool_down = { first_ms: 60_000, max_ms: 600_000 } as const;
/**
 * Spark may finish a batch (`DRAIN_S_MAX` of `driver.py` is shorter); the broker, stopped after the
 * feed, takes what is still to be acknowledged.
 */
const shutdown = { spark_ms: 13_000, producer_ms: 6_000, broker_ms: 4_000, short_ms: 1_000 };
/** A first start of Spark on a busy machine. */
const spark_start_ms_max = 300_000;

/** Makes the outbox that every incarnation of producer and port works on. */
export function makeOutbox(settings: Settings, now_us: () => number): Outbox {
  return new Outbox({
    exchanges: settings.exchanges.map(({ exchange }) => exchange),
    flush_count: settings.flush_count,
    flush_ms: settings.flush_ms,
    buffer_bytes_max: settings.buffer_bytes_max,
    now_ms: () => performance.now(),
    now_us,
  });
}

/** Makes the tree. */
export function plantTree(parts: TreeParts): SupervisorSpec & { readonly id: string } {
  const { settings, ports, role } = parts;
  const brokers = settings.kafka.brokers ?? `127.0.0.1:${ports.kafka}`;
  const ground: Ground = {
    ...parts,
    cluster: { brokers, properties: settings.kafka.properties },
    registry_url: settings.schema_registry_url ?? `http://127.0.0.1:${ports.registry}`,
  };
  const work = [
    ...(role === "lake" ? [] : [feed(ground)]),
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

function simulator(
  { settings, ports, root, log }: Ground,
  simulate: NonNullable<TreeParts["simulate"]>,
): ChildSpec {
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
      rate: simulate.rate,
      seed: simulate.seed,
      native_symbols: Object.fromEntries(
        settings.exchanges.map(({ exchange, native_symbols }) => [exchange, native_symbols]),
      ),
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
  const { settings, cluster, outbox, registry_url, log } = ground;
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
        registerSchemas(registry_url, schemasByTopic(exchanges), { fetch, signal }),
      data_dir: settings.data_dir,
      node: "node",
      log,
      after: afterOnHost,
      random: Math.random,
    }),
    restart: "transient",
    // It retries for as long as the cluster is away.
    start_ms_max: Number.POSITIVE_INFINITY,
    shutdown_ms: shutdown.short_ms,
  };
}

function feed(ground: Ground): ChildSpec {
  return supervisorChild({
    id: "feed",
    strategy: "rest_for_one",
    ...part_intensity,
    children: [
      supervisorChild({
        id: "producer",
        strategy: "one_for_one",
        ...intensity,
        children: [port(ground), producer(ground)],
      }),
      supervisorChild({
        id: "exchanges",
        strategy: "one_for_one",
        ...intensity,
        children: ground.settings.exchanges.map((settings) => exchange(ground, settings)),
      }),
    ],
  });
}

function port({ outbox, cluster, settings, log }: Ground): ChildSpec {
  return {
    id: "port",
    system_id: "port",
    kind: "port",
    logic: kafkaPort,
    input: (incarnation): KafkaPortInput => ({
      incarnation,
      outbox,
      cluster,
      data_dir: settings.data_dir,
      node: "node",
      log,
      after: afterOnHost,
      random: Math.random,
    }),
    restart: "permanent",
    start_ms_max: 60_000,
    shutdown_ms: shutdown.short_ms,
  };
}

function producer({ outbox }: Ground): ChildSpec {
  return {
    id: "producer",
    system_id: "producer",
    kind: "worker",
    logic: producerMachine,
    input: (incarnation): ProducerInput => ({ incarnation, outbox, after: afterOnHost }),
    restart: "permanent",
    // It serves once the port does.
    start_ms_max: 60_000,
    shutdown_ms: shutdown.producer_ms,
  };
}

/** One exchange: whatever happens in it stays in it. */
function exchange(ground: Ground, settings: ExchangeSettings): ChildSpec {
  const adapter = exchangeNamed(settings.exchange);
  if (adapter === undefined) throw new RangeError(`There is no exchange "${settings.exchange}"`);
  const { log, signal } = ground;
  const remedy = ground.simulate === null ? simulate_remedy : "";
  const reachability = createReachability({ exchange: settings.exchange, log, remedy });
  const instruments = openInstrumentList({
    adapter,
    rest_url: settings.rest_url,
    data_dir: ground.settings.data_dir,
    reachability,
    log,
    signal,
  });
  return supervisorChild({
    id: settings.exchange,
    strategy: "one_for_one",
    ...intensity,
    cool_down,
    children: [
      supervisorChild({
        id: "normalizers",
        strategy: "one_for_one",
        ...intensity,
        children: settings.native_symbols.map((native_symbol) =>
          symbolNormalizer(ground, { exchange: settings.exchange, native_symbol, instruments }),
        ),
      }),
      supervisorChild({
        id: "connections",
        strategy: "one_for_one",
        ...intensity,
        children: [connectionShard(ground, { settings, adapter, instruments, reachability })],
      }),
    ],
  });
}

function symbolNormalizer(
  { outbox }: Ground,
  of: {
    readonly exchange: string;
    readonly native_symbol: string;
    readonly instruments: InstrumentList;
  },
): ChildSpec {
  const { exchange, native_symbol, instruments } = of;
  const inbox = new NormalizerInbox();
  return {
    id: native_symbol,
    system_id: normalizerId(exchange, native_symbol),
    kind: "worker",
    logic: normalizer,
    input: (incarnation): NormalizerInput => ({
      incarnation,
      exchange,
      native_symbol,
      instrument: () => instruments.get(native_symbol),
      sink: outbox,
      inbox,
    }),
    restart: "permanent",
    start_ms_max: 1_000,
    shutdown_ms: shutdown.short_ms,
  };
}

function connectionShard(
  { outbox, log, now_us }: Ground,
  of: {
    readonly settings: ExchangeSettings;
    readonly adapter: ExchangeAdapter;
    readonly instruments: InstrumentList;
    readonly reachability: Reachability;
  },
): ChildSpec {
  const { settings, adapter, instruments, reachability } = of;
  const shard = 0;
  return {
    id: String(shard),
    system_id: `${settings.exchange}.connection.${shard}`,
    kind: "worker",
    logic: connection,
    input: (incarnation): ConnectionInput => ({
      incarnation,
      adapter,
      native_symbols: settings.native_symbols,
      ws_url: settings.ws_url,
      shard,
      instruments,
      reachability,
      connectionId: () => `${settings.exchange}-${Bun.randomUUIDv7()}`,
      normalizerId: (native_symbol: string) => normalizerId(settings.exchange, native_symbol),
      sink: outbox,
      onPressure: (listener: PressureListener) => outbox.onPressure(listener),
      openSocket,
      log,
      random: Math.random,
      now_us,
    }),
    restart: "permanent",
    start_ms_max: 5_000,
    shutdown_ms: shutdown.short_ms,
  };
}

function lake(ground: Ground): ChildSpec {
  const { root, log, settings } = ground;
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
          config: sparkConfig(ground),
          log,
        }),
        restart: "permanent",
        start_ms_max: spark_start_ms_max,
        shutdown_ms: shutdown.spark_ms,
      },
    ],
  });
}

function sparkConfig({ settings, cluster, registry_url, root }: Ground): SparkConfig {
  const { data_dir } = settings;
  return {
    bootstrap_servers: cluster.brokers,
    kafka_options: javaClientOptions(settings.kafka.properties),
    trade_topics: settings.exchanges.map(({ exchange }) => tradesTopic(exchange)),
    dead_letter_topic: dead_letters_topic,
    schema_registry_url: registry_url,
    catalog_uri: settings.catalog_uri ?? `jdbc:sqlite:${join(data_dir, "lake/catalog.db")}`,
    warehouse: settings.warehouse ?? `file://${join(data_dir, "lake/warehouse")}`,
    checkpoint_dir: join(data_dir, "lake/checkpoints"),
    temp_dir: join(data_dir, "tmp/spark"),
    jars_dir: join(root, ".setup/spark"),
    master: settings.spark_master ?? "local[*]",
    driver_memory: settings.spark_driver_memory,
    trigger_seconds: settings.trigger_seconds,
    max_offsets_per_trigger: 100_000,
  };
}

function normalizerId(exchange: string, native_symbol: string): string {
  return `${exchange}.normalizer.${native_symbol}`;
}
