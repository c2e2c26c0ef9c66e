/**
 * Whether the platform serves, from the status tree alone: pure, so that every verdict can be
 * tested with a tree written down by hand.
 *
 * The rules stand in one table. A node that no rule knows is judged by its state only: a child
 * that is down or on its way up is not ready, and whatever else a child says of itself while it
 * serves is well.
 *
 * @module
 */

import type { Role } from "../settings/settings.ts";
import type { Health, StatusNode } from "./node.ts";

/** One verdict, for `GET /readyz`. */
interface Check {
  readonly name: string;
  readonly path: string;
  readonly status: Health;
  /** One sentence; what is seen, also where it is well. */
  readonly reason: string;
}

/** How the platform is, and the checks that say so. */
export interface HealthReport {
  /** The worst of the checks. */
  readonly health: Health;
  readonly checks: readonly Check[];
}

type Verdict = Pick<Check, "status" | "reason">;

interface Rule {
  readonly name: string;
  appliesTo(node: StatusNode): boolean;
  judge(node: StatusNode, now_ms: number): Verdict;
}

/** How long a connection may be without its stream before that is a failure. */
const connection_grace_ms = 30_000;
/** A gap that is filled soon is no news; one that stays is. */
const gap_grace_ms = 60_000;
/** How far Gold may lie behind Kafka, and how long the driver may say nothing. */
const lake_lag_ms_max = 60_000;

const rules: readonly Rule[] = [
  {
    name: "connection",
    appliesTo: ({ path, kind }) => kind === "worker" && /\/connections\/[^/]+$/.test(path),
    judge: judgeConnection,
  },
  {
    name: "gaps",
    appliesTo: ({ id, kind }) => kind === "worker" && id === "continuity",
    judge: judgeGaps,
  },
  {
    name: "backfill",
    appliesTo: ({ id, kind }) => kind === "worker" && id === "backfiller",
    judge: judgeBackfiller,
  },
  {
    name: "kafka",
    appliesTo: ({ id, kind }) => kind === "worker" && id === "producer",
    judge: judgeProducer,
  },
  {
    name: "lake",
    appliesTo: ({ id }) => id === "spark",
    judge: judgeSpark,
  },
  {
    name: "validation",
    appliesTo: ({ id, kind }) => kind === "worker" && id === "validator",
    judge: judgeValidator,
  },
];

/**
 * Judges a tree.
 *
 * @param options.role `feed` ignores the lake.
 * @param options.now_ms Wall clock, milliseconds since 1970.
 */
export function healthOf(
  tree: StatusNode,
  options: { readonly role: Role; readonly now_ms: number },
): HealthReport {
  const checks: Check[] = [];
  const stack: StatusNode[] = [tree];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (options.role === "feed" && node.id === "lake" && node.kind === "supervisor") continue;
    const check = checkNode(node, options.now_ms);
    if (check !== null) checks.push(check);
    // What is below a supervisor that is down is down because of it.
    if (node.state !== "failed" && node.state !== "stopped")
      stack.push(...node.children.toReversed());
  }
  return { health: worst(checks.map(({ status }) => status)), checks };
}

/** The worst of several; `pass` where there is none. */
function worst(all: readonly Health[]): Health {
  if (all.includes("fail")) return "fail";
  return all.includes("warn") ? "warn" : "pass";
}

function checkNode(node: StatusNode, now_ms: number): Check | null {
  const { path, kind } = node;
  const by_state = judgeState(node);
  const rule = kind === "supervisor" ? undefined : rules.find((each) => each.appliesTo(node));
  if (by_state !== null) return { name: rule?.name ?? "actor", path, ...by_state };
  return rule === undefined ? null : { name: rule.name, path, ...rule.judge(node, now_ms) };
}

/** What the supervisor says of a child; null while the child serves and speaks for itself. */
function judgeState({ state, kind, last_exit, figures }: StatusNode): Verdict | null {
  // A supervisor on its way up or down is no news: its children say so themselves.
  const is_leaf = kind !== "supervisor";
  switch (state) {
    case "failed": {
      const next = figures.next_start_at;
      const hope = typeof next === "string" ? `, is started again at ${next}` : "";
      const reason = `has failed${hope}: ${last_exit?.reason ?? "no reason known"}`;
      return { status: "fail", reason };
    }
    case "pending":
      return is_leaf ? { status: "fail", reason: "waits for its turn to start" } : null;
    case "starting":
    case "stopping":
      return is_leaf ? { status: "fail", reason: `is ${state}` } : null;
    case "stopped":
      return { status: "fail", reason: "was stopped" };
    case "finished":
      return is_leaf ? { status: "pass", reason: "has done its work" } : null;
    default:
      return null;
  }
}

function judgeConnection(node: StatusNode, now_ms: number): Verdict {
  const { state, figures } = node;
  if (state === "streaming") {
    const symbols = numberOf(figures.symbols);
    const refused = numberOf(figures.refused);
    const not_delivering = numberOf(figures.not_delivering);
    const faults = [
      ...(refused === 0 ? [] : [`${refused} of ${symbols} symbols are refused`]),
      ...(not_delivering === 0 ? [] : [`${not_delivering} of ${symbols} symbols do not deliver`]),
    ];
    if (faults.length === 0) return { status: "pass", reason: "streams" };
    return { status: "warn", reason: `streams, but ${faults.join(" and ")}` };
  }
  const why = typeof figures.last_error === "string" ? `: ${figures.last_error}` : "";
  const reason = `is ${state}${why}`;
  if (state === "refused" || state === "paused") return { status: "fail", reason };
  // States change with every attempt, so that only the connection knows when the stream ended.
  const down_since = figures.down_since;
  const down_since_ms = Date.parse(typeof down_since === "string" ? down_since : node.since);
  const is_new = now_ms - down_since_ms < connection_grace_ms;
  return { status: is_new ? "warn" : "fail", reason };
}

function judgeGaps({ figures }: StatusNode, now_ms: number): Verdict {
  const open = numberOf(figures.gaps_open);
  const opened_at = figures.oldest_gap_at;
  if (open === 0) return { status: "pass", reason: "no trade is missing" };
  const age_ms = typeof opened_at === "string" ? now_ms - Date.parse(opened_at) : 0;
  const reason = `${numberOf(figures.ids_missing)} trades are missing, open gaps: ${open}`;
  return { status: age_ms < gap_grace_ms ? "pass" : "warn", reason };
}

/** What a person has to do about missing trades; that they are missing, the gaps' check says. */
function judgeBackfiller({ figures }: StatusNode): Verdict {
  const { gaps_too_old, refused_reason, remedy } = figures;
  const faults = [
    ...(typeof refused_reason === "string" ? [`is refused: ${refused_reason}`] : []),
    ...(numberOf(gaps_too_old) === 0
      ? []
      : [`leaves old gaps to you: ${gaps_too_old}; the newest is filled by \`${remedy}\``]),
  ];
  if (faults.length === 0) return { status: "pass", reason: "asks for what is missing" };
  return { status: "warn", reason: faults.join(", and ") };
}

function judgeProducer({ figures, state }: StatusNode): Verdict {
  const { acknowledging, pressure_reason, spill_error } = figures;
  if (typeof pressure_reason === "string") {
    return { status: "fail", reason: `takes no more records: ${pressure_reason}` };
  }
  const spilled = numberOf(figures.spilled);
  const waiting = spilled === 0 ? "" : `; ${spilled} records wait on disk`;
  if (acknowledging === false || state === "waiting_for_port") {
    const reason = `Kafka does not acknowledge: the producer is ${state}${waiting}`;
    return { status: "fail", reason };
  }
  const faults = [
    ...(spilled === 0 ? [] : [`${spilled} records wait on disk`]),
    ...(typeof spill_error === "string" ? [`the disk takes no records: ${spill_error}`] : []),
  ];
  if (faults.length > 0) return { status: "warn", reason: faults.join(", and ") };
  return { status: "pass", reason: "Kafka acknowledges" };
}

function judgeSpark({ figures }: StatusNode, now_ms: number): Verdict {
  const stopped = Object.entries(figures).filter(([name]) => name.endsWith("_stopped"));
  const needed = stopped.find(([name]) => /^bronze_(trades|events)_/.test(name));
  // Without the others Gold is as it should be.
  const [, said] = needed ?? stopped[0] ?? [];
  if (said !== undefined) {
    return { status: needed === undefined ? "warn" : "fail", reason: String(said) };
  }
  const judged = judgeProgress(figures, now_ms);
  const warning = Object.entries(figures).find(([name]) => name.endsWith("_lag_warning"))?.[1];
  if (judged.status !== "pass" || typeof warning !== "string") return judged;
  return { status: "warn", reason: warning };
}

function judgeProgress(figures: StatusNode["figures"], now_ms: number): Verdict {
  const said_at = figures.refine_timestamp;
  if (typeof said_at !== "string") {
    return { status: "warn", reason: "has not refined anything yet" };
  }
  const silent_ms = now_ms - Date.parse(said_at);
  if (silent_ms >= lake_lag_ms_max) {
    return { status: "fail", reason: `has said nothing for ${Math.round(silent_ms / 1_000)} s` };
  }
  // Nobody waits for frames and dead letters.
  const { bronze_trades_lag_offsets, refine_lag_offsets } = figures;
  const behind = numberOf(bronze_trades_lag_offsets) + numberOf(refine_lag_offsets);
  const lag_s = numberOf(figures.refine_lag_s) + silent_ms / 1_000;
  const reason = behind === 0 ? "nothing waits in Kafka" : `lies ${lag_s.toFixed(1)} s behind`;
  if (behind > 0 && lag_s * 1_000 >= lake_lag_ms_max) return { status: "fail", reason };
  const { maintenance_error: error } = figures;
  if (typeof error !== "string") return { status: "pass", reason };
  return { status: "warn", reason: `${reason}, but is not kept in order: ${error}` };
}

/** What the lake lacks does not end the platform's service. */
function judgeValidator({ figures: { error, violated, warned, checks } }: StatusNode): Verdict {
  if (typeof violated === "string") {
    return {
      status: "warn",
      reason: `the lake does not hold: ${violated}; see \`bun run validate\``,
    };
  }
  if (typeof error === "string") return { status: "warn", reason: `did not check: ${error}` };
  if (typeof checks !== "number") return { status: "pass", reason: "has not checked yet" };
  const warning = typeof warned === "string" ? `, with a warning: ${warned}` : "";
  return { status: "pass", reason: `${checks} checks hold${warning}` };
}

function numberOf(figure: unknown): number {
  return typeof figure === "number" ? figure : 0;
}
