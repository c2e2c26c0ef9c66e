/**
 * Goal: the port's actor knows a broker that is away (tried again here) from a process that
 * crashed (the supervisor's), reads the protocol, and stops at any moment.
 * Method: a shell script in Node's place that says what the real process would say.
 */

import { afterAll, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SimulatedClock } from "xstate";
import { type SpawnPort, spawnPort } from "../../../actors/port/port.ts";
import { Outbox } from "../../../actors/producer/outbox.ts";
import { kafkaPort, readPortLine } from "../../../actors/producer/port.ts";
import { tradeOf } from "./records.ts";
import { incarnate, keepingLog, temporaryFolder, until } from "./rig.ts";

const folder = temporaryFolder();
afterAll(folder.remove);
let scripts = 0;

/** Starts the actor with a script in Node's place; its working files are named after `file`. */
function start(body: (file: string) => string, spawn: SpawnPort = spawnPort) {
  scripts += 1;
  const file = join(folder.path, `script${scripts}`);
  writeFileSync(file, `#!/bin/sh\nread -r config\n${body(file)}\n`);
  chmodSync(file, 0o755);
  const clock = new SimulatedClock();
  const outbox = new Outbox({
    exchanges: ["kraken"],
    flush_count: 1,
    flush_ms: 1,
    buffer_bytes_max: 2 ** 20,
    now_ms: () => clock.now(),
    now_us: () => 0,
  });
  outbox.setSchemaIds(Object.fromEntries(outbox.topics.map((topic) => [topic, 1])));
  const { log, lines } = keepingLog();
  const port = incarnate(kafkaPort, (incarnation) => ({
    incarnation,
    outbox,
    cluster: { brokers: "127.0.0.1:9", properties: {} },
    data_dir: folder.path,
    node: file,
    log,
    spawn,
    after: (delay_ms: number, callback: () => void) => {
      const timer = clock.setTimeout(callback, delay_ms);
      return () => clock.clearTimeout(timer);
    },
    random: () => 1,
  }));
  return { port, outbox, clock, file, lines };
}

test("readPortLine() reads the protocol and nothing else", () => {
  expect(readPortLine("R")).toEqual({ kind: "ready" });
  expect(readPortLine("A 12")).toEqual({ kind: "acknowledged", batch_id: 12, refusals: [] });
  expect(readPortLine("A 12 0:record_too_large,7:record_invalid")).toEqual({
    kind: "acknowledged",
    batch_id: 12,
    refusals: [
      { index: 0, reason: "record_too_large" },
      { index: 7, reason: "record_invalid" },
    ],
  });
  expect(readPortLine("H")).toEqual({ kind: "heartbeat" });
  expect(readPortLine("F -195 away")).toEqual({ kind: "failed", reason: "-195 away" });
  for (const line of ["", "A", "A x", "A 1 2", "A 1 0:", "ready", "R "]) {
    expect(readPortLine(line)).toEqual({ kind: "unknown", line });
  }
});

test("a connected port gets the config, is ready, and its acknowledgements count", async () => {
  const { port, outbox, file } = start(
    (name) =>
      `printf %s "$config" >${name}.config; echo R; head -c 4 >/dev/null; echo A 1; cat >/dev/null`,
  );
  await port.ready;
  expect(port.report.state).toBe("connected");
  expect(port.report.pid).toBeGreaterThan(1);
  outbox.addTrade(tradeOf("kraken", "A", 1));
  await until(() => outbox.is_empty);
  expect(outbox.figures()).toMatchObject({ acknowledged_total: 1 });
  const config = JSON.parse(readFileSync(`${file}.config`, "utf8"));
  expect(config.topics).toEqual([
    "market.crypto.trades.kraken",
    "market.crypto.frames.kraken",
    "market.crypto.events",
    "market.crypto.dead_letters",
  ]);
  expect(config.properties).toMatchObject({ acks: "all", "enable.idempotence": true });
  port.stop();
  expect(await port.exited).toEqual({ kind: "normal" });
});

test("a broker that is away is tried again, later each time, without a restart", async () => {
  const { port, clock, file, lines } = start(
    (name) => `if [ -f ${name}.2 ]; then echo R; cat >/dev/null
      elif [ -f ${name}.1 ]; then touch ${name}.2; else touch ${name}.1; fi
      echo "F -195 away"; exit 75`,
  );
  await until(() => port.report.state === "waiting_for_kafka");
  clock.increment(249);
  expect(port.report.state).toBe("waiting_for_kafka");
  clock.increment(1);
  expect(port.report.state).toBe("connecting");
  await until(() => existsSync(`${file}.2`) && port.report.state === "waiting_for_kafka");
  clock.increment(499);
  expect(port.report.state).toBe("waiting_for_kafka");
  clock.increment(1);
  await port.ready;
  expect(lines.join("")).toContain("-195 away");
  port.kill();
});

test("a process that ends without saying why is a crash, with its last words", async () => {
  const { port, outbox } = start(() => "echo R; echo 'addon: no' >&2; exit 3");
  expect(await port.exited).toEqual({
    kind: "crash",
    reason: "kafka_port exited with code 3: addon: no",
  });
  expect(outbox.is_attached).toBe(false);
});

test("an acknowledgement of what was never sent is a crash", async () => {
  const { port } = start(() => "echo R; echo A 99; cat >/dev/null");
  expect(await port.exited).toMatchObject({ kind: "crash" });
  port.kill();
});

test("a write that fails is the port's crash, and no fault of who gave the record", async () => {
  let tell: (line: string) => void = () => {};
  const { port, outbox } = start(
    () => "",
    (spec) => {
      tell = spec.onLine;
      const write = (chunk: Uint8Array | string) => {
        if (typeof chunk === "string") return true;
        throw new Error("the pipe is gone");
      };
      return { pid: 1, write, end: () => {}, kill: () => {} };
    },
  );
  tell("R");
  await port.ready;
  outbox.addTrade(tradeOf("kraken", "A", 1));
  expect(await port.exited).toEqual({ kind: "crash", reason: "the pipe is gone" });
  outbox.check();
});

test("a port stops while it waits for Kafka, and while it connects", async () => {
  const waiting = start(() => "echo 'F 1 away'; exit 75");
  await until(() => waiting.port.report.state === "waiting_for_kafka");
  waiting.port.stop();
  expect(await waiting.port.exited).toEqual({ kind: "normal" });
  const connecting = start(() => "cat >/dev/null");
  connecting.port.stop();
  expect(await connecting.port.exited).toEqual({ kind: "normal" });
});

test("a process that says nothing any more, not even its heartbeat, is stuck: a crash", async () => {
  const { port, clock, file } = start(
    (name) => `echo R; while [ ! -f ${name}.quiet ]; do echo H; sleep 0.01; done; cat >/dev/null`,
  );
  await port.ready;
  // As long as it speaks, no look is one too many.
  for (let looks = 0; looks < 40; looks += 1) {
    clock.increment(1_000);
    await Bun.sleep(20);
  }
  expect(port.report.state).toBe("connected");
  writeFileSync(`${file}.quiet`, "");
  await Bun.sleep(50);
  for (let looks = 0; looks < 16; looks += 1) clock.increment(1_000);
  expect(await port.exited).toEqual({
    kind: "crash",
    reason: "kafka_port is stuck: it has said nothing for 15 s",
  });
});

test("a process whose records stay unacknowledged is replaced, and they go to the next", async () => {
  const { port, clock, lines, outbox } = start(
    (name) => `echo R; (while :; do echo H; sleep 0.01; done) & \
      if [ -f ${name}.1 ]; then head -c 4 >/dev/null; echo A 1; fi; touch ${name}.1; cat >/dev/null`,
  );
  await port.ready;
  outbox.addTrade(tradeOf("kraken", "A", 1));
  for (let seconds = 0; seconds < 62; seconds += 1) {
    clock.increment(1_000);
    await Bun.sleep(15);
  }
  await until(() => outbox.is_empty);
  expect(lines.join("")).toContain("no acknowledgement for 60 s");
  port.kill();
});
