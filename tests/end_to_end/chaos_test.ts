/**
 * Goal: what dies costs no trade: the port, the broker, K2 with records on its disk, and K2 told
 * to end while there is no Kafka.
 * Method: the real feed, broker and port under load on one ground, harmed in one way after the
 * other; after each, all of Kafka against the simulator's list. `tests/long` has every other way.
 */

import { afterAll, beforeAll, test } from "bun:test";
import { temporaryFolder } from "../actors/producer/rig.ts";
import * as chaos from "./chaos.ts";
import { type Ground, startGround } from "./feed_rig.ts";

const folder = temporaryFolder();
const test_ms = 300_000;
const away_ms = 3_000;
let ground: Ground;

beforeAll(async () => {
  const exchanges = ["binance", "kraken", "coinbase"];
  ground = await startGround(folder.path, { exchanges, rate: 600 });
}, 90_000);

afterAll(async () => {
  await ground[Symbol.asyncDispose]();
  folder.remove();
}, 60_000);

test.each([
  ["the port is killed four times", chaos.killPort],
  ["the broker is killed and comes back", chaos.killBroker],
  ["K2 is told to end while the broker is away", chaos.terminateWithoutKafka],
  ["K2 is killed while records wait on disk", chaos.killPlatformWhileSpilling],
] as const)(
  "%s, and no trade is lost",
  async (_, harm) => await harm({ ground, away_ms, note: () => {} }),
  test_ms,
);
