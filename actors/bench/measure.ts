/**
 * Two ways of one work, measured against one another in the same process.
 *
 * Machines are noisy and shared, so both ways take turns, CPU time is what is compared, garbage is
 * collected before each turn (no way pays for the other's), and medians are told. CPU time is the
 * whole process's: what a way makes the collector's threads do is its own cost.
 *
 * @module
 */

import type { Pass, Stretch } from "./stretch.ts";

/** Medians over all turns, for one pass over the frames. */
interface Measurement {
  readonly trades: number;
  readonly seconds: number;
  readonly cpu_s: number;
  readonly floor_cpu_s: number;
  /** Resident set in bytes once ours has warmed up, before the floor's values are made. */
  readonly rss_bytes: number;
  /** Throughput as a share of the floor's, by CPU time: the median of the turns' own ratios. */
  readonly floor_ratio: number;
}

interface Turn {
  readonly seconds: number;
  readonly cpu_s: number;
}

/** Turns that only warm up the compiler. */
const warm_up_turns = 3;
const measured_turns = 9;
const turn_seconds_default = 0.25;
const passes_max = 100_000;

/**
 * Measures a stretch. Blocks until it is done.
 *
 * @param turn_seconds_min A shorter turn repeats its pass: the clock of CPU time ticks coarsely.
 */
export function measure(
  { ours, createFloor }: Stretch,
  turn_seconds_min = turn_seconds_default,
): Measurement {
  const trades = ours();
  const passes = passesFor(ours, turn_seconds_min);
  for (let turn = 0; turn < warm_up_turns; turn += 1) takeTurn(ours, passes);
  const rss_bytes = process.memoryUsage.rss();
  const floor = createFloor();
  for (let turn = 0; turn < warm_up_turns; turn += 1) takeTurn(floor, passes);
  const our_turns: Turn[] = [];
  const floor_turns: Turn[] = [];
  for (let turn = 0; turn < measured_turns; turn += 1) {
    our_turns.push(takeTurn(ours, passes));
    floor_turns.push(takeTurn(floor, passes));
  }
  const ratios = our_turns.map(({ cpu_s }, turn) => (floor_turns[turn]?.cpu_s ?? 0) / cpu_s);
  return {
    trades,
    seconds: median(our_turns.map((turn) => turn.seconds)),
    cpu_s: median(our_turns.map((turn) => turn.cpu_s)),
    floor_cpu_s: median(floor_turns.map((turn) => turn.cpu_s)),
    rss_bytes,
    floor_ratio: median(ratios),
  };
}

function passesFor(pass: Pass, turn_seconds_min: number): number {
  const { seconds } = takeTurn(pass, 1);
  return Math.min(passes_max, Math.max(1, Math.ceil(turn_seconds_min / seconds)));
}

function takeTurn(pass: Pass, passes: number): Turn {
  Bun.gc(true);
  const started_ms = performance.now();
  const started = process.cpuUsage();
  for (let count = 0; count < passes; count += 1) pass();
  const { user, system } = process.cpuUsage(started);
  const seconds = (performance.now() - started_ms) / 1000;
  return { seconds: seconds / passes, cpu_s: (user + system) / 1e6 / passes };
}

/** The middle one of an odd number of values. */
export function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] ?? Number.NaN;
}
