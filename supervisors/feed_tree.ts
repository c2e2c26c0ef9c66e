/**
 * The branch of the tree that feeds Kafka: what was acknowledged is written down, records are
 * produced, and each exchange has its normalizers, its backfiller and its connections.
 *
 * ```
 * feed (rest_for_one)
 *   continuity                    writes down what is acknowledged; the last to stop
 *   producer (one_for_one)        port, producer
 *   exchanges (one_for_one)
 *     <exchange> (one_for_one)    normalizers (one per symbol), backfiller, connections (shards)
 * ```
 *
 * @module
 */

import { type BackfillerInput, backfiller } from "../actors/backfiller/backfiller.ts";
import { type KeeperInput, keeper } from "../actors/continuity/keeper.ts";
import type { PressureListener } from "../actors/messages.ts";
import {
  NormalizerInbox,
  type NormalizerInput,
  normalizer,
} from "../actors/normalizer/normalizer.ts";
import { type KafkaPortInput, kafkaPort } from "../actors/producer/port.ts";
import { type ProducerInput, producerMachine } from "../actors/producer/producer.ts";
import type { InstrumentList } from "../actors/rest/instrument_list.ts";
import { openInstrumentList } from "../actors/rest/open_instrument_list.ts";
import {
  createReachability,
  type Reachability,
  simulate_remedy,
} from "../actors/rest/reachability.ts";
import { connectionShards, normalizerId } from "./connection_tree.ts";
import { instrumentWorld } from "./effects.ts";
import type { ExchangeMemory, FeedMemory } from "./feed_memory.ts";
import { cool_down, type FeedGround, intensity, part_intensity, shutdown } from "./ground.ts";
import { type ChildSpec, supervisorChild } from "./supervisor.ts";

/** One exchange as its actors share it. */
interface ExchangeGround extends ExchangeMemory {
  readonly exchange: string;
  readonly instruments: InstrumentList;
  readonly reachability: Reachability;
}

/** The feed's branch. */
export function feed(ground: FeedGround, memory: FeedMemory): ChildSpec {
  return supervisorChild({
    id: "feed",
    strategy: "rest_for_one",
    ...part_intensity,
    children: [
      continuityKeeper(ground, memory),
      supervisorChild({
        id: "producer",
        strategy: "one_for_one",
        ...intensity,
        children: [port(ground), producer(ground)],
      }),
      supervisorChild({
        id: "exchanges",
        strategy: "one_for_one",
        ...intensity,
        children: memory.exchanges.map((remembered) => exchangeBranch(ground, remembered)),
      }),
    ],
  });
}

function continuityKeeper({ outbox, log, effects }: FeedGround, memory: FeedMemory): ChildSpec {
  return {
    id: "continuity",
    system_id: "continuity",
    kind: "worker",
    logic: keeper,
    input: (incarnation): KeeperInput => ({
      incarnation,
      continuities: () => memory.exchanges.flatMap((one) => [...one.continuities.values()]),
      positions: outbox,
      sink: outbox,
      store: memory.store,
      after: effects.after,
      now_us: effects.now_us,
      log,
    }),
    restart: "permanent",
    start_ms_max: 5_000,
    shutdown_ms: shutdown.short_ms,
  };
}

function port({ outbox, cluster, settings, log, effects }: FeedGround): ChildSpec {
  return {
    id: "port",
    system_id: "port",
    kind: "port",
    logic: kafkaPort,
    input: (incarnation): KafkaPortInput => ({
      incarnation,
      outbox,
      cluster,
      data_dir: settings.data_dir,
      node: "node",
      log,
      spawn: effects.spawn,
      after: effects.after,
      random: effects.random,
    }),
    restart: "permanent",
    start_ms_max: 60_000,
    shutdown_ms: shutdown.short_ms,
  };
}

function producer({ outbox, effects, log }: FeedGround): ChildSpec {
  return {
    id: "producer",
    system_id: "producer",
    kind: "worker",
    logic: producerMachine,
    input: (incarnation): ProducerInput => ({
      incarnation,
      outbox,
      after: effects.after,
      freeBytes: effects.freeBytes,
      log,
    }),
    restart: "permanent",
    // It serves once the port does.
    start_ms_max: 60_000,
    shutdown_ms: shutdown.producer_ms,
  };
}

/** One exchange: whatever happens in it stays in it. */
function exchangeBranch(ground: FeedGround, remembered: ExchangeMemory): ChildSpec {
  const { settings, adapter, requests } = remembered;
  const { exchange, native_symbols } = settings;
  const { outbox, log, effects, signal } = ground;
  const remedy = ground.simulate === null ? simulate_remedy : "";
  const reachability = createReachability({ exchange, log, remedy });
  const instruments = openInstrumentList({
    adapter,
    rest_url: settings.rest_url,
    budget: requests,
    reachability,
    log,
    signal,
    world: instrumentWorld(effects),
  });
  const of: ExchangeGround = { ...remembered, exchange, instruments, reachability };
  return supervisorChild({
    id: exchange,
    strategy: "one_for_one",
    ...intensity,
    cool_down,
    children: [
      supervisorChild({
        id: "normalizers",
        strategy: "one_for_one",
        ...intensity,
        children: native_symbols.map((symbol) => symbolNormalizer(ground, of, symbol)),
      }),
      exchangeBackfiller(ground, of),
      ...(ground.feeding === "history"
        ? []
        : [
            supervisorChild({
              id: "connections",
              strategy: "one_for_one",
              ...intensity,
              children: connectionShards(
                {
                  sink: outbox,
                  onPressure: (listener) => outbox.onPressure(listener),
                  log,
                  effects,
                },
                of,
              ),
            }),
          ]),
    ],
  });
}

function symbolNormalizer(
  { outbox }: FeedGround,
  { exchange, continuities, instruments }: ExchangeGround,
  native_symbol: string,
): ChildSpec {
  const continuity = continuities.get(native_symbol);
  if (continuity === undefined) throw new RangeError(`${native_symbol} has no continuity`);
  const inbox = new NormalizerInbox();
  return {
    id: native_symbol,
    system_id: normalizerId(exchange, native_symbol),
    kind: "worker",
    logic: normalizer,
    input: (incarnation): NormalizerInput => ({
      incarnation,
      exchange,
      native_symbol,
      instrument: () => instruments.get(native_symbol),
      sink: outbox,
      inbox,
      continuity,
    }),
    restart: "permanent",
    start_ms_max: 1_000,
    shutdown_ms: shutdown.short_ms,
  };
}

function exchangeBackfiller(ground: FeedGround, of: ExchangeGround): ChildSpec {
  const { outbox, log, effects } = ground;
  const { getPage, monotonic_ns, now_us, random, uniqueId } = effects;
  const { exchange, adapter, instruments, continuities, requests, settings } = of;
  return {
    id: "backfiller",
    system_id: `${exchange}.backfiller`,
    kind: "worker",
    logic: backfiller,
    input: (incarnation): BackfillerInput => ({
      incarnation,
      adapter,
      rest_url: settings.rest_url,
      instruments,
      symbols: [...continuities].map(([native_symbol, continuity]) => ({
        native_symbol,
        continuity,
      })),
      normalizerId: (native_symbol: string) => normalizerId(exchange, native_symbol),
      sink: outbox,
      budget: requests,
      getPage,
      onPressure: (listener: PressureListener) => outbox.onPressure(listener),
      gap_hours_max: ground.settings.backfill_hours_max,
      remedy_flags: simulationFlags(ground),
      connectionId: () => `${exchange}-rest-${uniqueId()}`,
      log,
      random,
      now_us,
      monotonic_ns,
    }),
    restart: "permanent",
    start_ms_max: 5_000,
    shutdown_ms: shutdown.short_ms,
  };
}

/** What tells a command that the data directory's trades are simulated, and which. */
function simulationFlags({ simulate }: Pick<FeedGround, "simulate">): string {
  if (simulate === null) return "";
  const { rate, seed } = simulate;
  return ` --simulate${rate === null ? "" : ` --rate ${rate}`} --seed ${seed}`;
}
