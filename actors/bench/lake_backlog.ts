/**
 * A backlog in a real Kafka, taken through each stage of the lake by `spark/jobs/stages.py`: some
 * turns over the same records, of which the middle one counts.
 *
 * @module
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { schemasByTopic, tradesTopic } from "../../schemas/mod.ts";
import { exchanges } from "../exchanges/mod.ts";
import type { Trade } from "../messages.ts";
import { chooseFreePort } from "../port/free_port.ts";
import { spawnPort } from "../port/port.ts";
import { pythonOf } from "../port/python.ts";
import { Outbox, type OutboxOptions } from "../producer/outbox.ts";
import { registerSchemas } from "../registry/client.ts";
import { type RegistryInput, registryActor } from "../registry/registry.ts";
import { hostClock } from "../settings/clock.ts";
import { FailureError } from "../settings/exit.ts";
import { warningsOnly } from "./bench_log.ts";
import { startStanding } from "./incarnate.ts";
import { type Kafka, startKafka } from "./kafka.ts";
import { median } from "./measure.ts";
import { openProducer } from "./producer_ground.ts";
import { seedFrames } from "./seed_frames.ts";
import { readTrades } from "./stretch.ts";

/** What the stages came to. */
export interface Backlog {
  readonly rows: number;
  /** From Kafka to Gold, all stages one after the other. */
  readonly seconds: number;
}

interface BacklogOptions {
  /** The checkout. */
  readonly root: string;
  readonly rows: number;
  /** Takes a line of details. */
  readonly tell: (line: string) => void;
}

/** Seconds by stage of one turn. */
type Turn = Readonly<Record<(typeof stages)[number] | "ceiling", number>>;

const stages = ["bronze", "silver", "gold"] as const;
const names = exchanges.map(({ exchange }) => exchange);
const frames_count = 50_000;
const producing_stretch = 500;
/** Trades lie this far apart, so that a backlog spans as much time as a busy hour's would. */
const us_apart = 1_000;

/** Takes the turns. */
export async function measureBacklog(options: BacklogOptions): Promise<Backlog> {
  const outbox: OutboxOptions = {
    exchanges: names,
    flush_count: 500,
    flush_ms: 2,
    buffer_bytes_max: 64 * 2 ** 20,
    spill_bytes_max: 0,
    now_ms: () => performance.now(),
    now_us: hostClock(),
  };
  const kafka = await startKafka({
    root: options.root,
    exchanges: names,
    outbox: new Outbox(outbox),
    log: warningsOnly(),
  });
  try {
    return await measureWith(kafka, outbox, options);
  } finally {
    await kafka.stop();
  }
}

async function measureWith(
  kafka: Kafka,
  outbox: OutboxOptions,
  options: BacklogOptions,
): Promise<Backlog> {
  const controller = new AbortController();
  const { signal } = controller;
  const port = await chooseFreePort();
  const database_path = join(kafka.data_dir, "registry.db");
  const registry = await startStanding("registry", registryActor, {
    signal,
    input: (incarnation): RegistryInput => ({ incarnation, database_path, port }),
  });
  const url = `http://127.0.0.1:${port}`;
  try {
    const access = { url, login: null, ca: null };
    const schema_ids = await registerSchemas(access, schemasByTopic(names), { fetch, signal });
    await produce(kafka, { ...options, outbox, schema_ids });
    const config = configOf(kafka, { root: options.root, schema_registry_url: url });
    const turns = await takeTurns(kafka, { root: options.root, config, signal });
    return resultOf(turns, options);
  } finally {
    await registry.stop();
    controller.abort();
  }
}

/** Puts the backlog into Kafka: every trade another one, as a market's are. */
async function produce(
  kafka: Kafka,
  options: BacklogOptions & {
    readonly outbox: OutboxOptions;
    readonly schema_ids: Readonly<Record<string, number>>;
  },
): Promise<void> {
  const { outbox, schema_ids, rows, tell } = options;
  const producer = await openProducer(kafka, {
    trades: tradesOf(rows, outbox.now_us()),
    outbox,
    schema_ids,
    wait: Bun.sleep,
    nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
    cpu_s: () => 0,
    rss_bytes: process.memoryUsage.rss,
    tell,
  });
  try {
    for (let given = 0; given < rows; ) {
      given += producer.give(Math.min(producing_stretch, rows - given));
      await new Promise((resolve) => setImmediate(resolve));
      await producer.relieved();
    }
    await producer.drained();
  } finally {
    await producer.close();
  }
  tell(`${rows} trades stand in Kafka`);
}

function tradesOf(count: number, now_us: number): readonly Trade[] {
  const seeds = readTrades(seedFrames(frames_count), exchanges);
  const trades: Trade[] = [];
  for (let index = 0; index < count; index += 1) {
    const seed = seeds[index % seeds.length];
    if (seed === undefined) throw new FailureError("Cannot measure: the seed has no trade");
    const trade_id = String(index);
    trades.push({
      ...seed,
      trade_id,
      message_id: `${seed.exchange}:${seed.native_symbol}:${trade_id}`,
      timestamp: now_us - (count - index) * us_apart,
      source: "STREAM",
    });
  }
  return trades;
}

function configOf(
  { brokers, data_dir }: Kafka,
  { root, schema_registry_url }: { readonly root: string; readonly schema_registry_url: string },
): string {
  const lake = join(data_dir, "lake");
  return JSON.stringify({
    bootstrap_servers: brokers,
    trade_topics: names.map(tradesTopic),
    schema_registry_url,
    catalog_uri: `jdbc:sqlite:${join(lake, "catalog.db")}`,
    warehouse: `file://${join(lake, "warehouse")}`,
    checkpoint_dir: join(lake, "checkpoints"),
    temp_dir: join(data_dir, "tmp"),
    jars_dir: join(root, ".setup/spark"),
  });
}

/** Runs the stages; each line of their stdout is a turn. */
async function takeTurns(
  { data_dir }: Kafka,
  options: { readonly root: string; readonly config: string; readonly signal: AbortSignal },
): Promise<readonly Turn[]> {
  const { root, config, signal } = options;
  mkdirSync(join(data_dir, "lake"));
  const turns: Turn[] = [];
  let last_error: string | undefined;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const port = spawnPort({
    name: "stages",
    command: [pythonOf(root), join(root, "spark/jobs/stages.py")],
    data_dir,
    environment: { PYTHONDONTWRITEBYTECODE: "1" },
    signal,
    onLine: (line) => turns.push(readTurn(line)),
    onErrorLine: (line) => {
      if (/^\S*(Error|Exception)|^Caused by/.test(line)) last_error = line;
    },
    onExit: ({ code, reason }) => {
      if (code === 0) resolve();
      else reject(new FailureError(`Cannot measure the stages: ${last_error ?? reason}`));
    },
  });
  port.write(`${config}\n`);
  await promise;
  return turns;
}

function readTurn(line: string): Turn {
  const said: Readonly<Record<string, unknown>> = JSON.parse(line);
  const [ceiling, bronze, silver, gold] = ["ceiling", ...stages].map((stage) =>
    Number(said[stage]),
  );
  if (!ceiling || !bronze || !silver || !gold) {
    throw new FailureError(`Cannot measure the stages: one of them is missing in ${line}`);
  }
  return { ceiling, bronze, silver, gold };
}

/** The first turn is for the compilers. */
function resultOf(turns: readonly Turn[], { rows, tell }: BacklogOptions): Backlog {
  const warm = turns.slice(1);
  const whole = (turn: Turn) => stages.reduce((sum, stage) => sum + turn[stage], 0);
  const middle = warm.toSorted((one, other) => whole(one) - whole(other))[warm.length >> 1];
  if (middle === undefined) throw new FailureError("Cannot measure: there is no turn");
  for (const stage of ["ceiling", ...stages] as const) {
    const rates = warm.map((turn) => rows / turn[stage]);
    const shares = warm.map((turn) => turn.ceiling / turn[stage]);
    tell(
      `${stage}: ${Math.round(median(rates))} rows/s (${rates.map(Math.round).join(", ")}), ` +
        `${median(shares).toFixed(3)} of the ceiling`,
    );
  }
  return { rows, seconds: whole(middle) };
}
