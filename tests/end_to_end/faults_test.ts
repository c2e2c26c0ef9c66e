/**
 * Goal: whatever happens to sockets, REST or the process, Kafka ends up with every trade of the
 * exchanges' own lists, digit by digit, and no rule of an exchange is broken on the way.
 * Method: the real feed, broker and port against the simulator, which is made to misbehave phase by
 * phase until every kind of fault has happened; then Kafka's topics against the simulator's list.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { StatusNode } from "../../actors/status/node.ts";
import { temporaryFolder } from "../actors/producer/rig.ts";
import { startGround } from "./feed_rig.ts";
import { listOf, plain } from "./ledger.ts";
import { allNodes, eventually, type Platform, startPlatform } from "./platform.ts";

const exchanges = ["binance", "kraken", "coinbase"];
const folder = temporaryFolder();
const test_ms = 600_000;
let ground: Awaited<ReturnType<typeof startGround>>;

beforeAll(async () => {
  ground = await startGround(folder.path, { exchanges, rate: 240 });
}, 90_000);

afterAll(async () => {
  await ground[Symbol.asyncDispose]();
  folder.remove();
}, 60_000);

type Fault = Readonly<Record<string, string | number | boolean>>;

/** The same fault of every exchange. */
function everywhere(fault: Fault): Fault[] {
  return exchanges.map((exchange) => ({ ...fault, exchange }));
}

/** Asks the simulator for faults. */
async function ask(faults: readonly Fault[]): Promise<void> {
  const url = new URL("/simulator/faults", ground.simulator.url);
  const response = await fetch(url, { method: "POST", body: JSON.stringify(faults) });
  if (!response.ok) throw new Error(await response.text());
}

/** Asks the simulator for faults and waits until all of them have happened or are over. */
async function misbehave(faults: readonly Fault[]): Promise<void> {
  await ask(faults);
  const url = new URL("/simulator/faults", ground.simulator.url);
  await eventually("the faults to happen", async () => {
    const { faults: left } = (await (await fetch(url)).json()) as { faults: Fault[] };
    return left.length === 0 ? true : undefined;
  });
}

/** Ends the faults that have not happened or go on. */
async function clearFaults(): Promise<void> {
  await fetch(new URL("/simulator/faults", ground.simulator.url), { method: "DELETE" });
}

/** Waits until every symbol streams and nothing is missing. */
async function recovered(platform: Platform): Promise<void> {
  let standing = "";
  await eventually("the feed to recover", async () => {
    const nodes = allNodes(await platform.tree());
    const faults = nodes.flatMap(faultsOf);
    if (faults.join() !== standing) standing = faults.join();
    return faults.length === 0 ? true : undefined;
  }).catch((error: unknown) => {
    throw new Error(`${error}: ${standing}\n${platform.log()}`);
  });
}

function faultsOf({ path, state, figures }: StatusNode): string[] {
  if (path.endsWith("/continuity")) {
    return figures.gaps_open === 0 && figures.ids_missing === 0
      ? []
      : [`${figures.gaps_open} gaps, ${figures.ids_missing} ids`];
  }
  if (!/\/connections\/\d+$/.test(path)) return [];
  const is_well =
    state === "streaming" && figures.subscribed === figures.symbols && figures.not_delivering === 0;
  return is_well ? [] : [`${path} is ${state}: ${JSON.stringify(figures)}`];
}

/** How often each exchange's socket was opened again. */
async function reconnectsOf(platform: Platform): Promise<number[]> {
  const tree = await platform.tree();
  return exchanges.map((exchange) => {
    const node = allNodes(tree).find(({ path }) => path.endsWith(`/${exchange}/connections/0`));
    return Number(node?.figures.reconnects_total);
  });
}

async function start(): Promise<Platform> {
  const platform = await startPlatform(["--role", "feed"], ground.environment);
  await eventually("all exchanges to stream", async () => {
    const connections = allNodes(await platform.tree()).filter(({ path }) =>
      /\/connections\/\d+$/.test(path),
    );
    const is_streaming =
      connections.length === exchanges.length &&
      connections.every(({ state }) => state === "streaming");
    return is_streaming ? true : undefined;
  });
  return platform;
}

/** Commands an actor as a person does. */
async function command(platform: Platform, path: string, verb: string): Promise<void> {
  const token = readFileSync(join(platform.data_dir, "status.token"), "utf8").trim();
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(platform.url(`/actors/${path}/${verb}`), {
    method: "POST",
    headers,
  });
  expect(response.status).toBe(202);
}

/** What is wrong with Kafka's content, as sentences. */
async function differences(): Promise<string[]> {
  const { trades, frames, events } = await ground.readTopics();
  const found: string[] = [];
  const texts = new Map<string, string>();
  for (const batch of frames) {
    for (const { frame_sequence, frame } of batch.frames) {
      texts.set(`${batch.connection_id} ${frame_sequence}`, Buffer.from(frame).toString());
    }
  }
  const unfillable = new Set(
    events.flatMap(({ exchange, native_symbol, unfillable: ranges }) =>
      (ranges ?? []).flatMap(({ from_id, to_id }) =>
        Array.from({ length: to_id - from_id + 1 }, (_, index) =>
          [exchange, native_symbol, from_id + index].join(":"),
        ),
      ),
    ),
  );
  for (const trade of trades) {
    const text = texts.get(`${trade.connection_id} ${trade.frame_sequence}`);
    if (text === undefined) found.push(`the frame of ${trade.message_id} is not in Kafka`);
    else if (!text.includes(trade.trade_id)) found.push(`${trade.message_id} is not in ${text}`);
  }
  const markets = Map.groupBy(trades, (trade) => `${trade.exchange}:${trade.native_symbol}`);
  expect(markets.size).toBe(6);
  expect(trades.length).toBeGreaterThan(1_000);
  for (const [market, taken] of markets) {
    const [{ exchange, native_symbol } = taken[0]!] = taken;
    const ids = taken.map(({ trade_id }) => Number(trade_id));
    const range = { first: String(minimum(ids)), last: String(maximum(ids)) };
    const wanted = await listOf(ground.simulator.url, { exchange, native_symbol, ...range });
    const by_id = new Map(wanted.map((trade) => [trade.trade_id, trade]));
    const seen = new Set(taken.map(({ trade_id }) => trade_id));
    for (const { trade_id } of wanted) {
      if (!seen.has(trade_id) && !unfillable.has(`${market}:${trade_id}`)) {
        found.push(`${market} lacks ${trade_id}`);
      }
    }
    for (const trade of taken) {
      const listed = by_id.get(trade.trade_id);
      const is_equal =
        listed !== undefined &&
        plain(trade.price) === plain(listed.price) &&
        plain(trade.quantity) === plain(listed.quantity) &&
        trade.side === listed.side &&
        trade.timestamp === listed.timestamp;
      if (!is_equal) found.push(`${JSON.stringify(trade)} is not ${JSON.stringify(listed)}`);
    }
  }
  return found.slice(0, 20);
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

function minimum(numbers: readonly number[]): number {
  return numbers.reduce((least, number) => Math.min(least, number));
}

function maximum(numbers: readonly number[]): number {
  return numbers.reduce((most, number) => Math.max(most, number));
}

async function brokenRules(): Promise<unknown> {
  const response = await fetch(new URL("/simulator/rules", ground.simulator.url));
  const { broken } = (await response.json()) as { broken: unknown };
  return broken;
}

/** What exchanges do to the shape and order of their data while everything is connected. */
const spoilt_data: readonly Fault[] = [
  { fault: "batch", exchange: "kraken", count: 5 },
  { fault: "unknown_fields", for_s: 10 },
  { fault: "first_of_timestamp", for_s: 10 },
  { fault: "rest_lag", lag_s: 4, for_s: 15 },
  ...everywhere({ fault: "extreme_digits" }),
  ...everywhere({ fault: "out_of_order", count: 3 }),
  ...everywhere({ fault: "duplicate_trades", count: 3 }),
  ...everywhere({ fault: "spoilt_item", count: 3 }),
  ...everywhere({ fault: "spoilt_item", field: "trade_id" }),
  ...everywhere({ fault: "drop_trades" }),
  ...everywhere({ fault: "absent_ids" }),
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
  "every trade reaches Kafka whatever the exchanges do, and no rule is broken",
  async () => {
    const platform = await start();
    await misbehave(spoilt_data);
    await recovered(platform);
    await misbehave(everywhere({ fault: "absent_ids" }));
    const lost = { exchange: "binance", native_symbol: "ETHUSDT" };
    await ask([
      { fault: "rest_history", ...lost, older_s: 1 },
      { fault: "drop_trades", ...lost, trades: 5 },
    ]);
    await eventually("a gap that nobody can fill", async () => {
      const { figures } = await platform.node("k2/platform/work/feed/exchanges/binance/backfiller");
      return Number(figures.gaps_open) > 0 ? true : undefined;
    });
    await recovered(platform);
    await clearFaults();
    await misbehave(spoilt_rest);
    await recovered(platform);
    await misbehave(spoilt_sockets);
    await recovered(platform);
    await misbehave([
      ...everywhere({ fault: "subscription_ignored" }),
      ...everywhere({ fault: "close", code: 1006 }),
    ]);
    await recovered(platform);
    await misbehave([
      { fault: "server_shutdown", exchange: "binance", after_s: 6 },
      { fault: "maintenance", exchange: "kraken", after_s: 6 },
      { fault: "subscription_refused", exchange: "coinbase" },
      { fault: "close", exchange: "coinbase", code: 1001 },
      { fault: "halted", exchange: "kraken", native_symbol: "ETH/USD", for_s: 8 },
    ]);
    await recovered(platform);
    // Once may be a slip; again at once, the exchange means it.
    await ask([{ fault: "close", exchange: "kraken", code: 1008, count: 2, reason: "policy" }]);
    const kraken = "k2/platform/work/feed/exchanges/kraken/connections/0";
    await eventually("the refusal to be shown", async () => {
      const { state, figures } = await platform.node(kraken);
      return state === "refused" && String(figures.last_error).includes("1008") ? true : undefined;
    });
    await clearFaults();
    await command(platform, kraken, "restart");
    await recovered(platform);
    const reconnects = await reconnectsOf(platform);
    await misbehave(everywhere({ fault: "half_open" }));
    await eventually("the silence of every socket to be noticed", async () => {
      const now = await reconnectsOf(platform);
      return now.every((count, index) => count > (reconnects[index] ?? 0)) ? true : undefined;
    });
    await recovered(platform);
    expect(await platform.stop("SIGTERM")).toBe(0);
    expect(await differences()).toEqual([]);
    expect(await unbalancedGaps()).toEqual([]);
    expect(await brokenRules()).toEqual({});
  },
  test_ms,
);

test(
  "once more with kill -9 and a restart in the middle",
  async () => {
    const first = await start();
    await misbehave(everywhere({ fault: "drop_trades", trades: 20 }));
    expect(await first.stop("SIGKILL")).not.toBe(0);
    const second = await start();
    await misbehave(spoilt_sockets);
    await recovered(second);
    expect(await second.stop("SIGTERM")).toBe(0);
    expect(await differences()).toEqual([]);
    expect(await brokenRules()).toEqual({});
  },
  test_ms,
);
