/**
 * A Kafka for the bench: the embedded broker with the platform's topics, in a folder that is
 * removed at the end, and the platform's way to it - producer and port - for one outbox at a time.
 *
 * @module
 */

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrokerInput, brokerActor } from "../broker/broker.ts";
import { chooseFreePort } from "../port/free_port.ts";
import { spawnPort } from "../port/port.ts";
import { afterOnHost } from "../port/timers.ts";
import type { Outbox } from "../producer/outbox.ts";
import { type KafkaPortInput, kafkaPort } from "../producer/port.ts";
import { type ProducerInput, producerMachine } from "../producer/producer.ts";
import { type TopicsInput, topicSpecs, topicsActor } from "../producer/topics.ts";
import type { Log } from "../settings/log.ts";
import { startStanding } from "./incarnate.ts";
import { schemaIds } from "./load.ts";

/** A broker with its topics. */
export interface Kafka {
  /** `host:port` of its broker. */
  readonly brokers: string;
  /** Of the broker and its ports, removed at the end. */
  readonly data_dir: string;
  /** Sends the outbox's records through a port of its own, which serves once this resolves. */
  connect(outbox: Outbox): Promise<KafkaConnection>;
  /** Stops the broker where it stands, as if it were away, or lets it go on. */
  signal(name: "SIGSTOP" | "SIGCONT"): void;
  /** Ends the broker and removes all it wrote. */
  stop(): Promise<void>;
}

/** An outbox's way to the broker. */
export interface KafkaConnection {
  /** What the port's process has used so far. */
  usage(): Promise<ProcessUsage>;
  /** Drains, then ends. */
  stop(): Promise<void>;
}

/** What a process has used. */
export interface ProcessUsage {
  readonly cpu_s: number;
  readonly rss_bytes: number;
}

/** Sixteen bytes in base64url; no other cluster is near. */
const cluster_id = "AAAAAAAAQACAAAAAAAAAAQ";
const retention_ms = 3_600_000;
const retention_bytes = 16 * 2 ** 30;

/** Starts the broker and makes the topics that the outbox's records go to. */
export async function startKafka(options: {
  /** The checkout. */
  readonly root: string;
  readonly exchanges: readonly string[];
  /** Any outbox of these exchanges. */
  readonly outbox: Outbox;
  readonly log: Log;
}): Promise<Kafka> {
  const { root, log } = options;
  const data_dir = await mkdtemp(join(tmpdir(), "k2-bench-"));
  const controller = new AbortController();
  const { signal } = controller;
  async function remove(): Promise<void> {
    controller.abort();
    await rm(data_dir, { recursive: true, force: true });
  }
  try {
    const ports = { port: await chooseFreePort(), controller_port: await chooseFreePort() };
    const broker = await startStanding("broker", brokerActor, {
      signal,
      input: (incarnation): BrokerInput => ({
        ...ports,
        incarnation,
        data_dir,
        jars_directory: join(root, ".setup/kafka"),
        java: "java",
        cluster_id,
        retention_ms,
        retention_bytes,
        log,
      }),
    });
    const ground = {
      cluster: { brokers: `127.0.0.1:${ports.port}`, properties: {} },
      data_dir,
      node: "node",
      log,
      spawn: spawnPort,
      after: afterOnHost,
      random: Math.random,
    };
    await makeTopics(options, { ...ground, signal });
    return {
      brokers: ground.cluster.brokers,
      data_dir,
      connect: (outbox) => connect(outbox, { ...ground, signal }),
      signal(name) {
        const { pid } = broker.report;
        if (pid !== null) process.kill(-pid, name);
      },
      async stop() {
        await broker.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

type Ground = Omit<KafkaPortInput, "incarnation" | "outbox"> & { readonly signal: AbortSignal };

async function makeTopics(
  { exchanges, outbox }: { readonly exchanges: readonly string[]; readonly outbox: Outbox },
  { signal, ...ground }: Ground,
): Promise<void> {
  const limits = { trades_partitions: 3, replication_factor: 1, retention_ms, retention_bytes };
  const topics = await startStanding("topics", topicsActor, {
    signal,
    input: (incarnation): TopicsInput => ({
      ...ground,
      incarnation,
      topics: topicSpecs({ exchanges, ...limits }),
      outbox,
      // A registry takes no part in what is measured: the ids only have to be there.
      registerSchemas: async () => schemaIds(outbox.topics),
    }),
  });
  await topics.ended;
}

async function connect(outbox: Outbox, { signal, ...ground }: Ground): Promise<KafkaConnection> {
  const port = await startStanding("port", kafkaPort, {
    signal,
    input: (incarnation): KafkaPortInput => ({ ...ground, incarnation, outbox }),
  });
  const { after, log } = ground;
  const freeBytes = () => Number.POSITIVE_INFINITY;
  const producer = await startStanding("producer", producerMachine, {
    signal,
    input: (incarnation): ProducerInput => ({ incarnation, outbox, after, freeBytes, log }),
  });
  return {
    usage: () => processUsage(port.report.pid),
    async stop() {
      await producer.stop();
      await port.stop();
    },
  };
}

const ticks_per_s = 100;
const page_bytes = 4_096;

/**
 * What a process has used: read where Linux shows it; elsewhere it cannot be measured, and counts
 * as 0.
 */
export async function processUsage(pid: number | null): Promise<ProcessUsage> {
  return await statOf(pid);
}

/** What all processes of a group have used: a JVM stands behind a shell or behind Python. */
export async function groupUsage(group: number): Promise<ProcessUsage> {
  const names = await readdir("/proc").catch(() => []);
  const pids = names.map(Number).filter(Number.isInteger);
  const stats = (await Promise.all(pids.map(statOf))).filter((stat) => stat.group === group);
  return {
    cpu_s: stats.reduce((sum, { cpu_s }) => sum + cpu_s, 0),
    rss_bytes: stats.reduce((sum, { rss_bytes }) => sum + rss_bytes, 0),
  };
}

async function statOf(pid: number | null): Promise<ProcessUsage & { readonly group: number }> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // Fields after the name, which may hold anything but a closing parenthesis at its end.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [group = 0, user = 0, system = 0, pages = 0] = [2, 11, 12, 21].map((index) =>
    Number(fields[index] ?? 0),
  );
  return { group, cpu_s: (user + system) / ticks_per_s, rss_bytes: pages * page_bytes };
}
