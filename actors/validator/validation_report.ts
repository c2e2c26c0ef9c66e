/**
 * A validation as people and as programs read it.
 *
 * @module
 */

import type { Bounds } from "./bounds.ts";
import { holds, type Outcome } from "./check.ts";
import type { Positions } from "./table_metadata.ts";
import { textTable } from "./text_table.ts";

/** What a validation found, and in which state of the lake. */
export interface Validation {
  /** When the catalog was read, milliseconds since 1970. */
  readonly read_at_ms: number;
  /** Where checks were asked to begin, milliseconds since 1970; null: everywhere. */
  readonly since_ms: number | null;
  /** Where those of each layer began, because earlier days are no longer kept. */
  readonly bounds: Bounds;
  readonly positions: Positions;
  readonly outcomes: readonly Outcome[];
}

/** One JSON object: `is_valid`, when, from where, up to where, and every check. */
export function validationAsJson(validation: Validation): string {
  const { since_ms, bounds, outcomes } = validation;
  const value = {
    is_valid: holds(outcomes),
    read_at: new Date(validation.read_at_ms).toISOString(),
    since: sinceText(since_ms),
    bronze_since: sinceText(bounds.bronze_ms),
    silver_since: sinceText(bounds.silver_ms),
    gold_since: sinceText(bounds.gold_ms),
    frames_since: sinceText(bounds.frames_ms),
    consumed: validation.positions,
    checks: outcomes.map(({ check, samples, ...outcome }) => ({
      name: check.name,
      severity: check.severity,
      result: outcome.verdict,
      reason: outcome.reason,
      rows: outcome.rows,
      violations: outcome.violations,
      milliseconds: outcome.milliseconds,
      wrong: check.wrong,
      remedy: check.remedy,
      samples: samples.map((sample): unknown => JSON.parse(sample)),
    })),
  };
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** A table with a line per check, then what was violated, with samples, then a summary. */
export function validationAsText(validation: Validation): string {
  const { outcomes } = validation;
  const table = textTable(
    ["check", "severity", "rows", "violations", "ms", "result"].map((name, index) => ({
      name,
      is_right: index >= 2 && index <= 4,
    })),
    outcomes.map((outcome) => [
      outcome.check.name,
      outcome.check.severity,
      String(outcome.rows),
      String(outcome.violations),
      String(outcome.milliseconds),
      outcome.verdict.replaceAll("_", " "),
    ]),
  );
  const violated = outcomes.filter(({ verdict }) => verdict === "violated").map(violationText);
  return [table, ...violated, summary(validation)].join("\n");
}

function violationText({ check, violations, samples }: Outcome): string {
  const more = violations > samples.length ? [`  … ${violations - samples.length} more`] : [];
  const lines = samples.map((sample) => `  ${sample}`);
  const title = `${check.severity}: ${check.name}. ${check.wrong}`;
  return `${[title, `  ${check.remedy}`, ...lines, ...more].join("\n")}\n`;
}

function sinceText(since_ms: number | null): string {
  return since_ms === null ? "all" : new Date(since_ms).toISOString();
}

/** A line for each layer of which earlier days are not kept: there is nothing to check them by. */
function expiredText({ since_ms, bounds }: Validation): string {
  const { bronze_ms, silver_ms, gold_ms, frames_ms } = bounds;
  const layers = [
    ["Frames", frames_ms, gold_ms],
    ["Bronze", bronze_ms, silver_ms],
    ["Silver", silver_ms, gold_ms],
    ["Gold", gold_ms, since_ms],
  ] as const;
  return layers
    .filter(([, from_ms, later_ms]) => from_ms !== later_ms)
    .map(
      ([layer, from_ms]) =>
        `${layer} checked from ${sinceText(from_ms)} on: earlier days expired\n`,
    )
    .join("");
}

function summary(validation: Validation): string {
  const { outcomes, since_ms, positions, read_at_ms } = validation;
  const counts = new Map<string, number>();
  for (const { check, verdict } of outcomes) {
    const word =
      verdict === "violated" && check.severity === "warning"
        ? "warned"
        : verdict.replaceAll("_", " ");
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const parts = [...counts].map(([word, count]) => `${count} ${word}`);
  const since = since_ms === null ? "all rows" : `rows since ${new Date(since_ms).toISOString()}`;
  const empty = Object.keys(positions).length === 0 ? "; gold.ohlcv has no rows yet" : "";
  const reasons = outcomes.flatMap(({ reason }) => (reason === null ? [] : [`${reason}\n`]));
  const read_at = new Date(read_at_ms).toISOString();
  const notes = `${expiredText(validation)}${reasons.join("")}`;
  return `${notes}${parts.join(", ")}; ${since}, read at ${read_at}${empty}\n`;
}
