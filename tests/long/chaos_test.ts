/**
 * Goal: whatever dies, hangs or goes away, Kafka ends up with every trade, exactly.
 * Method: each kind of harm of `chaos.ts` by itself, on a broker and with a data directory of its
 * own, at 500 trades/s (`CHAOS_RATE`), where what goes away stays away for 30 s
 * (`CHAOS_AWAY_SECONDS`). How long things took to come back is printed.
 */

import { afterAll, test } from "bun:test";
import { temporaryFolder } from "../actors/producer/rig.ts";
import * as chaos from "../end_to_end/chaos.ts";
import { startGround } from "../end_to_end/feed_rig.ts";

const rate = Number(process.env.CHAOS_RATE ?? "500");
const away_ms = Number(process.env.CHAOS_AWAY_SECONDS ?? "30") * 1_000;
const test_ms = 900_000;
const restarts_ms: Record<string, number[]> = {};

afterAll(() => {
  console.log(`restart_ms ${JSON.stringify(restarts_ms)}`);
});

test.each([
  ["the port is killed four times", chaos.killPort],
  ["the broker is killed and comes back", chaos.killBroker],
  ["K2 is killed twice", chaos.killPlatform],
  ["port and broker are killed at once", chaos.killPortAndBroker],
  ["K2 and the broker are killed at once", chaos.killPlatformAndBroker],
  ["the registry goes away", chaos.stopRegistry],
  ["the machine sleeps", chaos.sleepMachine],
] as const)(
  "%s, and no trade is lost",
  async (_, harm) => {
    const folder = temporaryFolder();
    try {
      await using ground = await startGround(folder.path, {
        exchanges: ["binance", "kraken", "coinbase"],
        rate,
      });
      await harm({ ground, away_ms, note });
    } finally {
      folder.remove();
    }
  },
  test_ms,
);

function note(what: string, took_ms: number): void {
  restarts_ms[what] = [...(restarts_ms[what] ?? []), took_ms];
}
