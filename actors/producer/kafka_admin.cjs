/**
 * Creates topics and waits until each of their partitions can be written to; run once by Node, for
 * the reason that `kafka_port.cjs` gives. A topic that exists is left as it is.
 *
 * stdin: JSON, `{"properties": {…}, "topics": [{"name", "partitions", "replication_factor",
 * "config"}]}`, which may hold secrets. Exit code 0 when all topics exist, and every partition has
 * a leader; a TCP connection or an answered request alone says neither. Otherwise `F <sentence>` on
 * stdout, after which there is nothing to wait for: to end by itself takes the client until the
 * time limit of what it is at.
 */

"use strict";

const { AdminClient, Producer } = require("@confluentinc/kafka-javascript");
const { watchLogin, withTokens } = require("./kafka_login.cjs");

const request_ms_max = 10_000;
const attempts_max = 100;
const attempt_ms = 100;
const topic_already_exists = 36;

function createTopic(admin, { name, partitions, replication_factor, config }) {
  return new Promise((resolve, reject) => {
    const topic = { topic: name, num_partitions: partitions, replication_factor, config };
    admin.createTopic(topic, request_ms_max, (error) => {
      if (!error || error.code === topic_already_exists) resolve();
      else reject(new Error(`Cannot create topic ${name}: ${error.message}`));
    });
  });
}

function connect(properties) {
  const producer = new Producer(withTokens(properties));
  // Without a listener an error event would be thrown; connecting reports its own.
  producer.on("event.error", () => {});
  producer.on("error", () => {});
  return new Promise((resolve, reject) => {
    const endWatch = watchLogin(producer, (words) => {
      reject(new Error(`Kafka does not let us in: ${words}`));
    });
    producer.connect({ timeout: request_ms_max }, (error) => {
      endWatch();
      if (error) reject(new Error(`Cannot reach Kafka: ${error.message}`));
      else resolve(producer);
    });
  });
}

function readMetadata(producer) {
  return new Promise((resolve, reject) => {
    producer.getMetadata({ timeout: request_ms_max }, (error, metadata) => {
      if (error) reject(new Error(`Cannot read Kafka's metadata: ${error.message}`));
      else resolve(metadata);
    });
  });
}

/** The first topic that cannot be written to yet, or undefined. */
function findUnready(topics, metadata) {
  return topics.find(({ name }) => {
    const partitions = metadata.topics.find((topic) => topic.name === name)?.partitions ?? [];
    return partitions.length === 0 || partitions.some(({ leader }) => leader < 0);
  });
}

async function waitForLeaders(producer, topics) {
  let unready;
  for (let attempt = 0; attempt < attempts_max; attempt += 1) {
    unready = findUnready(topics, await readMetadata(producer));
    if (unready === undefined) return;
    await new Promise((resolve) => setTimeout(resolve, attempt_ms));
  }
  throw new Error(`Topic ${unready.name} has partitions without a leader`);
}

async function main() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const { properties, topics } = JSON.parse(Buffer.concat(chunks).toString());
  const producer = await connect(properties);
  const admin = AdminClient.createFrom(producer);
  await Promise.all(topics.map((topic) => createTopic(admin, topic)));
  await waitForLeaders(producer, topics);
}

main().then(
  () => process.exit(0),
  (error) => {
    process.stdout.write(`F ${error.message}\n`, () => process.exit(1));
  },
);
