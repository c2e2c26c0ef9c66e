/**
 * `simulate-faults [--seeds n]`: the deterministic simulation, over all cores; `--seed n`: one run
 * with its whole history. A seed that fails is printed with what did not hold, the end of its
 * history, and the command that replays it.
 *
 * @module
 */

import { exit_codes, UsageError } from "../../actors/settings/exit.ts";
import type { Run } from "../../actors/settings/invocation.ts";
import { readNumber } from "../../actors/settings/number.ts";
import { runSeed } from "./run.ts";
import { runSeeds } from "./seed_pool.ts";
import type { SeedResult } from "./seed_worker.ts";

const seeds_default = 1_000;
const seed_max = 2 ** 32 - 1;
/** Failed seeds that are printed; the others are only counted. */
const printed_max = 5;

/** Runs seeds; exit code 1 where something did not hold. */
export const run: Run = async ({ flags }) => {
  const seed = readNumber(flags, "seed", seed_max);
  const seeds = readNumber(flags, "seeds", seed_max);
  if (seed !== null && seeds !== null) {
    throw new UsageError("--seed replays one run and --seeds runs many: give one of them");
  }
  const started_ms = performance.now();
  const totals = { seeds: 0, failed: 0, virtual_s: 0 };
  function count({ violation, virtual_s }: Pick<SeedResult, "violation" | "virtual_s">): void {
    totals.seeds += 1;
    totals.virtual_s += virtual_s;
    if (violation !== null) totals.failed += 1;
  }
  if (seed !== null) {
    const result = runSeed(seed);
    count(result);
    await print([...result.history, verdictOf(result)]);
  } else {
    await runSeeds({
      seeds: seeds ?? seeds_default,
      threads: navigator.hardwareConcurrency,
      onResult(result) {
        count(result);
        if (result.violation !== null && totals.failed <= printed_max)
          void print(failureOf(result));
      },
    });
  }
  const seconds = (performance.now() - started_ms) / 1_000;
  const { failed, virtual_s } = totals;
  await print([
    `seeds=${totals.seeds} failed=${failed} virtual_s=${Math.round(virtual_s)} ` +
      `seconds=${seconds.toFixed(1)}`,
  ]);
  return failed === 0 ? exit_codes.done : exit_codes.failed;
};

function failureOf(result: SeedResult): readonly string[] {
  return [
    `seed ${result.seed}: ${result.violation}`,
    ...result.tail.map((line) => `  ${line}`),
    `  replay: bun run simulate-faults --seed ${result.seed}`,
  ];
}

function verdictOf({ seed, violation }: Pick<SeedResult, "seed" | "violation">): string {
  return violation === null ? `seed ${seed}: all has held` : `seed ${seed}: ${violation}`;
}

async function print(lines: readonly string[]): Promise<void> {
  await Bun.write(Bun.stdout, `${lines.join("\n")}\n`);
}
