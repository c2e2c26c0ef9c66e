/**
 * Goal: what the settings say of Kafka's security lets both clients in, by every mechanism; a wrong
 * password is said plainly, tried again, and appears nowhere.
 * Method: settings as a person writes them, against one real broker with TLS, all mechanisms of
 * SASL and client certificates: the topics actor and the port deliver a record, which the Java
 * client of Spark then counts.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { globSync } from "node:fs";
import { join, resolve } from "node:path";
import { spawnPort } from "../../../actors/port/port.ts";
import { afterOnHost } from "../../../actors/port/timers.ts";
import { Outbox } from "../../../actors/producer/outbox.ts";
import { kafkaPort } from "../../../actors/producer/port.ts";
import { producerMachine } from "../../../actors/producer/producer.ts";
import { topicSpecs } from "../../../actors/producer/topics.ts";
import { readKafkaSecurity } from "../../../actors/settings/kafka_security.ts";
import { readPem } from "../../../actors/settings/pem_file.ts";
import { javaClientOptions } from "../../../actors/spark/kafka_options.ts";
import { tradesTopic } from "../../../schemas/mod.ts";
import { tradeOf } from "./records.ts";
import { incarnate, keepingLog, startTopics, temporaryFolder, until } from "./rig.ts";
import { startSecureBroker } from "./secure_broker.ts";

const root = resolve(import.meta.dir, "../../..");
const folder = temporaryFolder();
const user = { name: "k2-user", password: "p@ss-word+not:to-be-seen" };
const topic = tradesTopic("kraken");
const test_ms = 60_000;
const specs = topicSpecs({
  exchanges: ["kraken"],
  trades_partitions: 1,
  replication_factor: 1,
  retention_ms: 86_400_000,
  retention_bytes: 2 ** 32,
});
let broker: Awaited<ReturnType<typeof startSecureBroker>>;

beforeAll(async () => {
  broker = await startSecureBroker(join(folder.path, "kafka"), user);
}, 120_000);

afterAll(async () => {
  await broker?.[Symbol.asyncDispose]();
  folder.remove();
}, 30_000);

type Settings = Readonly<Record<string, string>>;

function passwordSettings(mechanism: string, password = user.password): Settings {
  return {
    K2_KAFKA_BROKERS: broker.sasl,
    K2_KAFKA_SECURITY_PROTOCOL: "sasl_ssl",
    K2_KAFKA_SSL_CA_LOCATION: broker.authority.authority_path,
    K2_KAFKA_SASL_MECHANISM: mechanism,
    K2_KAFKA_SASL_USERNAME: user.name,
    K2_KAFKA_SASL_PASSWORD: password,
  };
}

function tokenSettings(secret = user.password): Settings {
  return {
    K2_KAFKA_BROKERS: broker.sasl,
    K2_KAFKA_SECURITY_PROTOCOL: "sasl_ssl",
    K2_KAFKA_SSL_CA_LOCATION: broker.authority.authority_path,
    K2_KAFKA_SASL_MECHANISM: "OAUTHBEARER",
    K2_KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: broker.token_url,
    K2_KAFKA_SASL_OAUTHBEARER_CLIENT_ID: user.name,
    K2_KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET: secret,
    K2_KAFKA_SASL_OAUTHBEARER_SCOPE: "kafka",
    K2_KAFKA_HTTPS_CA_LOCATION: broker.authority.authority_path,
  };
}

function certificateSettings(): Settings {
  const { certificate_path, key_path } = broker.authority.certify("client");
  return {
    K2_KAFKA_BROKERS: broker.ssl,
    K2_KAFKA_SECURITY_PROTOCOL: "ssl",
    K2_KAFKA_SSL_CA_LOCATION: broker.authority.authority_path,
    K2_KAFKA_SSL_CERTIFICATE_LOCATION: certificate_path,
    K2_KAFKA_SSL_KEY_LOCATION: key_path,
  };
}

const ways: readonly (readonly [string, () => Settings])[] = [
  ["PLAIN", () => passwordSettings("PLAIN")],
  ["SCRAM-SHA-256", () => passwordSettings("SCRAM-SHA-256")],
  ["SCRAM-SHA-512", () => passwordSettings("SCRAM-SHA-512")],
  ["OAUTHBEARER", () => tokenSettings()],
  ["a client certificate", certificateSettings],
];

function clusterOf(settings: Settings) {
  const brokers = settings.K2_KAFKA_BROKERS ?? "";
  return { brokers, properties: readKafkaSecurity(settings) };
}

function createOutbox(): Outbox {
  return new Outbox({
    exchanges: ["kraken"],
    flush_count: 100,
    flush_ms: 2,
    buffer_bytes_max: 2 ** 26,
    now_ms: () => performance.now(),
    now_us: () => Date.now() * 1_000,
  });
}

function startPort(outbox: Outbox, settings: Settings) {
  const { log, lines } = keepingLog();
  const port = incarnate(kafkaPort, (incarnation) => ({
    incarnation,
    outbox,
    cluster: clusterOf(settings),
    data_dir: folder.path,
    node: "node",
    spawn: spawnPort,
    log,
    after: afterOnHost,
    random: Math.random,
  }));
  return { ...port, lines };
}

test.each(ways)(
  "by %s, topics are made and a record is delivered",
  async (_, settingsOf) => {
    const settings = settingsOf();
    const outbox = createOutbox();
    const topics = startTopics({
      ...clusterOf(settings),
      data_dir: folder.path,
      topics: specs,
      outbox,
    });
    expect(await topics.exited).toEqual({ kind: "normal" });
    expect(topics.lines).toEqual([]);

    const port = startPort(outbox, settings);
    await port.ready;
    const producer = incarnate(producerMachine, (incarnation) => ({
      incarnation,
      outbox,
      after: afterOnHost,
    }));
    outbox.addTrade(tradeOf("kraken", "BTC/USD", 1));
    await until(() => outbox.figures().acknowledged_total === 1);
    producer.stop();
    port.stop();
    await Promise.all([producer.exited, port.exited]);
    expect(port.lines).toEqual([]);
  },
  test_ms,
);

const refusals: readonly (readonly [string, () => Settings, RegExp])[] = [
  [
    "a wrong password",
    () => passwordSettings("SCRAM-SHA-512", "wrong-not-to-be-seen"),
    /SASL authentication error: Authentication failed .* invalid credentials .*SCRAM-SHA-512/,
  ],
  [
    "a wrong secret",
    () => tokenSettings("wrong-not-to-be-seen"),
    /the token endpoint at https:\S+ gave no token: HTTP 401 \(invalid_client\)/,
  ],
  [
    "an unknown authority",
    () => {
      const { certificate_path } = broker.authority.certify("stranger");
      return { ...passwordSettings("PLAIN"), K2_KAFKA_SSL_CA_LOCATION: certificate_path };
    },
    /certificate verify failed/,
  ],
];

test.each(refusals)(
  "%s is said plainly, tried again, and appears nowhere",
  async (_, settingsOf, words) => {
    const settings = settingsOf();
    const outbox = createOutbox();
    const topics = startTopics({
      ...clusterOf(settings),
      data_dir: folder.path,
      topics: specs,
      outbox,
    });
    const port = startPort(outbox, settings);
    await until(() => Number(topics.report.figures.attempts) >= 2);
    await until(() => port.lines.filter((line) => words.test(line)).length >= 2);
    topics.kill();
    port.kill();
    expect(String(topics.report.figures.reason)).toMatch(words);
    expect(topics.lines).toHaveLength(1);
    expect(port.lines.join("\n")).toMatch(words);
    const shown = [...topics.lines, ...port.lines, JSON.stringify([topics.report, port.report])];
    expect(shown.join("\n")).not.toContain("not-to-be-seen");
  },
  test_ms,
);

test(
  "Spark's Java client is let in by the same settings",
  async () => {
    const site = globSync(".setup/python/lib/python3*/site-packages/pyspark/jars", { cwd: root });
    const jars = [".setup/spark", ...site].map((path) => join(root, path, "*"));
    function optionsOf(settings: Settings) {
      const { brokers, properties } = clusterOf(settings);
      return { ...javaClientOptions(properties, readPem), "bootstrap.servers": brokers };
    }
    const attempts = {
      ...Object.fromEntries(ways.map(([name, settingsOf]) => [name, optionsOf(settingsOf())])),
      "a wrong password": optionsOf(passwordSettings("PLAIN", "wrong-not-to-be-seen")),
    };
    const python = join(root, ".setup/python/bin/python");
    const child = Bun.spawn([python, join(root, "tests/actors/spark/java_client.py")], {
      cwd: folder.path,
      stdin: new Blob([JSON.stringify({ jars, topic, attempts })]),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect([await child.exited, stderr]).toEqual([0, expect.any(String)]);
    const outcomes = JSON.parse(stdout);
    for (const [name] of ways) expect([name, outcomes[name]]).toEqual([name, ways.length]);
    expect(outcomes["a wrong password"]).toContain("Authentication failed");
    expect(stdout + stderr).not.toContain("not-to-be-seen");
  },
  test_ms,
);
