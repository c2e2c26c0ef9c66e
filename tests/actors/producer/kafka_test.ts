/**
 * Goal: on a real broker, every record arrives whatever dies, in order per key and where Java's
 * partitioner puts it; what the broker refuses costs its neighbors nothing; secrets stay secret.
 * Method: one real Kafka and the real port, killed with kill -9 under load; what arrived is read
 * by another client.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Consumer, MessagesStreamModes } from "@platformatic/kafka";
import { spawnPort } from "../../../actors/port/port.ts";
import { afterOnHost } from "../../../actors/port/timers.ts";
import { producerProperties } from "../../../actors/producer/kafka_properties.ts";
import { Outbox } from "../../../actors/producer/outbox.ts";
import { kafkaPort } from "../../../actors/producer/port.ts";
import { producerMachine } from "../../../actors/producer/producer.ts";
import { topicSpecs } from "../../../actors/producer/topics.ts";
import { FailureError } from "../../../actors/settings/exit.ts";
import {
  dead_letters_topic,
  decodeDeadLetter,
  decodeEvent,
  decodeFrameBatch,
  decodeTrade,
  events_topic,
  framesTopic,
  tradesTopic,
} from "../../../schemas/mod.ts";
import { eventOf, frameOf, tradeOf } from "./records.ts";
import { incarnate, keepingLog, startBroker, startTopics, temporaryFolder, until } from "./rig.ts";

const folder = temporaryFolder();
const exchanges = ["binance", "kraken", "small"];
const symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BTC/USD", "XÄ"];
const password = "not-to-be-seen";
const small_record_bytes_max = 2_000;
const specs = topicSpecs({
  exchanges,
  trades_partitions: 3,
  replication_factor: 1,
  retention_ms: 86_400_000,
  retention_bytes: 2 ** 32,
}).map((spec) =>
  spec.name === tradesTopic("small")
    ? { ...spec, config: { ...spec.config, "max.message.bytes": `${small_record_bytes_max}` } }
    : spec,
);

let broker: Awaited<ReturnType<typeof startBroker>>;

beforeAll(async () => {
  broker = await startBroker(folder.path);
  const topics = startTopics({
    brokers: broker.brokers,
    data_dir: folder.path,
    topics: specs,
    outbox: createOutbox(),
  });
  expect(await topics.exited).toEqual({ kind: "normal" });
}, 90_000);

afterAll(async () => {
  broker.stop();
  await broker.exited;
  folder.remove();
}, 30_000);

function createOutbox(): Outbox {
  return new Outbox({
    exchanges,
    flush_count: 100,
    flush_ms: 2,
    buffer_bytes_max: 2 ** 26,
    now_ms: () => performance.now(),
    now_us: () => Date.now() * 1_000,
  });
}

/** An outbox with its producer and its port; `restart` is what the supervisor would do. */
async function startFeed() {
  const outbox = createOutbox();
  outbox.setSchemaIds(Object.fromEntries(outbox.topics.map((topic) => [topic, 1])));
  const { log, lines } = keepingLog();
  const startPort = () =>
    incarnate(kafkaPort, (incarnation) => ({
      incarnation,
      outbox,
      cluster: { brokers: broker.brokers, properties: { "sasl.password": password } },
      data_dir: folder.path,
      node: "node",
      log,
      spawn: spawnPort,
      after: afterOnHost,
      random: Math.random,
    }));
  const feed = { outbox, lines, port: startPort(), restart: () => {} };
  feed.restart = () => {
    feed.port = startPort();
  };
  await feed.port.ready;
  const producer = incarnate(producerMachine, (incarnation) => ({
    incarnation,
    outbox,
    after: afterOnHost,
    freeBytes: () => Number.POSITIVE_INFINITY,
    log,
  }));
  async function end(): Promise<void> {
    producer.stop();
    expect(await producer.exited).toEqual({ kind: "normal" });
    feed.port.stop();
    expect(await feed.port.exited).toEqual({ kind: "normal" });
    outbox.check();
  }
  return { feed, end };
}

interface Arrived {
  readonly key: string;
  readonly partition: number;
  readonly value: Buffer;
}

/** Everything of a topic up to the first moment at which `isEnough` holds. */
async function readTopic(
  topic: string,
  isEnough: (arrived: readonly Arrived[]) => boolean,
): Promise<readonly Arrived[]> {
  const consumer = new Consumer({
    clientId: "test",
    groupId: crypto.randomUUID(),
    bootstrapBrokers: [broker.brokers],
  });
  const stream = await consumer.consume({
    topics: [topic],
    mode: MessagesStreamModes.EARLIEST,
    autocommit: false,
    maxWaitTime: 100,
  });
  const arrived: Arrived[] = [];
  for await (const { key, partition, value } of stream) {
    arrived.push({ key: String(key), partition, value: Buffer.from(value ?? []) });
    if (isEnough(arrived)) break;
  }
  await stream.close();
  await consumer.close(true);
  return arrived;
}

/** Reads until each of the given number of trades of a connection has arrived, and returns those. */
async function readTrades(exchange: string, connection_id: string, count: number) {
  const ids = new Set<string>();
  let seen = 0;
  const arrived = await readTopic(tradesTopic(exchange), (all) => {
    for (; seen < all.length; seen += 1) {
      const trade = decodeTrade(all[seen]!.value);
      if (trade.connection_id === connection_id) ids.add(trade.message_id);
    }
    return ids.size === count;
  });
  return arrived
    .map((record) => ({ ...record, trade: decodeTrade(record.value) }))
    .filter(({ trade }) => trade.connection_id === connection_id);
}

function add(outbox: Outbox, connection_id: string, index: number): void {
  const symbol = symbols[index % symbols.length]!;
  outbox.addTrade({ ...tradeOf("binance", symbol, index), connection_id });
}

/** First arrivals of each key, as trade ids in their order. */
function firstArrivals(records: Awaited<ReturnType<typeof readTrades>>): Map<string, number[]> {
  const seen = new Set<string>();
  const orders = new Map<string, number[]>();
  for (const { key, trade } of records) {
    if (seen.has(trade.message_id)) continue;
    seen.add(trade.message_id);
    orders.set(key, [...(orders.get(key) ?? []), Number(trade.trade_id)]);
  }
  return orders;
}

function expectOrderPerKey(records: Awaited<ReturnType<typeof readTrades>>): void {
  for (const [key, ids] of firstArrivals(records)) {
    const sorted = ids.toSorted((one, other) => one - other);
    expect([key, ids]).toEqual([key, sorted]);
  }
}

/** Java's murmur2 as in org.apache.kafka.common.utils.Utils, which has these values as its test. */
function murmur2(data: Uint8Array): number {
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ data.length;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const whole = data.length - (data.length % 4);
  for (let index = 0; index < whole; index += 4) {
    let k = Math.imul(view.getInt32(index, true), m);
    k = Math.imul(k ^ (k >>> 24), m);
    h = Math.imul(h, m) ^ k;
  }
  for (let index = data.length - 1; index >= whole; index -= 1) {
    h ^= data[index]! << (8 * (index - whole));
  }
  if (whole < data.length) h = Math.imul(h, m);
  h = Math.imul(h ^ (h >>> 13), m);
  return (h ^ (h >>> 15)) | 0;
}

test("murmur2() of this test is Java's", () => {
  expect(murmur2(Buffer.from("21"))).toBe(-973_932_308);
  expect(murmur2(Buffer.from("foobar"))).toBe(-790_332_482);
  expect(murmur2(Buffer.from("a-little-bit-long-string"))).toBe(-985_981_536);
});

test("records arrive unchanged, once, in order, in the partition that Java would choose", async () => {
  const { feed, end } = await startFeed();
  for (let index = 0; index < 1_000; index += 1) add(feed.outbox, "plain", index);
  await end();
  expect(feed.outbox.figures()).toMatchObject({
    received_total: 1_000,
    acknowledged_total: 1_000,
    dead_lettered_total: 0,
  });
  const records = await readTrades("binance", "plain", 1_000);
  expect(records.length).toBe(1_000);
  expectOrderPerKey(records);
  for (const { key, partition, trade } of records) {
    expect(partition).toBe((murmur2(Buffer.from(key)) & 0x7fffffff) % 3);
    const { exchange, native_symbol, trade_id } = trade;
    expect(key).toBe(`${exchange}:${native_symbol}`);
    const sent = tradeOf(exchange, native_symbol, Number(trade_id));
    expect(trade).toEqual({ ...sent, connection_id: "plain" });
  }
}, 60_000);

test("secrets are in neither the arguments nor the environment nor the log of the port", async () => {
  const { feed, end } = await startFeed();
  const process_files = ["cmdline", "environ"].map((file) =>
    readFileSync(`/proc/${feed.port.report.pid}/${file}`, "utf8"),
  );
  await end();
  expect([...process_files, ...feed.lines, ...broker.lines].join("\n")).not.toContain(password);
}, 30_000);

test("a port that is killed again and again under load costs no record and no order", async () => {
  const { feed, end } = await startFeed();
  const total = 30_000;
  const crashes: string[] = [];
  let kills = 0;
  for (let index = 0; index < total; ) {
    for (let count = 0; count < 250; count += 1, index += 1) add(feed.outbox, "killed", index);
    // In the middle of what is in flight, which is when it hurts.
    if (index % 10_000 === 0 && Number(feed.outbox.figures().in_flight) > 0) {
      process.kill(feed.port.report.pid!, "SIGKILL");
      kills += 1;
      const exit = await feed.port.exited;
      if (exit.kind === "crash") crashes.push(exit.reason);
      feed.restart();
      feed.outbox.check();
    }
    await Bun.sleep(1);
  }
  await feed.port.ready;
  await end();
  expect(kills).toBeGreaterThan(0);
  expect(crashes.length).toBe(kills);
  expect(crashes[0]).toContain("SIGKILL");
  expect(feed.outbox.figures()).toMatchObject({
    received_total: total,
    acknowledged_total: total,
    dead_lettered_total: 0,
  });
  const records = await readTrades("binance", "killed", total);
  expectOrderPerKey(records);
}, 90_000);

test("a port whose reader is gone still delivers all that it was given", async () => {
  const script = fileURLToPath(new URL("../../../actors/producer/kafka_port.cjs", import.meta.url));
  const child = spawn("node", [script], { stdio: ["pipe", "pipe", "ignore"] });
  const exited = once(child, "exit");
  const outbox = createOutbox();
  outbox.setSchemaIds(Object.fromEntries(outbox.topics.map((topic) => [topic, 1])));
  const properties = producerProperties({ brokers: broker.brokers, properties: {} });
  child.stdin.write(`${JSON.stringify({ properties, topics: outbox.topics })}\n`);
  await once(child.stdout, "data");
  child.stdout.destroy();
  await once(child.stdout, "close");
  outbox.attach({ send: (packet) => void child.stdin.write(packet) });
  for (let index = 0; index < 5_000; index += 1) add(outbox, "unread", index);
  outbox.closeAll();
  child.stdin.end();
  expect(await exited).toEqual([0, null]);
  expectOrderPerKey(await readTrades("binance", "unread", 5_000));
}, 60_000);

test("a record that the broker refuses is a dead letter, and its neighbors arrive", async () => {
  const { feed, end } = await startFeed();
  const large = { text: "x".repeat(small_record_bytes_max) };
  const huge = { text: "y".repeat(9 * 2 ** 20) };
  for (let index = 0; index < 60; index += 1) {
    const trade = { ...tradeOf("small", "A", index), connection_id: "refused" };
    // Text without repetition, because the broker measures what is left after compression.
    const noise = {
      text: Buffer.from(crypto.getRandomValues(new Uint8Array(4_000))).toString("hex"),
    };
    const vendor_data = index === 50 ? huge : index % 20 === 10 ? { ...large, ...noise } : {};
    feed.outbox.addTrade({ ...trade, vendor_data });
  }
  await end();
  expect(feed.outbox.figures()).toMatchObject({
    received_total: 60,
    acknowledged_total: 57,
    dead_lettered_total: 3,
    discarded_total: 0,
  });
  const records = await readTrades("small", "refused", 57);
  expect(firstArrivals(records).get("small:A")?.length).toBe(57);
  const letters = (await readTopic(dead_letters_topic, (all) => all.length === 3)).map(
    ({ value }) => decodeDeadLetter(value),
  );
  for (const letter of letters) {
    expect(letter).toMatchObject({
      exchange: "small",
      native_symbol: "A",
      connection_id: "refused",
      reason: "record_too_large",
      topic: tradesTopic("small"),
    });
  }
  expect(letters.map(({ frame_sequence }) => frame_sequence).toSorted()).toEqual([10, 30, 50]);
}, 60_000);

test("frames and events arrive as they went, large ones too, and one too large is a dead letter", async () => {
  const { feed, end } = await startFeed();
  const { outbox } = feed;
  const log = outbox.openFrames({ exchange: "kraken", connection_id: "raw", url: "wss://x" });
  const bytes = crypto.getRandomValues(new Uint8Array(6 * 2 ** 20));
  const frames = [
    frameOf(0),
    frameOf(1, "\u0000ä€🚀"),
    { ...frameOf(2), frame: bytes, kind: "PAGE" as const, request: "GET https://x/y?z=1" },
    { ...frameOf(3, "z".repeat(12 * 2 ** 20)), direction: "SENT" as const },
    frameOf(4),
  ];
  for (const frame of frames) {
    log.add(frame);
    outbox.addTrade({ ...tradeOf("kraken", "A", frame.frame_sequence), connection_id: "raw" });
  }
  outbox.addEvent(eventOf("kraken", "A", 4));
  const mark = outbox.mark();
  await end();
  expect(outbox.settled_through).toBe(mark);
  expect(outbox.figures()).toMatchObject({ dead_lettered_total: 1, discarded_total: 0 });
  const kept = frames.filter(({ frame_sequence }) => frame_sequence !== 3);
  const framesOf = (all: readonly Arrived[]) =>
    all.flatMap(({ value }) => decodeFrameBatch(value).frames);
  const arrived = await readTopic(framesTopic("kraken"), (all) => {
    return framesOf(all).length >= kept.length;
  });
  expect(arrived.map(({ key }) => key)).toEqual(arrived.map(() => "raw"));
  expect(framesOf(arrived)).toEqual(
    kept.map((frame) => ({ ...frame, frame: Buffer.from(frame.frame as string) })),
  );
  const [event] = await readTopic(events_topic, (all) => all.length === 1);
  expect(event?.key).toBe("kraken:A");
  expect(decodeEvent(event!.value)).toEqual(eventOf("kraken", "A", 4));
  const letters = await readTopic(dead_letters_topic, (all) => all.length === 4);
  expect(decodeDeadLetter(letters.at(-1)!.value)).toMatchObject({
    connection_id: "raw",
    frame_sequence: 3,
    reason: "record_too_large",
    topic: framesTopic("kraken"),
  });
}, 60_000);

test("topics that exist are success, and a schema that is refused ends the start", async () => {
  const options = { brokers: broker.brokers, data_dir: folder.path, topics: specs };
  const again = startTopics({ ...options, outbox: createOutbox() });
  expect(await again.exited).toEqual({ kind: "normal" });
  let attempts = 0;
  const refused = startTopics({
    ...options,
    outbox: createOutbox(),
    registerSchemas: async () => {
      attempts += 1;
      // A registry that is away may come back; a refusal will not change.
      throw attempts === 1 ? new Error("it is away") : new FailureError("it is incompatible");
    },
  });
  expect(await refused.exited).toEqual({ kind: "fatal", reason: "it is incompatible" });
  expect(refused.lines.join("")).toContain("it is away; trying again");
}, 60_000);

test("a broker that is killed and comes back costs no record and no order", async () => {
  const { feed, end } = await startFeed();
  let index = 0;
  const load = (count: number) => {
    for (const stop = index + count; index < stop; index += 1) add(feed.outbox, "away", index);
  };
  load(5_000);
  await until(() => Number(feed.outbox.figures().acknowledged_total) > 0);
  const { port, controller_port, report } = broker;
  const [group] = [report.pid!];
  process.kill(-group, "SIGKILL");
  expect(await broker.exited).toMatchObject({ kind: "crash" });
  load(5_000);
  feed.outbox.check();
  expect(feed.outbox.is_empty).toBe(false);
  broker = await startBroker(folder.path, { port, controller_port });
  load(5_000);
  await end();
  expect(feed.outbox.figures()).toMatchObject({ acknowledged_total: 15_000 });
  const records = await readTrades("binance", "away", 15_000);
  expectOrderPerKey(records);
}, 120_000);
