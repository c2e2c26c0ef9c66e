/**
 * Goal: wherever the Spark driver dies, between two commits or in the middle of one, the lake ends
 * up exact, and no bar that was ever complete has changed.
 * Method: one lake and one feed. The driver kills itself at each boundary, then is killed -9 at
 * moments that chance gives (`LAKE_KILLS` of them, from `LAKE_SEED`); each start has to recover from
 * the one before, and at the end everything is compared with what was produced.
 */

import { afterAll, beforeAll, test } from "bun:test";
import { temporaryFolder } from "../actors/producer/rig.ts";
import { createRandom } from "../schemas/random.ts";
import { type LakeFeed, openFeed } from "./lake_feed.ts";
import { killAtBoundaries, killAtRandom, recoverExactly } from "./lake_kills.ts";
import { type LakeRig, startLakeRig } from "./lake_rig.ts";

const seed = Number(process.env.LAKE_SEED ?? Date.now() % 1_000_000);
const kills = Number(process.env.LAKE_KILLS ?? "3");
const folder = temporaryFolder();
const random = createRandom(seed);
const test_ms = 900_000;

let rig: LakeRig;
let feed: LakeFeed;

beforeAll(async () => {
  console.log(`LAKE_SEED=${seed}`);
  rig = await startLakeRig(folder.path);
  feed = openFeed(rig, random);
}, 90_000);

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  folder.remove();
}, 60_000);

test(
  "a driver that dies at every boundary, one after the other, is followed by the next",
  async () => await killAtBoundaries(rig, feed),
  test_ms,
);

test(
  "killed at random moments while records come, the lake is exact at the end",
  async () => {
    await killAtRandom(rig, feed, { kills, random });
    await recoverExactly(rig);
  },
  test_ms,
);
