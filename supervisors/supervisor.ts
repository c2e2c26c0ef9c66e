/**
 * A supervisor starts children, watches them, and starts them again when they crash, as in
 * Erlang/OTP. Supervisors supervise supervisors: the program is a tree whose leaves do the work
 * and may therefore be written without a thought for what they cannot foresee.
 *
 * ```ts
 * const tree = startTree(
 *   {
 *     id: "shop",
 *     strategy: "rest_for_one",
 *     restarts_max: 3,
 *     window_ms: 60_000,
 *     children: [
 *       { id: "store", kind: "worker", logic: store, input: (incarnation) => ({ incarnation }),
 *         restart: "permanent", start_ms_max: 1_000, shutdown_ms: 5_000 },
 *       supervisorChild({ id: "clerks", strategy: "one_for_one", children: [...],
 *         restarts_max: 10, window_ms: 60_000 }),
 *     ],
 *   },
 *   { now_ms: Date.now },
 * );
 * ```
 *
 * If `store` throws in a step, its incarnation is over: its signal aborts, its actor is stopped.
 * `clerks` depends on it, because it comes later under `rest_for_one`, so it is told to stop; then
 * `store` starts, and once it calls `ready()`, `clerks`. A fourth crash within a minute is one too
 * many: the supervisor stops its children, last first, and crashes itself, so that its own
 * supervisor decides. A root that gives up says why in `tree.gave_up`.
 *
 * **Children.** A child is an actor whose input holds its `Incarnation`. It calls `ready()` when it
 * serves. It crashes by throwing in a step or, from timers, streams and processes, which no actor
 * sees, by `exit({ kind: "crash", reason })`. Told to `stop`, it finishes what it holds and ends:
 * final state, or `exit({ kind: "normal" })`. When its signal aborts it lets go of everything at
 * once; xstate does not stop the children of an actor that throws (statelyai/xstate#5153).
 *
 * **No restart can help.** `exit({ kind: "fatal", reason })`, or a `FatalError` thrown in a step,
 * is not tried again: the supervisor gives up at once, and so does each above it. A child with
 * `cool_down` keeps even that to itself.
 *
 * **Order.** Children start in order, each when the one before it is ready, and stop in reverse,
 * each when the one after it has ended or was killed at its deadline.
 *
 * **Options.** Each child: `restart`, `start_ms_max`, `shutdown_ms`, `cool_down`; each supervisor:
 * `strategy`, `restarts_max` in `window_ms`. Their types say what they mean. A nested supervisor is
 * by default `permanent` and has no time limit of its own, as its children have theirs.
 *
 * **Cool-down.** A child with `cool_down` never uses up its supervisor's restarts: it pauses after
 * a crash, and its siblings go on. It is for children whose bad day must not become everyone's.
 *
 * **By hand.** `restart_child`, `stop_child`, `start_child`, `add_child`, `remove_child` are events
 * of a running supervisor, found by its system id, which is its path; none counts as a restart.
 * Adding a child that is already there, or removing one that is not, changes nothing.
 *
 * Reconnecting is not restarting: an operating error (a dropped socket, a broker away) is retried
 * by the actor that meets it. A restart means that code met something it did not expect.
 *
 * @module
 */

import {
  type Actor,
  type ActorOptions,
  type AnyActorLogic,
  type AnyActorRef,
  createActor,
  type DoneActorEvent,
  type ErrorActorEvent,
  enqueueActions,
  setup,
} from "xstate";
import type { Exit, Stop } from "../actors/messages.ts";
import { crashOf, FatalError, reasonOf } from "../actors/settings/exit.ts";
import type { Command } from "../actors/status/access.ts";
import type { StatusNode } from "../actors/status/node.ts";
import type { ChildIncarnation, ChildSpec, Supervision, SupervisorSpec } from "./restart_plan.ts";
import * as plan from "./restart_plan.ts";
import type { TreeNode } from "./status_tree.ts";
import * as status from "./status_tree.ts";

export type {
  ChildExit,
  ChildIncarnation,
  ChildSpec,
  Strategy,
  SupervisorSpec,
} from "./restart_plan.ts";

/** What a supervisor is started with. */
interface SupervisorInput {
  readonly spec: SupervisorSpec;
  readonly incarnation: ChildIncarnation;
}

interface SupervisorContext {
  readonly incarnation: ChildIncarnation;
  readonly supervision: Supervision;
  /** By child id: ends the child's incarnation that is alive. */
  readonly controllers: ReadonlyMap<string, AbortController>;
}

/** `number` is the incarnation meant: an event about an earlier one is ignored. */
interface AboutChild {
  readonly id: string;
  readonly number: number;
}

/** What a supervisor is told: commands by name, news about its children with a dot. */
type SupervisorEvent =
  | Stop
  | { readonly type: "add_child"; readonly spec: ChildSpec }
  | { readonly type: "remove_child"; readonly id: string }
  | { readonly type: "restart_child"; readonly id: string }
  | { readonly type: "stop_child"; readonly id: string }
  | { readonly type: "start_child"; readonly id: string }
  | ({ readonly type: "child.ready" } & AboutChild)
  | ({ readonly type: "child.ended"; readonly exit: Exit } & AboutChild)
  | ({ readonly type: "child.timed_out"; readonly phase: plan.Phase } & AboutChild)
  | { readonly type: "settled" }
  | ErrorActorEvent
  | DoneActorEvent;

/** What a turn does to the outside, in order. */
type Effect =
  | {
      readonly kind: "spawn";
      readonly actor_id: string;
      readonly system_id: string;
      readonly logic: AnyActorLogic;
      readonly input: unknown;
    }
  | { readonly kind: "ask_to_stop"; readonly actor_id: string }
  | {
      readonly kind: "release";
      readonly actor_id: string;
      readonly controller: AbortController;
    }
  | {
      readonly kind: "set_timer";
      readonly id: string;
      readonly delay_ms: number;
      readonly event: SupervisorEvent & { readonly type: "child.timed_out" };
    }
  | { readonly kind: "clear_timer"; readonly id: string };

/** One event being dealt with: what has become of the supervision, and what is to be done. */
interface Turn {
  readonly incarnation: ChildIncarnation;
  readonly controllers: Map<string, AbortController>;
  readonly effects: Effect[];
  readonly holderOf: (system_id: string) => AnyActorRef | undefined;
  readonly send: (event: SupervisorEvent) => void;
  supervision: Supervision;
}

const turn = { actions: "turn" } as const;

/**
 * Actor logic of one supervisor. Its input is {@linkcode SupervisorInput}; trees are made of
 * {@linkcode supervisorChild} and started by {@linkcode startTree}.
 */
const supervisorMachine = setup({
  types: {
    context: {} as SupervisorContext,
    events: {} as SupervisorEvent,
    input: {} as SupervisorInput,
  },
  // Children are data, so their logic is known only at run time.
  actors: {} as Record<string, AnyActorLogic>,
  actions: {
    turn: enqueueActions(({ context, event, enqueue, self, system }) => {
      const turn: Turn = {
        ...context,
        controllers: new Map(context.controllers),
        effects: [],
        holderOf: (system_id) => system.get(system_id),
        send: (next) => self.send(next),
      };
      react(turn, event);
      settle(turn);
      for (const effect of turn.effects) {
        if (effect.kind === "spawn") {
          const { actor_id: id, system_id: systemId, logic, input } = effect;
          enqueue.spawnChild(logic, { id, systemId, input: () => input });
        } else if (effect.kind === "ask_to_stop") {
          enqueue.sendTo(effect.actor_id, { type: "stop" });
        } else if (effect.kind === "release") {
          enqueue(() => effect.controller.abort());
          enqueue.stopChild(effect.actor_id);
        } else if (effect.kind === "set_timer") {
          enqueue.raise(effect.event, { id: effect.id, delay: effect.delay_ms });
        } else {
          enqueue.cancel(effect.id);
        }
      }
      enqueue.assign({ supervision: turn.supervision, controllers: turn.controllers });
      // An event, not a transition: throwing in this step would cancel the stops queued above.
      if (plan.isOver(turn.supervision)) enqueue.sendTo(self, { type: "settled" });
    }),
    crash: ({ context }) => {
      const { give_up_reason, is_fatal } = context.supervision;
      const reason = give_up_reason ?? "Cannot go on";
      throw is_fatal ? new FatalError(reason) : new Error(reason);
    },
  },
  guards: {
    isStopping: ({ context }) => context.supervision.mode === "stopping",
  },
}).createMachine({
  id: "supervisor",
  context: ({ input: { spec, incarnation } }) => ({
    incarnation,
    supervision: plan.createSupervision(spec),
    controllers: new Map(),
  }),
  entry: "turn",
  initial: "supervising",
  states: {
    supervising: {
      on: {
        stop: turn,
        add_child: turn,
        remove_child: turn,
        restart_child: turn,
        stop_child: turn,
        start_child: turn,
        "child.ready": turn,
        "child.ended": turn,
        "child.timed_out": turn,
        "xstate.error.actor.*": turn,
        "xstate.done.actor.*": turn,
        settled: [{ guard: "isStopping", target: "stopped" }, { actions: "crash" }],
      },
    },
    stopped: { type: "final" },
  },
});

/** Changes what is wanted, as the event says. */
function react(turn: Turn, event: SupervisorEvent): void {
  const { supervision, incarnation } = turn;
  switch (event.type) {
    case "stop":
      turn.supervision = plan.stopAll(supervision);
      return;
    case "add_child":
      add(turn, event.spec);
      return;
    case "remove_child":
      turn.supervision = plan.removeChild(supervision, event.id);
      return;
    case "restart_child":
      turn.supervision = plan.restartChild(supervision, event.id);
      return;
    case "stop_child":
      turn.supervision = plan.stopChild(supervision, event.id);
      return;
    case "start_child":
      turn.supervision = plan.startChild(supervision, event.id);
      return;
    case "child.ready":
      if (current(turn, event)?.phase !== "starting") return;
      turn.effects.push({ kind: "clear_timer", id: timerId(event.id) });
      turn.supervision = plan.childReady(supervision, event.id, incarnation.tree.now_ms());
      return;
    case "child.ended":
      if (current(turn, event)) end(turn, event.id, event.exit);
      return;
    case "child.timed_out":
      if (current(turn, event)?.phase === event.phase) timeOut(turn, event.id);
      return;
    default:
      reactToActor(turn, event);
  }
}

/** An actor has reached its end (final state, resolved promise) or thrown. */
function reactToActor(turn: Turn, event: SupervisorEvent): void {
  const match = /^xstate\.(done|error)\.actor\.(\d+)#(.*)$/s.exec(event.type);
  const id = match?.[3];
  if (id === undefined || !current(turn, { id, number: Number(match?.[2]) })) return;
  const is_error = match?.[1] === "error" && "error" in event;
  end(turn, id, is_error ? crashOf(event.error) : { kind: "normal" });
}

/** The child that an event is about, if it is about the incarnation that we have now. */
function current(turn: Turn, { id, number }: AboutChild): plan.Child | undefined {
  const child = plan.childOf(turn.supervision, id);
  return child?.incarnation === number ? child : undefined;
}

/** Takes every step that can be taken now, then tells what it has come to. */
function settle(turn: Turn): void {
  const { incarnation } = turn;
  let step = plan.nextStep(turn.supervision);
  while (step !== null) {
    if (step.kind === "start") start(turn, step);
    else stop(turn, step);
    step = plan.nextStep(turn.supervision);
  }
  showFacts(turn);
  if (plan.isServing(turn.supervision)) incarnation.ready();
}

function start(turn: Turn, step: plan.Step): void {
  turn.supervision = plan.stepTaken(turn.supervision, step);
  const { id } = step.child.spec;
  const child = plan.childOf(turn.supervision, id);
  if (child === undefined) return;
  const { spec } = child;
  const controller = new AbortController();
  const { signal } = turn.incarnation;
  if (signal.aborted) controller.abort();
  // The listener goes with the incarnation, so that a long-lived supervisor collects none.
  signal.addEventListener("abort", () => controller.abort(), { signal: controller.signal });
  turn.controllers.set(id, controller);
  turn.effects.push({ kind: "clear_timer", id: timerId(id) });
  setTimer(turn, child, spec.start_ms_max);
  // A child that was removed is there again with the next incarnation of its supervisor.
  growNode(turn.incarnation.node, spec, turn.incarnation.tree.now_ms());
  try {
    const incarnation = createIncarnation(turn, child, controller.signal);
    const { system_id } = incarnation.node;
    if (isTaken(turn, system_id)) throw new Error(`the system id "${system_id}" is taken`);
    const input = spec.input(incarnation);
    const actor_id = actorId(child);
    turn.effects.push({ kind: "spawn", actor_id, system_id, logic: spec.logic, input });
  } catch (error) {
    const { kind, reason } = crashOf(error);
    end(turn, id, { kind, reason: `it failed to start: ${reason}` });
  }
}

function stop(turn: Turn, step: plan.Step): void {
  turn.supervision = plan.stepTaken(turn.supervision, step);
  const { id } = step.child.spec;
  const child = plan.childOf(turn.supervision, id);
  if (child === undefined) return;
  const { shutdown_ms } = child.spec;
  turn.effects.push({ kind: "clear_timer", id: timerId(id) });
  if (shutdown_ms === 0) {
    end(turn, id, { kind: "crash", reason: "killed" });
    return;
  }
  turn.effects.push({ kind: "ask_to_stop", actor_id: actorId(child) });
  setTimer(turn, child, shutdown_ms);
}

/** Lets go of the incarnation that has ended or has to, and decides what comes of it. */
function end(turn: Turn, id: string, exit: Exit): void {
  const child = plan.childOf(turn.supervision, id);
  const controller = turn.controllers.get(id);
  if (child === undefined || controller === undefined) return;
  turn.controllers.delete(id);
  turn.effects.push({ kind: "clear_timer", id: timerId(id) });
  const { tree, node } = turn.incarnation;
  const child_node = node.children.find((sibling) => sibling.id === id);
  turn.effects.push({ kind: "release", actor_id: actorId(child), controller });

  const now_ms = tree.now_ms();
  const { supervision, verdict } = plan.childEnded(turn.supervision, id, { exit, now_ms });
  turn.supervision = supervision;
  const cooling = plan.childOf(supervision, id);
  if (cooling?.phase === "cooling") setTimer(turn, cooling, cooling.cool_down_ms);

  const normal = verdict === "stopped" ? "stopped" : "normal";
  const reason = exit.kind === "normal" ? normal : exit.reason;
  if (child_node === undefined) return;
  status.noteExit(child_node, reason, now_ms);
  countRestart(turn, child_node, { verdict, now_ms });
  tree.notify({ path: child_node.path, reason, verdict });
}

/** Whether another actor would hold that system id when this turn's effects come to it. */
function isTaken({ effects, holderOf }: Turn, system_id: string): boolean {
  if (effects.some((effect) => effect.kind === "spawn" && effect.system_id === system_id)) {
    return true;
  }
  const holder = holderOf(system_id);
  if (holder === undefined) return false;
  return !effects.some((effect) => effect.kind === "release" && effect.actor_id === holder.id);
}

/** The deadline of the child's phase has passed. */
function timeOut(turn: Turn, id: string): void {
  const child = plan.childOf(turn.supervision, id);
  if (child?.phase === "cooling") turn.supervision = plan.childCooled(turn.supervision, id);
  if (child?.phase === "starting") {
    end(turn, id, { kind: "crash", reason: `not ready within ${child.spec.start_ms_max} ms` });
  }
  if (child?.phase === "stopping") {
    end(turn, id, {
      kind: "crash",
      reason: `killed: it had not stopped within ${child.spec.shutdown_ms} ms`,
    });
  }
}

function add(turn: Turn, spec: ChildSpec): void {
  const { node, tree } = turn.incarnation;
  const before = turn.supervision;
  try {
    plan.validateChild(spec);
  } catch (error) {
    const path = `${node.path}/${spec.id}`;
    tree.notify({ path, reason: reasonOf(error), verdict: "failed" });
    return;
  }
  turn.supervision = plan.addChild(before, spec);
  if (turn.supervision !== before) growNode(node, spec, tree.now_ms());
}

/** A child has one timer at a time: each phase has at most one deadline. */
function setTimer(turn: Turn, child: plan.Child, delay_ms: number): void {
  if (delay_ms === Number.POSITIVE_INFINITY) return;
  const { spec, incarnation, phase } = child;
  const event = { type: "child.timed_out", id: spec.id, number: incarnation, phase } as const;
  turn.effects.push({ kind: "set_timer", id: timerId(spec.id), delay_ms, event });
}

function timerId(id: string): string {
  return `timer#${id}`;
}

/** Each incarnation has an actor id of its own, so that nothing it sends late is taken for news. */
function actorId({ spec, incarnation }: plan.Child): string {
  return `${incarnation}#${spec.id}`;
}

function createIncarnation(
  { incarnation: { node, tree }, send }: Turn,
  { spec: { id }, incarnation: number }: plan.Child,
  signal: AbortSignal,
): ChildIncarnation {
  const child_node = node.children.find((child) => child.id === id);
  if (child_node === undefined) throw new Error(`"${id}" has no place in the status tree`);
  const tell = (event: SupervisorEvent) => {
    if (!signal.aborted) send(event);
  };
  return {
    path: child_node.path,
    node: child_node,
    tree,
    signal,
    report: status.createReport(child_node, { signal, now_ms: tree.now_ms }),
    ready: () => tell({ type: "child.ready", id, number }),
    exit: (exit) => tell({ type: "child.ended", id, number, exit }),
  };
}

/** Puts a child, and what it supervises, into the status tree, unless it stands there already. */
function growNode(parent: TreeNode, spec: ChildSpec, now_ms: number): void {
  const { id, kind, restart, supervisor } = spec;
  const path = `${parent.path}/${id}`;
  const identity: status.TreeNodeIdentity = {
    id,
    path,
    system_id: spec.system_id ?? path,
    kind,
    restart,
    strategy: supervisor?.strategy ?? null,
    restarts_max: supervisor?.restarts_max ?? parent.restarts_max,
    window_ms: supervisor?.window_ms ?? parent.window_ms,
  };
  const known = parent.children.find((child) => child.id === id);
  const node = known ?? status.createTreeNode(identity, now_ms);
  if (known === undefined) parent.children.push(node);
  for (const child of supervisor?.children ?? []) growNode(node, child, now_ms);
}

/** A restart is counted where it is decided, and shown where it is looked for. */
function countRestart(
  { supervision, incarnation: { node } }: Turn,
  child: TreeNode,
  { verdict, now_ms }: { readonly verdict: plan.Verdict; readonly now_ms: number },
): void {
  if (verdict !== "restarts" && verdict !== "cools_down") return;
  node.restarts_total += 1;
  node.restarts_ms = supervision.restarts_ms;
  // A nested supervisor's node counts the restarts of its own children.
  if (child.kind === "supervisor") return;
  child.restarts_total += 1;
  if (verdict !== "restarts") return;
  const { window_ms } = supervision;
  child.restarts_ms = [...plan.withinWindow({ ...child, window_ms }, now_ms), now_ms];
}

function showFacts({ supervision, incarnation: { node, tree } }: Turn): void {
  const now_ms = tree.now_ms();
  const { children } = supervision;
  const nodes = new Map(node.children.map((child) => [child.id, child]));
  node.children = children.flatMap(({ spec }) => nodes.get(spec.id) ?? []);
  for (const child of children) {
    const child_node = nodes.get(child.spec.id);
    if (child_node === undefined) continue;
    status.noteFact(child_node, factOf(child), now_ms);
    showNextStart(child_node, child, now_ms);
  }
}

function factOf({ phase, goal }: plan.Child): status.Fact {
  if (phase === "up") return "serving";
  if (phase === "cooling") return "failed";
  if (phase === "down") return goal === "up" ? "pending" : "stopped";
  return phase;
}

function showNextStart({ figures, last_exit }: TreeNode, child: plan.Child, now_ms: number): void {
  if (child.phase !== "cooling") {
    delete figures.next_start_at;
    return;
  }
  const at_ms = (last_exit?.at_ms ?? now_ms) + child.cool_down_ms;
  figures.next_start_at = new Date(at_ms).toISOString();
}

/** A nested supervisor as a child, so that a whole tree is plain data. */
interface NestedSupervisor extends SupervisorSpec {
  readonly id: string;
  readonly system_id?: string;
  /** Default: `permanent`. */
  readonly restart?: plan.Restart;
  /** Default: Infinity, as its children have limits of their own. */
  readonly start_ms_max?: number;
  /** Default: Infinity, as its children have deadlines of their own. */
  readonly shutdown_ms?: number;
  readonly cool_down?: { readonly first_ms: number; readonly max_ms: number };
}

/**
 * Makes a nested supervisor a child.
 *
 * @throws {TypeError|RangeError} if the spec contradicts itself.
 */
export function supervisorChild(nested: NestedSupervisor): ChildSpec {
  const { id, system_id, restart, start_ms_max, shutdown_ms, cool_down, ...supervisor } = nested;
  plan.createSupervision(supervisor);
  return {
    id,
    ...(system_id === undefined ? {} : { system_id }),
    kind: "supervisor",
    logic: supervisorMachine,
    input: (incarnation): SupervisorInput => ({ spec: supervisor, incarnation }),
    restart: restart ?? "permanent",
    start_ms_max: start_ms_max ?? Number.POSITIVE_INFINITY,
    shutdown_ms: shutdown_ms ?? Number.POSITIVE_INFINITY,
    ...(cool_down === undefined ? {} : { cool_down }),
    supervisor,
  };
}

/** A tree that runs. */
export interface Tree {
  /** The whole tree, as `GET /status` shows it. */
  node(): StatusNode;
  /** Stops every child, last first; resolves when all have ended. Again: the same promise. */
  stop(): Promise<void>;
  /** Resolves when every child of the root serves. */
  readonly ready: Promise<void>;
  /** Resolves with the reason if the root gives up; else never. */
  readonly gave_up: Promise<string>;
  /**
   * Restarts, stops or starts the child of that path by hand.
   *
   * @returns null once that is under way, else one sentence that says why not.
   */
  send(path: string, command: Command): Promise<string | null>;
  /** The root supervisor's actor: its system finds every other one. */
  readonly actor: Actor<typeof supervisorMachine>;
}

interface StartOptions {
  /** Drives every timer of the tree. Default: real time. */
  readonly clock?: NonNullable<ActorOptions<AnyActorLogic>["clock"]>;
  /** Wall clock, milliseconds since 1970. */
  readonly now_ms: () => number;
  /** When it aborts, the whole tree is killed at once. */
  readonly signal?: AbortSignal;
  /** Is told of every exit of every child. What it throws is lost. */
  readonly notify?: (exit: plan.ChildExit) => void;
}

/**
 * Starts a tree: the one way in.
 *
 * @param root The root supervisor; its id is the first part of every path.
 * @throws {TypeError|RangeError} if the spec contradicts itself.
 */
export function startTree(
  root: SupervisorSpec & { readonly id: string },
  options: StartOptions,
): Tree {
  plan.createSupervision(root);
  const { now_ms, notify, clock, signal } = options;
  const node = rootNode(root, now_ms());
  const controller = new AbortController();
  const ready = Promise.withResolvers<void>();
  const gave_up = Promise.withResolvers<string>();
  const ended = Promise.withResolvers<void>();
  const incarnation: ChildIncarnation = {
    path: root.id,
    node,
    tree: { now_ms, notify: quiet(notify ?? (() => {})) },
    signal: controller.signal,
    report: status.createReport(node, { signal: controller.signal, now_ms }),
    ready: () => {
      if (node.fact === "starting") status.noteFact(node, "serving", now_ms());
      ready.resolve();
    },
    exit: () => {},
  };
  const actor = createActor(supervisorMachine, {
    systemId: root.id,
    input: { spec: root, incarnation },
    ...(clock === undefined ? {} : { clock }),
  });
  function over(fact: status.Fact, reason: string): void {
    controller.abort();
    status.noteExit(node, reason, now_ms());
    status.noteFact(node, fact, now_ms());
    ended.resolve();
  }
  actor.subscribe({
    complete: () => over("stopped", "stopped"),
    error: (error) => {
      over("failed", reasonOf(error));
      gave_up.resolve(reasonOf(error));
    },
  });
  signal?.addEventListener("abort", () => {
    controller.abort();
    actor.stop();
  });
  status.noteFact(node, "starting", now_ms());
  actor.start();
  return {
    actor,
    ready: ready.promise,
    gave_up: gave_up.promise,
    node: () => status.statusNode(node, now_ms()),
    send: async (path, command) => sendByHand(actor, node, { path, command }),
    stop: () => {
      if (actor.getSnapshot().status === "active") status.noteFact(node, "stopping", now_ms());
      actor.send({ type: "stop" });
      return ended.promise;
    },
  };
}

function rootNode(root: SupervisorSpec & { readonly id: string }, now_ms: number): TreeNode {
  const { id, strategy, restarts_max, window_ms } = root;
  const identity = { id, path: id, system_id: id, strategy, restarts_max, window_ms };
  const node = status.createTreeNode({ ...identity, kind: "supervisor", restart: null }, now_ms);
  for (const child of root.children) growNode(node, child, now_ms);
  return node;
}

/** The log must not be able to bring a supervisor down. */
function quiet(notify: (exit: plan.ChildExit) => void): (exit: plan.ChildExit) => void {
  return (exit) => {
    try {
      notify(exit);
    } catch {
      // Nobody is left to tell.
    }
  };
}

function sendByHand(
  actor: Actor<typeof supervisorMachine>,
  root: TreeNode,
  { path, command }: { readonly path: string; readonly command: Command },
): string | null {
  const found = status.findNode(root, path);
  if (found === null) return `Cannot ${command} "${path}" as there is no such child`;
  const { node, parent } = found;
  if (parent === null) return `Cannot ${command} "${path}" as it is the root: end the process`;
  const supervisor: AnyActorRef | undefined = actor.system.get(parent.system_id);
  if (supervisor === undefined) {
    return `Cannot ${command} "${path}" as its supervisor is not running: current state is ${
      parent.fact
    }`;
  }
  supervisor.send({ type: `${command}_child`, id: node.id });
  return null;
}
