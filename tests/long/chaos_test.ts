/**
 * Goal: whatever dies, hangs or goes away, Kafka ends up with every trade, exactly.
 * Method: each kind of harm of `chaos.ts` by itself, on a broker and with a data directory of its
 * own, at 500 trades/s (`CHAOS_RATE`), where what goes away stays away for 30 s
 * (`CHAOS_AWAY_SECONDS`). How long things took to come back is printed.
 */

import { afterAll, expect, test } from "bun:test";
import { fromCallback } from "xstate";
import type { Incarnation } from "../../actors/messages.ts";
import { startTree, supervisorChild } from "../../supervisors/supervisor.ts";
import { temporaryFolder } from "../actors/producer/rig.ts";
import * as chaos from "../end_to_end/chaos.ts";
import { startGround } from "../end_to_end/feed_rig.ts";
import {
  environmentOf,
  eventually,
  startPlatform,
  temporaryDataDirectory,
} from "../end_to_end/platform.ts";

const rate = Number(process.env.CHAOS_RATE ?? "500");
const away_ms = Number(process.env.CHAOS_AWAY_SECONDS ?? "30") * 1_000;
const test_ms = 900_000;
const restarts_ms: Record<string, number[]> = {};

afterAll(() => {
  console.log(`restart_ms=${JSON.stringify(restarts_ms)}`);
});

test.each([
  ["the port is killed four times", chaos.killPort],
  ["the port is frozen", chaos.freezePort],
  ["the broker is killed and comes back", chaos.killBroker],
  ["the broker is away until memory and disk are full", chaos.fillSpill],
  ["the disk is full while the broker is away", chaos.fillDisk],
  ["others take the disk", chaos.takeDisk],
  ["K2 is killed twice", chaos.killPlatform],
  ["K2 is killed while records wait on disk", chaos.killPlatformWhileSpilling],
  ["K2 is told to end while the broker is away", chaos.terminateWithoutKafka],
  ["port and broker are killed at once", chaos.killPortAndBroker],
  ["K2 and the broker are killed at once", chaos.killPlatformAndBroker],
  ["K2 and its port are killed at once", chaos.killPlatformAndPort],
  ["everything is killed at once", chaos.killEverything],
  ["the registry goes away", chaos.stopRegistry],
  ["the machine sleeps", chaos.sleepMachine],
] as const)("%s, and no trade is lost", async (_, harm) => await inflict(harm), test_ms);

test(
  "a port that dies at every start ends K2 with the reason",
  async () => await inflict(chaos.breakPort),
  test_ms,
);

test(
  "the embedded broker is back after its end, and records flow again",
  async () => {
    using data = temporaryDataDirectory();
    await using platform = await startPlatform(
      ["--simulate", "--rate", String(rate)],
      environmentOf(data.path),
    );
    const broker = "k2/platform/infrastructure/broker";
    // Not in mid-start: then all of the platform waits for the same two cores.
    await eventually("the lake", async () =>
      (await platform.node("k2/platform/work/lake/spark")).state === "running" ? true : undefined,
    );
    process.kill(-Number((await platform.node(broker)).pid), "SIGKILL");
    const killed_ms = Date.now();
    const { since } = await eventually("another broker", async () => {
      const node = await platform.node(broker);
      return node.restarts.total === 1 && node.state === "running" ? node : undefined;
    });
    note("broker", Date.parse(since) - killed_ms);
    await chaos.acknowledgedAll(platform);
    note("broker_to_acknowledged", Date.now() - killed_ms);
    expect(Date.parse(since) - killed_ms).toBeLessThan(120_000);
  },
  test_ms,
);

test("an actor is back after its crash", async () => {
  const crashed_ms: number[] = [];
  const back = Promise.withResolvers<void>();
  const logic = fromCallback<{ type: "stop" }, Incarnation>(({ input: { ready, exit } }) => {
    ready();
    const last_ms = crashed_ms.at(-1);
    if (last_ms !== undefined) note("actor", performance.now() - last_ms);
    if (crashed_ms.length === 5) {
      back.resolve();
    } else {
      crashed_ms.push(performance.now());
      exit({ kind: "crash", reason: "told to" });
    }
  });
  const actor = {
    id: "actor",
    kind: "worker",
    logic,
    input: (incarnation: Incarnation) => incarnation,
    restart: "permanent",
    start_ms_max: 10_000,
    shutdown_ms: 0,
  } as const;
  const settings = { strategy: "one_for_one", restarts_max: 5, window_ms: 60_000 } as const;
  const child = supervisorChild({ id: "branch", ...settings, children: [actor] });
  const tree = startTree({ id: "root", ...settings, children: [child] }, { now_ms: Date.now });
  await back.promise;
  await tree.stop();
  expect(Math.max(...(restarts_ms.actor ?? []))).toBeLessThan(10_000);
});

async function inflict(harm: (chaos: chaos.Chaos) => Promise<void>): Promise<void> {
  const folder = temporaryFolder();
  try {
    const exchanges = ["binance", "kraken", "coinbase"];
    await using ground = await startGround(folder.path, { exchanges, rate });
    await harm({ ground, away_ms, note });
  } finally {
    folder.remove();
  }
}

function note(what: string, took_ms: number): void {
  restarts_ms[what] = [...(restarts_ms[what] ?? []), Math.round(took_ms)];
}
