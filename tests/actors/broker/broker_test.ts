/**
 * Goal: a data directory of another cluster is refused, a JVM that cannot run is a crash with its
 * reason, and a stop is no crash. That the broker serves, dies and comes back with everything is
 * shown where records go through it (tests/actors/producer/kafka_test.ts).
 * Method: shell scripts in Java's place.
 */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brokerActor } from "../../../actors/broker/broker.ts";
import { incarnate, keepingLog, temporaryFolder, until } from "../producer/rig.ts";

let folder = temporaryFolder();
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

function start(body: string) {
  const java = join(folder.path, "java");
  writeFileSync(java, `#!/bin/sh\necho "$@" >>${join(folder.path, "calls")}\n${body}\n`);
  chmodSync(java, 0o755);
  const { log, lines } = keepingLog();
  const broker = incarnate(brokerActor, (incarnation) => ({
    incarnation,
    data_dir: folder.path,
    jars_directory: "/jars",
    java,
    cluster_id: "ours",
    port: 19_092,
    controller_port: 19_093,
    retention_ms: 1_000,
    retention_bytes: 1_000,
    log,
  }));
  return { broker, lines };
}

function calls(): string[] {
  return readFileSync(join(folder.path, "calls"), "utf8").trim().split("\n");
}

const serving = `case "$*" in
  *StorageTool*) exit 0 ;;
  *) echo "ERROR Something is odd"; echo "INFO KafkaRaftServer Kafka Server started"
     trap 'exit 143' TERM; while :; do sleep 0.02; done ;;
esac`;

test("a new folder is formatted with the cluster's id, then the broker runs until it is stopped", async () => {
  const { broker, lines } = start(serving);
  await broker.ready;
  expect(broker.report.state).toBe("running");
  const [format, run] = calls();
  expect(format).toContain(
    "kafka.tools.StorageTool format --standalone --ignore-formatted -t ours",
  );
  expect(run).toContain("-Xmx256m");
  expect(run).toContain("kafka.Kafka");
  expect(lines.join("")).toContain("Something is odd");
  broker.stop();
  expect(await broker.exited).toEqual({ kind: "normal" });
  expect(broker.report.pid).toBe(null);
});

test("a formatted folder is not formatted again", async () => {
  mkdirSync(join(folder.path, "kafka/records"), { recursive: true });
  writeFileSync(join(folder.path, "kafka/records/meta.properties"), "version=1\ncluster.id=ours\n");
  const { broker } = start(serving);
  await broker.ready;
  expect(calls().length).toBe(1);
  broker.kill();
  await until(() => broker.report.pid === null);
});

test("a folder of another cluster is refused", async () => {
  mkdirSync(join(folder.path, "kafka/records"), { recursive: true });
  writeFileSync(join(folder.path, "kafka/records/meta.properties"), "cluster.id=theirs\n");
  const exit = await start(serving).broker.exited;
  expect(exit).toMatchObject({ kind: "crash" });
  expect(JSON.stringify(exit)).toContain("holds Kafka cluster theirs");
});

test("a JVM that fails is a crash that says why, and a stop during formatting is none", async () => {
  const exit = await start("echo 'Address already in use' >&2; exit 1").broker.exited;
  expect(exit).toEqual({
    kind: "crash",
    reason: "broker_format exited with code 1: Address already in use",
  });
  const { broker } = start("trap 'exit 143' TERM; while :; do sleep 0.02; done");
  broker.stop();
  expect(await broker.exited).toEqual({ kind: "normal" });
});
