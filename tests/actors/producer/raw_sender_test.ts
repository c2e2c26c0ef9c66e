/**
 * Goal: a batch counts once Kafka has it, and a Kafka that does not take it is one sentence.
 * Method: a shell script in Node's place, in virtual time.
 */

import { afterAll, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SimulatedClock } from "xstate";
import { spawnPort } from "../../../actors/port/port.ts";
import { sendRaw } from "../../../actors/producer/raw_sender.ts";
import { temporaryFolder } from "./rig.ts";

const folder = temporaryFolder();
afterAll(folder.remove);
let scripts = 0;

async function* batches(count: number, sent: () => void = () => {}) {
  for (let number = 0; number < count; number += 1) {
    yield [{ topic: "t", key: Buffer.from("k"), value: Buffer.from(`${number}`) }];
    sent();
  }
}

function send(body: string, records = batches(1)) {
  scripts += 1;
  const node = join(folder.path, `script${scripts}`);
  writeFileSync(node, `#!/bin/sh\nread -r config\n${body}\n`);
  chmodSync(node, 0o755);
  const clock = new SimulatedClock();
  const refused = sendRaw(records, {
    cluster: { brokers: "127.0.0.1:9", properties: {} },
    topics: ["t"],
    data_dir: folder.path,
    node,
    spawn: spawnPort,
    after(delay_ms, callback) {
      const timer = clock.setTimeout(callback, delay_ms);
      return () => clock.clearTimeout(timer);
    },
  });
  return { clock, refused };
}

/** A packet of one record: length, id and count, topic, key, value of one byte. */
const packet_bytes = 12 + 7 + 1 + 1;

test("each batch waits for its acknowledgement, and refusals are counted", async () => {
  let acknowledged = 0;
  const read = `head -c ${packet_bytes} >/dev/null`;
  const { refused } = send(
    `echo R; ${read}; echo A 1; ${read}; echo A 2 0:record_too_large; cat >/dev/null`,
    batches(2, () => {
      acknowledged += 1;
    }),
  );
  expect(await refused).toBe(1);
  expect(acknowledged).toBe(2);
});

test.each([
  ["echo 'F -195 away'; cat >/dev/null", "Kafka cannot take records now: -195 away"],
  ["echo R; echo 'no addon' >&2; exit 3", "The Kafka client has ended: "],
])("%s is told", async (body, message) => {
  await expect(send(body).refused).rejects.toThrow(message);
});

test("a Kafka that never answers is given up", async () => {
  const { clock, refused } = send("cat >/dev/null");
  clock.increment(60_000);
  await expect(refused).rejects.toThrow("Kafka cannot be reached within 60 s");
});
