/**
 * Goal: what was written is read again, in order, by this process and by the next; what a crash or
 * the disk has torn is recognized and costs nothing else; and an empty spill takes no disk.
 * Method: the real file, cut, overwritten and reopened.
 */

import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { openSpillStore } from "../../../actors/producer/spill_store.ts";
import { FailureError } from "../../../actors/settings/exit.ts";
import { temporaryFolder } from "./rig.ts";
import { spillPaths } from "./spill_rig.ts";

const folder = temporaryFolder();
afterAll(folder.remove);
const newPath = spillPaths(folder.path);

function entryOf(id: number, bytes = 100) {
  return { id, count: id, outcome: "acknowledged" as const, packet: Buffer.alloc(bytes, id) };
}

function idsOf({ found }: { readonly found: readonly { readonly id: number }[] }): number[] {
  return found.map(({ id }) => id);
}

test("batches are there again for the next process, by their ids, with their topics", () => {
  const path = newPath();
  const store = openSpillStore(path);
  expect(store.adoptTopics(["a", "b"])).toEqual(["a", "b"]);
  expect(existsSync(path)).toBe(false);
  store.append([entryOf(3), entryOf(5)]);
  store.append([{ ...entryOf(4), outcome: "dead_lettered" }]);
  expect(store.read(5)).toEqual(Buffer.alloc(100, 5));
  store.remove(3);
  store.close();

  const next = openSpillStore(path);
  expect(next.found).toEqual([
    { id: 4, count: 4, outcome: "dead_lettered", bytes: 100 },
    { id: 5, count: 5, outcome: "acknowledged", bytes: 100 },
  ]);
  expect(next.damaged).toBe(0);
  // Packets name topics by index: those that are on disk keep theirs.
  expect(next.adoptTopics(["c", "b"])).toEqual(["a", "b", "c"]);
  expect(next.read(4)).toEqual(Buffer.alloc(100, 4));
  expect(() => next.read(3)).toThrow("does not hold batch 3");
  next.close();
});

test("all batches of one call are written, or none", () => {
  const path = newPath();
  const store = openSpillStore(path);
  store.append([entryOf(1)]);
  expect(() => store.append([entryOf(2), entryOf(1)])).toThrow();
  store.close();
  const next = openSpillStore(path);
  expect(idsOf(next)).toEqual([1]);
  next.close();
});

test("an empty spill gives its disk back, and begins anew", () => {
  const path = newPath();
  const store = openSpillStore(path);
  store.adoptTopics(["a"]);
  store.append([entryOf(1, 2 ** 20)]);
  store.sync();
  expect(statSync(path).size).toBeGreaterThan(2 ** 20);
  store.remove(1);
  store.sync();
  expect(existsSync(path)).toBe(false);
  expect(existsSync(`${path}-wal`)).toBe(false);
  store.append([entryOf(2)]);
  store.close();
  const next = openSpillStore(path);
  expect(idsOf(next)).toEqual([2]);
  expect(next.adoptTopics([])).toEqual(["a"]);
  next.close();
});

test("a log that was torn in its tail costs what was in the tail", () => {
  const path = newPath();
  const store = openSpillStore(path);
  for (let id = 1; id <= 8; id += 1) store.append([entryOf(id, 50_000)]);
  // As a killed process leaves them: the file and its log, and the log cut in its middle.
  const torn = newPath();
  copyFileSync(path, torn);
  copyFileSync(`${path}-wal`, `${torn}-wal`);
  store.close();
  const { size } = statSync(`${torn}-wal`);
  truncateSync(`${torn}-wal`, Math.floor(size * 0.6));
  const next = openSpillStore(torn);
  const ids = idsOf(next);
  expect(ids.length).toBeGreaterThan(1);
  expect(ids.length).toBeLessThan(8);
  expect(ids).toEqual([1, 2, 3, 4, 5, 6, 7, 8].slice(0, ids.length));
  for (const id of ids) expect(next.read(id)).toEqual(Buffer.alloc(50_000, id));
  next.close();
});

test("a batch that the disk has changed is left out, counted, and forgotten", () => {
  const path = newPath();
  const store = openSpillStore(path);
  for (let id = 1; id <= 3; id += 1) store.append([entryOf(id, 200_000)]);
  store.sync();
  store.close();
  const bytes = readFileSync(path);
  const at = bytes.indexOf(Buffer.alloc(1_000, 2));
  expect(at).toBeGreaterThan(0);
  bytes[at + 500] = 0;
  writeFileSync(path, bytes);
  const next = openSpillStore(path);
  expect(idsOf(next)).toEqual([1, 3]);
  expect(next.damaged).toBe(2);
  next.close();
  const third = openSpillStore(path);
  expect(third.damaged).toBe(0);
  third.close();
});

test("a damage that comes later is not read as if it were well", () => {
  const path = newPath();
  const store = openSpillStore(path);
  store.append([entryOf(1)]);
  const other = new Database(path);
  other.exec("UPDATE batches SET checksum = checksum + 1");
  other.close();
  expect(() => store.read(1)).toThrow("does not agree with its checksum");
  store.close();
});

test("a file of another kind is refused with what to do", () => {
  const foreign = newPath();
  const database = new Database(foreign, { create: true });
  database.exec("CREATE TABLE t (a)");
  database.close();
  expect(() => openSpillStore(foreign)).toThrow(FailureError);
  const garbage = newPath();
  writeFileSync(garbage, "not a database, but long enough to look like one".repeat(20));
  expect(() => openSpillStore(garbage)).toThrow(/move the file away/);
});

test("what cannot be written has changed nothing, and is written when it can be", () => {
  const path = join(folder.path, "missing", "spill.db");
  const store = openSpillStore(path);
  expect(() => store.append([entryOf(1)])).toThrow();
  store.sync();
  store.close();
  expect(existsSync(path)).toBe(false);
});
