/**
 * One shard of an exchange's symbols: which socket it has, and when it gets another. What happens
 * on a socket is the session's (`session.ts`), and trades pass neither (`receiver.ts`).
 *
 * ```
 * waiting_for_instruments -> admitting -> connected
 *                                |  ^
 *                                v  |  when the budget of attempts has room
 *                       waiting_for_budget
 *
 * connected:  establishing -> holding -> rotating -> holding
 *   establishing   one session, which does not stream yet
 *   holding        one session, which streams
 *   rotating       the session is near its end, or the exchange announced it: a second one is
 *                  opened, and the first is closed once the second delivers; where the second
 *                  fails the first stays, where the first ends the second goes on
 *
 * connected -> waiting   a failure that passes     -> admitting, after the backoff
 * connected -> refused   one that a person ends    -> waiting_for_instruments, after five minutes
 * connected -> paused    the buffers are full      -> admitting, when there is room
 * any       -> stopped
 * ```
 *
 * Whatever the network and the exchange do is an operating error, retried here for ever; a restart
 * by the supervisor means that code met what it did not expect. There are never more than two
 * sessions. Time is the machine's clock and the clocks it is given, so that it runs in virtual
 * time.
 *
 * @module
 */

import {
  and,
  assign,
  type EventObject,
  enqueueActions,
  fromCallback,
  fromPromise,
  setup,
} from "xstate";
import { isoTime } from "../figures.ts";
import type { Probed, Stop } from "../messages.ts";
import {
  budgetMs,
  type ConnectionContext,
  refusedMs,
  retryMs,
  rotationMs,
  startingContext,
} from "./connection_context.ts";
import * as notes from "./connection_notes.ts";
import { type Failure, isTerminal, loadFailure, passing } from "./failure.ts";
import { type SessionReport, session } from "./session.ts";
import { hopelessFailure, type SessionInput } from "./session_context.ts";
import {
  announceHalted,
  announceRefused,
  type ConnectionInput,
  makeSession,
  retireSession,
  showPlanned,
  showSession,
} from "./shard.ts";
import { planSubscriptions, standing } from "./subscriptions.ts";

export type { ConnectionInput } from "./shard.ts";

/** What a connection is told: the buffers are full, there is room again, or stop. */
type ConnectionCommand =
  | { readonly type: "pressure.raised"; readonly reason: string }
  | { readonly type: "pressure.released" }
  | Stop;

type ConnectionEvent =
  | SessionReport
  | ConnectionCommand
  | Probed
  | { readonly type: "rotation.due" };

const announced_end = "the exchange announced the end";

const loadInstruments = fromPromise<void, ConnectionInput>(async ({ input }) => {
  await input.instruments.load(input.native_symbols);
});

/** Hears for as long as the machine lives whether the buffers are full. */
const pressure = fromCallback<EventObject, ConnectionInput>(({ input, sendBack }) =>
  input.onPressure({
    full: (reason) => sendBack({ type: "pressure.raised", reason } satisfies ConnectionCommand),
    relieved: () => sendBack({ type: "pressure.released" } satisfies ConnectionCommand),
  }),
);

const machine = setup({
  types: {
    context: {} as ConnectionContext,
    events: {} as ConnectionEvent,
    input: {} as ConnectionInput,
  },
  actors: { loadInstruments, pressure, session },
  delays: {
    /** An exchange that accepts us and then drops us is still failing, so success has to last. */
    healthy_ms_min: 30_000,
    retry_ms: ({ context }) => retryMs(context),
    refused_ms: ({ context }) => refusedMs(context),
    budget_ms: ({ context }) => budgetMs(context),
  },
  guards: {
    isPressed: ({ context }) => context.is_pressed,
    isHopeless: ({ context }) => standing(context.planned).is_hopeless,
    isTerminal: ({ context }) => isTerminal(context.failure, context.attempt),
    /** The first failure is followed at once, so that a server may end in peace. */
    isPatient: ({ context }) => context.attempt <= 1,
    isWithinBudget: ({ context }) => budgetMs(context) === 0,
    isOfCurrent: ({ context, event }) => isOf(event, context.current),
    isOfNext: ({ context, event }) => isOf(event, context.next),
    isRefused: ({ event }) => event.type === "session.ended" && event.how === "refused",
    isNextStreaming: ({ context }) => context.next?.state === "streaming",
  },
  actions: {
    serve: ({ context }) => context.shard.input.incarnation.ready(),
    show: ({ context }, state: string) => {
      context.shard.input.incarnation.report.state = state;
    },
    raisePressure: assign({ is_pressed: true }),
    releasePressure: assign({ is_pressed: false }),
    plan: assign(({ context }) => {
      const { adapter, instruments, native_symbols } = context.shard.input;
      return { planned: planSubscriptions(native_symbols, adapter, instruments) };
    }),
    showPlanned: ({ context: { planned, shard } }) => {
      showPlanned(shard, planned);
      announceRefused(shard, planned, null);
      announceHalted(shard);
    },
    openCurrent: enqueueActions(({ context, enqueue }) => {
      const { planned, shard } = context;
      if (shard.shown !== null) shard.figures.reconnects_total += 1;
      const current = makeSession(shard, planned);
      shard.figures.exchange_status = null;
      showSession(shard, current);
      enqueue.assign({ current });
      const input: SessionInput = { shard, session: current, planned, predecessor: null };
      enqueue.spawnChild("session", { id: current.connection_id, input });
    }),
    openNext: enqueueActions(({ context, enqueue }) => {
      const { current, planned, shard } = context;
      const next = makeSession(shard, planned);
      enqueue.assign({ next });
      const input: SessionInput = { shard, session: next, planned, predecessor: current };
      enqueue.spawnChild("session", { id: next.connection_id, input });
    }),
    closeNext: enqueueActions(({ context: { failure, next }, enqueue }) => {
      if (next === null) return;
      retireSession(next, failure?.reason ?? announced_end);
      enqueue.stopChild(next.connection_id);
      enqueue.assign({ next: null });
    }),
    /** The next session takes the place of the current one, which is closed if it is open still. */
    promote: enqueueActions(({ context: { current, next, shard }, enqueue }) => {
      if (current === null || next === null) return;
      retireSession(current, `replaced by ${next.connection_id}`);
      enqueue.stopChild(current.connection_id);
      shard.figures.rotations_total += 1;
      if (next.state !== "streaming") shard.figures.down_since ??= isoTime(shard.input.now_us());
      showSession(shard, next);
      enqueue.assign({ current: next, next: null });
    }),
    closeAll: enqueueActions(({ context: { current, next, shard }, enqueue, event }) => {
      const reason = event.type === "pressure.raised" ? event.reason : "stopped";
      for (const open of [current, next]) {
        if (open === null) continue;
        retireSession(open, reason);
        enqueue.stopChild(open.connection_id);
      }
      shard.figures.down_since ??= isoTime(shard.input.now_us());
      enqueue.assign({ current: null, next: null });
    }),
    scheduleRotation: enqueueActions(({ context, enqueue }) => {
      enqueue.cancel("rotation");
      const delay = rotationMs(context);
      if (delay !== null) enqueue.raise({ type: "rotation.due" }, { id: "rotation", delay });
    }),
    passProbed: enqueueActions(({ context: { current, next }, enqueue, event }) => {
      for (const open of [current, next]) {
        if (event.type === "symbol.probed" && open !== null) {
          enqueue.sendTo(open.connection_id, event);
        }
      }
    }),
    noteLost: ({ context, event }) => {
      if (event.type === "session.ended" && event.how === "lost") notes.noteLost(context);
    },
    noteStreaming: ({ context }) => {
      context.shard.figures.down_since = null;
      notes.noteStreaming(context);
    },
    noteRotated: ({ context }) => notes.noteRotated(context),
    noteNotRotated: ({ context }) => notes.noteNotRotated(context),
    noteHealthy: ({ context }) => notes.noteHealthy(context),
    noteBudget: ({ context: { shard } }) => {
      // A process that was started again does not know why, only for how long.
      shard.figures.last_error ??= "the exchange allows no connection attempt yet";
    },
    notePaused: ({ context, event }) => {
      if (event.type === "pressure.raised") notes.notePaused(context, event.reason);
    },
    remember: assign(({ context, event }, failure: Failure) => {
      const { figures, input } = context.shard;
      const attempt = context.attempt + 1;
      figures.attempt = attempt;
      figures.last_error = failure.reason;
      // What one socket is told holds for all sockets of this address.
      if (event.type === "session.ended" && failure.retry_after_ms !== null) {
        input.attempts.blockFor(failure.retry_after_ms);
      }
      return { attempt, failure };
    }),
    forgetFailures: assign(({ context }) => {
      context.shard.figures.attempt = 0;
      context.shard.figures.last_error = null;
      return { attempt: 0, failure: null };
    }),
    /** Takes over what decides the wait, without counting it as a failure. */
    rememberRefused: assign(({ context }, failure: Failure) => {
      context.shard.figures.last_error = failure.reason;
      return { failure };
    }),
  },
});

/** Actor logic of one connection. Its input is {@linkcode ConnectionInput}. */
export const connection = machine.createMachine({
  id: "connection",
  context: ({ input }) => startingContext(input),
  entry: "serve",
  invoke: { src: "pressure", input: ({ context }) => context.shard.input },
  initial: "waiting_for_instruments",
  on: {
    stop: ".stopped",
    "pressure.raised": { actions: "raisePressure" },
    "pressure.released": { actions: "releasePressure" },
  },
  states: {
    waiting_for_instruments: {
      entry: { type: "show", params: "waiting_for_instruments" },
      initial: "loading",
      states: {
        loading: {
          invoke: {
            src: "loadInstruments",
            input: ({ context }) => context.shard.input,
            onDone: "#connection.admitting",
            onError: {
              target: "pausing",
              actions: { type: "remember", params: ({ event }) => loadFailure(event.error) },
            },
          },
        },
        pausing: { after: { retry_ms: "loading" } },
      },
    },
    /** Decides at once whether a socket may be opened. */
    admitting: {
      entry: ["plan", "showPlanned"],
      always: [
        { guard: "isPressed", target: "paused" },
        {
          guard: "isHopeless",
          target: "failed",
          actions: {
            type: "rememberRefused",
            params: ({ context }) => hopelessFailure({ subscriptions: context.planned }),
          },
        },
        { guard: "isWithinBudget", target: "connected" },
        { target: "waiting_for_budget" },
      ],
    },
    waiting_for_budget: {
      entry: [{ type: "show", params: "waiting_for_budget" }, "noteBudget"],
      after: { budget_ms: "admitting" },
    },
    connected: {
      entry: "openCurrent",
      exit: "closeAll",
      on: {
        "session.ended": [
          {
            guard: and(["isOfCurrent", "isRefused"]),
            target: "failed",
            actions: { type: "rememberRefused", params: ({ event }) => event.failure },
          },
          {
            guard: "isOfCurrent",
            target: "failed",
            actions: [{ type: "remember", params: ({ event }) => event.failure }, "noteLost"],
          },
        ],
        "pressure.raised": { target: "paused", actions: ["raisePressure", "notePaused"] },
        "symbol.probed": { actions: "passProbed" },
      },
      initial: "establishing",
      states: {
        establishing: {
          on: {
            "session.streaming": {
              guard: "isOfCurrent",
              target: "holding",
              actions: "noteStreaming",
            },
            "session.closing": {
              guard: "isOfCurrent",
              target: "#connection.failed",
              actions: { type: "remember", params: passing(announced_end) },
            },
          },
        },
        holding: {
          entry: "scheduleRotation",
          after: { healthy_ms_min: { actions: ["noteHealthy", "forgetFailures"] } },
          on: {
            "rotation.due": "rotating",
            "session.closing": {
              guard: "isOfCurrent",
              target: "rotating",
              actions: { type: "remember", params: passing(announced_end) },
            },
          },
        },
        rotating: {
          initial: "deciding",
          states: {
            deciding: {
              always: [{ guard: "isPatient", target: "admitting" }, { target: "pausing" }],
            },
            admitting: {
              entry: "plan",
              always: { guard: "isWithinBudget", target: "opening" },
              after: { budget_ms: { target: "admitting", reenter: true } },
            },
            opening: {
              entry: "openNext",
              on: {
                "session.delivering": {
                  guard: "isOfNext",
                  target: "#connection.connected.holding",
                  actions: ["promote", "noteRotated"],
                },
                "session.closing": {
                  guard: "isOfNext",
                  target: "pausing",
                  actions: [
                    { type: "remember", params: passing(announced_end) },
                    "closeNext",
                    "noteNotRotated",
                  ],
                },
                "session.ended": [
                  {
                    guard: "isOfNext",
                    target: "pausing",
                    actions: [
                      { type: "remember", params: ({ event }) => event.failure },
                      "closeNext",
                      "noteNotRotated",
                    ],
                  },
                  {
                    guard: and(["isOfCurrent", "isNextStreaming"]),
                    target: "#connection.connected.holding",
                    actions: ["promote", "noteRotated"],
                  },
                  {
                    guard: "isOfCurrent",
                    target: "#connection.connected.establishing",
                    actions: "promote",
                  },
                ],
              },
            },
            pausing: { after: { retry_ms: "admitting" } },
          },
        },
      },
    },
    /** Decides by the failure that was just remembered. */
    failed: { always: [{ guard: "isTerminal", target: "refused" }, { target: "waiting" }] },
    waiting: {
      entry: { type: "show", params: "waiting" },
      after: { retry_ms: "admitting" },
    },
    refused: {
      entry: { type: "show", params: "refused" },
      after: { refused_ms: "waiting_for_instruments" },
    },
    paused: {
      entry: { type: "show", params: "paused" },
      on: { "pressure.released": { target: "admitting", actions: "releasePressure" } },
    },
    stopped: { type: "final", entry: { type: "show", params: "stopped" } },
  },
});

function isOf(event: ConnectionEvent, which: ConnectionContext["current"]): boolean {
  return "connection_id" in event && event.connection_id === which?.connection_id;
}
