/**
 * What the tests of the feed alone stand on: a real broker and registry of their own, which can be
 * taken away and given back, the simulator and its faults, and everything that arrived in Kafka.
 * Spark is not needed to see what was lost.
 *
 * @module
 */

import { join } from "node:path";
import { Consumer, MessagesStreamModes } from "@platformatic/kafka";
import { chooseFreePort, isPortFree } from "../../actors/port/free_port.ts";
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
import { environmentOf, eventually } from "./platform.ts";

/** A fault of the simulator, as `/simulator/faults` takes it. */
export type Fault = Readonly<Record<string, string | number | boolean>>;

/** What `startGround` gives. */
export type Ground = Awaited<ReturnType<typeof startGround>>;

/** A broker, a registry and a simulator in a folder, and settings that point a feed at them. */
export async function startGround(
  folder: string,
  options: {
    readonly exchanges: readonly string[];
    readonly rate: number;
    readonly settings?: Readonly<Record<string, string>>;
  },
) {
  const broker = await openBroker(join(folder, "kafka"));
  const registry = await openRegistry(join(folder, "registry.db"));
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
    K2_SCHEMA_REGISTRY_URL: registry.url,
  });
  return {
    folder,
    exchanges,
    environment,
    simulator,
    broker,
    registry,
    faults: faultsOf(simulator.url),
    readTopics: () => readTopics(broker.brokers, exchanges),
    async [Symbol.asyncDispose]() {
      await simulator[Symbol.asyncDispose]();
      await registry.stop();
      await broker.stop();
    },
  };
}

/** A broker that comes back where it was: the same ports, the same records. */
async function openBroker(data_dir: string) {
  let running = await startBroker(data_dir);
  const { port, controller_port, brokers } = running;
  const isGone = async () => ((await isPortFree(port)) ? true : undefined);
  function signalGroup(signal: NodeJS.Signals): void {
    process.kill(-Number(running.report.pid), signal);
  }
  return {
    brokers,
    async start() {
      running = await startBroker(data_dir, { port, controller_port });
    },
    async stop() {
      running.stop();
      await running.exited;
    },
    /** As `kill -9` of all its processes; the port is free when this resolves. */
    async kill() {
      running.kill();
      await eventually("the broker's port to be free", isGone);
    },
    freeze: () => signalGroup("SIGSTOP"),
    thaw: () => signalGroup("SIGCONT"),
  };
}

/** A registry that comes back where it was. */
async function openRegistry(database_path: string) {
  const port = await chooseFreePort();
  function open() {
    return incarnate(registryActor, (incarnation) => ({ incarnation, database_path, port }));
  }
  let running = open();
  await running.ready;
  return {
    url: `http://127.0.0.1:${port}`,
    async start() {
      running = open();
      await running.ready;
    },
    async stop() {
      running.stop();
      await running.exited;
    },
  };
}

/** The simulator's faults. */
function faultsOf(simulator_url: string) {
  const url = new URL("/simulator/faults", simulator_url);
  async function ask(faults: readonly Fault[]): Promise<void> {
    const response = await fetch(url, { method: "POST", body: JSON.stringify(faults) });
    if (!response.ok) throw new Error(await response.text());
  }
  return {
    ask,
    /** Asks, and waits until all of them have happened or are over. */
    async untilOver(faults: readonly Fault[]): Promise<void> {
      await ask(faults);
      await eventually("the faults to happen", async () => {
        const { faults: left } = (await (await fetch(url)).json()) as { faults: Fault[] };
        return left.length === 0 ? true : undefined;
      });
    },
    /** Ends those that have not happened or go on. */
    async clear(): Promise<void> {
      await fetch(url, { method: "DELETE" });
    },
  };
}

/** Everything that stands in the feed's topics, decoded, in the order of its partitions. */
async function readTopics(brokers: string, exchanges: readonly string[]) {
  // First, so that a feed that runs has written what these were found in when that is read.
  const trades = await readAll(brokers, exchanges.map(tradesTopic));
  const [frames, events, dead_letters] = await Promise.all([
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
    for await (const { value, topic, partition, offset } of stream) {
      // What is still being written is not of the same moment in all topics.
      if (offset >= (ends.get(topic)?.[partition] ?? 0n)) continue;
      values.push(Buffer.from(value ?? []));
      left -= 1;
      if (left === 0) break;
    }
    await stream.close();
  }
  await consumer.close(true);
  return values;
}
