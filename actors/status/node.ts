/**
 * What `GET /status` says, as types, and how to find one's way in it: one document that holds the
 * supervision tree as nested nodes.
 *
 * The supervisors fill it and the status server shows it; pages, scripts and tests read it by
 * these names, so a field is added here and never renamed.
 *
 * @module
 */

import type { Figures } from "../messages.ts";

/** A `supervisor` has children, a `port` owns an operating-system process. */
export type NodeKind = "supervisor" | "worker" | "port";

/** Restart intensity, and how much of it is used up. */
interface NodeRestarts {
  /** Automatic restarts since the tree started. */
  readonly total: number;
  /** Those that still count against `max`. */
  readonly in_window: number;
  /** One more than this within `window_ms`, and the supervisor gives up. */
  readonly max: number;
  readonly window_ms: number;
}

/** One child of the tree. Times are ISO 8601, UTC. */
export interface StatusNode {
  readonly id: string;
  /** Ids from the root, joined by `/`: `k2/platform/infrastructure/broker`. */
  readonly path: string;
  readonly kind: NodeKind;
  /**
   * What the child says of itself while it serves (`streaming`), else what its supervisor knows:
   * `pending` (its turn to start has not come), `starting`, `stopping`, `stopped`, `finished` (it
   * ended normally and stays down), `failed` (it crashed and is down; with the figure
   * `next_start_at` where it is going to be started again).
   */
  readonly state: string;
  /** Since when it is in this state. */
  readonly since: string;
  /** Operating-system process; always there for ports, null while there is none. */
  readonly pid?: number | null;
  /** For supervisors: `one_for_one`, `one_for_all`, `rest_for_one`. */
  readonly strategy?: string;
  /** `permanent`, `transient`, `temporary`; absent for the root. */
  readonly restart?: string;
  /** For a supervisor the restarts of its children, else the child's own. */
  readonly restarts: NodeRestarts;
  readonly last_exit: { readonly reason: string; readonly at: string } | null;
  readonly figures: Readonly<Figures>;
  readonly children: readonly StatusNode[];
}

/** `warn` still serves; `fail` does not. */
export type Health = "pass" | "warn" | "fail";

/** The answer to `GET /status`. */
export interface StatusDocument {
  readonly version: string;
  readonly started_at: string;
  readonly uptime_s: number;
  readonly health: Health;
  readonly tree: StatusNode;
}

/** The first node, parents before children, that is as wanted. */
export function findNode(
  node: StatusNode,
  isWanted: (node: StatusNode) => boolean,
): StatusNode | undefined {
  if (isWanted(node)) return node;
  for (const child of node.children) {
    const found = findNode(child, isWanted);
    if (found !== undefined) return found;
  }
  return undefined;
}
