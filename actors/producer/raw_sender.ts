/**
 * Sends records that are bytes already, by a Kafka client of its own, a batch at a time: the next
 * is read only once Kafka has the one before, so that nothing piles up. It retries nothing: whoever
 * sends this way can do it again.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import type { PortExit, SpawnPort } from "../port/port.ts";
import type { After } from "../port/timers.ts";
import { FailureError } from "../settings/exit.ts";
import { type KafkaCluster, producerProperties } from "./kafka_properties.ts";
import { readPortLine } from "./port.ts";
import { packetOf, type RawRecord } from "./raw_packet.ts";

/** What the sender needs. */
export interface RawSenderInput {
  readonly cluster: KafkaCluster;
  /** Every topic that a record goes to. */
  readonly topics: readonly string[];
  readonly data_dir: string;
  /** The Node program: a path, or a name on PATH. */
  readonly node: string;
  /** Starts the process: `spawnPort` in operation. */
  readonly spawn: SpawnPort;
  /** Timers: `afterOnHost` in operation. */
  readonly after: After;
}

const script = fileURLToPath(new URL("./kafka_port.cjs", import.meta.url));
/** How long Kafka may take to connect, and for each batch. */
const answer_ms_max = 60_000;

/**
 * Sends all batches.
 *
 * @returns How many records Kafka refused for good; it has all the others.
 * @throws {FailureError} where Kafka does not take them: those of earlier batches are sent.
 */
export async function sendRaw(
  batches: AsyncIterable<readonly RawRecord[]>,
  input: RawSenderInput,
): Promise<number> {
  const sender = new RawSender(input);
  try {
    await sender.connected();
    let refused = 0;
    for await (const records of batches) refused += await sender.send(records);
    return refused;
  } finally {
    sender.close();
  }
}

/** One process, asked for one thing at a time. */
class RawSender {
  readonly #input: RawSenderInput;
  readonly #controller = new AbortController();
  readonly #port;
  #waiting = Promise.withResolvers<number>();
  #batch_id = 0;
  /** Why it takes nothing any more. */
  #failure: FailureError | null = null;

  constructor(input: RawSenderInput) {
    this.#input = input;
    const { node, data_dir, cluster, topics, spawn } = input;
    this.#port = spawn({
      name: "raw_sender",
      command: [node, script],
      data_dir,
      signal: this.#controller.signal,
      onLine: (line) => this.#take(line),
      // The last of them stands in the reason of the end.
      onErrorLine: () => {},
      onExit: (exit) => this.#end(exit),
    });
    // It may end while nobody waits: then whoever asks next is told.
    this.#waiting.promise.catch(() => {});
    this.#port.write(`${JSON.stringify({ properties: producerProperties(cluster), topics })}\n`);
  }

  async connected(): Promise<void> {
    await this.#answer("Kafka cannot be reached");
  }

  /** Returns how many of the records were refused. */
  async send(records: readonly RawRecord[]): Promise<number> {
    if (this.#failure !== null) throw this.#failure;
    this.#waiting = Promise.withResolvers<number>();
    this.#batch_id += 1;
    this.#port.write(packetOf(this.#batch_id, records, this.#input.topics));
    return await this.#answer("Kafka does not acknowledge");
  }

  close(): void {
    this.#controller.abort();
  }

  async #answer(what: string): Promise<number> {
    const { reject, promise } = this.#waiting;
    const cancel = this.#input.after(answer_ms_max, () => {
      reject(new FailureError(`${what} within ${answer_ms_max / 1_000} s: see that it runs`));
    });
    try {
      return await promise;
    } finally {
      cancel();
    }
  }

  #take(text: string): void {
    const line = readPortLine(text);
    if (line.kind === "ready") this.#waiting.resolve(0);
    if (line.kind === "acknowledged") this.#waiting.resolve(line.refusals.length);
    if (line.kind === "failed") this.#fail(`Kafka cannot take records now: ${line.reason}`);
  }

  #end({ reason }: PortExit): void {
    this.#fail(`The Kafka client has ended: ${reason}`);
  }

  #fail(reason: string): void {
    this.#failure ??= new FailureError(reason);
    this.#waiting.reject(this.#failure);
  }
}
