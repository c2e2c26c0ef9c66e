/**
 * Goal: the simulated disk loses what a real one loses: nothing to a killed process, the newest
 * commits to a power cut unless they were synced, and nothing half.
 * Method: commits and power cuts over many seeds.
 */

import { expect, test } from "bun:test";
import { Random } from "../../../supervisors/fault_simulation/random.ts";
import {
  continuityStoreIn,
  DiskFull,
  SimulatedDisk,
  SimulatedFile,
  spillStoreIn,
} from "../../../supervisors/fault_simulation/simulated_disk.ts";
import { World } from "../../../supervisors/fault_simulation/world.ts";

test("a power cut takes the newest commits, whole and in order, and nothing that was synced", () => {
  const left = new Set<string>();
  for (let seed = 0; seed < 50; seed += 1) {
    const file = new SimulatedFile(new World(0), () => false);
    file.commit([["a", "1"]]);
    file.sync();
    file.commit([
      ["a", "2"],
      ["b", "2"],
    ]);
    file.commit([
      ["b", undefined],
      ["c", "3"],
    ]);
    file.cutPower(new Random(seed));
    left.add(JSON.stringify([...file.rows].sort()));
  }
  expect([...left].sort()).toEqual([
    '[["a","1"]]',
    '[["a","2"],["b","2"]]',
    '[["a","2"],["c","3"]]',
  ]);
});

test("a full disk refuses, and nothing has changed", () => {
  const disk = new SimulatedDisk(new World(0), new Random(1));
  const spill = spillStoreIn(disk.spill);
  spill.adoptTopics(["a"]);
  const entry = { id: 1, count: 1, outcome: "acknowledged", packet: Buffer.from("x") } as const;
  disk.is_full = true;
  expect(() => spill.append([entry])).toThrow(DiskFull);
  disk.is_full = false;
  expect(spillStoreIn(disk.spill).found).toEqual([]);
  spill.append([entry]);
  const next = spillStoreIn(disk.spill);
  expect(next.found).toMatchObject([{ id: 1, bytes: 1 }]);
  expect(next.adoptTopics(["b", "a"])).toEqual(["a", "b"]);
  expect(next.read(1).toString()).toBe("x");
});

test("a state of continuity outlives a power cut once it is written", () => {
  const disk = new SimulatedDisk(new World(0), new Random(1));
  const symbol = { exchange: "binance", native_symbol: "BTCUSDT" };
  const state = {
    ...symbol,
    from_id: 1,
    from_timestamp: 1,
    told_from_id: 1,
    head_id: 5,
    head_timestamp: 5,
    confirmed_timestamp: 0,
    gaps: [],
    imports: [],
  };
  continuityStoreIn(disk).writeStates([state], 0);
  disk.cutPower();
  expect(continuityStoreIn(disk).readStates()).toEqual([state]);
});
