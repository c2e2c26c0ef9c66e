/**
 * The port to Kafka as an actor: it owns the Node process that holds the Kafka client, gives it
 * the outbox's packets, and the outbox its acknowledgements. `kafka_port.cjs` has the protocol.
 *
 * A broker that cannot take records is an operating error: the process says so and ends, and a new
 * one is started here, for ever, with capped, jittered backoff. A process that ends in any other
 * way is a crash, and the supervisor's. So is one that is stuck: it says nothing at all, not even
 * its heartbeat. One whose records stay unacknowledged for a minute is replaced as if it had said
 * that Kafka is away, which a new client finds out sooner than an old one. Whatever it was, the
 * outbox sends again, in order.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { fromCallback } from "xstate";
import type { Incarnation, Stop } from "../messages.ts";
import { backoffMs } from "../port/backoff.ts";
import type { Port, PortExit, SpawnPort } from "../port/port.ts";
import type { After } from "../port/timers.ts";
import { crashOf } from "../settings/exit.ts";
import type { Log } from "../settings/log.ts";
import { type KafkaCluster, producerProperties } from "./kafka_properties.ts";
import type { Attachment, Outbox, Refusal } from "./outbox.ts";

/** What the port to Kafka needs. */
export interface KafkaPortInput {
  readonly incarnation: Incarnation;
  /** Made once in `tree.ts`; outlives every incarnation. */
  readonly outbox: Outbox;
  readonly cluster: KafkaCluster;
  readonly data_dir: string;
  /** The Node program: a path, or a name on PATH. */
  readonly node: string;
  readonly log: Log;
  /** Starts the process: `spawnPort` in operation. */
  readonly spawn: SpawnPort;
  /** Timers: `afterOnHost` in operation. */
  readonly after: After;
  /** Numbers from 0 up to and without 1, for jitter. */
  readonly random: () => number;
}

const script = fileURLToPath(new URL("./kafka_port.cjs", import.meta.url));
const backoff = { base_ms: 250, cap_ms: 10_000 } as const;
/** Between two looks at a process. */
const look_ms = 1_000;
/**
 * Looks without a line from it, not milliseconds: while this process itself was stopped, or the
 * machine asleep, nobody could have heard it.
 */
const silent_looks_max = 15;
const unacknowledged_ms_max = 60_000;

/** What the process said on one line of stdout. */
type PortLine =
  | { readonly kind: "ready" }
  | { readonly kind: "heartbeat" }
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
  if (line === "H") return { kind: "heartbeat" };
  if (line.startsWith("F ")) return { kind: "failed", reason: line.slice(2) };
  const match = /^A (\d+)(?: (\d+:[a-z_]+(?:,\d+:[a-z_]+)*))?$/.exec(line);
  if (match === null) return { kind: "unknown", line };
  const refusals = (match[2]?.split(",") ?? []).map((refusal) => {
    const [index = "", reason = ""] = refusal.split(":");
    return { index: Number(index), reason };
  });
  return { kind: "acknowledged", batch_id: Number(match[1]), refusals };
}

/** Keeps a Kafka client running, and connected to the outbox, until told to stop. */
export const kafkaPort = fromCallback<Stop, KafkaPortInput>(({ input, receive }) => {
  const owner = new PortOwner(input);
  receive(() => owner.stop());
  owner.start();
  return () => owner.letGo();
});

/** Owns one process after the other, for as long as one incarnation lasts. */
class PortOwner {
  readonly #input: KafkaPortInput;
  readonly #incarnation: Incarnation;
  #port: Port | null = null;
  #attachment: Attachment | null = null;
  /** Why the broker could not take records, where the process said so. */
  #failure: string | null = null;
  /** Why the process was killed here. */
  #crash: string | null = null;
  #silent_looks = 0;
  #cancelLook: (() => void) | null = null;
  #attempt = 0;
  #is_stopping = false;
  #is_over = false;
  #cancelRetry: (() => void) | null = null;

  constructor(input: KafkaPortInput) {
    this.#input = input;
    this.#incarnation = input.incarnation;
    const { signal } = input.incarnation;
    signal.addEventListener("abort", () => this.letGo(), { once: true });
  }

  start(): void {
    const { node, data_dir, cluster, outbox, log, spawn } = this.#input;
    const { report, signal } = this.#incarnation;
    this.#cancelRetry = null;
    this.#failure = null;
    this.#crash = null;
    this.#silent_looks = 0;
    report.state = "connecting";
    const port = spawn({
      name: "kafka_port",
      command: [node, script],
      data_dir,
      signal,
      onLine: (line) => this.#guard(() => this.#take(readPortLine(line))),
      onErrorLine: (line) => log.warn(`Kafka client: ${line}`),
      onExit: (exit) => this.#end(exit),
    });
    this.#port = port;
    report.pid = port.pid;
    const config = { properties: producerProperties(cluster), topics: outbox.topics };
    port.write(`${JSON.stringify(config)}\n`);
    this.#cancelLook?.();
    this.#look();
  }

  /** Ends the process's stdin: it settles what it holds, then ends. */
  stop(): void {
    this.#is_stopping = true;
    this.#incarnation.report.state = "stopping";
    if (this.#cancelRetry === null) {
      this.#port?.end();
    } else {
      this.#cancelRetry();
      this.#incarnation.exit({ kind: "normal" });
    }
  }

  /** The incarnation is over, however it ended. */
  letGo(): void {
    this.#is_over = true;
    this.#cancelLook?.();
    this.#cancelRetry?.();
    this.#port?.kill();
  }

  /**
   * Handlers of streams and timers only classify and forward: a throw here would end K2, and one
   * in the midst of the outbox's sending would be taken for a fault of whoever gave it a record,
   * with a batch left in flight that nobody has.
   */
  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#incarnation.exit(crashOf(error));
    }
  }

  /** Looks once a second whether the process is alive and Kafka acknowledges. */
  #look(): void {
    const { after, outbox } = this.#input;
    this.#cancelLook = after(look_ms, () => {
      this.#silent_looks += 1;
      if (this.#silent_looks > silent_looks_max) {
        this.#crash = `kafka_port is stuck: it has said nothing for ${silent_looks_max} s`;
      } else if (outbox.oldest_in_flight_ms > unacknowledged_ms_max) {
        this.#failure = `no acknowledgement for ${unacknowledged_ms_max / 1_000} s`;
      } else {
        this.#look();
        return;
      }
      this.#port?.kill();
    });
  }

  #take(line: PortLine): void {
    this.#silent_looks = 0;
    if (line.kind === "ready") {
      const port = this.#port;
      this.#attachment = this.#input.outbox.attach({
        send: (packet) => this.#guard(() => port?.write(packet)),
      });
      if (!this.#is_stopping) this.#incarnation.report.state = "connected";
      this.#incarnation.ready();
    } else if (line.kind === "acknowledged") {
      this.#attempt = 0;
      this.#attachment?.acknowledge(line.batch_id, line.refusals);
    } else if (line.kind === "failed") {
      this.#failure = line.reason;
      // It has nothing more to say, and to end by itself may take the client a long time.
      this.#port?.kill();
    } else if (line.kind === "unknown") {
      this.#input.log.warn(`Kafka port: ${line.line}`);
    }
  }

  #end(exit: PortExit): void {
    this.#cancelLook?.();
    this.#attachment?.detach();
    this.#attachment = null;
    this.#incarnation.report.pid = null;
    if (this.#is_over) return;
    if (this.#is_stopping) this.#incarnation.exit({ kind: "normal" });
    else if (this.#failure !== null) this.#retry(this.#failure);
    else this.#incarnation.exit({ kind: "crash", reason: this.#crash ?? exit.reason });
  }

  #retry(reason: string): void {
    const { log, after, random } = this.#input;
    this.#attempt += 1;
    const delay_ms = backoffMs(this.#attempt, { ...backoff, random });
    this.#incarnation.report.state = "waiting_for_kafka";
    log.warn("Kafka cannot take records now, trying again", { reason, delay_ms });
    this.#cancelRetry = after(delay_ms, () => this.#guard(() => this.start()));
  }
}
