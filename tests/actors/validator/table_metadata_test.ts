/**
 * Goal: a table's state is found by its own history and consumed positions, never by file names.
 * Method: metadata written out by hand in Iceberg's form, with ids beyond what a number holds.
 */

import { expect, test } from "bun:test";
import {
  consumedPositions,
  parseTableMetadata,
  snapshotAsOf,
  snapshotConsuming,
} from "../../../actors/validator/table_metadata.ts";

const topic = "market.crypto.trades.kraken";

interface Commit {
  readonly id: string;
  readonly parent?: string;
  readonly at_ms: number;
  readonly next?: number;
}

/** Ids stand in the file as bare numbers, which JSON.stringify could not write. */
function metadata(current: string, commits: readonly Commit[]): string {
  const snapshots = commits.map(({ id, parent, at_ms, next }) => {
    const consumed = next === undefined ? {} : { "k2.consumed": positionsText(next) };
    const parent_text = parent === undefined ? "" : `"parent-snapshot-id": ${parent},`;
    const summary = JSON.stringify({ operation: "append", ...consumed });
    return `{"snapshot-id": ${id},${parent_text}"timestamp-ms": ${at_ms},"summary": ${summary}}`;
  });
  return `{"location": "file:/lake/t", "current-snapshot-id": ${current},
    "snapshots": [${snapshots.join(",")}]}`;
}

function positionsText(next: number): string {
  return JSON.stringify({ [topic]: { "0": next } });
}

const first = "9007199254740993001";
const second = "9007199254740993002";
const maintenance = "9007199254740993003";
const third = "9007199254740993004";
const table = parseTableMetadata(
  metadata(third, [
    { id: first, at_ms: 1000, next: 10 },
    { id: second, parent: first, at_ms: 2000, next: 20 },
    { id: maintenance, parent: second, at_ms: 3000 },
    { id: third, parent: maintenance, at_ms: 4000, next: 30 },
    // On another branch: no ancestor of the current snapshot.
    { id: "77", parent: first, at_ms: 3500, next: 99 },
  ]),
);

test("parseTableMetadata() gives the current snapshot's ancestors, newest first, ids whole", () => {
  expect(table.location).toBe("file:/lake/t");
  expect(table.snapshots.map(({ snapshot_id }) => snapshot_id)).toEqual([
    third,
    maintenance,
    second,
    first,
  ]);
});

test("parseTableMetadata() takes a table without snapshots, and ends on a circle of parents", () => {
  expect(parseTableMetadata('{"location": "/t", "current-snapshot-id": -1}').snapshots).toEqual([]);
  const circle = metadata("1", [
    { id: "1", parent: "2", at_ms: 1 },
    { id: "2", parent: "1", at_ms: 2 },
  ]);
  expect(parseTableMetadata(circle).snapshots.length).toBe(2);
});

test("parseTableMetadata() reads from when on a table is whole", () => {
  const properties = { "k2.retained_from": "2026-08-26T00:00:00Z" };
  const text = JSON.stringify({ location: "/t", properties });
  expect(parseTableMetadata(text).retained_from_ms).toBe(1_787_702_400_000);
  expect(parseTableMetadata('{"location": "/t"}').retained_from_ms).toBeNull();
  const strange = JSON.stringify({ location: "/t", properties: { "k2.retained_from": "once" } });
  expect(() => parseTableMetadata(strange)).toThrow("k2.retained_from must be an integer");
});

test("parseTableMetadata() refuses what is not a table's metadata", () => {
  expect(() => parseTableMetadata("[]")).toThrow("table metadata must be an object");
  expect(() => parseTableMetadata("{}")).toThrow("location must be text");
});

test("snapshotAsOf() takes the newest snapshot at or before the time", () => {
  expect(snapshotAsOf(table, 2999)?.snapshot_id).toBe(second);
  expect(snapshotAsOf(table, 3000)?.snapshot_id).toBe(maintenance);
  expect(snapshotAsOf(table, 999)).toBeNull();
});

test("consumedPositions() looks past maintenance", () => {
  const maintained = parseTableMetadata(
    metadata(maintenance, [
      { id: second, at_ms: 2000, next: 20 },
      { id: maintenance, parent: second, at_ms: 3000 },
    ]),
  );
  expect(consumedPositions(maintained)).toEqual({ [topic]: { "0": 20 } });
  expect(consumedPositions(parseTableMetadata(metadata("-1", [])))).toBeNull();
});

test("snapshotConsuming() takes the state at the positions, with the maintenance after it", () => {
  expect(snapshotConsuming(table, { [topic]: { "0": 20 } })?.snapshot_id).toBe(maintenance);
  expect(snapshotConsuming(table, { [topic]: { "0": 30 } })?.snapshot_id).toBe(third);
});

test("snapshotConsuming() takes the state before where the positions have none of their own", () => {
  expect(snapshotConsuming(table, { [topic]: { "0": 25 } })?.snapshot_id).toBe(maintenance);
  expect(snapshotConsuming(table, { [topic]: { "0": 9 } })).toBeNull();
  expect(snapshotConsuming(table, {})).toBeNull();
});
