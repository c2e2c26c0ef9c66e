/**
 * The port to Kafka as an actor: it owns the Node process that holds the Kafka client, gives it
 * the outbox's frames, and the outbox its acknowledgements. `kafka_port.cjs` has the protocol.
 *
 * A broker that cannot take records is an operating error: the process says so and ends, and a new
 * one is started here, for ever, with capped, jittered backoff. A process that ends in any other
 * way is a crash, and the supervisor's. Either way the outbox sends again, in order.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { fromCallback } from "xstate";
import type { Incarnation, Stop } from "../messages.ts";
import { backoffMs } from "../port/backoff.ts";
import { type Port, type PortExit, spawnPort } from "../port/port.ts";
import type { After } from "../port/timers.ts";
import { reasonOf } from "../settings/exit.ts";
import type { Log } from "../settings/log.ts";
import { type KafkaCluster, producerProperties } from "./kafka_properties.ts";
import type { Attachment, Outbox, Refusal } from "./outbox.ts";

export interface KafkaPortInput {
  readonly incarnation: Incarnation;
  /** Made once in `tree.ts`; outlives every incarnation. */
  readonly outbox: Outbox;
  readonly cluster: KafkaCluster;
  readonly data_dir: string;
  /** The Node program: a path, or a name on PATH. */
  readonly node: string;
  readonly log: Log;
  /** Timers: `afterOnHost` in operation. */
  readonly after: After;
  /** Numbers from 0 up to and without 1, for jitter. */
  readonly random: () => number;
}

const script = fileURLToPath(new URL("./kafka_port.cjs", import.meta.url));
const backoff = { base_ms: 250, cap_ms: 10_000 } as const;

/** What the process said on one line of stdout. */
export type PortLine =
  | { readonly kind: "ready" }
  | {
      readonly kind: "acknowledged";
      readonly batch_id: number;
      readonly refusals: readonly Refusal[];
    }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "unknown"; readonly line: string };

/** Reads a line of the protocol. */
export function readPortLine(line: string): PortLine {
  if (line === "R") return { kind: "ready" };
  if (line.startsWith("F ")) return { kind: "failed", reason: line.slice(2) };
  const match = /^A (\d+)(?: (\d+:[a-z_]+(?:,\d+:[a-z_]+)*))?$/.exec(line);
  if (match === null) return { kind: "unknown", line };
  const refusals = (match[2]?.split(",") ?? []).map((refusal) => {
    const [index = "", reason = ""] = refusal.split(":");
    return { index: Number(index), reason };
  });
  return { kind: "acknowledged", batch_id: Number(match[1]), refusals };
}

export const kafkaPort = fromCallback<Stop, KafkaPortInput>(({ input, receive }) => {
  const { incarnation, outbox, log } = input;
  const { report, signal } = incarnation;
  let port: Port | null = null;
  let attachment: Attachment | null = null;
  let failure: string | null = null;
  let attempt = 0;
  let is_stopping = false;
  let is_over = false;
  let cancelRetry: (() => void) | null = null;

  function start(): void {
    cancelRetry = null;
    failure = null;
    report.state = "connecting";
    const spawned = spawnPort({
      name: "kafka_port",
      command: [input.node, script],
      data_dir: input.data_dir,
      signal,
      onLine: forward,
      onErrorLine: (line) => log.warn(`Kafka client: ${line}`),
      onExit: onExit,
    });
    port = spawned;
    report.pid = spawned.pid;
    const config = { properties: producerProperties(input.cluster), topics: outbox.topics };
    spawned.write(`${JSON.stringify(config)}\n`);
  }

  /** Handlers of a stream only classify and forward: a throw here would end the process. */
  function forward(text: string): void {
    try {
      take(readPortLine(text));
    } catch (error) {
      incarnation.exit({ kind: "crash", reason: reasonOf(error) });
    }
  }

  function take(line: PortLine): void {
    if (line.kind === "ready") {
      const { write } = port ?? { write: () => false };
      attachment = outbox.attach({ send: (frame) => void write(frame) });
      report.state = "connected";
      incarnation.ready();
    } else if (line.kind === "acknowledged") {
      attempt = 0;
      attachment?.acknowledge(line.batch_id, line.refusals);
    } else if (line.kind === "failed") {
      failure = line.reason;
    } else {
      log.warn(`Kafka port: ${line.line}`);
    }
  }

  function onExit(exit: PortExit): void {
    attachment?.detach();
    attachment = null;
    report.pid = null;
    if (is_over || signal.aborted) return;
    if (is_stopping) {
      incarnation.exit({ kind: "normal" });
    } else if (failure === null) {
      incarnation.exit({ kind: "crash", reason: exit.reason });
    } else {
      attempt += 1;
      const delay_ms = backoffMs(attempt, { ...backoff, random: input.random });
      report.state = "waiting_for_kafka";
      log.warn("Kafka cannot take records now, trying again", { reason: failure, delay_ms });
      cancelRetry = input.after(delay_ms, start);
    }
  }

  function stop(): void {
    is_stopping = true;
    report.state = "stopping";
    if (cancelRetry === null) {
      port?.end();
    } else {
      cancelRetry();
      incarnation.exit({ kind: "normal" });
    }
  }

  receive(stop);
  signal.addEventListener("abort", () => cancelRetry?.(), { once: true });
  start();
  return () => {
    is_over = true;
    cancelRetry?.();
    port?.kill();
  };
});
