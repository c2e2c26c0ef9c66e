/**
 * Where checks begin. A layer is compared with the ones that are made from it, and each keeps its
 * rows for a time of its own: a comparison begins where all the tables that it names are whole.
 * So Gold is checked as far back as Gold goes, Silver against Gold as far as both go, and Bronze as
 * far as all three do. Frames, which are kept the shortest, are compared with Gold alone. Pure.
 *
 * @module
 */

import type { LakeTable } from "./lake.ts";

/** Milliseconds since 1970 at the start of a UTC hour; null: everywhere. */
export interface Bounds {
  /** For checks that look at Gold alone. */
  readonly gold_ms: number | null;
  /** For those that look at Silver, or compare it with Gold. */
  readonly silver_ms: number | null;
  /** For those that look at Bronze, or compare it with Silver. */
  readonly bronze_ms: number | null;
  /** For those that look at frames, or find Gold in them. */
  readonly frames_ms: number | null;
}

/**
 * Where the checks of each layer begin.
 *
 * @param since_ms Where they are asked to begin; null: everywhere.
 */
export function boundsOf(tables: readonly LakeTable[], since_ms: number | null): Bounds {
  function latest(of: (table: LakeTable) => boolean, after_ms: number | null): number | null {
    return tables
      .filter(of)
      .map(({ metadata }) => metadata.retained_from_ms)
      .reduce((one, other) => later(one, other), after_ms);
  }
  function isOf(layer: string) {
    return (table: LakeTable) => table.schema === layer && !isOfFrames(table);
  }
  const gold_ms = latest(isOf("gold"), since_ms);
  const silver_ms = latest(isOf("silver"), gold_ms);
  const bronze_ms = latest(isOf("bronze"), silver_ms);
  return { gold_ms, silver_ms, bronze_ms, frames_ms: latest(isOfFrames, gold_ms) };
}

function isOfFrames({ name }: LakeTable): boolean {
  return name.endsWith(".frames");
}

function later(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.max(one, other);
}
