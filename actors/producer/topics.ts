/**
 * The topics actor: creates the topics, registers the schemas of their records, gives the ids to
 * the outbox, and is done. Only then can a record be encoded and sent, so the feed starts after it.
 *
 * A broker or a registry that is away is an operating error and tried again for ever. A schema
 * that the registry refuses is not: no further attempt can help, so the process ends with the
 * registry's words.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { fromCallback } from "xstate";
import { dead_letters_topic, events_topic, framesTopic, tradesTopic } from "../../schemas/mod.ts";
import type { Incarnation, Stop } from "../messages.ts";
import { backoffMs } from "../port/backoff.ts";
import { spawnPort } from "../port/port.ts";
import type { After } from "../port/timers.ts";
import { FailureError, reasonOf } from "../settings/exit.ts";
import type { Log } from "../settings/log.ts";
import { clientProperties, type KafkaCluster } from "./kafka_properties.ts";
import type { Outbox } from "./outbox.ts";

/** A topic as it is created; one that exists is left as it is. */
export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  readonly replication_factor: number;
  /** Kafka's topic configuration: `retention.ms`, … */
  readonly config: Readonly<Record<string, string>>;
}

/** What the topics actor needs. */
export interface TopicsInput {
  readonly incarnation: Incarnation;
  readonly topics: readonly TopicSpec[];
  readonly cluster: KafkaCluster;
  readonly outbox: Outbox;
  /**
   * Registers the schemas and returns their ids by topic.
   *
   * @throws {FailureError} where the registry refuses one for good; any other error is tried again.
   */
  readonly registerSchemas: (signal: AbortSignal) => Promise<Readonly<Record<string, number>>>;
  readonly data_dir: string;
  /** The Node program: a path, or a name on PATH. */
  readonly node: string;
  readonly log: Log;
  /** Timers: `afterOnHost` in operation. */
  readonly after: After;
  /** Numbers from 0 up to and without 1, for jitter. */
  readonly random: () => number;
}

const script = fileURLToPath(new URL("./kafka_admin.cjs", import.meta.url));
const backoff = { base_ms: 250, cap_ms: 10_000 } as const;
/**
 * Topics whose records may be large take as much as the client sends: a page of trades, a frame of
 * a socket, the ranges of a long gap, a dead letter that holds what was refused elsewhere.
 */
const large_record_bytes_max = 8 * 2 ** 20;
/**
 * Each topic's part of the bytes that are kept. Frames say more than the trades that are found in
 * them; events and dead letters are few.
 */
const shares = { trades: 3, frames: 4, events: 1, dead_letters: 1 } as const;

/**
 * The platform's topics.
 *
 * @param options.retention_ms How long records are kept.
 * @param options.retention_bytes Bytes kept in all, shared among the topics.
 */
export function topicSpecs(options: {
  readonly exchanges: readonly string[];
  readonly trades_partitions: number;
  readonly replication_factor: number;
  readonly retention_ms: number;
  readonly retention_bytes: number;
}): readonly TopicSpec[] {
  const { exchanges, trades_partitions, replication_factor, retention_ms } = options;
  const shares_in_all =
    exchanges.length * (shares.trades + shares.frames) + shares.events + shares.dead_letters;
  const share_bytes = options.retention_bytes / shares_in_all;
  function specOf(name: string, partitions: number, share: number): TopicSpec {
    const bytes = Math.max(1, Math.floor((share_bytes * share) / partitions));
    const config = {
      "retention.ms": String(retention_ms),
      "retention.bytes": String(bytes),
      // Whole segments are deleted, so one must be a small part of what a partition may hold.
      "segment.bytes": String(Math.min(2 ** 26, Math.max(2 ** 20, Math.floor(bytes / 8)))),
    };
    return { name, partitions, replication_factor, config };
  }
  function largeSpecOf(name: string, share: number): TopicSpec {
    const spec = specOf(name, 1, share);
    // A record has to fit into a segment.
    const segment_bytes = Math.max(large_record_bytes_max, Number(spec.config["segment.bytes"]));
    const config = {
      ...spec.config,
      "segment.bytes": String(segment_bytes),
      "max.message.bytes": String(large_record_bytes_max),
    };
    return { ...spec, config };
  }
  return [
    ...exchanges.map((name) => specOf(tradesTopic(name), trades_partitions, shares.trades)),
    ...exchanges.map((name) => largeSpecOf(framesTopic(name), shares.frames)),
    largeSpecOf(events_topic, shares.events),
    largeSpecOf(dead_letters_topic, shares.dead_letters),
  ];
}

/** Creates topics, registers schemas, and ends normally; fatally where a schema is refused. */
export const topicsActor = fromCallback<Stop, TopicsInput>(({ input, receive }) => {
  const { incarnation, log } = input;
  let attempt = 0;
  let last_reason = "";
  let cancelRetry: (() => void) | null = null;

  async function prepare(): Promise<void> {
    incarnation.report.state = "creating_topics";
    await createTopics(input);
    incarnation.report.state = "registering_schemas";
    input.outbox.setSchemaIds(await input.registerSchemas(incarnation.signal));
  }
  function run(): void {
    cancelRetry = null;
    prepare().then(succeed, fail);
  }
  function succeed(): void {
    if (incarnation.signal.aborted) return;
    incarnation.report.state = "done";
    incarnation.report.pid = null;
    incarnation.ready();
    incarnation.exit({ kind: "normal" });
  }
  function fail(error: unknown): void {
    if (incarnation.signal.aborted) return;
    const reason = reasonOf(error);
    incarnation.report.pid = null;
    if (error instanceof FailureError) {
      incarnation.exit({ kind: "fatal", reason });
      return;
    }
    attempt += 1;
    incarnation.report.figures.attempts = attempt;
    incarnation.report.figures.reason = reason;
    if (reason !== last_reason) log.warn(`${reason}; trying again`);
    last_reason = reason;
    const delay_ms = backoffMs(attempt, { ...backoff, random: input.random });
    cancelRetry = input.after(delay_ms, run);
  }
  function letGo(): void {
    cancelRetry?.();
  }

  // Nothing here needs to be finished: what was not created is created at the next start.
  receive(() => {
    letGo();
    incarnation.exit({ kind: "normal" });
  });
  incarnation.signal.addEventListener("abort", letGo, { once: true });
  run();
  return letGo;
});

/**
 * Creates the topics by a process of Node.
 *
 * @throws {Error} with the process's words where it did not succeed.
 */
function createTopics(input: TopicsInput): Promise<void> {
  const { incarnation, topics, cluster } = input;
  return new Promise((resolve, reject) => {
    let words = "";
    const port = spawnPort({
      name: "kafka_admin",
      command: [input.node, script],
      data_dir: input.data_dir,
      signal: incarnation.signal,
      onLine: (line) => {
        if (line.startsWith("F ")) {
          words = line.slice(2);
          port.kill();
        } else {
          input.log.warn(`Kafka admin: ${line}`);
        }
      },
      // The last of them stands in the reason.
      onErrorLine: () => {},
      onExit: ({ code, reason }) => {
        if (code === 0) resolve();
        else reject(new Error(words === "" ? reason : words));
      },
    });
    incarnation.report.pid = port.pid;
    port.write(JSON.stringify({ properties: clientProperties(cluster), topics }));
    port.end();
  });
}
