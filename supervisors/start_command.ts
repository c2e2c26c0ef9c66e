/**
 * `start`: opens the data directory, plants the tree, and drains it on the first signal. What can
 * be refused is refused before anything runs: a data directory of another kind or in use, a port
 * that is taken, a disk that is nearly full.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chooseFreePort, isPortFree } from "../actors/port/free_port.ts";
import { endLeftovers } from "../actors/port/leftovers.ts";
import type { Outbox } from "../actors/producer/outbox.ts";
import {
  bytesFree,
  lockDataDirectory,
  openDataDirectory,
  type Stamp,
  writeStamp,
} from "../actors/settings/data_directory.ts";
import { exit_codes, FailureError, reasonOf } from "../actors/settings/exit.ts";
import { begun_variable, type Run } from "../actors/settings/invocation.ts";
import { createLog, type Log } from "../actors/settings/log.ts";
import type { ExchangeSettings, Settings } from "../actors/settings/settings.ts";
import { createMetrics } from "../actors/status/metrics.ts";
import { refusePortInUse, type StatusServerInput, statusServer } from "../actors/status/server.ts";
import manifest from "../package.json" with { type: "json" };
import { announcer } from "./announce.ts";
import { purposeOf, readStartOptions, type StartOptions } from "./start_options.ts";
import { type ChildExit, type ChildSpec, startTree, type Tree } from "./supervisor.ts";
import { makeOutbox, type Ports, plantTree } from "./tree.ts";

/** Signals that follow one another within this time are one: `bun run` repeats the group's. */
const repeated_signal_ms = 1_000;
/** The drain's own deadline; every child has a shorter one, so this is the last wall. */
const drain_ms_max = 30_000;
const announce_interval_ms = 500;

/** One start: what was asked for, and where it stands. */
interface Start {
  readonly options: StartOptions;
  readonly root: string;
  readonly log: Log;
  /** When this process began to run the platform, milliseconds since 1970. */
  readonly started_ms: number;
  /** When the command began, set-up included. */
  readonly begun_ms: number;
}

/** Runs the platform until the first signal drains it; exit code 1 where its tree gives up. */
export const run: Run = async ({ flags, settings, root, environment }) => {
  const started_ms = Date.now();
  const begun_ms = Number(environment[begun_variable] ?? performance.timeOrigin);
  const options = readStartOptions(flags, settings);
  const log = createLog({
    format: options.log_format,
    write: (line) => process.stderr.write(line),
    now_ms: Date.now,
  });
  endOnEscape(log);
  const release = lockDataDirectory(options.settings.data_dir);
  try {
    return await runPlatform({ options, root, log, started_ms, begun_ms });
  } finally {
    release();
  }
};

async function runPlatform(start: Start): Promise<number> {
  const { options, log } = start;
  const { settings } = options;
  const stamp = openDataDirectory(settings.data_dir, purposeOf(options));
  refuseFullDisk(settings);
  const leftovers = await endLeftovers(settings.data_dir);
  if (leftovers.length > 0) log.warn(`Ended what an earlier start left: ${leftovers.join(", ")}`);
  await refusePortInUse(settings.status_host, settings.status_port);
  const ports = await choosePorts(stamp, options);
  writeStamp(settings.data_dir, { ...stamp, ports: { ...ports } });

  const controller = new AbortController();
  const now_us = hostClock();
  const outbox = makeOutbox(settings, now_us);
  const tree = plant(start, { stamp, ports, signal: controller.signal, now_us, outbox });
  const stopAnnouncing = announceProgress(start, tree);
  try {
    const reason = await Promise.race([tree.gave_up, firstSignal(log)]);
    if (reason !== null) {
      log.error(`K2 gave up: ${reason}`);
      return exit_codes.failed;
    }
    return await drain(tree, outbox, log);
  } finally {
    stopAnnouncing();
    controller.abort();
  }
}

/** Starts the tree, with the status server as its first child. */
function plant(
  { options, root, log, started_ms }: Start,
  place: {
    readonly stamp: Stamp;
    readonly ports: Ports;
    readonly signal: AbortSignal;
    readonly now_us: () => number;
    readonly outbox: Outbox;
  },
): Tree {
  const { stamp, ports, signal, now_us, outbox } = place;
  const settings =
    options.simulate === null ? options.settings : simulated(options.settings, ports.simulator);
  const status: ChildSpec = {
    id: "status",
    system_id: "status",
    kind: "worker",
    logic: statusServer,
    input: (incarnation): StatusServerInput => ({
      incarnation,
      hostname: settings.status_host,
      port: settings.status_port,
      token: statusToken(settings),
      role: options.role,
      version: manifest.version,
      started_at_ms: started_ms,
      now_ms: Date.now,
      readTree: () => tree.node(),
      command: (path, command) => tree.send(path, command),
      metrics: createMetrics(),
    }),
    restart: "permanent",
    start_ms_max: 10_000,
    shutdown_ms: 1_000,
  };
  const { role, simulate } = options;
  const cluster_id = stamp.kafka_cluster_id;
  const parts = { role, simulate, settings, ports, cluster_id, root, log, status, signal };
  const tree = startTree(plantTree({ ...parts, outbox, now_us }), {
    now_ms: Date.now,
    signal,
    notify: (exit) => logExit(log, exit),
  });
  return tree;
}

/** More than this between the running clock and the wall clock is a step of the latter. */
const clock_step_us = 50_000;

/**
 * Makes a clock: microseconds since 1970, UTC, finer than `Date.now`. It runs on the monotonic
 * clock, and follows the wall clock where that is set: a machine's clock may be wrong at first.
 */
function hostClock(): () => number {
  let anchor_us = performance.timeOrigin * 1000;
  return () => {
    const run_us = performance.now() * 1000;
    const wall_us = Date.now() * 1000;
    if (Math.abs(anchor_us + run_us - wall_us) > clock_step_us) anchor_us = wall_us - run_us;
    return Math.floor(anchor_us + run_us);
  };
}

/** The same platform with only the URLs changed. */
function simulated(settings: Settings, port: number): Settings {
  const exchanges = settings.exchanges.map((exchange): ExchangeSettings => {
    const path = URL.canParse(exchange.ws_url) ? new URL(exchange.ws_url).pathname : "/";
    return {
      ...exchange,
      ws_url: `ws://127.0.0.1:${port}${path === "/" ? "" : path}`,
      rest_url: `http://127.0.0.1:${port}`,
    };
  });
  return { ...settings, exchanges };
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
  const { in_flight, buffered } = outbox.figures();
  const records = Number(in_flight) + Number(buffered);
  log.error(`Not drained in ${seconds} s: ${records} records were not acknowledged and are lost`);
  return exit_codes.failed;
}

function announceProgress({ options, log, begun_ms }: Start, tree: Tree): () => void {
  const exchanges = options.settings.exchanges.map(({ exchange }) => exchange);
  const news = announcer(exchanges);
  let is_address_told = false;
  const timer = setInterval(() => {
    const node = tree.node();
    const url = node.children.find(({ id }) => id === "status")?.figures.url;
    if (!is_address_told && typeof url === "string") {
      is_address_told = true;
      log.info(`Status page: ${url}`);
      // A secret belongs on a terminal, never into a log file.
      if (process.stderr.isTTY) {
        process.stderr.write(`Token for its commands: ${statusToken(options.settings)}\n`);
      }
    }
    const seconds = ((Date.now() - begun_ms) / 1000).toFixed(1);
    for (const line of news(node)) log.info(`${line} (after ${seconds} s)`);
  }, announce_interval_ms);
  return () => clearInterval(timer);
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
function statusToken({ status_token, data_dir }: Settings): string {
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
