/**
 * The backfiller of one exchange: the control plane of its REST. It asks for one page at a time,
 * within the exchange's budget, and gives the trades that are missing to their normalizers.
 *
 * ```
 * deciding -> working    there is something to do, and room for it -> deciding
 *          -> waiting    idle, waiting_for_budget, blocked, retrying, refused -> deciding
 *          -> paused     the buffers are full -> deciding, when there is room
 * any      -> stopped
 * ```
 *
 * What is missing is known by plain objects that cannot call, so it looks every half second, and at
 * once when a connection wants a probe. What the exchange or the network does to a request is an
 * operating error, tried again for ever; a restart means that code met what it did not expect.
 *
 * @module
 */

import { assign, type EventObject, fromCallback, fromPromise, setup } from "xstate";
import type { Probe, Stop } from "../messages.ts";
import {
  addProbe,
  type Backfill,
  type BackfillerInput,
  type Decision,
  decide,
  startBackfill,
} from "./backfiller_context.ts";
import type { Task } from "./plan.ts";
import { work } from "./work.ts";

export type { BackfillerInput } from "./backfiller_context.ts";

/** What a backfiller is told: the buffers are full, there is room again, probe, or stop. */
type BackfillerEvent =
  | { readonly type: "pressure.raised" }
  | { readonly type: "pressure.released" }
  | Probe
  | Stop;

interface BackfillerContext {
  readonly backfill: Backfill;
  readonly decision: Decision;
  readonly is_pressed: boolean;
}

/** Hears for as long as the machine lives whether the buffers are full. */
const pressure = fromCallback<EventObject, BackfillerInput>(({ input, sendBack }) =>
  input.onPressure({
    full: () => sendBack({ type: "pressure.raised" } satisfies BackfillerEvent),
    relieved: () => sendBack({ type: "pressure.released" } satisfies BackfillerEvent),
  }),
);

/** Ends the session when the incarnation ends, however it does. */
const session = fromCallback<EventObject, Backfill>(({ input: backfill, sendBack }) => {
  const { signal } = backfill.input.incarnation;
  const abort = () => sendBack({ type: "stop" } satisfies BackfillerEvent);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  return () => {
    signal.removeEventListener("abort", abort);
    backfill.endSession("the backfiller ended");
  };
});

const worker = fromPromise<void, { readonly task: Task; readonly backfill: Backfill }>(
  async ({ input, signal, system }) => {
    const { backfill, task } = input;
    const ended = backfill.input.incarnation.signal;
    const controller = new AbortController();
    const abort = () => controller.abort();
    if (ended.aborted) abort();
    signal.addEventListener("abort", abort);
    ended.addEventListener("abort", abort);
    try {
      await work(task, { backfill, neighbors: system, signal: controller.signal });
    } finally {
      signal.removeEventListener("abort", abort);
      ended.removeEventListener("abort", abort);
    }
  },
);

const machine = setup({
  types: {
    context: {} as BackfillerContext,
    events: {} as BackfillerEvent,
    input: {} as BackfillerInput,
  },
  actors: { pressure, session, worker },
  delays: {
    wait_ms: ({ context: { decision } }) => (decision.kind === "wait" ? decision.wait_ms : 0),
  },
  guards: {
    isPressed: ({ context }) => context.is_pressed,
    hasTask: ({ context }) => context.decision.kind === "work",
  },
  actions: {
    serve: ({ context }) => context.backfill.input.incarnation.ready(),
    show: ({ context }, state: string) => {
      context.backfill.input.incarnation.report.state = state;
    },
    showWaiting: ({ context: { backfill, decision } }) => {
      backfill.input.incarnation.report.state = decision.kind === "wait" ? decision.state : "idle";
    },
    decide: assign(({ context }) => ({ decision: decide(context.backfill) })),
    addProbe: ({ context, event }) => {
      if (event.type === "probe") addProbe(context.backfill, event);
    },
    raisePressure: assign({ is_pressed: true }),
    releasePressure: assign({ is_pressed: false }),
  },
});

/** Actor logic of one exchange's backfiller. Its input is {@linkcode BackfillerInput}. */
export const backfiller = machine.createMachine({
  id: "backfiller",
  context: ({ input }) => ({
    backfill: startBackfill(input),
    decision: { kind: "wait", state: "idle", wait_ms: 0 },
    is_pressed: false,
  }),
  entry: "serve",
  invoke: [
    { src: "pressure", input: ({ context }) => context.backfill.input },
    { src: "session", input: ({ context }) => context.backfill },
  ],
  initial: "deciding",
  on: {
    stop: ".stopped",
    probe: { actions: "addProbe" },
    "pressure.raised": { actions: "raisePressure" },
    "pressure.released": { actions: "releasePressure" },
  },
  states: {
    deciding: {
      entry: "decide",
      always: [
        { guard: "isPressed", target: "paused" },
        { guard: "hasTask", target: "working" },
        { target: "waiting" },
      ],
    },
    working: {
      entry: { type: "show", params: "fetching" },
      invoke: {
        src: "worker",
        input: ({ context: { backfill, decision } }) => {
          if (decision.kind === "work") return { backfill, task: decision.task };
          throw new Error("Cannot work: nothing was decided");
        },
        onDone: "deciding",
        onError: {
          actions: ({ event }) => {
            throw event.error;
          },
        },
      },
    },
    waiting: {
      entry: "showWaiting",
      after: { wait_ms: "deciding" },
      on: {
        probe: { target: "deciding", actions: "addProbe" },
        "pressure.raised": { target: "paused", actions: "raisePressure" },
      },
    },
    paused: {
      entry: { type: "show", params: "paused" },
      on: { "pressure.released": { target: "deciding", actions: "releasePressure" } },
    },
    stopped: { type: "final", entry: { type: "show", params: "stopped" } },
  },
});
