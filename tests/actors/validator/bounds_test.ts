/**
 * Goal: each layer's checks begin where that layer and all that are made from it are whole.
 * Method: tables as values.
 */

import { expect, test } from "bun:test";
import { boundsOf } from "../../../actors/validator/bounds.ts";
import type { LakeTable } from "../../../actors/validator/lake.ts";

function table(name: string, retained_from_ms: number | null): LakeTable {
  const [schema = ""] = name.split(".");
  const metadata = { location: "/t", retained_from_ms, snapshots: [], has_expired: false };
  return { name, schema, metadata_path: "/t/1.metadata.json", metadata };
}

test("boundsOf() begins everywhere where nothing has expired", () => {
  const everywhere = { gold_ms: null, silver_ms: null, bronze_ms: null, frames_ms: null };
  expect(boundsOf([table("bronze.trades", null), table("gold.trades", null)], null)).toEqual(
    everywhere,
  );
});

test("boundsOf() begins a layer at the latest of its tables, of later layers and of --since", () => {
  const tables = [
    table("bronze.trades", 700),
    table("bronze.dead_letters", 600),
    table("silver.trades", 300),
    table("silver.quarantine", 400),
    table("gold.trades", null),
    table("gold.ohlcv", 100),
  ];
  const bounds = { gold_ms: 100, silver_ms: 400, bronze_ms: 700, frames_ms: 100 };
  expect(boundsOf(tables, null)).toEqual(bounds);
  expect(boundsOf(tables, 500)).toEqual({
    ...bounds,
    gold_ms: 500,
    silver_ms: 500,
    frames_ms: 500,
  });
  expect(boundsOf([...tables, table("gold.bars", 900)], 500)).toEqual({
    gold_ms: 900,
    silver_ms: 900,
    bronze_ms: 900,
    frames_ms: 900,
  });
  // Frames are kept the shortest, and no layer is the shorter for it.
  const frames = [table("bronze.frames", 700), table("silver.frames", 800)];
  expect(boundsOf([...tables, ...frames], null)).toEqual({ ...bounds, frames_ms: 800 });
});
