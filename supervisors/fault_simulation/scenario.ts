/**
 * What a seed decides: which exchanges and symbols, how they trade, what they and the network do
 * wrong and when, how the broker is, when the disk refuses, and how often calls are hit. Small
 * worlds: a seed is to cost a fraction of a second, and there are many seeds.
 *
 * @module
 */

import { exchanges } from "../../actors/exchanges/mod.ts";
import type { OutboxOptions } from "../../actors/producer/outbox.ts";
import { readSettings, type Settings } from "../../actors/settings/settings.ts";
import { epoch_us } from "../../actors/simulator/trade.ts";
import { type Hits, unhurt } from "./crash_points.ts";
import { Random } from "./random.ts";
import type { Network } from "./simulated_exchanges.ts";
import type { KafkaConditions } from "./simulated_kafka.ts";

/** Something that lasts for a while. */
export interface Spell {
  readonly at_s: number;
  readonly for_s: number;
}

/** One world. */
export interface Scenario {
  readonly seed: number;
  readonly started_us: number;
  readonly settings: Settings;
  /** From when on the outbox uses the disk, and how much is with the port at once. */
  readonly outbox: Required<Pick<OutboxOptions, "memory_bytes_max" | "window_batches_max">>;
  /** Trades per second over all symbols. */
  readonly rate: number;
  /** How long things go wrong. */
  readonly faults_s: number;
  /** As the simulator's plan takes them. */
  readonly exchange_faults: readonly ExchangeFault[];
  readonly network: Network;
  readonly kafka: KafkaConditions;
  readonly outages: readonly Spell[];
  readonly full_disks: readonly Spell[];
  /** When little is free. */
  readonly low_disks: readonly Spell[];
  readonly hits: Hits;
  /** When somebody sets our wall clock, and by how much. */
  readonly clock_steps: readonly { readonly at_s: number; readonly by_s: number }[];
  /** How far back the first process wants the trades; 0: not at all. */
  readonly since_s: number;
  /** When the process is asked to stop, and started again. */
  readonly stops_s: readonly number[];
  /** From a process's end to the next one's start, at the least and at the most. */
  readonly restart_s: readonly [number, number];
}

/** A fault of an exchange. */
export interface ExchangeFault {
  readonly fault: string;
  readonly exchange: string;
  readonly at_s: number;
  readonly [parameter: string]: string | number | boolean;
}

const symbols: Readonly<Record<string, readonly string[]>> = {
  binance: ["BTCUSDT", "ETHUSDT"],
  kraken: ["BTC/USD", "ETH/USD"],
  coinbase: ["BTC-USD", "ETH-USD"],
};

/** The world of a seed. */
export function scenarioOf(seed: number): Scenario {
  const random = new Random(seed).fork("scenario");
  const settings = settingsOf(random.fork("settings"));
  const faults_s = random.between(8, 22);
  const has = (probability: number) => random.chance(probability);
  const anyDay = () => random.between(1, 300) * 86_400;
  const spells = (count_max: number, for_s: readonly [number, number]) =>
    Array.from({ length: random.integer(1, count_max) }, () => ({
      at_s: random.between(0, faults_s),
      for_s: random.between(...for_s),
    }));
  return {
    seed,
    // Mostly markets that are young, as a page of a thousand trades costs more than all else.
    started_us: epoch_us + Math.floor(has(0.85) ? random.between(30, 200) : anyDay()) * 1_000_000,
    settings,
    outbox: {
      memory_bytes_max: random.pick([2 ** 13, 2 ** 15, 2 ** 17, 2 ** 25]),
      window_batches_max: random.pick([4, 64]),
    },
    rate: random.chance(0.1) ? random.between(20, 40) : random.magnitude(1, 12),
    faults_s,
    exchange_faults: has(0.7)
      ? exchangeFaults(random.fork("exchanges"), { settings, faults_s })
      : [],
    network: networkOf(random.fork("network"), has(0.3)),
    kafka: kafkaOf(random.fork("kafka"), has(0.5)),
    outages: has(0.35) ? spells(2, [0.5, has(0.2) ? 80 : 25]) : [],
    full_disks: has(0.2) ? spells(2, [0.5, 10]) : [],
    low_disks: has(0.1) ? spells(2, [0.5, 10]) : [],
    hits: has(0.65) ? hitsOf(random.fork("hits")) : unhurt,
    clock_steps: has(0.12)
      ? [{ at_s: random.between(0, faults_s), by_s: random.between(-600, 600) }]
      : [],
    since_s: has(0.15) ? random.between(5, 90) : 0,
    stops_s: has(0.25) ? [random.between(1, faults_s)] : [],
    restart_s: has(0.5) ? [0.05, 0.5] : [0.5, 5],
  };
}

function settingsOf(random: Random): Settings {
  const chosen = random.some(Object.keys(symbols), 0.45);
  const names = chosen.length === 0 ? [random.pick(Object.keys(symbols))] : chosen.slice(0, 2);
  const listed = names.map((name) => {
    const own = symbols[name] ?? [];
    const some = random.chance(0.4) ? own : own.slice(0, 1);
    return [`K2_${name.toUpperCase()}_SYMBOLS`, some.join(",")] as const;
  });
  const settings = readSettings(
    {
      K2_EXCHANGES: names.join(","),
      K2_DATA_DIR: "/simulated",
      K2_GAP_GRACE_MS: String(random.pick([0, 300, 1_000])),
      K2_FLUSH_MS: String(random.pick([0, 2, 20, 200])),
      K2_FLUSH_COUNT: String(random.pick([1, 3, 20, 500])),
      ...Object.fromEntries(listed),
    },
    exchanges,
  );
  // Less than a person may set, so that a few seconds of an outage fill it.
  return { ...settings, spill_bytes_max: random.pick([0, 2 ** 17, 2 ** 32, 2 ** 32]) };
}

function networkOf(random: Random, is_bad: boolean): Network {
  const least_ms = random.between(0.2, 20);
  return {
    latency_ms: [least_ms, least_ms * random.between(1, 5)],
    tick_ms: random.pick([100, 200, 400]),
    unanswered_share: is_bad ? 0.2 : 0,
    lost_per_s: is_bad ? 0.1 : 0,
    unanswered_request_share: is_bad ? 0.1 : 0,
  };
}

function kafkaOf(random: Random, is_bad: boolean): KafkaConditions {
  const least_ms = random.between(0.5, 10);
  const usual = {
    delivery_ms: [least_ms, least_ms * random.between(1, 10)],
    acknowledgement_ms: [0.5, random.between(1, 10)],
  } as const;
  if (!is_bad) {
    const none = { slow_share: 0, slow_ms: 0, crashes_per_s: 0, stuck_per_s: 0, refused_share: 0 };
    return { ...usual, ...none };
  }
  return {
    ...usual,
    slow_share: random.pick([0, 0.1, 0.5]),
    slow_ms: random.magnitude(50, 5_000),
    crashes_per_s: random.pick([0, 0.05, 0.3]),
    stuck_per_s: random.pick([0, 0, 0.05]),
    refused_share: random.pick([0, 0, 0.02]),
  };
}

function hitsOf(random: Random): Hits {
  const throws = random.magnitude(20, 5_000);
  const kills = random.magnitude(20, 20_000);
  return {
    throw_every: random.chance(0.6) ? [throws, throws * 20] : null,
    kill_every: random.chance(0.6) ? [kills, kills * 10] : null,
    power_cut_share: random.pick([0, 0, 0.3]),
  };
}

/** What an exchange may do wrong, with the parameters that are not its defaults. */
const possible_faults: Readonly<
  Record<string, (random: Random) => Readonly<Record<string, string | number | boolean>>>
> = {
  silent_subscription: (random) => ({ existing: random.chance(0.5) }),
  subscription_ignored: () => ({}),
  subscription_refused: () => ({}),
  half_open: () => ({}),
  cut_in_frame: () => ({}),
  close: (random) => ({ code: random.pick([1_001, 1_006, 1_012]) }),
  refuse_upgrade: (random) => ({
    status: random.pick([429, 503]),
    retry_after_s: random.pick([0, 3]),
  }),
  snapshot_duplicate: (random) => ({ trades: random.integer(1, 20) }),
  duplicate_trades: (random) => ({ count: random.integer(1, 5) }),
  out_of_order: (random) => ({ trades: random.integer(2, 5), count: random.integer(1, 3) }),
  spoilt_item: (random) => ({ field: random.pick(["price", "side", "trade_id"]) }),
  drop_trades: (random) => ({
    trades: random.integer(1, 30),
    share: random.pick([0.2, 0.5, 1]),
  }),
  first_of_timestamp: (random) => ({ for_s: random.between(1, 10) }),
  unknown_fields: (random) => ({ for_s: random.between(1, 10) }),
  server_shutdown: (random) => ({ for_s: 10, after_s: random.between(0, 5) }),
  absent_ids: (random) => ({ trades: random.integer(1, 10) }),
  extreme_digits: (random) => ({ trades: random.integer(1, 20) }),
  rest_lag: (random) => ({ lag_s: random.between(0.5, 8), for_s: random.between(1, 20) }),
  rest_history: (random) => ({ older_s: random.between(1, 10), for_s: random.between(5, 30) }),
  rest_empty: (random) => ({ count: random.integer(1, 5) }),
  rest_truncated: (random) => ({ count: random.integer(1, 3) }),
  rest_refused: (random) => ({
    status: random.pick([429, 503]),
    retry_after_s: random.pick([0, 2, 5]),
    requests: random.pick(["trades", "all"]),
  }),
};

function exchangeFaults(
  random: Random,
  { settings, faults_s }: { readonly settings: Settings; readonly faults_s: number },
): readonly ExchangeFault[] {
  return settings.exchanges.flatMap(({ exchange }) =>
    random.some(Object.entries(possible_faults), 0.15).map(([fault, parametersOf]) => ({
      ...parametersOf(random),
      fault,
      exchange,
      at_s: random.between(0, faults_s),
    })),
  );
}
