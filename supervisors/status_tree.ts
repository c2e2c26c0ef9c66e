/**
 * What the tree remembers of each child for the status page: one plain object per child, kept by
 * its supervisor's object, so that counts, figures and the last exit outlive every incarnation of
 * the child and of its supervisor. Reading it never disturbs an actor.
 *
 * A child writes its own word (`streaming`) through a report that goes dead with its incarnation;
 * what its supervisor knows (`starting`, `failed`) is shown instead whenever the child does not
 * serve.
 *
 * @module
 */

import type { Figures, Report } from "../actors/messages.ts";
import type { NodeKind, StatusNode } from "../actors/status/node.ts";

/** What the supervisor knows of a child; `serving` shows the child's own word. */
export type Fact =
  | "pending"
  | "starting"
  | "serving"
  | "stopping"
  | "stopped"
  | "finished"
  | "failed";

/** The memory of one child. Times in milliseconds since 1970, UTC. */
export interface TreeNode {
  readonly id: string;
  readonly path: string;
  readonly system_id: string;
  readonly kind: NodeKind;
  readonly restart: string | null;
  readonly strategy: string | null;
  /** The intensity that its restarts count against: a supervisor's own, else its supervisor's. */
  readonly restarts_max: number;
  readonly window_ms: number;
  fact: Fact;
  word: string;
  since_ms: number;
  pid: number | null;
  readonly figures: Figures;
  restarts_total: number;
  /** Counted restarts, pruned to the window. */
  restarts_ms: readonly number[];
  last_exit: { readonly reason: string; readonly at_ms: number } | null;
  /** In start order. */
  children: TreeNode[];
}

/** The fixed part of a node. */
export type TreeNodeIdentity = Pick<
  TreeNode,
  "id" | "path" | "system_id" | "kind" | "restart" | "strategy" | "restarts_max" | "window_ms"
>;

/** A node of which nothing is known yet. */
export function createTreeNode(identity: TreeNodeIdentity, now_ms: number): TreeNode {
  return {
    ...identity,
    fact: "pending",
    word: "running",
    since_ms: now_ms,
    pid: null,
    figures: {},
    restarts_total: 0,
    restarts_ms: [],
    last_exit: null,
    children: [],
  };
}

/** Notes what the supervisor knows, and when it became so. */
export function noteFact(node: TreeNode, fact: Fact, now_ms: number): void {
  if (node.fact === fact) return;
  node.fact = fact;
  node.since_ms = now_ms;
}

/**
 * Notes that an incarnation is over. What it left behind in the nodes below it (it may have been
 * killed before it could say anything) is over with it.
 */
export function noteExit(node: TreeNode, reason: string, now_ms: number): void {
  node.last_exit = { reason, at_ms: now_ms };
  node.pid = null;
  for (const child of node.children) {
    if (child.fact === "stopped" || child.fact === "finished") continue;
    const was_alive = child.fact !== "pending" && child.fact !== "failed";
    noteFact(child, "stopped", now_ms);
    if (was_alive) noteExit(child, "killed with its supervisor", now_ms);
  }
}

/**
 * The report of one incarnation. Its state and pid begin anew and can be written until `signal`
 * aborts, so that a late word of a dead incarnation is not taken for its successor's; its figures
 * are those of all incarnations.
 */
export function createReport(
  node: TreeNode,
  { signal, now_ms }: { readonly signal: AbortSignal; readonly now_ms: () => number },
): Report {
  node.word = "running";
  node.pid = null;
  return {
    figures: node.figures,
    get state() {
      return node.word;
    },
    set state(word: string) {
      if (signal.aborted || word === node.word) return;
      node.word = word;
      if (node.fact === "serving") node.since_ms = now_ms();
    },
    get pid() {
      return node.pid;
    },
    set pid(pid: number | null) {
      if (!signal.aborted) node.pid = pid;
    },
  };
}

/** The node and all below it as `GET /status` shows them. */
export function statusNode(node: TreeNode, now_ms: number): StatusNode {
  const { id, path, kind, fact, word, since_ms, pid, strategy, restart, last_exit } = node;
  const in_window = node.restarts_ms.filter((at_ms) => at_ms > now_ms - node.window_ms).length;
  return {
    id,
    path,
    kind,
    state: fact === "serving" ? word : fact,
    since: new Date(since_ms).toISOString(),
    ...(kind === "port" || pid !== null ? { pid } : {}),
    ...(strategy === null ? {} : { strategy }),
    ...(restart === null ? {} : { restart }),
    restarts: {
      total: node.restarts_total,
      in_window,
      max: node.restarts_max,
      window_ms: node.window_ms,
    },
    last_exit: last_exit && {
      reason: last_exit.reason,
      at: new Date(last_exit.at_ms).toISOString(),
    },
    figures: { ...node.figures },
    children: node.children.map((child) => statusNode(child, now_ms)),
  };
}

/** The node of that path and the node above it; null if there is none. */
export function findNode(
  root: TreeNode,
  path: string,
): { readonly node: TreeNode; readonly parent: TreeNode | null } | null {
  const stack: { readonly node: TreeNode; readonly parent: TreeNode | null }[] = [
    { node: root, parent: null },
  ];
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    if (entry.node.path === path) return entry;
    for (const child of entry.node.children) stack.push({ node: child, parent: entry.node });
  }
  return null;
}
