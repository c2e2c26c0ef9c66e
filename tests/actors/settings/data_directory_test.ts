/**
 * Goal: a data directory is used for one purpose, at one place, by one process.
 * Method: temporary directories, stamps changed by hand, and locks of living and dead processes.
 */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  lockDataDirectory,
  lockHolder,
  openDataDirectory,
  readStamp,
  writeStamp,
} from "../../../actors/settings/data_directory.ts";
import { UsageError } from "../../../actors/settings/exit.ts";

const live = { mode: "live", simulation: null, brokers: null } as const;
const simulated = { mode: "simulated", simulation: "seed 1", brokers: null } as const;
let base = "";
let data_dir = "";

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "k2-data-"));
  data_dir = join(base, "data");
});
afterEach(() => rmSync(base, { recursive: true }));

test("a new directory gets a stamp, and the same stamp at every later start", () => {
  expect(readStamp(data_dir, live)).toBeNull();
  const first = openDataDirectory(data_dir, live);
  expect(first).toMatchObject({ mode: "live", path: data_dir, ports: {} });
  expect(first.kafka_cluster_id).toMatch(/^[\w-]{22}$/);
  writeStamp(data_dir, { ...first, ports: { kafka: 9092 } });
  expect(openDataDirectory(data_dir, live)).toEqual({ ...first, ports: { kafka: 9092 } });
  expect(readdirSync(data_dir)).toEqual(["k2.json"]);
});

test("a directory of the other mode is refused with both modes and a remedy", () => {
  openDataDirectory(data_dir, live);
  expect(() => readStamp(data_dir, simulated)).toThrow(
    `${data_dir} holds live trades and this start is simulated: set K2_DATA_DIR`,
  );
});

test("a directory of another simulation is refused: the same ids would be other trades", () => {
  openDataDirectory(data_dir, simulated);
  expect(() => readStamp(data_dir, { ...simulated, simulation: "seed 2" })).toThrow(
    `${data_dir} holds trades simulated with seed 1 and this start asks for seed 2`,
  );
});

test("a directory of another cluster, place or format is refused", () => {
  const stamp = openDataDirectory(data_dir, live);
  expect(() => readStamp(data_dir, { ...live, brokers: "kafka:9092" })).toThrow(
    `belongs to the embedded broker and this start names kafka:9092`,
  );
  const moved = join(base, "moved");
  cpSync(data_dir, moved, { recursive: true });
  expect(() => readStamp(moved, live)).toThrow(`was made at ${data_dir}`);
  writeStamp(data_dir, { ...stamp, format: 99 });
  expect(() => readStamp(data_dir, live)).toThrow("has format 99");
});

test("a file that is no stamp is refused and left alone", () => {
  openDataDirectory(data_dir, live);
  for (const text of ["", "[]", '{"format":3}', '{"format":3,"mode":"paper","path":"/"}']) {
    writeFileSync(join(data_dir, "k2.json"), text);
    expect(() => openDataDirectory(data_dir, live)).toThrow(UsageError);
    expect(readFileSync(join(data_dir, "k2.json"), "utf8")).toBe(text);
  }
});

test("a held lock names its holder, and is free again after release", () => {
  const release = lockDataDirectory(data_dir);
  expect(lockHolder(data_dir)?.pid).toBe(process.pid);
  expect(() => lockDataDirectory(data_dir)).toThrow(`in use by process ${process.pid}`);
  release();
  expect(lockHolder(data_dir)).toBeNull();
  lockDataDirectory(data_dir)();
});

test("a lock of a dead process, or of a reused pid, does not hold", async () => {
  lockDataDirectory(data_dir)();
  const dead = Bun.spawn(["true"]);
  await dead.exited;
  for (const [pid, started] of [
    [dead.pid, "1"],
    [process.pid, "another start time"],
  ]) {
    writeFileSync(join(data_dir, "k2.lock"), JSON.stringify({ pid, started }));
    expect(lockHolder(data_dir)).toBeNull();
    lockDataDirectory(data_dir)();
  }
});
