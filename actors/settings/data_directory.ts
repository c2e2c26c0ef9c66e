/**
 * The data directory: everything the platform writes. A stamp in it says what it is for - its
 * format, whether its trades are real or simulated, which Kafka cluster its offsets belong to, and
 * where it stands (Iceberg's metadata holds absolute paths) - and a lock says who uses it. A start
 * that does not match refuses, because invented trades must never mix with real ones.
 *
 * @module
 */

import { randomBytes, randomUUID } from "node:crypto";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { startOfProcess } from "../port/process.ts";
import { FailureError, reasonOf, UsageError } from "./exit.ts";

/** Whether the trades in a data directory come from exchanges or from the simulator. */
type Mode = "live" | "simulated";

/** What a data directory is, as its file `k2.json` says. */
export interface Stamp {
  /** Layout version of the directory. */
  readonly format: number;
  readonly mode: Mode;
  /** What the simulator was asked for: other parameters give other trades the same ids. */
  readonly simulation: string | null;
  /** The directory's own absolute path when it was made. */
  readonly path: string;
  /** Kafka's id of the embedded cluster, or `external` with the brokers that were named. */
  readonly kafka_cluster_id: string;
  /** Loopback ports chosen at the first start, by name. */
  readonly ports: Readonly<Record<string, number>>;
}

/** What a start wants the directory to be for. */
export interface Purpose {
  readonly mode: Mode;
  readonly simulation: string | null;
  /** Brokers of another cluster, or null for the embedded broker. */
  readonly brokers: string | null;
}

/** A stamp of a later format may hold what this version would spoil. */
const format = 3;

/** Who holds the lock: a process is known by pid and start time, since pids return. */
interface Holder {
  readonly pid: number;
  readonly started: string;
}

/**
 * Reads the stamp of a data directory; null where there is none yet.
 *
 * @throws {UsageError} where the directory is of another kind than wanted.
 */
export function readStamp(data_dir: string, wanted: Purpose): Stamp | null {
  const stamp = readOwnStamp(data_dir);
  if (stamp === null) return null;
  const elsewhere = elsewhereThan(data_dir);
  if (stamp.mode !== wanted.mode) {
    throw new UsageError(
      `${data_dir} holds ${stamp.mode} trades and this start is ${wanted.mode}: ${elsewhere}`,
    );
  }
  if (stamp.simulation !== wanted.simulation) {
    throw new UsageError(
      `${data_dir} holds trades simulated with ${stamp.simulation} and this start asks for ` +
        `${wanted.simulation}, which gives other trades the same ids: ${elsewhere}`,
    );
  }
  const external = stamp.kafka_cluster_id.startsWith("external:");
  const same =
    wanted.brokers === null ? !external : stamp.kafka_cluster_id === `external:${wanted.brokers}`;
  if (!same) {
    const used = external ? stamp.kafka_cluster_id.slice(9) : "the embedded broker";
    throw new UsageError(
      `${data_dir} belongs to ${used} and this start names ` +
        `${wanted.brokers ?? "the embedded broker"}: set K2_KAFKA_BROKERS back, or ${elsewhere}`,
    );
  }
  return stamp;
}

/**
 * Reads the stamp for whoever does not care what the trades are; null where there is none yet.
 *
 * @throws {UsageError} where this version may not use the directory.
 */
export function readOwnStamp(data_dir: string): Stamp | null {
  const file = join(data_dir, "k2.json");
  if (!existsSync(file)) return null;
  const stamp = parseStamp(file);
  if (stamp.format !== format) {
    throw new UsageError(
      `${data_dir} has format ${stamp.format} and this version writes ${format}: ` +
        elsewhereThan(data_dir),
    );
  }
  if (stamp.path !== realpathSync(data_dir)) {
    throw new UsageError(
      `${data_dir} was made at ${stamp.path} and its tables hold that path: ` +
        `move it back, or ${elsewhereThan(data_dir)}`,
    );
  }
  return stamp;
}

function elsewhereThan(data_dir: string): string {
  return `set K2_DATA_DIR to another directory, or remove ${data_dir}`;
}

/** Makes the directory and its stamp where there is none, else reads it as {@link readStamp}. */
export function openDataDirectory(data_dir: string, wanted: Purpose): Stamp {
  makeDirectory(data_dir);
  const stamp = readStamp(data_dir, wanted);
  if (stamp !== null) return stamp;
  const made: Stamp = {
    format,
    mode: wanted.mode,
    simulation: wanted.simulation,
    path: realpathSync(data_dir),
    kafka_cluster_id:
      wanted.brokers === null
        ? randomBytes(16).toString("base64url").replace(/^-/, "A")
        : `external:${wanted.brokers}`,
    ports: {},
  };
  writeStamp(data_dir, made);
  return made;
}

/** Replaces the stamp; a crash leaves the old one or the new one, never half of it. */
export function writeStamp(data_dir: string, stamp: Stamp): void {
  const file = join(data_dir, "k2.json");
  const temporary = `${file}.${randomUUID()}`;
  writeFileSync(temporary, `${JSON.stringify(stamp, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, file);
}

/**
 * Takes the lock of a data directory for this process.
 *
 * @returns A function that lets go of it.
 * @throws {UsageError} where a living process holds it.
 */
export function lockDataDirectory(data_dir: string): () => void {
  makeDirectory(data_dir);
  const file = join(data_dir, "k2.lock");
  const mine = `${file}.${process.pid}`;
  const holder: Holder = { pid: process.pid, started: startOfProcess(process.pid) ?? "" };
  writeFileSync(mine, JSON.stringify(holder), { mode: 0o600 });
  try {
    // A link appears whole or not at all. The second round follows a lock left by a dead process.
    for (let round = 0; round < 2; round += 1) {
      try {
        linkSync(mine, file);
        return () => rmSync(file, { force: true });
      } catch {
        const other = lockHolder(data_dir);
        if (other !== null) throw inUse(data_dir, other.pid);
        removeStaleLock(data_dir, file);
      }
    }
    throw inUse(data_dir, lockHolder(data_dir)?.pid ?? 0);
  } finally {
    rmSync(mine, { force: true });
  }
}

/**
 * Removes a lock whose holder is dead. It is moved aside first and looked at again, because by now
 * another start may have put its own there.
 */
function removeStaleLock(data_dir: string, file: string): void {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  const holder = readHolder(aside);
  if (holder !== null) linkSync(aside, file);
  rmSync(aside, { force: true });
  if (holder !== null) throw inUse(data_dir, holder.pid);
}

/** The living process that holds a data directory's lock, or null. */
export function lockHolder(data_dir: string): Holder | null {
  return readHolder(join(data_dir, "k2.lock"));
}

function readHolder(file: string): Holder | null {
  if (!existsSync(file)) return null;
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof value !== "object" || value === null) return null;
    if (!("pid" in value) || typeof value.pid !== "number") return null;
    if (!("started" in value) || typeof value.started !== "string") return null;
    const started = startOfProcess(value.pid);
    const is_alive = started !== null && started === value.started;
    return is_alive ? { pid: value.pid, started: value.started } : null;
  } catch {
    return null;
  }
}

/** Bytes free for this user on the disk that holds a directory. */
export function bytesFree(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

function makeDirectory(data_dir: string): void {
  try {
    mkdirSync(data_dir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new FailureError(
      `Cannot make the data directory ${data_dir}: ${reasonOf(error)}; set K2_DATA_DIR`,
    );
  }
}

function parseStamp(file: string): Stamp {
  const strange = new UsageError(
    `${file} is not a stamp that K2 wrote: set K2_DATA_DIR to another directory`,
  );
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw strange;
  }
  if (typeof value !== "object" || value === null) throw strange;
  const { format, mode, simulation, path, kafka_cluster_id, ports } = { ...blank, ...value };
  if (typeof format !== "number" || typeof path !== "string") throw strange;
  if (mode !== "live" && mode !== "simulated") throw strange;
  if (typeof simulation !== "string" && simulation !== null) throw strange;
  if (typeof kafka_cluster_id !== "string") throw strange;
  if (typeof ports !== "object" || ports === null) throw strange;
  const numbers = Object.entries(ports).filter(([, port]) => Number.isInteger(port));
  return { format, mode, simulation, path, kafka_cluster_id, ports: Object.fromEntries(numbers) };
}

const blank: Readonly<Record<keyof Stamp, unknown>> = {
  format: undefined,
  mode: undefined,
  simulation: undefined,
  path: undefined,
  kafka_cluster_id: undefined,
  ports: undefined,
};

/** The refusal of a data directory that another process uses. */
export function inUse(data_dir: string, pid: number): UsageError {
  return new UsageError(
    `${data_dir} is in use by process ${pid}: stop it, or set K2_DATA_DIR to another directory`,
  );
}
