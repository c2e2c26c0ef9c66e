/**
 * Children for tests of the supervisor: each logs `+id` when an incarnation starts and `-id` when
 * its signal aborts, and does on command what real ones do by accident. Time is virtual.
 *
 * @module
 */

import { fromCallback, SimulatedClock } from "xstate";
import type { Exit, Incarnation } from "../../actors/messages.ts";
import type { StatusNode } from "../../actors/status/node.ts";
import {
  type ChildExit,
  type ChildSpec,
  type SupervisorSpec,
  startTree,
  type Tree,
} from "../../supervisors/supervisor.ts";

/** How a test child behaves; by default it is ready at once and stops at once. */
export interface Manners {
  readonly ready?: "at_once" | "never";
  readonly stop?: "at_once" | "never";
}

export interface Family {
  readonly tree: Tree;
  readonly clock: SimulatedClock;
  readonly exits: ChildExit[];
  /** What was logged since the last call. */
  news(): string[];
  /** Every incarnation of a child, the first first. */
  incarnations(path: string): Incarnation[];
  /** The child throws in a step. */
  crash(system_id: string): void;
  exit(path: string, exit: Exit): void;
  node(path: string): StatusNode;
}

type Command = { readonly type: "stop" } | { readonly type: "die" };

export type Child = (id: string, change?: Partial<ChildSpec>, manners?: Manners) => ChildSpec;

/** Makes children, starts the tree that `plant` makes of them, and watches. */
export function startFamily(
  plant: (child: Child) => Partial<SupervisorSpec> & Pick<SupervisorSpec, "children">,
): Family {
  const clock = new SimulatedClock();
  const log: string[] = [];
  const exits: ChildExit[] = [];
  const started = new Map<string, Incarnation[]>();
  const logic = fromCallback<Command, { incarnation: Incarnation; manners: Manners }>(
    ({ input: { incarnation, manners }, receive }) => {
      const { path, signal } = incarnation;
      const name = path.replace(/^root\//, "");
      log.push(`+${name}`);
      signal.addEventListener("abort", () => log.push(`-${name}`));
      started.set(path, [...(started.get(path) ?? []), incarnation]);
      if (manners.ready !== "never") incarnation.ready();
      receive(({ type }) => {
        if (type === "die") throw new Error(`${name} died`);
        if (manners.stop !== "never") incarnation.exit({ kind: "normal" });
      });
    },
  );
  const child: Child = (id, change = {}, manners = {}) => ({
    id,
    kind: "worker",
    logic,
    input: (incarnation) => ({ incarnation, manners }),
    restart: "permanent",
    start_ms_max: 1_000,
    shutdown_ms: 500,
    ...change,
  });
  const tree = startTree(
    { id: "root", strategy: "one_for_one", restarts_max: 2, window_ms: 1_000, ...plant(child) },
    { clock, now_ms: () => clock.now(), notify: (exit) => exits.push(exit) },
  );
  return {
    tree,
    clock,
    exits,
    news: () => log.splice(0),
    incarnations: (path) => started.get(path) ?? [],
    crash: (system_id) => tree.actor.system.get(system_id)?.send({ type: "die" }),
    exit: (path, exit) => started.get(path)?.at(-1)?.exit(exit),
    node: (path) => find(tree.node(), path),
  };
}

function find(node: StatusNode, path: string): StatusNode {
  if (node.path === path) return node;
  const below = node.children.find((child) => `${path}/`.startsWith(`${child.path}/`));
  if (below === undefined) throw new Error(`no node ${path}`);
  return find(below, path);
}
