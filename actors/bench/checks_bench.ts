/**
 * `bench checks [--rows n]`: how long all checks take over a lake that the platform itself has
 * filled, and how long a question about an hour of it.
 *
 * @module
 */

import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Latency } from "../producer/latency.ts";
import { exit_codes } from "../settings/exit.ts";
import type { Invocation } from "../settings/invocation.ts";
import { readNumber } from "../settings/number.ts";
import { catalogPath } from "../validator/catalog_path.ts";
import { newestView, openLake, quoted, readLake } from "../validator/lake.ts";
import { validate } from "../validator/validate_command.ts";
import { median } from "./measure.ts";
import { refined, usePlatform } from "./platform_run.ts";

const rows_default = 1_000_000;
/** Fast enough to be filled in minutes, slow enough for frames to keep up. */
const rate = 5_000;
/** Half an hour fills ten times as many as by default. */
const fill_ms_max = 1_800_000;
const turns = 3;
const queries = 200;
/** Checks that read the frames. */
const of_frames: ReadonlySet<string> = new Set(["gold_frames", "frame_lost"]);
const newest_hour = `
  SELECT exchange_date::VARCHAR, exchange_hour FROM gold.trades ORDER BY timestamp DESC LIMIT 1`;

/** Runs the bench; its last line is the result. */
export async function benchChecks({ flags, root }: Invocation): Promise<number> {
  const rows = readNumber(flags, "rows") ?? rows_default;
  const data_dir = join(tmpdir(), `k2-bench-checks-${process.pid}`);
  try {
    await usePlatform({ root, rate, data_dir }, ({ url }) => refined(url, rows, fill_ms_max));
    process.stderr.write(`Gold has its ${rows} trades\n`);
    const checks = await measureChecks(root, data_dir);
    const latency = await measureQuery(root, data_dir);
    const figures = {
      rows: checks.rows,
      checks_s: checks.checks_s.toFixed(3),
      frames_s: checks.frames_s.toFixed(3),
      query_p50_ms: millisecondsOf(latency.percentile(0.5)),
      query_p99_ms: millisecondsOf(latency.percentile(0.99)),
      rss_mb: Math.round(process.resourceUsage().maxRSS / 1_000),
    };
    const line = Object.entries(figures).map(([name, value]) => `${name}=${value}`);
    await Bun.write(Bun.stdout, `${line.join(" ")}\n`);
  } finally {
    await rm(data_dir, { recursive: true, force: true });
  }
  return exit_codes.done;
}

/** All checks, some times; the middle ones count. */
async function measureChecks(root: string, data_dir: string) {
  const of_frames_s: number[] = [];
  const others_s: number[] = [];
  let rows = 0;
  for (let turn = 0; turn < turns; turn += 1) {
    const started_ms = performance.now();
    const { outcomes } = await validate({
      catalog_path: catalogPath({ data_dir, catalog_uri: null }),
      data_dir,
      root,
      since_ms: null,
      now_ms: Date.now(),
      is_running: false,
    });
    const whole_s = (performance.now() - started_ms) / 1_000;
    const frames_s =
      outcomes
        .filter(({ check }) => of_frames.has(check.name))
        .reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1_000;
    for (const { check, verdict, milliseconds } of outcomes) {
      process.stderr.write(`${check.name}: ${verdict}, ${milliseconds} ms\n`);
    }
    rows = outcomes.find(({ check }) => check.name === "gold_unique")?.rows ?? 0;
    of_frames_s.push(frames_s);
    others_s.push(whole_s - frames_s);
  }
  return { rows, frames_s: median(of_frames_s), checks_s: median(others_s) };
}

async function measureQuery(root: string, data_dir: string): Promise<Latency> {
  const tables = await readLake(catalogPath({ data_dir, catalog_uri: null }));
  const views = tables.map(newestView);
  using lake = await openLake({ root, data_dir, views });
  const newest = await lake.connection.runAndReadAll(newest_hour);
  const [date, hour] = newest.getRows()[0] ?? [];
  const an_hour = figuresOfHour(String(date), Number(hour));
  const latency = new Latency();
  for (let query = 0; query < queries; query += 1) {
    const started_ms = performance.now();
    await lake.connection.runAndReadAll(an_hour);
    latency.add((performance.now() - started_ms) * 1_000);
  }
  return latency;
}

function millisecondsOf(latency_us: number | null): string {
  return ((latency_us ?? Number.NaN) / 1_000).toFixed(1);
}

/** What a person asks who names an hour, which is a partition. */
function figuresOfHour(date: string, hour: number): string {
  return `
    SELECT exchange, native_symbol, count(*), sum(quantity), min(price), max(price)
    FROM gold.trades
    WHERE exchange_date = ${quoted(date)} AND exchange_hour = ${hour}
    GROUP BY ALL`;
}
