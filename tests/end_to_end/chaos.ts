/**
 * What can die, hang or go away while the feed runs, one function each. Every one begins with a
 * feed under load, does its harm, waits until the feed is well again and then holds every id in
 * Kafka against the simulator's list.
 *
 * @module
 */

import { expect } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bytesFree } from "../../actors/settings/data_directory.ts";
import type { StatusNode } from "../../actors/status/node.ts";
import { type Account, accountOf, belatedIds, brokenRules } from "./feed_ledger.ts";
import type { Ground } from "./feed_rig.ts";
import {
  allConnections,
  openFeed,
  paths,
  producerFigures,
  recovered,
  startFeed,
  streaming,
  watchAccounts,
} from "./feed_run.ts";
import { allNodes, eventually, type Platform } from "./platform.ts";

/** Where harm is done, and for how long. */
export interface Chaos {
  readonly ground: Ground;
  /** How long what goes away stays away. */
  readonly away_ms: number;
  /** Takes down how long something took to come back. */
  readonly note: (what: string, took_ms: number) => void;
}

/** With the least that is allowed in memory, the disk is used soon. */
const small_buffer = { K2_BUFFER_BYTES_MAX: "8MiB" } as const;

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
  await conclude(chaos, second, accounts, "frames");
}

/** K2 and its port are killed at once, as when memory runs out. */
export async function killPlatformAndPort(chaos: Chaos): Promise<void> {
  const { ground } = chaos;
  await using first = await startFeed(ground);
  await underLoad(first);
  await killPortOf(first);
  await first.stop("SIGKILL");
  await using second = await startFeed(ground);
  using accounts = watchAccounts(second);
  await underLoad(second);
  await conclude(chaos, second, accounts, "frames");
}

/** All that is ours is killed at once. */
export async function killEverything(chaos: Chaos): Promise<void> {
  const { ground } = chaos;
  await using first = await startFeed(ground);
  await underLoad(first);
  await killPortOf(first);
  await Promise.all([ground.broker.kill(), first.stop("SIGKILL")]);
  await ground.broker.start();
  await using second = await startFeed(ground);
  using accounts = watchAccounts(second);
  await underLoad(second);
  await conclude(chaos, second, accounts, "frames");
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

/** The port's process stands still: nothing ends, and nothing is acknowledged any more. */
export async function freezePort(chaos: Chaos): Promise<void> {
  await using feed = await startFeed(chaos.ground);
  using accounts = watchAccounts(feed);
  await underLoad(feed);
  const { pid } = await feed.node(paths.port);
  process.kill(Number(pid), "SIGSTOP");
  const frozen_ms = Date.now();
  chaos.note("frozen_port", (await portReplaced(feed, pid)) - frozen_ms);
  await acknowledgedAll(feed);
  await conclude(chaos, feed, accounts);
}

/** Kafka is away until memory and disk are full; what came to an end on purpose then is fetched. */
export async function fillSpill(chaos: Chaos): Promise<void> {
  const { broker } = chaos.ground;
  const settings = { ...small_buffer, K2_SPILL_BYTES_MAX: "8MiB" };
  await using feed = await startFeed(chaos.ground, { settings });
  using accounts = watchAccounts(feed);
  await underLoad(feed);
  await broker.kill();
  await spilling(feed);
  await allConnections(feed, "paused");
  expect((await producerFigures(feed)).pressure_reason).toBe("the buffers are full");
  await Bun.sleep(chaos.away_ms);
  await broker.start();
  await acknowledgedAll(feed);
  const { events } = await conclude(chaos, feed, accounts);
  const gaps = events.filter(({ event }) => event === "gap_opened");
  expect(new Set(gaps.map(({ exchange }) => exchange)).size).toBe(chaos.ground.exchanges.length);
}

/** The disk takes no more than a little of what is spilled. */
export async function fillDisk(chaos: Chaos): Promise<void> {
  const { broker } = chaos.ground;
  await using feed = await startFeed(chaos.ground, {
    settings: small_buffer,
    // A file may not grow beyond this many KiB, and whoever writes on is told so, not ended.
    shell: "trap '' XFSZ; ulimit -f 6144",
  });
  using accounts = watchAccounts(feed);
  await underLoad(feed);
  await broker.kill();
  await spilling(feed);
  await allConnections(feed, "paused");
  expect((await producerFigures(feed)).spill_error).not.toBeNull();
  await Bun.sleep(chaos.away_ms);
  await broker.start();
  await acknowledgedAll(feed);
  await conclude(chaos, feed, accounts);
}

/** Others fill the disk: K2 makes no more of it before its broker dies of that. */
export async function takeDisk(chaos: Chaos): Promise<void> {
  const { folder } = chaos.ground;
  const settings = { K2_DISK_FREE_MIN: String(bytesFree(folder) - 2 ** 30) };
  await using feed = await startFeed(chaos.ground, { settings });
  using accounts = watchAccounts(feed);
  await underLoad(feed);
  const filler = join(folder, "filler");
  expect(Bun.spawnSync(["fallocate", "--length", "2GiB", filler]).exitCode).toBe(0);
  await allConnections(feed, "paused");
  expect((await producerFigures(feed)).pressure_reason).toBe("the disk is nearly full");
  await acknowledgedAll(feed);
  await Bun.sleep(chaos.away_ms);
  rmSync(filler);
  await streaming(feed, chaos.ground);
  await underLoad(feed);
  await conclude(chaos, feed, accounts);
}

/** K2 is killed while records wait on disk: the next one sends them, and fetches the rest. */
export async function killPlatformWhileSpilling(chaos: Chaos): Promise<void> {
  const { ground } = chaos;
  await using first = await startFeed(ground, { settings: small_buffer });
  await underLoad(first);
  await ground.broker.kill();
  const away_us = Date.now() * 1_000;
  await spilling(first);
  expect(await first.stop("SIGKILL")).not.toBe(0);
  const killed_us = Date.now() * 1_000;
  await ground.broker.start();
  await using second = await startFeed(ground, { settings: small_buffer });
  using accounts = watchAccounts(second);
  await underLoad(second);
  await acknowledgedAll(second);
  const { trades } = await conclude(chaos, second, accounts, "frames");
  // Kafka was away and memory is lost: only the disk can have given these.
  const replayed = trades.filter(
    ({ source, timestamp }) => source === "STREAM" && timestamp > away_us && timestamp < killed_us,
  );
  expect(replayed.length).toBeGreaterThan(100);
}

/** K2 is told to end while Kafka is away, and no exchange can give again what would be lost. */
export async function terminateWithoutKafka(chaos: Chaos): Promise<void> {
  const { ground } = chaos;
  await using first = await startFeed(ground);
  await underLoad(first);
  await recovered(first);
  await ground.broker.kill();
  await underLoad(first);
  // Nothing is traded until the next one streams, so that nothing has to be fetched.
  await ground.faults.ask([
    { fault: "halted", for_s: 600 },
    { fault: "rest_history", older_s: 0, for_s: 600 },
  ]);
  await quiet(first);
  const told_ms = performance.now();
  expect(await first.stop("SIGTERM")).toBe(0);
  chaos.note("end_without_kafka", performance.now() - told_ms);
  expect(performance.now() - told_ms).toBeLessThan(35_000);
  await ground.broker.start();
  await using second = await startFeed(ground);
  using accounts = watchAccounts(second);
  await acknowledgedAll(second);
  const account = await accountOf(ground, "newest");
  expect(account.differences).toEqual([]);
  expect([...account.unfillable]).toEqual([]);
  await ground.faults.clear();
  await underLoad(second);
  await conclude(chaos, second, accounts);
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

/** Waits until records wait on disk. */
async function spilling(feed: Platform): Promise<void> {
  await eventually("records on disk", async () => {
    const { spilled } = await producerFigures(feed);
    return Number(spilled) > 0 ? true : undefined;
  });
}

/** Waits until no trade has come for a while. */
async function quiet(feed: Platform): Promise<void> {
  let last = { trades: -1, since_ms: 0 };
  await eventually("the end of all trades", async () => {
    const nodes = allNodes(await feed.tree()).filter(({ path }) => path.includes("/normalizers/"));
    const trades = nodes.reduce((sum, { figures }) => sum + Number(figures.trades_total), 0);
    if (trades !== last.trades) last = { trades, since_ms: performance.now() };
    return performance.now() - last.since_ms > 2_000 ? true : undefined;
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

/**
 * The feed recovers, drains, and nothing is missing, wrong or out of order.
 *
 * @param lost Frames, where K2 and the broker have died together: the broker may have written a
 *   batch's trades and not its frames, and K2 does not know them any more. Such a trade is there
 *   once more, with the page that it was fetched by.
 */
async function conclude(
  { ground }: Chaos,
  feed: Platform,
  accounts: ReturnType<typeof watchAccounts>,
  lost: "nothing" | "frames" = "nothing",
): Promise<Account> {
  await recovered(feed);
  expect(accounts.imbalances).toEqual([]);
  expect(accounts.reads).toBeGreaterThan(0);
  expect(await feed.stop("SIGTERM")).toBe(0);
  const account = await accountOf(ground);
  expect(account.differences).toEqual([]);
  if (lost === "nothing") expect(account.frameless).toEqual([]);
  expect(belatedIds(account.trades).slice(0, 10)).toEqual([]);
  expect([...account.unfillable]).toEqual([]);
  expect(account.markets_count).toBe(2 * ground.exchanges.length);
  expect(await brokenRules(ground)).toEqual({});
  return account;
}
