/**
 * Goal: whenever the Spark driver dies, the lake ends up exact.
 * Method: as the end-to-end test of kills, at 20 moments (`LAKE_KILLS`) that chance gives, from a
 * seed that is printed (`LAKE_SEED`), while records keep being produced; after every fifth kill a
 * start may finish, and everything is compared.
 */

import { afterAll, beforeAll, test } from "bun:test";
import { temporaryFolder } from "../actors/producer/rig.ts";
import { openFeed } from "../end_to_end/lake_feed.ts";
import { killAtRandom, recoverExactly } from "../end_to_end/lake_kills.ts";
import { type LakeRig, startLakeRig } from "../end_to_end/lake_rig.ts";
import { createRandom } from "../schemas/random.ts";

const seed = Number(process.env.LAKE_SEED ?? Date.now() % 1_000_000);
const kills = Number(process.env.LAKE_KILLS ?? "20");
const kills_between = 5;
const folder = temporaryFolder();

let rig: LakeRig;

beforeAll(async () => {
  console.log(`LAKE_SEED=${seed}`);
  rig = await startLakeRig(folder.path);
}, 90_000);

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  folder.remove();
}, 60_000);

test("killed 20 times at random moments while records come, the lake is exact", async () => {
  const random = createRandom(seed);
  const feed = openFeed(rig, random);
  for (let done = 0; done < kills; done += kills_between) {
    await killAtRandom(rig, feed, { kills: Math.min(kills_between, kills - done), random });
    await recoverExactly(rig);
  }
}, 3_600_000);
