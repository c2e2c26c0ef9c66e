/**
 * Creates topics and waits until each of their partitions can be written to; run once by Node, for
 * the reason that `kafka_port.cjs` gives. A topic that exists is left as it is.
 *
 * stdin: JSON, `{"properties": {…}, "topics": [{"name", "partitions", "replication_factor",
 * "config"}]}`, which may hold secrets. Exit code 0 when all topics exist, and every partition has
 * a leader; a TCP connection or an answered request alone says neither. Otherwise 1, with one
 * sentence on stderr.
 */

"use strict";

const { AdminClient, Producer } = require("@confluentinc/kafka-javascript");
const { withTokens } = require("./kafka_token.cjs");

const request_ms_max = 10_000;
const attempts_max = 100;
const attempt_ms = 100;
const topic_already_exists = 36;
/** A password or a certificate is wrong: the client tries on, and says less at the end. */
const login_errors = new Set([
  -169, // _AUTHENTICATION
  -181, // _SSL
]);

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
  return new Promise((resolve, reject) => {
    function refuse({ code, message }) {
      if (login_errors.has(code)) reject(new Error(`Cannot log in to Kafka: ${message}`));
    }
    // Where no token could be had, and what the client reports while it tries.
    producer.on("error", ({ message }) => reject(new Error(`Cannot log in to Kafka: ${message}`)));
    producer.on("event.error", refuse);
    producer.connect({ timeout: request_ms_max }, (error) => {
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
    process.stderr.write(`${error.message}\n`, () => process.exit(1));
  },
);
