/**
 * Goal: a right lake passes every check, in whatever moment it is looked at; each fault is found by
 * the check that is for it, and by no other.
 * Method: real Iceberg lakes that Spark's own code wrote, copied in the middle of a batch or with
 * one fault planted by Spark; the whole of validation runs on each.
 */

import { Database } from "bun:sqlite";
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { FailureError } from "../../../actors/settings/exit.ts";
import { holds } from "../../../actors/validator/check.ts";
import { loadChecks } from "../../../actors/validator/checks.ts";
import { validate } from "../../../actors/validator/validate_command.ts";
import {
  type Validation,
  validationAsJson,
  validationAsText,
} from "../../../actors/validator/validation_report.ts";
import { lakes_timeout_ms, makeLakes, root, temporaryFolder } from "./lakes.ts";

const now_ms = Date.parse("2026-08-26T12:30:00Z");
const faults = [
  "bar_completeness.1",
  "bar_completeness.2",
  "bar_counts.1",
  "bar_order.1",
  "bar_prices.1",
  "bar_prices.2",
  "bar_set.1",
  "bar_set.2",
  "bar_sums.1",
  "bar_sums.2",
  "bar_volumes.1",
  "bar_volumes.2",
  "bar_vwap.1",
  "bar_windows.1",
  "bar_windows.2",
  "bar_windows.3",
  "bronze_offsets.1",
  "bronze_offsets.2",
  "bronze_offsets.3",
  "clock_skew.1",
  "frame_lost.1",
  "gold_completeness.1",
  "gold_frames.1",
  "gold_frames.2",
  "gold_frames.3",
  "gold_frames.4",
  "gold_ids.1",
  "gold_ids.2",
  "gold_origin.1",
  "gold_origin.2",
  "gold_partitions.1",
  "gold_unique.1",
  "quarantine_rate.1",
  "silver_conflicts.1",
  "silver_conflicts.2",
  "silver_conservation.1",
  "silver_conservation.2",
  "silver_products.1",
];

setDefaultTimeout(60_000);

let lakes: string;

beforeAll(async () => {
  lakes = await makeLakes();
}, lakes_timeout_ms);

interface How {
  readonly since_ms?: number | null;
  readonly is_running?: boolean;
  readonly now_ms?: number;
}

async function validated(data_dir: string, how: How = {}): Promise<Validation> {
  const catalog_path = join(data_dir, "lake", "catalog.db");
  return await validate({
    catalog_path,
    data_dir,
    root,
    since_ms: null,
    now_ms,
    is_running: false,
    ...how,
  });
}

function violated({ outcomes }: Validation): string[] {
  return outcomes.filter(({ verdict }) => verdict === "violated").map(({ check }) => check.name);
}

function rowsOf(validation: Validation, name: string): number {
  return validation.outcomes.find(({ check }) => check.name === name)!.rows;
}

describe("each fault is found by its own check alone", () => {
  for (const fault of faults) {
    test(fault, async () => {
      const [check] = fault.split(".");
      const validation = await validated(join(lakes, fault));
      expect(violated(validation)).toEqual([check!]);
      const outcome = validation.outcomes.find(({ check: { name } }) => name === check)!;
      expect(outcome.samples.length).toBe(Math.min(outcome.violations, 5));
      expect(holds(validation.outcomes)).toBe(outcome.check.severity === "warning");
    });
  }
});

test("one digit of one Gold row is found by Silver and by the frame that told the trade", async () => {
  const validation = await validated(join(lakes, "digit"));
  expect(violated(validation)).toEqual(["gold_frames", "gold_origin"]);
  expect(holds(validation.outcomes)).toBe(false);
});

test("every check has a planted fault", () => {
  const planted = new Set(faults.map((fault) => fault.split(".")[0]));
  const made = readdirSync(lakes).filter((name) => /\.\d$/.test(name));
  expect(made.sort()).toEqual([...faults]);
  const unplanted = loadChecks(root).filter(({ name }) => !planted.has(name));
  // freshness depends on the clock, and has a test of its own.
  expect(unplanted.map(({ name }) => name)).toEqual(["freshness"]);
});

describe("no false alarm, wherever in its batch Spark is", () => {
  for (const table of ["silver.quarantine", "silver.trades", "gold.trades", "gold.ohlcv", "end"]) {
    test(`before ${table}`, async () => {
      const validation = await validated(join(lakes, `before_${table}`));
      expect(violated(validation)).toEqual([]);
      const consumed = table === "end" ? { "0": 1044, "1": 20 } : { "0": 1002 };
      expect(validation.positions.trades).toEqual(consumed);
      expect(rowsOf(validation, "gold_origin")).toBe(table === "end" ? 1062 : 1002);
    });
  }
});

test("a whole lake passes, and says what was not checked", async () => {
  const validation = await validated(join(lakes, "whole"));
  expect(violated(validation)).toEqual([]);
  const verdicts = Map.groupBy(validation.outcomes, ({ verdict }) => verdict);
  expect(verdicts.get("no_rows")).toBeUndefined();
  expect(verdicts.get("not_checked")?.map(({ reason }) => reason)).toEqual([
    "freshness not checked: no platform is running",
  ]);
  // The Bronze record that Gold has not consumed yet stays out of sight.
  expect(rowsOf(validation, "silver_conservation")).toBe(1064);
});

test("--since leaves out earlier days, in every layer", async () => {
  const since_ms = Date.parse("2026-08-26T00:00:00Z");
  for (const name of ["whole", "before_gold.ohlcv"]) {
    const validation = await validated(join(lakes, name), { since_ms });
    expect(violated(validation)).toEqual([]);
    const all = await validated(join(lakes, name));
    expect(rowsOf(all, "gold_unique") - rowsOf(validation, "gold_unique")).toBe(78);
    expect(rowsOf(all, "bar_windows")).toBeGreaterThan(rowsOf(validation, "bar_windows"));
  }
  const later = await validated(join(lakes, "bar_set.1"), { since_ms: since_ms + 86_400_000 });
  expect(violated(later)).toEqual([]);
  expect(later.outcomes.find(({ check }) => check.name === "bar_set")?.verdict).toBe("no_rows");
});

test("what a layer no longer keeps is no fault, and later layers are checked as far as they go", async () => {
  const whole = await validated(join(lakes, "whole"));
  const validation = await validated(join(lakes, "retained"));
  expect(violated(validation)).toEqual([]);
  expect(rowsOf(validation, "gold_unique")).toBe(rowsOf(whole, "gold_unique"));
  expect(rowsOf(validation, "bar_windows")).toBe(rowsOf(whole, "bar_windows"));
  // 78 trades are of the day before.
  expect(rowsOf(whole, "gold_origin") - rowsOf(validation, "gold_origin")).toBe(78);
  expect(rowsOf(whole, "silver_conflicts") - rowsOf(validation, "silver_conflicts")).toBe(78);
  const lost = rowsOf(whole, "silver_conservation") - rowsOf(validation, "silver_conservation");
  // 20 records of each partition came before that; those of one of them are still there.
  expect(lost).toBe(40);
  const text = validationAsText(validation);
  expect(text).toContain("Bronze checked from 2026-08-26T12:00:00.020Z on: earlier days expired");
  expect(text).toContain("Silver checked from 2026-08-26T00:00:00.000Z on: earlier days expired");
  expect(text).not.toContain("Gold checked from");
  const { bronze_since, silver_since, gold_since } = JSON.parse(validationAsJson(validation));
  expect([bronze_since, silver_since, gold_since]).toEqual([
    "2026-08-26T12:00:00.020Z",
    "2026-08-26T00:00:00.000Z",
    "all",
  ]);
  // Asked to begin later than anything that has expired, everything begins there.
  const since_ms = Date.parse("2026-08-27T00:00:00Z");
  expect((await validated(join(lakes, "retained"), { since_ms })).bounds).toEqual({
    bronze_ms: since_ms,
    silver_ms: since_ms,
    gold_ms: since_ms,
    frames_ms: since_ms,
  });
});

test("an empty lake passes, and every check says that it saw no row", async () => {
  const validation = await validated(join(lakes, "empty"));
  const verdicts = new Set(validation.outcomes.map(({ verdict }) => verdict));
  expect([...verdicts].sort()).toEqual(["no_rows", "not_checked"]);
  expect(validationAsText(validation)).toContain("gold.ohlcv has no rows yet");
});

test("freshness is checked while a platform runs", async () => {
  const fresh_ms = Date.parse("2026-08-26T12:00:02Z");
  const fresh = await validated(join(lakes, "whole"), { is_running: true, now_ms: fresh_ms });
  expect(violated(fresh)).toEqual([]);
  const late_ms = fresh_ms + 120_000;
  const late = await validated(join(lakes, "whole"), { is_running: true, now_ms: late_ms });
  expect(violated(late)).toEqual(["freshness"]);
  expect(holds(late.outcomes)).toBe(true);
});

test("no lake, or a lake that has lost a file, is one sentence", async () => {
  using folder = temporaryFolder();
  expect(validated(folder.path)).rejects.toThrow(/no lake yet .* run 'bun run start'/);
  const data_dir = join(folder.path, "data");
  mkdirSync(data_dir);
  cpSync(join(lakes, "whole", "lake"), join(data_dir, "lake"), { recursive: true });
  using catalog = new Database(join(data_dir, "lake", "catalog.db"));
  catalog.run("UPDATE iceberg_tables SET metadata_location = metadata_location || '.gone'");
  const lost = validated(data_dir);
  expect(lost).rejects.toThrow(FailureError);
  expect(lost).rejects.toThrow(/^Cannot read the metadata of \S+: [^\n]+$/);
  catalog.run("DELETE FROM iceberg_tables WHERE table_name = 'ohlcv'");
  expect(validated(data_dir)).rejects.toThrow(FailureError);
});

test("nothing is left beside the lake, not even by whoever was killed", async () => {
  const spills = join(lakes, "whole", "duckdb");
  // No process has this id: it is beyond what Linux gives.
  mkdirSync(join(spills, "4194305"), { recursive: true });
  mkdirSync(join(spills, "1"), { recursive: true });
  await validated(join(lakes, "whole"));
  expect(readdirSync(spills)).toEqual(["1"]);
});

test("the report names the violation, the remedy and samples, as text and as JSON", async () => {
  const validation = await validated(join(lakes, "bar_prices.2"));
  const text = validationAsText(validation);
  expect(text).toMatch(/^bar_prices +error +\d+ +1 +\d+ {2}violated$/m);
  expect(text).toContain("error: bar_prices. A bar's open, high");
  expect(text).toContain("Rebuild gold.ohlcv from gold.trades.");
  expect(text).toContain('"last_trade_id":"1"');
  expect(text).toMatch(/\n1 violated|, 1 violated/);
  const json = JSON.parse(validationAsJson(validation));
  expect(json.is_valid).toBe(false);
  const [check] = json.checks.filter(({ result }: { result: string }) => result === "violated");
  expect(check.name).toBe("bar_prices");
  expect(check.samples[0].bar.last_trade_id).toBe("1");
});
