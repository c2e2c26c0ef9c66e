/**
 * Goal: whatever happens to sockets, REST or the process, Kafka ends up with every trade of the
 * exchanges' own lists, digit by digit, and no rule of an exchange is broken on the way; the lake
 * that is built of it validates, and does no longer once a single digit of it is changed.
 * Method: the real feed, broker and port against the simulator, which is made to misbehave phase by
 * phase until every kind of fault has happened; then Kafka's topics against the simulator's list,
 * and the real driver and DuckDB over all of it.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { temporaryFolder } from "../actors/producer/rig.ts";
import { runScript } from "../actors/validator/lakes.ts";
import { accountOf, brokenRules } from "./feed_ledger.ts";
import { type Fault, type Ground, startGround } from "./feed_rig.ts";
import { recovered, startFeed } from "./feed_run.ts";
import {
  allNodes,
  command,
  eventually,
  type Platform,
  rowsOf,
  run,
  startPlatform,
} from "./platform.ts";

const exchanges = ["binance", "kraken", "coinbase"];
const folder = temporaryFolder();
const test_ms = 600_000;
let ground: Ground;

beforeAll(async () => {
  ground = await startGround(folder.path, { exchanges, rate: 240 });
}, 90_000);

afterAll(async () => {
  await ground[Symbol.asyncDispose]();
  folder.remove();
}, 60_000);

/** The same fault of every exchange. */
function everywhere(fault: Fault): Fault[] {
  return exchanges.map((exchange) => ({ ...fault, exchange }));
}

/** How often each exchange's socket was opened again. */
async function reconnectsOf(platform: Platform): Promise<number[]> {
  const tree = await platform.tree();
  return exchanges.map((exchange) => {
    const node = allNodes(tree).find(({ path }) => path.endsWith(`/${exchange}/connections/0`));
    return Number(node?.figures.reconnects_total);
  });
}

/** Kafka against the list, as sentences. */
async function differences(): Promise<readonly string[]> {
  const account = await accountOf(ground);
  expect(account.markets_count).toBe(6);
  expect(account.trades_count).toBeGreaterThan(1_000);
  expect(account.frameless).toEqual([]);
  return account.differences;
}

/** Gaps that were told of and never ended, or ended without having been told of. */
async function unbalancedGaps(): Promise<unknown[]> {
  const { events } = await ground.readTopics();
  const kinds = new Set(events.map(({ event }) => event));
  const wanted = ["session_opened", "session_closed", "coverage", "confirmed", "gap_opened"];
  expect([...kinds]).toEqual(expect.arrayContaining(wanted));
  const ends = ["gap_filled", "gap_absent", "gap_unfillable"];
  expect([...kinds]).toEqual(expect.arrayContaining(ends));
  const opened = new Set(events.filter((it) => it.event === "gap_opened").map((it) => it.gap_id));
  const ended = new Set(events.filter((it) => ends.includes(it.event)).map((it) => it.gap_id));
  return [...opened.symmetricDifference(ended)];
}

/** What exchanges do to the shape and order of their data while everything is connected. */
const spoilt_data: readonly Fault[] = [
  { fault: "batch", exchange: "kraken", count: 5 },
  { fault: "unknown_fields", for_s: 10 },
  { fault: "first_of_timestamp", for_s: 10 },
  { fault: "rest_lag", lag_s: 4, for_s: 15 },
  ...everywhere({ fault: "out_of_order", count: 3 }),
  ...everywhere({ fault: "duplicate_trades", count: 3 }),
  ...everywhere({ fault: "spoilt_item", count: 3 }),
  ...everywhere({ fault: "spoilt_item", field: "trade_id" }),
  ...everywhere({ fault: "drop_trades" }),
  ...everywhere({ fault: "absent_ids" }),
];

/**
 * The same, with digits besides: the product of some price and quantity has more of them than the
 * lake can hold, and Gold then lacks the trade.
 */
const spoilt_digits: readonly Fault[] = [
  ...spoilt_data,
  ...everywhere({ fault: "extreme_digits" }),
];

/** REST in trouble while trades are missing. */
const spoilt_rest: readonly Fault[] = [
  ...everywhere({ fault: "drop_trades", trades: 30 }),
  ...everywhere({ fault: "rest_refused", status: 503 }),
  { fault: "rest_refused", exchange: "binance", status: 429, retry_after_s: 2 },
  { fault: "rest_refused", exchange: "binance", status: 418, retry_after_s: 2 },
  { fault: "rest_refused", exchange: "kraken", status: 200, error: "EAPI:Rate limit exceeded" },
  ...everywhere({ fault: "rest_truncated" }),
  ...everywhere({ fault: "rest_empty" }),
];

/** Sockets that end, and what goes wrong with the next ones. */
const spoilt_sockets: readonly Fault[] = [
  ...everywhere({ fault: "silent_subscription" }),
  ...everywhere({ fault: "snapshot_duplicate" }),
  ...everywhere({ fault: "refuse_upgrade", status: 429, retry_after_s: 1 }),
  ...everywhere({ fault: "cut_in_frame" }),
];

test(
  "every trade reaches Kafka though data are spoilt, sockets fail and the feed is killed",
  async () => {
    const first = await startFeed(ground);
    await ground.faults.untilOver(spoilt_data);
    await recovered(first);
    await ground.faults.untilOver(everywhere({ fault: "drop_trades", trades: 20 }));
    expect(await first.stop("SIGKILL")).not.toBe(0);
    const second = await startFeed(ground);
    await ground.faults.untilOver(spoilt_sockets);
    await recovered(second);
    expect(await second.stop("SIGTERM")).toBe(0);
    expect(await differences()).toEqual([]);
    expect(await brokenRules(ground)).toEqual({});
  },
  test_ms,
);

test(
  "the lake of all that validates, and shows one digit of Gold that is changed",
  async () => {
    await using platform = await startPlatform(["--role", "lake"], ground.environment);
    await everythingInLake();
    expect(await platform.stop("SIGTERM")).toBe(0);
    const whole = await validation();
    expect(whole.failing).toEqual([]);
    expect(whole.looked_at).toEqual(expect.arrayContaining(["gold_frames", "gold_ids"]));

    const [trade] = await rowsOf(
      "SELECT message_id FROM gold.trades WHERE exchange = 'kraken' ORDER BY 1 LIMIT 1",
      ground.environment,
    );
    await runScript("change_digit.py", [platform.data_dir, String(trade?.message_id)]);

    const changed = await validation();
    const found = changed.failing.map(({ name }) => name);
    expect(found).toEqual(expect.arrayContaining(["gold_frames", "gold_origin"]));
    expect(changed.exit_code).toBe(1);
  },
  test_ms,
);

test(
  "every trade reaches Kafka whatever else the exchanges do, and no rule is broken",
  async () => {
    const platform = await startFeed(ground);
    await ground.faults.untilOver(spoilt_digits);
    await recovered(platform);
    await ground.faults.untilOver(everywhere({ fault: "absent_ids" }));
    const lost = { exchange: "binance", native_symbol: "ETHUSDT" };
    await ground.faults.ask([
      { fault: "rest_history", ...lost, older_s: 1 },
      { fault: "drop_trades", ...lost, trades: 5 },
    ]);
    await eventually("a gap that nobody can fill", async () => {
      const { figures } = await platform.node("k2/platform/work/feed/exchanges/binance/backfiller");
      return Number(figures.gaps_open) > 0 ? true : undefined;
    });
    await recovered(platform);
    await ground.faults.clear();
    await ground.faults.untilOver(spoilt_rest);
    await recovered(platform);
    await ground.faults.untilOver(spoilt_sockets);
    await recovered(platform);
    await ground.faults.untilOver([
      ...everywhere({ fault: "subscription_ignored" }),
      ...everywhere({ fault: "close", code: 1006 }),
    ]);
    await recovered(platform);
    await ground.faults.untilOver([
      { fault: "server_shutdown", exchange: "binance", after_s: 6 },
      { fault: "maintenance", exchange: "kraken", after_s: 6 },
      { fault: "subscription_refused", exchange: "coinbase" },
      { fault: "close", exchange: "coinbase", code: 1001 },
      { fault: "halted", exchange: "kraken", native_symbol: "ETH/USD", for_s: 8 },
    ]);
    await recovered(platform);
    // Once may be a slip; again at once, the exchange means it.
    await ground.faults.ask([
      { fault: "close", exchange: "kraken", code: 1008, count: 2, reason: "policy" },
    ]);
    const kraken = "k2/platform/work/feed/exchanges/kraken/connections/0";
    await eventually("the refusal to be shown", async () => {
      const { state, figures } = await platform.node(kraken);
      return state === "refused" && String(figures.last_error).includes("1008") ? true : undefined;
    });
    await ground.faults.clear();
    await command(platform, kraken, "restart");
    await recovered(platform);
    const reconnects = await reconnectsOf(platform);
    await ground.faults.untilOver(everywhere({ fault: "half_open" }));
    await eventually("the silence of every socket to be noticed", async () => {
      const now = await reconnectsOf(platform);
      return now.every((count, index) => count > (reconnects[index] ?? 0)) ? true : undefined;
    });
    await recovered(platform);
    // A gap's end is told once Kafka has what filled it; a process that ends leaves it to the next.
    await eventually("every gap's end in Kafka", async () =>
      (await unbalancedGaps()).length === 0 ? true : undefined,
    );
    expect(await platform.stop("SIGTERM")).toBe(0);
    expect(await differences()).toEqual([]);
    expect(await brokenRules(ground)).toEqual({});
  },
  test_ms,
);

/** Waits until the lake has taken in all that stands in Kafka. */
async function everythingInLake(): Promise<void> {
  const { trades, frames, events } = await ground.readTopics();
  const wanted = {
    trades: trades.length,
    frames: frames.reduce((sum, batch) => sum + batch.frames.length, 0),
    closed: events.filter(({ event }) => event === "session_closed").length,
  };
  const counts = `SELECT (SELECT count(*)::INT FROM silver.trades) AS trades,
    (SELECT count(*)::INT FROM silver.frames) AS frames,
    (SELECT count(*)::INT FROM silver.sessions WHERE state = 'closed') AS closed`;
  let last: unknown;
  await eventually("all of Kafka to be in the lake", async () => {
    // Not all tables are there from the beginning.
    [last] = await rowsOf(counts, ground.environment).catch(() => []);
    return Bun.deepEquals(last, wanted) ? true : undefined;
  }).catch(() => expect(last).toEqual(wanted));
}

/** What `validate` says. */
async function validation() {
  const { exit_code, stdout } = await run(["validate", "--format", "json"], ground.environment);
  const { checks } = JSON.parse(stdout) as {
    checks: { name: string; severity: string; result: string; rows: number; samples: unknown }[];
  };
  const failing = checks.filter(
    ({ severity, result }) => severity === "error" && result === "violated",
  );
  return {
    exit_code,
    failing: failing.map(({ name, samples }) => ({ name, samples })),
    looked_at: checks.filter(({ rows }) => rows > 0).map(({ name }) => name),
  };
}
