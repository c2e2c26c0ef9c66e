/**
 * One run of the platform, from the data directory to the drain: it plants the tree, and drains it
 * on the first signal, or once what it was started for is done. What can be refused is refused
 * before anything runs: a data directory of another kind or in use, a port that is taken, a disk
 * that is nearly full.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chooseFreePort, isPortFree } from "../actors/port/free_port.ts";
import { endLeftovers } from "../actors/port/leftovers.ts";
import { Outbox } from "../actors/producer/outbox.ts";
import {
  bytesFree,
  lockDataDirectory,
  openDataDirectory,
  type Stamp,
  writeStamp,
} from "../actors/settings/data_directory.ts";
import { exit_codes, FailureError, reasonOf } from "../actors/settings/exit.ts";
import type { Log } from "../actors/settings/log.ts";
import type { ExchangeSettings, Settings } from "../actors/settings/settings.ts";
import { MaintenanceDesk } from "../actors/spark/maintenance_desk.ts";
import type { ImportRequest } from "../actors/status/import_request.ts";
import { createMetrics } from "../actors/status/metrics.ts";
import { refusePortInUse, type StatusServerInput, statusServer } from "../actors/status/server.ts";
import manifest from "../package.json" with { type: "json" };
import type { Effects } from "./effects.ts";
import { type FeedMemory, type FeedStores, openFeedMemory } from "./feed_memory.ts";
import type { Ports, Simulation, TreeParts } from "./ground.ts";
import { hostEffects, openHostStores } from "./host_effects.ts";
import { purposeOf, type StartOptions } from "./start_options.ts";
import { type ChildExit, type ChildSpec, startTree, type Tree } from "./supervisor.ts";
import { outboxOptions, plantTree } from "./tree.ts";

/** Signals that follow one another within this time are one: `bun run` repeats the group's. */
const repeated_signal_ms = 1_000;
/** The drain's own deadline; every child has a shorter one, so this is the last wall. */
const drain_ms_max = 30_000;

/** One run, as a command asks for it. */
export interface PlatformRun {
  readonly options: StartOptions;
  /** The exchanges and symbols that this run feeds, of those in the settings. */
  readonly fed: readonly ExchangeSettings[];
  readonly feeding: TreeParts["feeding"];
  readonly root: string;
  readonly log: Log;
  /** When this process began to run the platform, milliseconds since 1970. */
  readonly started_ms: number;
  /**
   * Called once the tree grows. Resolves with an exit code once the run is over by itself, else
   * never; the signal aborts when the run ends otherwise.
   */
  readonly watch: (platform: Platform, signal: AbortSignal) => Promise<number>;
}

/** What a command sees of the running platform. */
export interface Platform {
  readonly tree: Tree;
  readonly memory: FeedMemory | null;
  /** The token for commands over HTTP. */
  readonly token: string;
}

/** Runs the platform until a signal, its own end, or its tree's; returns the exit code. */
export async function runPlatform(run: PlatformRun): Promise<number> {
  endOnEscape(run.log);
  const release = lockDataDirectory(run.options.settings.data_dir);
  try {
    return await runLocked(run);
  } finally {
    release();
  }
}

async function runLocked(run: PlatformRun): Promise<number> {
  const { options, fed, log } = run;
  const settings = { ...options.settings, exchanges: fed };
  const stamp = openDataDirectory(settings.data_dir, purposeOf(options));
  refuseFullDisk(settings);
  const leftovers = await endLeftovers(settings.data_dir);
  if (leftovers.length > 0) log.warn(`Ended what an earlier start left: ${leftovers.join(", ")}`);
  await refusePortInUse(settings.status_host, settings.status_port);
  const ports = await choosePorts(stamp, options);
  writeStamp(settings.data_dir, { ...stamp, ports: { ...ports } });

  const controller = new AbortController();
  const effects = hostEffects(settings.data_dir);
  const is_fed = options.role !== "lake";
  const stores = is_fed ? openHostStores(settings.data_dir, effects, log) : null;
  const outbox = new Outbox(outboxOptions(settings, effects, stores?.spill ?? null));
  const memory = stores === null ? null : openMemory(run, { outbox, effects, ports, stores });
  const token = statusToken(settings);
  const { signal } = controller;
  const tree = plant(run, { settings, token, stamp, ports, signal, effects, outbox, memory });
  const watching = new AbortController();
  const platform = { tree, memory, token };
  try {
    const end = await Promise.race([
      tree.gave_up.then((reason) => ({ reason })),
      firstSignal(log).then(() => ({ code: exit_codes.done })),
      run.watch(platform, watching.signal).then((code) => ({ code })),
    ]);
    watching.abort();
    if ("reason" in end) {
      keepOnDisk(outbox, log);
      log.error(`K2 gave up: ${end.reason}`);
      return exit_codes.failed;
    }
    const drained = await drain(tree, outbox, log);
    return drained === exit_codes.done ? end.code : drained;
  } finally {
    controller.abort();
    memory?.close();
  }
}

/** Opens what the feed remembers. */
function openMemory(
  { options, fed, feeding, log }: PlatformRun,
  place: {
    readonly outbox: Outbox;
    readonly effects: Effects;
    readonly ports: Ports;
    readonly stores: FeedStores;
  },
): FeedMemory {
  const { outbox, effects, ports, stores } = place;
  const memory = openFeedMemory({
    settings: options.settings,
    exchanges: options.simulate === null ? fed : fed.map((one) => simulated(one, ports.simulator)),
    feeding,
    sink: outbox,
    log,
    stores,
    effects,
  });
  if (options.since !== null) wantSince(memory, options.since, effects.now_us());
  return memory;
}

/** Asks for everything since an instant, of every symbol whose trades begin later. */
function wantSince(memory: FeedMemory, since: NonNullable<StartOptions["since"]>, now_us: number) {
  const from_timestamp = since.kind === "at" ? since.ms * 1_000 : now_us - since.ms * 1_000;
  for (const { continuities } of memory.exchanges) {
    for (const continuity of continuities.values()) {
      const { coverage } = continuity;
      const begins_earlier = coverage !== null && coverage.from_timestamp <= from_timestamp;
      // What was only imported may lie far back: what followed it is wanted now.
      const is_covered = begins_earlier && continuity.was_live;
      if (!is_covered) continuity.addImport({ from_timestamp, to_timestamp: now_us });
    }
  }
}

/** Starts the tree, with the status server as its first child. */
function plant(
  { options, feeding, root, log, started_ms }: PlatformRun,
  place: {
    readonly settings: Settings;
    readonly token: string;
    readonly stamp: Stamp;
    readonly ports: Ports;
    readonly signal: AbortSignal;
    readonly effects: Effects;
    readonly outbox: Outbox;
    readonly memory: FeedMemory | null;
  },
): Tree {
  const { settings, token, stamp, ports, signal, effects, outbox, memory } = place;
  const { role, accept_lost_offsets } = options;
  const maintenance = new MaintenanceDesk();
  const status: ChildSpec = {
    id: "status",
    system_id: "status",
    kind: "worker",
    logic: statusServer,
    input: (incarnation): StatusServerInput => ({
      incarnation,
      hostname: settings.status_host,
      port: settings.status_port,
      token,
      role,
      version: manifest.version,
      started_at_ms: started_ms,
      now_ms: Date.now,
      readTree: () => tree.node(),
      command: (path, command) => tree.send(path, command),
      requestImport: (request) => requestImport(memory, request),
      maintain: () => maintenance.ask(),
      metrics: createMetrics(),
    }),
    restart: "permanent",
    start_ms_max: 10_000,
    shutdown_ms: 1_000,
  };
  const cluster_id = stamp.kafka_cluster_id;
  const simulate = simulationOf(options);
  const parts = { role, simulate, settings, ports, cluster_id, root, log, status, signal };
  const given = { feeding, memory, outbox, effects, maintenance, accept_lost_offsets };
  const tree = startTree(plantTree({ ...parts, ...given }), {
    now_ms: Date.now,
    signal,
    notify: (exit) => logExit(log, exit),
  });
  return tree;
}

/** What the simulator is asked for: the rate is divided over all symbols of the settings. */
function simulationOf({ simulate, settings }: StartOptions): Simulation | null {
  if (simulate === null) return null;
  const symbols = settings.exchanges.map(({ exchange, native_symbols }) => [
    exchange,
    native_symbols,
  ]);
  return { ...simulate, native_symbols: Object.fromEntries(symbols) };
}

/** The same exchange with only the URLs changed. */
function simulated(exchange: ExchangeSettings, port: number): ExchangeSettings {
  const path = URL.canParse(exchange.ws_url) ? new URL(exchange.ws_url).pathname : "/";
  return {
    ...exchange,
    ws_url: `ws://127.0.0.1:${port}${path === "/" ? "" : path}`,
    rest_url: `http://127.0.0.1:${port}`,
  };
}

/** Notes that history is wanted; its exchange's backfiller looks for it. Null, or why not. */
function requestImport(memory: FeedMemory | null, request: ImportRequest): string | null {
  const { exchange, native_symbol, from_timestamp, to_timestamp } = request;
  const remembered = memory?.exchanges.find(({ settings }) => settings.exchange === exchange);
  const continuity = remembered?.continuities.get(native_symbol);
  if (continuity === undefined) {
    const what = `What runs on the data directory does not feed ${exchange} ${native_symbol}`;
    return `${what}: add it to its symbols, or end it`;
  }
  continuity.addImport({ from_timestamp, to_timestamp });
  return null;
}

/** Resolves with null at the first signal; a second one, later, ends the process at once. */
function firstSignal(log: Log): Promise<null> {
  const { promise, resolve } = Promise.withResolvers<null>();
  let first_ms: number | null = null;
  function take(signal: string): void {
    const now_ms = performance.now();
    if (first_ms === null) {
      first_ms = now_ms;
      log.info(`${signal}: draining; a second one ends at once`);
      resolve(null);
    } else if (now_ms - first_ms > repeated_signal_ms) {
      log.warn("Ended at once by a second signal");
      // The ports' stdin ends with this process, and they end with their stdin.
      process.exit(exit_codes.failed);
    }
  }
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => take(signal));
  return promise;
}

async function drain(tree: Tree, outbox: Outbox, log: Log): Promise<number> {
  const started_ms = performance.now();
  const deadline = Promise.withResolvers<"late">();
  const timer = setTimeout(() => deadline.resolve("late"), drain_ms_max);
  const outcome = await Promise.race([tree.stop().then(() => "drained"), deadline.promise]);
  clearTimeout(timer);
  const seconds = ((performance.now() - started_ms) / 1000).toFixed(1);
  if (outcome === "drained" && outbox.is_empty) {
    log.info(`Drained in ${seconds} s`);
    return exit_codes.done;
  }
  const { in_flight, buffered, spilled } = outbox.figures();
  const records = Number(in_flight) + Number(buffered);
  if (outcome === "drained" && outbox.storeAll()) {
    const waiting = records + Number(spilled);
    log.info(
      `Drained in ${seconds} s; Kafka has not acknowledged ${waiting} records: they wait on disk ` +
        "for the next start",
    );
    return exit_codes.done;
  }
  log.error(`Not drained in ${seconds} s: ${records} records were not acknowledged and are lost`);
  return exit_codes.failed;
}

/** What a tree that gave up leaves in memory goes to the next start, unless it makes no sense. */
function keepOnDisk(outbox: Outbox, log: Log): void {
  try {
    outbox.check();
    if (outbox.is_empty || !outbox.storeAll()) return;
    log.info("What Kafka has not acknowledged waits on disk for the next start");
  } catch (error) {
    log.warn(
      `What Kafka has not acknowledged is fetched again by the next start: ${reasonOf(error)}`,
    );
  }
}

function logExit(log: Log, { path, reason, verdict }: ChildExit): void {
  const is_quiet = verdict === "stopped" && !reason.startsWith("killed");
  if (is_quiet || verdict === "finished") return;
  const line = `${path} ended: ${reason}`;
  if (verdict === "restarts") log.warn(`${line}; starting it again`);
  else if (verdict === "cools_down") log.error(`${line}; starting it again after a pause`);
  else log.error(line);
}

function refuseFullDisk({ data_dir, disk_free_min }: Settings): void {
  const free = bytesFree(data_dir);
  if (free >= disk_free_min) return;
  const mebibytes = (bytes: number) => `${Math.floor(bytes / 2 ** 20)} MiB`;
  throw new FailureError(
    `${data_dir} has ${mebibytes(free)} free and K2_DISK_FREE_MIN asks for ` +
      `${mebibytes(disk_free_min)}: make room, or set K2_DATA_DIR to another disk`,
  );
}

/**
 * Ports that the settings fix, else those of the first start, else free ones. Only those that this
 * start listens on have to be free.
 */
async function choosePorts(stamp: Stamp, { settings, simulate }: StartOptions): Promise<Ports> {
  const { kafka, schema_registry_url, registry_port, simulator_port } = settings;
  async function choose(name: keyof Ports, fixed: number | null, use: { is_used: boolean }) {
    const port = fixed ?? stamp.ports[name] ?? (await chooseFreePort());
    if (!use.is_used || (await isPortFree(port))) return port;
    const variable = `K2_${name.toUpperCase()}_PORT`;
    throw new FailureError(
      `Port ${port} for ${name} is in use: stop the other program or set ${variable}`,
    );
  }
  const embedded = { is_used: kafka.brokers === null };
  return {
    kafka: await choose("kafka", kafka.port, embedded),
    kafka_controller: await choose("kafka_controller", kafka.controller_port, embedded),
    registry: await choose("registry", registry_port, { is_used: schema_registry_url === null }),
    simulator: await choose("simulator", simulator_port, { is_used: simulate !== null }),
  };
}

/** The token for commands: from the settings, else made at the first start of the directory. */
export function statusToken({ status_token, data_dir }: Settings): string {
  if (status_token !== null) return status_token;
  const file = join(data_dir, "status.token");
  if (!existsSync(file)) {
    writeFileSync(file, `${randomBytes(24).toString("base64url")}\n`, { mode: 0o600 });
  }
  chmodSync(file, 0o600);
  return readFileSync(file, "utf8").trim();
}

/** Whatever escapes every actor ends the process: its state can no longer be trusted. */
function endOnEscape(log: Log): void {
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    process.on(event, (error: unknown) => {
      log.error(`K2 ends: ${reasonOf(error)}`);
      process.exit(exit_codes.failed);
    });
  }
}
