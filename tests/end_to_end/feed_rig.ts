/**
 * What the tests of the feed alone share: a real broker and registry of their own, the simulator
 * and its faults, and everything that arrived in Kafka. Spark is not needed to see what was lost.
 *
 * @module
 */

import { join } from "node:path";
import { Consumer, MessagesStreamModes } from "@platformatic/kafka";
import { chooseFreePort } from "../../actors/port/free_port.ts";
import { registryActor } from "../../actors/registry/registry.ts";
import {
  dead_letters_topic,
  decodeDeadLetter,
  decodeEvent,
  decodeFrameBatch,
  decodeTrade,
  events_topic,
  framesTopic,
  tradesTopic,
} from "../../schemas/mod.ts";
import { incarnate, startBroker } from "../actors/producer/rig.ts";
import { startSimulator } from "./ledger.ts";
import { environmentOf } from "./platform.ts";

/** A broker, a registry and a simulator in a folder, and settings that point a feed at them. */
export async function startGround(
  folder: string,
  options: {
    readonly exchanges: readonly string[];
    readonly rate: number;
    readonly settings?: Readonly<Record<string, string>>;
  },
) {
  const broker = await startBroker(join(folder, "kafka"));
  const registry_port = await chooseFreePort();
  const registry = incarnate(registryActor, (incarnation) => ({
    incarnation,
    database_path: join(folder, "registry.db"),
    port: registry_port,
  }));
  await registry.ready;
  const { exchanges, rate } = options;
  const chosen = { K2_EXCHANGES: exchanges.join(","), ...options.settings };
  const simulator = await startSimulator(
    ["--rate", String(rate), "--relay"],
    environmentOf(folder, chosen),
  );
  const sockets = simulator.url.replace("http:", "ws:");
  const urls = exchanges.flatMap((exchange) => {
    const path = exchange === "kraken" ? "/v2" : "";
    const prefix = `K2_${exchange.toUpperCase()}`;
    return [
      [`${prefix}_WS_URL`, sockets + path],
      [`${prefix}_REST_URL`, simulator.url],
    ];
  });
  const environment = environmentOf(join(folder, "data"), {
    ...chosen,
    ...Object.fromEntries(urls),
    K2_KAFKA_BROKERS: broker.brokers,
    K2_SCHEMA_REGISTRY_URL: `http://127.0.0.1:${registry_port}`,
  });
  return {
    environment,
    simulator,
    readTopics: () => readTopics(broker.brokers, exchanges),
    async [Symbol.asyncDispose]() {
      await simulator[Symbol.asyncDispose]();
      registry.stop();
      await registry.exited;
      broker.stop();
      await broker.exited;
    },
  };
}

/** Everything that stands in the feed's topics, decoded, in the order of its partitions. */
async function readTopics(brokers: string, exchanges: readonly string[]) {
  const [trades, frames, events, dead_letters] = await Promise.all([
    readAll(brokers, exchanges.map(tradesTopic)),
    readAll(brokers, exchanges.map(framesTopic)),
    readAll(brokers, [events_topic]),
    readAll(brokers, [dead_letters_topic]),
  ]);
  return {
    trades: trades.map(decodeTrade),
    frames: frames.map(decodeFrameBatch),
    events: events.map(decodeEvent),
    dead_letters: dead_letters.map(decodeDeadLetter),
  };
}

/** Reads topics to their ends as they were when reading began. */
async function readAll(brokers: string, topics: readonly string[]): Promise<readonly Buffer[]> {
  const consumer = new Consumer({
    clientId: "test",
    groupId: crypto.randomUUID(),
    bootstrapBrokers: [brokers],
  });
  const ends = await consumer.listOffsets({ topics: [...topics] });
  let left = [...ends.values()].flat().reduce((sum, end) => sum + Number(end), 0);
  const values: Buffer[] = [];
  if (left > 0) {
    const stream = await consumer.consume({
      topics: [...topics],
      mode: MessagesStreamModes.EARLIEST,
      autocommit: false,
      maxWaitTime: 100,
    });
    for await (const { value } of stream) {
      values.push(Buffer.from(value ?? []));
      left -= 1;
      if (left === 0) break;
    }
    await stream.close();
  }
  await consumer.close(true);
  return values;
}
