/**
 * `bench lake [--to backlog|live] [--rows n] [--rate n] [--seconds n]`: what the lake makes of
 * Kafka's records. A backlog shows how many rows a second each stage takes, as a share of what
 * Spark can read; the whole platform at a rate, how fresh Gold is and whether its lag stays flat.
 *
 * @module
 */

import { exit_codes, UsageError } from "../settings/exit.ts";
import type { Invocation } from "../settings/invocation.ts";
import { readNumber } from "../settings/number.ts";
import { readSeconds } from "../settings/seconds.ts";
import { measureBacklog } from "./lake_backlog.ts";
import { measureLive } from "./lake_live.ts";

const rows_default = 200_000;
const rate_default = 1_000;
const seconds_default = 300;

/** Runs the bench; its last line is the result. */
export async function benchLake(invocation: Invocation): Promise<number> {
  const { flags, root } = invocation;
  const { to } = flags;
  if (to !== undefined && to !== "backlog" && to !== "live") {
    throw new UsageError(`--to is "${to}": it must be backlog or live`);
  }
  const rows = readNumber(flags, "rows") ?? rows_default;
  const rate = readNumber(flags, "rate") ?? rate_default;
  const seconds = readSeconds(flags) ?? seconds_default;
  const tell = (line: string) => void process.stderr.write(`${line}\n`);
  const backlog = to === "live" ? null : await measureBacklog({ root, rows, tell });
  const live = to === "backlog" ? null : await measureLive({ root, rate, seconds, tell });
  const taken = backlog ?? live;
  const figures = {
    rows: taken?.rows,
    seconds: taken?.seconds.toFixed(3),
    rows_per_s: taken === null ? Number.NaN : Math.round(taken.rows / taken.seconds),
    fresh_p50_s: live?.fresh_p50_s ?? Number.NaN,
    fresh_p99_s: live?.fresh_p99_s ?? Number.NaN,
  };
  const line = Object.entries(figures).map(([name, value]) => `${name}=${value}`);
  await Bun.write(Bun.stdout, `${line.join(" ")}\n`);
  return exit_codes.done;
}
