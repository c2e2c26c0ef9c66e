/**
 * Goal: the producer flushes by age, says what it waits for, and drains before it ends.
 * Method: the real machine and a real outbox; time moves only when told to.
 */

import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { SimulatedClock } from "xstate";
import { Outbox } from "../../../actors/producer/outbox.ts";
import { producerMachine } from "../../../actors/producer/producer.ts";
import type { SpillStore } from "../../../actors/producer/spill.ts";
import { frameOf, tradeOf } from "./records.ts";
import { incarnate, keepingLog, temporaryFolder } from "./rig.ts";
import { openRefusingSpill } from "./spill_rig.ts";

const folder = temporaryFolder();
afterAll(folder.remove);

function start(spill: SpillStore | null = null) {
  const { log, lines } = keepingLog();
  const clock = new SimulatedClock();
  const outbox = new Outbox({
    exchanges: ["kraken"],
    flush_count: 100,
    flush_ms: 10,
    buffer_bytes_max: 2 ** 20,
    spill,
    spill_bytes_max: 2 ** 20,
    disk_free_min: 100,
    now_ms: () => clock.now(),
    now_us: () => clock.now() * 1_000,
  });
  outbox.setSchemaIds(Object.fromEntries(outbox.topics.map((topic) => [topic, 1])));
  const sent: number[] = [];
  const attach = () => outbox.attach({ send: (packet) => sent.push(packet.readUIntLE(4, 6)) });
  const disk = { free_bytes: 1_000 };
  const incarnateAgain = () =>
    incarnate(producerMachine, (incarnation) => ({
      incarnation,
      outbox,
      freeBytes: () => disk.free_bytes,
      log,
      after: (delay_ms: number, callback: () => void) => {
        const timer = clock.setTimeout(callback, delay_ms);
        return () => clock.clearTimeout(timer);
      },
    }));
  let next = 0;
  const add = () => outbox.addTrade(tradeOf("kraken", "BTC/USD", next++));
  const producer = incarnateAgain();
  return { clock, outbox, sent, attach, add, disk, lines, producer, incarnateAgain };
}

test("the producer is ready once there is a port, and says when it is gone", async () => {
  const { attach, producer } = start();
  expect(producer.report.state).toBe("waiting_for_port");
  const attachment = attach();
  await producer.ready;
  expect(producer.report.state).toBe("flowing");
  attachment.detach();
  expect(producer.report.state).toBe("waiting_for_port");
  attach();
  expect(producer.report.state).toBe("flowing");
});

test("a batch goes when its first record is old enough", () => {
  const { add, attach, clock, sent } = start();
  attach();
  clock.increment(5);
  add();
  clock.increment(6);
  add();
  expect(sent).toEqual([]);
  clock.increment(3);
  expect(sent).toEqual([]);
  clock.increment(1);
  expect(sent).toEqual([1]);
  add();
  clock.increment(10);
  expect(sent).toEqual([1, 2]);
});

test("a timer that was set for a batch that left by count still serves the next one", () => {
  const { add, attach, clock, sent } = start();
  attach();
  for (let count = 0; count < 100; count += 1) add();
  clock.increment(6);
  add();
  clock.increment(9);
  expect(sent).toEqual([1]);
  clock.increment(1);
  expect(sent).toEqual([1, 2]);
});

test("frames alone wait longer, and go with a trade when one comes", () => {
  const { add, attach, clock, outbox, sent } = start();
  attach();
  const log = outbox.openFrames({ exchange: "kraken", connection_id: "c", url: "wss://x" });
  log.add(frameOf(1));
  clock.increment(249);
  expect(sent).toEqual([]);
  clock.increment(1);
  expect(sent).toEqual([1]);
  log.add(frameOf(2));
  clock.increment(5);
  add();
  clock.increment(9);
  expect(sent).toEqual([1]);
  clock.increment(1);
  expect(sent).toEqual([1, 2]);
  clock.increment(1_000);
  expect(sent).toEqual([1, 2]);
});

test("a stop sends the frames that wait", async () => {
  const { attach, outbox, producer, sent } = start();
  const attachment = attach();
  outbox.openFrames({ exchange: "kraken", connection_id: "c", url: "wss://x" }).add(frameOf(1));
  producer.stop();
  expect(sent).toEqual([1]);
  attachment.acknowledge(1, []);
  expect(await producer.exited).toEqual({ kind: "normal" });
});

test("a batch that grew old without a port goes with the port's coming", () => {
  const { add, attach, clock, sent } = start();
  add();
  clock.increment(50);
  attach();
  expect(sent).toEqual([1]);
});

test("figures are reported", () => {
  const { add, attach, clock, producer } = start();
  attach();
  add();
  clock.increment(500);
  expect(producer.report.figures).toMatchObject({
    received_total: 1,
    acknowledged_total: 0,
    in_flight: 1,
    buffered: 0,
    acknowledging: true,
  });
});

test("a stop drains: it ends only when everything is acknowledged", async () => {
  const { add, attach, producer } = start();
  const attachment = attach();
  add();
  producer.stop();
  expect(producer.report.state).toBe("draining");
  producer.stop();
  attachment.acknowledge(1, []);
  expect(await producer.exited).toEqual({ kind: "normal" });
  expect(producer.report.figures).toMatchObject({ acknowledged_total: 1, in_flight: 0 });
});

test("a stop waits through a port's death, and sends again to the next", async () => {
  const { add, attach, producer, sent } = start();
  const first = attach();
  add();
  producer.stop();
  first.detach();
  const second = attach();
  expect(sent).toEqual([1, 1]);
  second.acknowledge(1, []);
  expect(await producer.exited).toEqual({ kind: "normal" });
});

test("a stop with nothing to do ends at once, with or without a port", async () => {
  const { producer } = start();
  producer.stop();
  expect(await producer.exited).toEqual({ kind: "normal" });
});

test("a killed producer lets go of its timers, and the next one goes on with the outbox", () => {
  const { add, attach, clock, incarnateAgain, outbox, producer, sent } = start();
  attach();
  add();
  producer.kill();
  clock.increment(1_000);
  expect(sent).toEqual([]);
  incarnateAgain();
  clock.increment(0);
  expect(sent).toEqual([1]);
  expect(outbox.figures()).toMatchObject({ in_flight: 1 });
});

test("a stop without Kafka leaves everything on disk, as soon as the disk takes it", async () => {
  const { spill, disk } = openRefusingSpill(join(folder.path, "drain.db"));
  const { add, attach, clock, outbox, producer } = start(spill);
  attach();
  add();
  producer.stop();
  disk.refuses_writes = true;
  clock.increment(3_000);
  expect(producer.report.state).toBe("draining");
  disk.refuses_writes = false;
  clock.increment(500);
  expect(await producer.exited).toEqual({ kind: "normal" });
  expect(outbox.figures()).toMatchObject({ in_flight: 1, spilled: 0, acknowledged_total: 0 });
  spill.close();
  const next = openRefusingSpill(join(folder.path, "drain.db"));
  expect(next.spill.found.map(({ count }) => count)).toEqual([1]);
  next.spill.close();
});

test("what the disk does is said once, and a disk that is nearly full stops the feed", () => {
  const { spill, disk } = openRefusingSpill(join(folder.path, "said.db"));
  const { add, clock, disk: device, lines, outbox } = start(spill);
  const heard: string[] = [];
  outbox.onPressure({
    full: (reason) => heard.push(reason),
    relieved: () => heard.push("relieved"),
  });
  disk.refuses_writes = true;
  while (Number(outbox.figures().buffered_bytes) < 600_000) add();
  clock.increment(2_000);
  disk.refuses_writes = false;
  clock.increment(2_000);
  expect(lines.map((line) => line.replace(/^\S+ +\S+ +/, "").trim())).toEqual([
    "Records cannot wait on disk: database or disk is full",
    "Kafka does not keep up: records wait on disk",
  ]);
  device.free_bytes = 99;
  clock.increment(500);
  device.free_bytes = 200;
  clock.increment(500);
  expect(heard).toEqual(["the disk is nearly full", "relieved"]);
  spill.close();
});
