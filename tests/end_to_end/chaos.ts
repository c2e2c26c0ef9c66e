/**
 * What can die, hang or go away while the feed runs, one function each. Every one begins with a
 * feed under load, does its harm, waits until the feed is well again and then holds every id in
 * Kafka against the simulator's list.
 *
 * @module
 */

import { expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StatusNode } from "../../actors/status/node.ts";
import { accountOf, brokenRules } from "./feed_ledger.ts";
import type { Ground } from "./feed_rig.ts";
import {
  openFeed,
  paths,
  producerFigures,
  recovered,
  startFeed,
  streaming,
  watchAccounts,
} from "./feed_run.ts";
import { eventually, type Platform } from "./platform.ts";

/** Where harm is done, and for how long. */
export interface Chaos {
  readonly ground: Ground;
  /** How long what goes away stays away. */
  readonly away_ms: number;
  /** Takes down how long something took to come back. */
  readonly note: (what: string, took_ms: number) => void;
}

/** The port's process is killed, again and again. */
export async function killPort(chaos: Chaos): Promise<void> {
  await using feed = await startFeed(chaos.ground);
  using accounts = watchAccounts(feed);
  for (let kill = 0; kill < 4; kill += 1) {
    await underLoad(feed);
    const { pid, killed_ms } = await killPortOf(feed);
    const since_ms = await portReplaced(feed, pid);
    chaos.note("port", since_ms - killed_ms);
    expect(since_ms - killed_ms).toBeLessThan(20_000);
  }
  await underLoad(feed);
  await conclude(chaos, feed, accounts);
}

/** The broker is killed, and comes back. */
export async function killBroker(chaos: Chaos): Promise<void> {
  const { broker } = chaos.ground;
  await using feed = await startFeed(chaos.ground);
  using accounts = watchAccounts(feed);
  await underLoad(feed);
  await broker.kill();
  await Bun.sleep(chaos.away_ms);
  await broker.start();
  await acknowledgedAll(feed);
  await conclude(chaos, feed, accounts);
}

/** K2 is killed and started again, twice. */
export async function killPlatform(chaos: Chaos): Promise<void> {
  for (let kill = 0; kill < 2; kill += 1) {
    await using feed = await startFeed(chaos.ground);
    await underLoad(feed);
    expect(await feed.stop("SIGKILL")).not.toBe(0);
  }
  await using feed = await startFeed(chaos.ground);
  using accounts = watchAccounts(feed);
  await underLoad(feed);
  await conclude(chaos, feed, accounts);
}

/** The port and the broker are killed at once. */
export async function killPortAndBroker(chaos: Chaos): Promise<void> {
  const { broker } = chaos.ground;
  await using feed = await startFeed(chaos.ground);
  using accounts = watchAccounts(feed);
  await underLoad(feed);
  await Promise.all([broker.kill(), killPortOf(feed)]);
  await Bun.sleep(chaos.away_ms);
  await broker.start();
  await acknowledgedAll(feed);
  await conclude(chaos, feed, accounts);
}

/** K2 and the broker are killed at once; K2 is back first and has to wait. */
export async function killPlatformAndBroker(chaos: Chaos): Promise<void> {
  const { ground } = chaos;
  await using first = await startFeed(ground);
  await underLoad(first);
  await Promise.all([ground.broker.kill(), first.stop("SIGKILL")]);
  await using second = await openFeed(ground);
  await Bun.sleep(chaos.away_ms);
  await ground.broker.start();
  await streaming(second, ground);
  using accounts = watchAccounts(second);
  await underLoad(second);
  await conclude(chaos, second, accounts);
}

/** The registry goes away, and the port is killed meanwhile: a running feed needs no registry. */
export async function stopRegistry(chaos: Chaos): Promise<void> {
  const { registry } = chaos.ground;
  await using feed = await startFeed(chaos.ground);
  using accounts = watchAccounts(feed);
  await registry.stop();
  await underLoad(feed);
  const { pid } = await killPortOf(feed);
  await portReplaced(feed, pid);
  await underLoad(feed);
  await acknowledgedAll(feed);
  await conclude(chaos, feed, accounts);
  await registry.start();
}

/** The machine sleeps: nothing of ours runs for a while, and the exchanges go on. */
export async function sleepMachine(chaos: Chaos): Promise<void> {
  const { broker } = chaos.ground;
  await using feed = await startFeed(chaos.ground);
  using accounts = watchAccounts(feed);
  await underLoad(feed);
  const port = Number((await feed.node(paths.port)).pid);
  process.kill(feed.pid, "SIGSTOP");
  process.kill(port, "SIGSTOP");
  broker.freeze();
  await Bun.sleep(chaos.away_ms);
  broker.thaw();
  process.kill(port, "SIGCONT");
  process.kill(feed.pid, "SIGCONT");
  await underLoad(feed);
  await acknowledgedAll(feed);
  await conclude(chaos, feed, accounts);
}

/** A port that dies whenever it is started: K2 tries what it may, then ends and says why. */
export async function breakPort({ ground }: Chaos): Promise<void> {
  const programs = join(ground.folder, "programs");
  mkdirSync(programs, { recursive: true });
  const node = join(programs, "node");
  const script = [
    "#!/bin/sh",
    `case "$1" in *kafka_port.cjs) echo "the client is broken" >&2; exit 3;; esac`,
    `exec ${Bun.which("node")} "$@"`,
  ];
  writeFileSync(node, `${script.join("\n")}\n`, { mode: 0o755 });
  await using feed = await openFeed(ground, {
    settings: { PATH: `${programs}:${process.env.PATH}` },
  });
  expect(await feed.ended()).toBe(1);
  const last_line = feed.log().trimEnd().split("\n").at(-1);
  expect(last_line).toContain("K2 gave up: ");
  expect(last_line).toContain("kafka_port exited with code 3: the client is broken");
}

/** Waits until some seconds' worth of further trades have come. */
async function underLoad(feed: Platform): Promise<void> {
  const before = Number((await producerFigures(feed)).received_total ?? 0);
  await eventually("further trades", async () => {
    const { received_total } = await producerFigures(feed);
    return Number(received_total) >= before + 1_000 ? true : undefined;
  });
}

/** Waits until the broker has all that the feed has received up to now. */
export async function acknowledgedAll(feed: Platform): Promise<void> {
  const { received_total } = await producerFigures(feed);
  await eventually("all that was received to be acknowledged", async () => {
    const { acknowledged_total, dead_lettered_total } = await producerFigures(feed);
    const settled = Number(acknowledged_total) + Number(dead_lettered_total);
    return settled >= Number(received_total) ? true : undefined;
  });
}

async function killPortOf(feed: Platform) {
  const { pid } = await feed.node(paths.port);
  process.kill(Number(pid), "SIGKILL");
  return { pid, killed_ms: Date.now() };
}

/** Waits for another process in the place of this one; resolves with when it was connected. */
async function portReplaced(feed: Platform, pid: StatusNode["pid"]): Promise<number> {
  const { since } = await eventually("another port", async () => {
    const node = await feed.node(paths.port);
    const is_other = typeof node.pid === "number" && node.pid !== pid;
    return is_other && node.state === "connected" ? node : undefined;
  });
  return Date.parse(since);
}

/** The feed recovers, drains, and nothing is missing, wrong or out of order. */
async function conclude(
  { ground }: Chaos,
  feed: Platform,
  { imbalances }: ReturnType<typeof watchAccounts>,
): Promise<void> {
  await recovered(feed);
  expect(imbalances).toEqual([]);
  expect(await feed.stop("SIGTERM")).toBe(0);
  const account = await accountOf(ground);
  expect(account.differences).toEqual([]);
  expect([...account.unfillable]).toEqual([]);
  expect(account.markets_count).toBe(2 * ground.exchanges.length);
  expect(await brokenRules(ground)).toEqual({});
}
