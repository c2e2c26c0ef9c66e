/**
 * What a supervisor should do next, as values: no actor and no clock is touched here.
 *
 * Every child has a phase (what it is) and a goal (what it should be). Events change goals, and
 * `nextStep` names the one thing to do about the difference: first stop, last child first, what
 * has to go; then start, first child first, what should be up. A crash in the middle of a restart
 * needs no case of its own, as it only changes goals.
 *
 * @module
 */

import type { AnyActorLogic } from "xstate";
import type { Exit, Incarnation } from "../actors/messages.ts";
import type { NodeKind } from "../actors/status/node.ts";
import type { TreeNode } from "./status_tree.ts";

/** `permanent` always comes back, `transient` only after a crash, `temporary` never. */
export type Restart = "permanent" | "transient" | "temporary";

/**
 * Who is restarted when a child crashes: `one_for_one` that child; `one_for_all` every child;
 * `rest_for_one` that child and those after it.
 */
export type Strategy = "one_for_one" | "one_for_all" | "rest_for_one";

/** What every incarnation gets; the last two are for a nested supervisor. */
export interface ChildIncarnation extends Incarnation {
  /** Where the child stands in the status tree. */
  readonly node: TreeNode;
  readonly tree: TreeOptions;
}

/** What all supervisors of a tree share. */
interface TreeOptions {
  /** Wall clock in milliseconds since 1970: counts restarts in their window, dates states. */
  readonly now_ms: () => number;
  /** Is told of every exit, for the log. */
  readonly notify: (exit: ChildExit) => void;
}

/** One exit of a child, and what came of it. */
export interface ChildExit {
  readonly path: string;
  /** One sentence; `normal` and `stopped` where nothing was wrong. */
  readonly reason: string;
  readonly verdict: Verdict;
}

/** How a child is started, stopped and restarted. */
export interface ChildSpec {
  /** Unique among siblings; the child's path is its supervisor's path, `/` and this id. */
  readonly id: string;
  /** By which the whole system finds whichever incarnation is alive. Default: the path. */
  readonly system_id?: string;
  readonly kind: NodeKind;
  readonly logic: AnyActorLogic;
  /** Called at every start. Throwing means that the child failed to start. */
  readonly input: (incarnation: ChildIncarnation) => unknown;
  readonly restart: Restart;
  /** A child that has not called `ready()` by then has crashed. Infinity: no limit. */
  readonly start_ms_max: number;
  /** Time to end after `{ type: "stop" }`, then it is killed. 0: killed at once, not asked. */
  readonly shutdown_ms: number;
  /**
   * Instead of counting as a restart, a crash is followed by a pause, which doubles from
   * `first_ms` to `max_ms` and begins anew once the child has been up for `max_ms`.
   */
  readonly cool_down?: { readonly first_ms: number; readonly max_ms: number };
  /** What a nested supervisor supervises, so that the whole tree can be read as data. */
  readonly supervisor?: SupervisorSpec;
}

/** What a supervisor supervises, and how many restarts it takes before it gives up. */
export interface SupervisorSpec {
  readonly strategy: Strategy;
  /** In start order: a child may depend only on those before it. */
  readonly children: readonly ChildSpec[];
  /** Restart intensity: one restart more than this within `window_ms`, and we give up. */
  readonly restarts_max: number;
  readonly window_ms: number;
}

/** `cooling` comes back by itself; `finished` and `failed` ended by themselves and stay down. */
export type Phase = "down" | "starting" | "up" | "stopping" | "cooling" | "finished" | "failed";

/** `again`: down, then up. `gone`: down, then forgotten. */
type Goal = "up" | "down" | "again" | "gone";

/** A child as it stands: what it is, and what it should be. */
export interface Child {
  readonly spec: ChildSpec;
  readonly phase: Phase;
  readonly goal: Goal;
  /** Number of the latest incarnation; 0 before the first. */
  readonly incarnation: number;
  /** When it became ready; null if the latest incarnation never did. */
  readonly up_since_ms: number | null;
  /** The latest pause; 0 before the first. */
  readonly cool_down_ms: number;
}

/** A supervisor as it stands, with its children in start order. */
export interface Supervision extends Omit<SupervisorSpec, "children"> {
  /** `stopping`: asked to. `giving_up`: out of restarts; stops its children, then crashes. */
  readonly mode: "running" | "stopping" | "giving_up";
  readonly give_up_reason: string | null;
  /** It gives up because no restart can help: whoever supervises it gives up too. */
  readonly is_fatal: boolean;
  readonly children: readonly Child[];
  /** When the counted restarts inside the window happened, the oldest first. */
  readonly restarts_ms: readonly number[];
}

/** What came of an exit. `stopped`: it was asked to end; the rest ended by itself. */
export type Verdict = "stopped" | "restarts" | "cools_down" | "finished" | "failed" | "gives_up";

/** The one thing to do next. */
export type Step = { readonly kind: "start" | "stop"; readonly child: Child };

/**
 * The state before anything is started.
 *
 * @throws {TypeError|RangeError} if the spec contradicts itself.
 */
export function createSupervision(spec: SupervisorSpec): Supervision {
  validateSupervisor(spec);
  return {
    ...spec,
    mode: "running",
    give_up_reason: null,
    is_fatal: false,
    children: spec.children.map(createChild),
    restarts_ms: [],
  };
}

function createChild(spec: ChildSpec): Child {
  const phase = "down";
  return { spec, phase, goal: "up", incarnation: 0, up_since_ms: null, cool_down_ms: 0 };
}

/** Whether an incarnation of the child is alive. */
function isRunning({ phase }: Child): boolean {
  return phase === "starting" || phase === "up" || phase === "stopping";
}

/**
 * The next thing to do, or null if there is nothing to do but wait.
 *
 * Children of a `one_for_one` supervisor do not depend on one another, so that a restart among
 * them waits for nobody; only the first start of each and the final stop go one by one.
 */
export function nextStep({ children, mode, strategy }: Supervision): Step | null {
  const is_independent = mode === "running" && strategy === "one_for_one";
  const leaving = children.filter((child) => isRunning(child) && child.goal !== "up");
  const next = is_independent
    ? leaving.findLast(({ phase }) => phase !== "stopping")
    : leaving.at(-1);
  if (next !== undefined && next.phase !== "stopping") return { kind: "stop", child: next };
  if (next !== undefined) return null;

  let are_earlier_serving = true;
  for (const child of children) {
    const is_due = child.phase === "down" && child.goal === "up";
    const waits_for_nobody = is_independent && child.incarnation > 0;
    if (is_due && (are_earlier_serving || waits_for_nobody)) return { kind: "start", child };
    are_earlier_serving &&= isSettled(child, is_independent);
  }
  return null;
}

/** Whether later children need not wait for this one. */
function isSettled({ phase, goal }: Child, is_independent: boolean): boolean {
  if (goal === "down" || goal === "gone") return true;
  if (phase === "cooling") return is_independent;
  return goal === "up" && (phase === "up" || phase === "finished" || phase === "failed");
}

/** Whether every child that should be up is up: the supervisor itself is ready. */
export function isServing(supervision: Supervision): boolean {
  const { children, mode, strategy } = supervision;
  if (mode !== "running") return false;
  return children.every((child) => isSettled(child, strategy === "one_for_one"));
}

/** Whether a supervisor that is to end has no child left. */
export function isOver({ children, mode }: Supervision): boolean {
  return mode !== "running" && !children.some(isRunning);
}

/** A step was taken: another incarnation starts, or the child was told to stop. */
export function stepTaken(supervision: Supervision, { kind, child }: Step): Supervision {
  if (kind === "stop") return changed(supervision, child.spec.id, { phase: "stopping" });
  const incarnation = child.incarnation + 1;
  const phase = "starting";
  return changed(supervision, child.spec.id, { phase, incarnation, up_since_ms: null });
}

/** A child serves. */
export function childReady(supervision: Supervision, id: string, now_ms: number): Supervision {
  return changed(supervision, id, { phase: "up", up_since_ms: now_ms });
}

/** A child's pause is over: it is due to start. */
export function childCooled(supervision: Supervision, id: string): Supervision {
  return changed(supervision, id, { phase: "down" });
}

/**
 * A child has ended, by itself or because it was told to.
 *
 * Restarts are counted over all children together, as in OTP: a supervisor whose children take
 * turns crashing is as broken as one with a single bad child.
 */
export function childEnded(
  supervision: Supervision,
  id: string,
  ended: { readonly exit: Exit; readonly now_ms: number },
): { readonly supervision: Supervision; readonly verdict: Verdict } {
  const child = childOf(supervision, id);
  if (child === undefined) return { supervision, verdict: "stopped" };
  if (child.goal !== "up") return { supervision: stopped(supervision, child), verdict: "stopped" };

  const { restart, cool_down } = child.spec;
  const { exit } = ended;
  const is_crash = exit.kind !== "normal";
  if (exit.kind === "fatal" && cool_down === undefined) {
    const down = changed(supervision, id, { phase: "down" });
    const give_up_reason = fatalReason(child, exit.reason);
    const given_up = { ...down, mode: "giving_up", give_up_reason, is_fatal: true } as const;
    return { supervision: allDown(given_up), verdict: "gives_up" };
  }
  if (restart === "temporary" || (restart === "transient" && !is_crash)) {
    const verdict = is_crash ? "failed" : "finished";
    const goal = restart === "temporary" ? "down" : "up";
    return { supervision: changed(supervision, id, { phase: verdict, goal }), verdict };
  }

  if (cool_down !== undefined) {
    const cool_down_ms = nextCoolDown(child, cool_down, ended.now_ms);
    const cooling = changed(supervision, id, { phase: "cooling", cool_down_ms });
    return { supervision: withDependents(cooling, id), verdict: "cools_down" };
  }

  const down = changed(supervision, id, { phase: "down" });
  const restarts_ms = withinWindow(supervision, ended.now_ms).concat(ended.now_ms);
  if (restarts_ms.length > supervision.restarts_max) {
    const give_up_reason = giveUpReason(supervision, id, exit);
    const given_up = { ...down, restarts_ms, mode: "giving_up", give_up_reason } as const;
    return { supervision: allDown(given_up), verdict: "gives_up" };
  }
  return { supervision: withDependents({ ...down, restarts_ms }, id), verdict: "restarts" };
}

/** Counted restarts that are still in the window. */
export function withinWindow(
  { restarts_ms, window_ms }: Pick<Supervision, "restarts_ms" | "window_ms">,
  now_ms: number,
): readonly number[] {
  return restarts_ms.filter((at_ms) => at_ms > now_ms - window_ms);
}

/** The child's own name is said once: a supervisor passes on what it was told. */
function fatalReason({ spec }: Child, reason: string): string {
  return spec.supervisor === undefined ? `"${spec.id}" cannot go on: ${reason}` : reason;
}

function giveUpReason({ restarts_max, window_ms }: Supervision, id: string, exit: Exit): string {
  const reason = exit.kind === "normal" ? "it ended normally but is permanent" : exit.reason;
  const limit = `${restarts_max} restarts in ${window_ms} ms`;
  return `"${id}" needed more than ${limit}; the last: ${reason}`;
}

function nextCoolDown(
  { up_since_ms, cool_down_ms }: Child,
  { first_ms, max_ms }: { readonly first_ms: number; readonly max_ms: number },
  now_ms: number,
): number {
  const has_recovered = up_since_ms !== null && now_ms - up_since_ms >= max_ms;
  if (cool_down_ms === 0 || has_recovered) return first_ms;
  return Math.min(2 * cool_down_ms, max_ms);
}

/** The child was told to end, and has. */
function stopped(supervision: Supervision, { spec, goal }: Child): Supervision {
  if (goal === "gone") {
    const children = supervision.children.filter((child) => child.spec.id !== spec.id);
    return { ...supervision, children };
  }
  return changed(supervision, spec.id, { phase: "down", goal: goal === "again" ? "up" : "down" });
}

/**
 * Siblings that depend on child `id`, by the strategy, go down and come back. A transient sibling
 * that has finished comes back too, as what it did may be lost with what it depended on; a
 * temporary one goes down for good.
 */
function withDependents(supervision: Supervision, id: string): Supervision {
  const { children, strategy } = supervision;
  if (strategy === "one_for_one") return supervision;
  const first = strategy === "one_for_all" ? 0 : children.findIndex(({ spec }) => spec.id === id);
  return {
    ...supervision,
    children: children.map((child, index) => {
      if (index < first || child.spec.id === id || child.goal !== "up") return child;
      if (child.phase === "finished") return { ...child, phase: "down" };
      if (!isRunning(child)) return child;
      return { ...child, goal: child.spec.restart === "temporary" ? "down" : "again" };
    }),
  };
}

/** The supervisor was told to stop: every child goes down. */
export function stopAll(supervision: Supervision): Supervision {
  return allDown({ ...supervision, mode: "stopping" });
}

function allDown(supervision: Supervision): Supervision {
  const children = supervision.children.map((child): Child => {
    const phase = child.phase === "cooling" ? "down" : child.phase;
    return { ...child, phase, goal: "down" };
  });
  return { ...supervision, children };
}

/** Adds a child after the others. One that is already there stays as it is. */
export function addChild(supervision: Supervision, spec: ChildSpec): Supervision {
  if (supervision.mode !== "running" || childOf(supervision, spec.id)) return supervision;
  return { ...supervision, children: [...supervision.children, createChild(spec)] };
}

/** Stops a child and forgets it. */
export function removeChild(supervision: Supervision, id: string): Supervision {
  const child = childOf(supervision, id);
  if (supervision.mode !== "running" || child === undefined) return supervision;
  if (isRunning(child)) return changed(supervision, id, { goal: "gone" });
  return stopped(supervision, { ...child, goal: "gone" });
}

/** Restarts a child and those that depend on it, by hand: it is not counted. */
export function restartChild(supervision: Supervision, id: string): Supervision {
  const child = childOf(supervision, id);
  if (supervision.mode !== "running" || child === undefined || child.goal === "gone") {
    return supervision;
  }
  if (!isRunning(child)) return startChild(supervision, id);
  return withDependents(changed(supervision, id, { goal: "again" }), id);
}

/** Stops one child by hand, and nobody else, as OTP's `terminate_child`. */
export function stopChild(supervision: Supervision, id: string): Supervision {
  const child = childOf(supervision, id);
  if (supervision.mode !== "running" || child === undefined || child.goal === "gone") {
    return supervision;
  }
  return changed(supervision, id, { goal: "down", phase: isRunning(child) ? child.phase : "down" });
}

/** Starts a child that is down, at once if it is cooling down. A running one stays as it is. */
export function startChild(supervision: Supervision, id: string): Supervision {
  const child = childOf(supervision, id);
  if (supervision.mode !== "running" || child === undefined || child.goal === "gone") {
    return supervision;
  }
  if (!isRunning(child)) return changed(supervision, id, { phase: "down", goal: "up" });
  return child.goal === "down" ? changed(supervision, id, { goal: "again" }) : supervision;
}

/** The child of that id. */
export function childOf(supervision: Supervision, id: string): Child | undefined {
  return supervision.children.find(({ spec }) => spec.id === id);
}

function changed(supervision: Supervision, id: string, change: Partial<Child>): Supervision {
  const children = supervision.children.map((child) =>
    child.spec.id === id ? { ...child, ...change } : child,
  );
  return { ...supervision, children };
}

/** Longest delay of a timer: 2^31-1 ms, about 24 days. */
const timer_ms_max = 2 ** 31 - 1;

function validateSupervisor({ children, restarts_max, window_ms }: SupervisorSpec): void {
  if (!Number.isSafeInteger(restarts_max) || restarts_max < 0) {
    throw wrong("supervise", "restarts_max", restarts_max, "an integer from 0");
  }
  if (!(window_ms > 0)) throw wrong("supervise", "window_ms", window_ms, "above 0");
  const ids = children.map(({ id }) => id);
  for (const [index, id] of ids.entries()) {
    if (id === "") throw new TypeError("Cannot supervise a child without an id");
    if (ids.indexOf(id) !== index) throw new TypeError(`Cannot supervise two children "${id}"`);
  }
  for (const child of children) validateChild(child);
}

/**
 * Checks one child's times.
 *
 * @throws {RangeError} naming the child, the field, its value and what is allowed.
 */
export function validateChild({ id, start_ms_max, shutdown_ms, cool_down }: ChildSpec): void {
  const subject = `supervise "${id}"`;
  const timer = `a time from 0 to ${timer_ms_max} ms, or Infinity`;
  for (const [name, value] of Object.entries({ start_ms_max, shutdown_ms })) {
    if (value >= 0 && (value <= timer_ms_max || value === Number.POSITIVE_INFINITY)) continue;
    throw wrong(subject, name, value, timer);
  }
  if (cool_down === undefined) return;
  const { first_ms, max_ms } = cool_down;
  if (first_ms > 0 && first_ms <= max_ms && max_ms <= timer_ms_max) return;
  throw wrong(subject, "cool_down", `${first_ms} to ${max_ms}`, "0 < first_ms <= max_ms");
}

function wrong(subject: string, name: string, value: number | string, allowed: string) {
  return new RangeError(`Cannot ${subject} as '${name}' must be ${allowed}: it is ${value}`);
}
