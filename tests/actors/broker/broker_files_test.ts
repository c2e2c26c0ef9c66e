/**
 * Goal: the broker listens on loopback only, keeps what it should, and its log is bounded.
 * Method: the texts of its configuration.
 */

import { expect, test } from "bun:test";
import { logProperties, serverProperties } from "../../../actors/broker/broker_files.ts";

const text = serverProperties({
  port: 19_092,
  controller_port: 19_093,
  log_directory: "/data/kafka/records",
  retention_ms: 86_400_000,
  partition_bytes_max: 4_294_967_296,
});

test("serverProperties() listens on loopback, on the ports given, and nowhere else", () => {
  const listeners = "PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093";
  expect(text).toContain(`\nlisteners=${listeners}\n`);
  expect(text).toContain(`\nadvertised.listeners=${listeners}\n`);
  expect(text).not.toContain("0.0.0.0");
});

test("serverProperties() says where and how long records are kept, and creates no topic unasked", () => {
  expect(text).toContain("\nlog.dirs=/data/kafka/records\n");
  expect(text).toContain("\nlog.retention.ms=86400000\n");
  expect(text).toContain("\nlog.retention.bytes=4294967296\n");
  expect(text).toContain("\nauto.create.topics.enable=false\n");
});

test("logProperties() bounds the log and lets the sign of readiness through", () => {
  const log = logProperties("/data/kafka/broker.log");
  expect(log).toContain("appender.file.fileName=/data/kafka/broker.log\n");
  expect(log).toContain("policies.size.size=10MB\n");
  expect(log).toContain("strategy.max=3\n");
  expect(log).toContain("logger.server.name=kafka.server.KafkaRaftServer\n");
});
