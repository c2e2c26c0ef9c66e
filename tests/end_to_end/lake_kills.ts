/**
 * Kills of the Spark driver: where it tells that it is between two commits, and anywhere else. Each
 * restart finds what the one before has left.
 *
 * @module
 */

import { expect } from "bun:test";
import { resolve } from "node:path";
import { pythonOf } from "../../actors/port/python.ts";
import { differencesOf } from "./lake_expected.ts";
import type { LakeFeed } from "./lake_feed.ts";
import type { Driver, LakeRig } from "./lake_rig.ts";
import { eventually } from "./platform.ts";

const root = resolve(import.meta.dir, "../..");
const death_ms_max = 240_000;
/**
 * When a driver is killed: so long, at most, after something is true of it. By its own progress, so
 * that a slow machine has its commits cut off as well as a quick one. Every second kill comes once a
 * batch is through, while the next ones run.
 */
const moments: readonly Moment[] = [
  { after: "its start", ms_max: 12_000, isCome: () => true },
  { after: "it was ready", ms_max: 10_000, isCome: ({ state }) => state === "running" },
  { after: "its first batch", ms_max: 6_000, isCome: isRefining },
  { after: "its first batch", ms_max: 6_000, isCome: isRefining },
];

interface Moment {
  readonly after: string;
  readonly ms_max: number;
  readonly isCome: (report: Driver["report"]) => boolean;
}

function isRefining({ figures }: Driver["report"]): boolean {
  return Number(figures.refine_rows_total ?? 0) > 0;
}

/** The names of what a batch comes before, as `refine.py` has them. */
export function boundaries(): readonly string[] {
  const program = "import json, refine; print(json.dumps(refine.BOUNDARIES))";
  const { stdout } = Bun.spawnSync([pythonOf(root), "-c", program], {
    env: { PYTHONPATH: `${root}/spark/jobs`, PYTHONDONTWRITEBYTECODE: "1" },
  });
  return JSON.parse(stdout.toString());
}

/** The driver kills itself at each boundary, one start after the other. */
export async function killAtBoundaries(rig: LakeRig, feed: LakeFeed): Promise<void> {
  for (const boundary of boundaries()) {
    await feed.produce();
    await using driver = rig.startDriver({ fault: boundary });
    const late = Bun.sleep(death_ms_max).then(() => "never came there");
    const exit = await Promise.race([driver.exited, late]);
    // A driver that fails tells why, with the query's name in front.
    expect({ boundary, exit }).toEqual({
      boundary,
      exit: { kind: "crash", reason: expect.stringMatching(/^spark exited with code 1/) },
    });
  }
}

/** The driver is killed at moments that chance gives, while records keep being produced. */
export async function killAtRandom(
  rig: LakeRig,
  feed: LakeFeed,
  { kills, random }: { readonly kills: number; readonly random: () => number },
): Promise<void> {
  const stop = feed.flow();
  try {
    for (let kill = 0; kill < kills; kill += 1) {
      await using driver = rig.startDriver();
      const { after, ms_max, isCome } = moments[Math.floor(random() * moments.length)]!;
      await eventually(after, () => (isCome(driver.report) ? true : undefined));
      const delay_ms = Math.round(random() * ms_max);
      await Bun.sleep(delay_ms);
      const { refine_rows_total = 0 } = driver.report.figures;
      console.log(`kill ${kill + 1}: ${delay_ms} ms after ${after}, ${refine_rows_total} rows`);
    }
  } finally {
    await stop();
  }
}

/** A last start takes in what is left; then the lake is exact, and always was where it said so. */
export async function recoverExactly(rig: LakeRig): Promise<void> {
  await using driver = rig.startDriver();
  await driver.ready;
  await rig.untilCaughtUp();
  using lake = await rig.open();
  expect(await differencesOf(lake.connection, rig.sent)).toEqual({});
  expect(await rig.brokenPromises()).toEqual([]);
}
