/**
 * What the tests of actors that own processes share: an incarnation that remembers, conditions to
 * wait for, and a real broker with its topics.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type AnyActorLogic, createActor } from "xstate";
import { brokerActor } from "../../../actors/broker/broker.ts";
import type { Exit, Figures, Incarnation } from "../../../actors/messages.ts";
import { chooseFreePort } from "../../../actors/port/free_port.ts";
import { afterOnHost } from "../../../actors/port/timers.ts";
import type { TopicSpec, TopicsInput } from "../../../actors/producer/topics.ts";
import { topicsActor } from "../../../actors/producer/topics.ts";
import { createLog } from "../../../actors/settings/log.ts";

const root = resolve(import.meta.dir, "../../..");

/** A log that keeps its lines. */
export function keepingLog() {
  const lines: string[] = [];
  const log = createLog({ format: "text", write: (line) => lines.push(line), now_ms: Date.now });
  return { log, lines };
}

/** Waits for a condition, at most 30 s. */
export async function until(condition: () => boolean, wait_ms_max = 30_000): Promise<void> {
  const deadline_ms = performance.now() + wait_ms_max;
  while (!condition()) {
    if (performance.now() > deadline_ms) throw new Error(`Never came true: ${condition}`);
    await Bun.sleep(5);
  }
}

/** One incarnation of an actor, and what it did. */
export function incarnate<Input>(logic: AnyActorLogic, input: (incarnation: Incarnation) => Input) {
  const controller = new AbortController();
  const ready = Promise.withResolvers<void>();
  const exited = Promise.withResolvers<Exit>();
  const figures: Figures = {};
  const report = { state: "starting", pid: null as number | null, figures };
  const incarnation: Incarnation = {
    path: "test",
    signal: controller.signal,
    report,
    ready: ready.resolve,
    exit: exited.resolve,
  };
  const actor = createActor(logic, { input: input(incarnation) });
  actor.subscribe({
    complete: () => exited.resolve({ kind: "normal" }),
    error: (error) => exited.resolve({ kind: "crash", reason: String(error) }),
  });
  actor.start();
  const ready_or_ended = Promise.race([
    ready.promise,
    exited.promise.then((exit) => {
      throw new Error(`Ended before it was ready: ${JSON.stringify(exit)}`);
    }),
  ]);
  // A test that never asks whether it became ready is not harmed by its not becoming so.
  ready_or_ended.catch(() => {});
  return {
    report,
    ready: ready_or_ended,
    exited: exited.promise,
    stop: () => actor.send({ type: "stop" }),
    kill: () => {
      controller.abort();
      actor.stop();
    },
  };
}

/** A folder that the test removes at its end. */
export function temporaryFolder() {
  const path = mkdtempSync(join(tmpdir(), "k2_test_"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Starts a real broker in a folder; the same folder and ports again after its end. */
export async function startBroker(
  data_dir: string,
  ports?: { readonly port: number; readonly controller_port: number },
) {
  const chosen = ports ?? {
    port: await chooseFreePort(),
    controller_port: await chooseFreePort(),
  };
  const { log, lines } = keepingLog();
  const broker = incarnate(brokerActor, (incarnation) => ({
    incarnation,
    data_dir,
    jars_directory: join(root, ".setup/kafka"),
    java: "java",
    cluster_id: "AAAAAAAAQACAAAAAAAAAAQ",
    ...chosen,
    retention_ms: 86_400_000,
    retention_bytes: 2 ** 32,
    log,
  }));
  await broker.ready;
  return { ...broker, ...chosen, brokers: `127.0.0.1:${chosen.port}`, lines };
}

/** Runs the topics actor once. */
export function startTopics(options: {
  readonly brokers: string;
  readonly data_dir: string;
  readonly topics: readonly TopicSpec[];
  readonly outbox: TopicsInput["outbox"];
  readonly registerSchemas?: TopicsInput["registerSchemas"];
  /** Of security. */
  readonly properties?: TopicsInput["cluster"]["properties"];
}) {
  const { log, lines } = keepingLog();
  const { outbox } = options;
  const ids = Object.fromEntries(outbox.topics.map((topic, index) => [topic, index + 1]));
  const topics = incarnate(topicsActor, (incarnation) => ({
    incarnation,
    topics: options.topics,
    cluster: { brokers: options.brokers, properties: options.properties ?? {} },
    outbox,
    registerSchemas: options.registerSchemas ?? (async () => ids),
    data_dir: options.data_dir,
    node: "node",
    log,
    after: afterOnHost,
    random: Math.random,
  }));
  return { ...topics, lines };
}
