/**
 * One WebSocket to one exchange: the control plane. It decides whether data flows and never sees a
 * trade; those go from the socket straight to their normalizers (`receiver.ts`).
 *
 * ```
 * waiting_for_instruments -> admitting -> connected (connecting -> subscribing -> streaming)
 *
 * connected -> waiting   a failure that passes     -> admitting, after the backoff
 * connected -> refused   one that a person ends    -> waiting_for_instruments, after five minutes
 * connected -> paused    the buffers are full      -> admitting, when there is room
 * any       -> stopped
 * ```
 *
 * Whatever the network and the exchange do is an operating error, retried here for ever; a restart
 * by the supervisor means that code met what it did not expect. One symbol's refusal costs the
 * others nothing. Time is the machine's clock and `now_us`, so that it runs in virtual time.
 *
 * @module
 */

import { assign, type EventObject, enqueueActions, fromCallback, fromPromise, setup } from "xstate";
import type { Stop } from "../messages.ts";
import { reasonOf } from "../settings/exit.ts";
import {
  type ConnectionContext,
  type ConnectionInput,
  doorOf,
  type Failure,
  isoTime,
  loadFailure,
  nameOf,
  passing,
  receiverInput,
  refused_ms_min,
  refusedFailure,
  resubscribeMs,
  retryMs,
  silenceCheckMs,
  silenceFailure,
  silenceMs,
  socketFailure,
  startingContext,
} from "./connection_context.ts";
import { receiver, type SocketEvent } from "./receiver.ts";
import {
  acknowledge,
  isUnanswered,
  markRequested,
  planSubscriptions,
  refuse,
  refusedReason,
  standing,
  symbolsIn,
} from "./subscriptions.ts";

export type { ConnectionInput } from "./connection_context.ts";

/** What a connection is told: the buffers are full, there is room again, or stop. */
type ConnectionCommand =
  | { readonly type: "pressure.raised" }
  | { readonly type: "pressure.released" }
  | Stop;

type ConnectionEvent =
  | SocketEvent
  | ConnectionCommand
  | { readonly type: "acknowledgement.overdue"; readonly request_id: number }
  | { readonly type: "resubscribe" };

const acknowledgement_ms_max = 10_000;
const no_acknowledgement = `not acknowledged within ${acknowledgement_ms_max / 1_000} s`;

const loadInstruments = fromPromise<void, ConnectionInput>(async ({ input }) => {
  await input.instruments.load(input.native_symbols);
});

/** Hears for as long as the machine lives whether the buffers are full. */
const pressure = fromCallback<EventObject, ConnectionInput>(({ input, sendBack }) =>
  input.onPressure({
    full: () => sendBack({ type: "pressure.raised" } satisfies ConnectionCommand),
    relieved: () => sendBack({ type: "pressure.released" } satisfies ConnectionCommand),
  }),
);

const machine = setup({
  types: {
    context: {} as ConnectionContext,
    events: {} as ConnectionEvent,
    input: {} as ConnectionInput,
  },
  actors: { loadInstruments, pressure, receiver },
  delays: {
    /** A second wall behind the socket's own limit. */
    connect_ms_max: 12_000,
    /** An exchange that accepts us and then drops us is still failing, so success has to last. */
    healthy_ms_min: 30_000,
    retry_ms: ({ context }) => retryMs(context),
    refused_ms: ({ context }) => Math.max(refused_ms_min, context.failure?.retry_after_ms ?? 0),
    request_interval_ms: ({ context }) => context.input.adapter.request_interval_ms,
    silence_check_ms: ({ context }) => silenceCheckMs(context),
  },
  guards: {
    isPressed: ({ context }) => context.is_pressed,
    isHopeless: ({ context }) => standing(context.subscriptions).is_hopeless,
    isTerminal: ({ context }) => context.failure?.is_terminal === true,
    isUnharmed: ({ context }) => context.attempt === 0,
    isSilent: ({ context }) => silenceMs(context) >= context.input.adapter.silence_ms_max,
    isQuiet: ({ context }) => silenceMs(context) >= context.input.adapter.silence_ms_max / 2,
    hasRequests: ({ context }) => context.requests.length > 0,
    isAnswered: ({ context }) => standing(context.subscriptions).outstanding === 0,
    isUnanswered: ({ context, event }) =>
      event.type === "acknowledgement.overdue" &&
      isUnanswered(context.subscriptions, event.request_id),
    isSubscribed: ({ context }) => {
      const { acknowledged, outstanding } = standing(context.subscriptions);
      return acknowledged > 0 && outstanding === 0;
    },
    isAbandoned: ({ context }) => {
      const { acknowledged, outstanding } = standing(context.subscriptions);
      return acknowledged + outstanding === 0;
    },
  },
  actions: {
    serve: ({ context }) => context.input.incarnation.ready(),
    show: ({ context }, state: string) => {
      context.input.incarnation.report.state = state;
    },
    raisePressure: assign({ is_pressed: true }),
    releasePressure: assign({ is_pressed: false }),
    planSubscriptions: assign(({ context }) => {
      const { adapter, instruments, native_symbols } = context.input;
      const subscriptions = planSubscriptions(native_symbols, adapter, instruments);
      return { subscriptions, requests: [], resubscribe_attempt: 0 };
    }),
    logRefused: ({ context: { announced, input, subscriptions } }) => {
      for (const [symbol, { state, reason }] of subscriptions) {
        if (state === "acknowledged") announced.delete(symbol);
        if (state !== "refused" || announced.has(symbol)) continue;
        announced.add(symbol);
        input.log.error(`Not subscribed to ${symbol}: ${reason}`);
      }
    },
    showSubscriptions: ({ context }) => {
      const { acknowledged, refused } = standing(context.subscriptions);
      context.figures.subscribed = acknowledged;
      context.figures.refused = refused;
      context.figures.refused_reason = refusedReason(context.subscriptions);
    },
    startSocket: ({ context }) => {
      const { figures, input, pulse } = context;
      if (figures.connection_id !== null) figures.reconnects_total += 1;
      figures.connection_id = input.connectionId();
      figures.exchange_status = null;
      pulse.heard_us = input.now_us();
    },
    endSocket: ({ context }) => {
      context.figures.subscribed = 0;
      context.figures.down_since ??= isoTime(context.input);
    },
    noteReached: ({ context }) => context.input.reachability.succeeded(doorOf(context)),
    noteUnreached: ({ context }) => {
      const { figures, input, failure } = context;
      const reason = failure?.reason ?? "unknown";
      input.reachability.failed(doorOf(context), { url: figures.url, reason });
    },
    // Once for an outage, however long it lasts: the attempts are a figure.
    noteLost: ({ context }) => {
      if (context.attempt > 1) return;
      context.input.log.warn(`Lost ${nameOf(context)}: ${context.failure?.reason}; reconnecting`);
    },
    noteStreaming: ({ context }) => {
      context.figures.down_since = null;
      if (context.attempt > 1) return;
      const { acknowledged } = standing(context.subscriptions);
      context.input.log.info(`${nameOf(context)} streams, symbols: ${acknowledged}`);
    },
    noteHealthy: ({ context }) => {
      if (context.attempt <= 1) return;
      context.input.log.info(`${nameOf(context)} streams again, attempts: ${context.attempt}`);
    },
    notePaused: ({ context }) => {
      context.input.log.warn(`Closed ${nameOf(context)} on purpose: the buffers are full`);
    },
    remember: assign(({ context }, failure: Failure) => {
      const attempt = context.attempt + 1;
      context.figures.attempt = attempt;
      context.figures.last_error = failure.reason;
      return { attempt, failure };
    }),
    forgetFailures: assign(({ context }) => {
      context.figures.attempt = 0;
      context.figures.last_error = null;
      return { attempt: 0, failure: null };
    }),
    /** Takes over the time that a refusal names, without counting as a failure. */
    rememberHopeless: assign(({ context }) => {
      const reason = refusedReason(context.subscriptions) ?? "no symbol is configured";
      context.figures.last_error = reason;
      return { failure: { reason, is_terminal: true, retry_after_ms: null } };
    }),
    queueRequests: assign(({ context }) => {
      const symbols = symbolsIn(context.subscriptions, "wanted");
      if (symbols.length === 0) return {};
      const added = context.input.adapter.subscribe(symbols, context.next_request_id);
      // Marked at once: what waits for its turn is not wanted a second time.
      const subscriptions = added.reduce(markRequested, context.subscriptions);
      const next_request_id = 1 + Math.max(...added.map(({ request_id }) => request_id));
      return { subscriptions, next_request_id, requests: [...context.requests, ...added] };
    }),
    sendRequest: enqueueActions(({ context, enqueue }) => {
      const [request, ...requests] = context.requests;
      if (request === undefined) return;
      const { request_id, text } = request;
      enqueue.sendTo("socket", { type: "send", text });
      enqueue.raise(
        { type: "acknowledgement.overdue", request_id },
        { delay: acknowledgement_ms_max },
      );
      enqueue.assign({ requests });
    }),
    sendPing: enqueueActions(({ context, enqueue }) => {
      const text = context.input.adapter.ping(context.next_request_id);
      if (text === null) return;
      enqueue.assign({ next_request_id: context.next_request_id + 1 });
      enqueue.sendTo("socket", { type: "send", text });
    }),
    acknowledge: assign(({ context, event }) => {
      if (event.type !== "subscription.acknowledged") return {};
      return { subscriptions: acknowledge(context.subscriptions, event) };
    }),
    refuse: assign(({ context, event }) => {
      if (event.type !== "subscription.refused") return {};
      context.figures.last_error = event.reason;
      return { subscriptions: refuse(context.subscriptions, event) };
    }),
    refuseOverdue: assign(({ context, event }) => {
      if (event.type !== "acknowledgement.overdue") return {};
      const { request_id } = event;
      const refusal = { reason: no_acknowledgement, is_terminal: false };
      const subject = { request_id, native_symbol: null };
      return { subscriptions: refuse(context.subscriptions, { ...subject, ...refusal }) };
    }),
    scheduleResubscribe: enqueueActions(({ context, enqueue }) => {
      enqueue.cancel("resubscribe");
      if (standing(context.subscriptions).refused === 0) return;
      enqueue.raise({ type: "resubscribe" }, { id: "resubscribe", delay: resubscribeMs(context) });
    }),
    /** Symbols that the list refused are looked up again; it is asked anew in the background. */
    wantRefused: assign(({ context }) => {
      const { adapter, instruments, log, native_symbols } = context.input;
      instruments.load(native_symbols).catch((error: unknown) => {
        log.warn(`Cannot ask ${adapter.exchange} for its instruments: ${reasonOf(error)}`);
      });
      const refused = symbolsIn(context.subscriptions, "refused");
      const planned = planSubscriptions(refused, adapter, instruments);
      return {
        subscriptions: new Map([...context.subscriptions, ...planned]),
        resubscribe_attempt: context.resubscribe_attempt + 1,
      };
    }),
  },
});

/** Actor logic of one connection. Its input is {@linkcode ConnectionInput}. */
export const connection = machine.createMachine({
  id: "connection",
  context: ({ input }) => startingContext(input),
  entry: "serve",
  invoke: { src: "pressure", input: ({ context }) => context.input },
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
            input: ({ context }) => context.input,
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
      entry: ["planSubscriptions", "showSubscriptions", "logRefused"],
      always: [
        { guard: "isPressed", target: "paused" },
        { guard: "isHopeless", target: "failed", actions: "rememberHopeless" },
        { target: "connected" },
      ],
    },
    connected: {
      type: "parallel",
      entry: "startSocket",
      // The socket lives exactly as long as this state: leaving it, however, closes the socket.
      invoke: { src: "receiver", id: "socket", input: ({ context }) => receiverInput(context) },
      exit: "endSocket",
      on: {
        "socket.closed": {
          target: "failed",
          actions: [
            { type: "remember", params: ({ context, event }) => socketFailure(context, event) },
            "noteLost",
          ],
        },
        "subscription.acknowledged": {
          actions: ["acknowledge", "showSubscriptions", "logRefused", "scheduleResubscribe"],
        },
        "subscription.refused": {
          actions: ["refuse", "showSubscriptions", "logRefused", "scheduleResubscribe"],
        },
        "acknowledgement.overdue": {
          guard: "isUnanswered",
          actions: ["refuseOverdue", "showSubscriptions", "logRefused", "scheduleResubscribe"],
        },
        // The first announcement is followed at once; an exchange that repeats it is failing.
        "exchange.closing": [
          {
            guard: "isUnharmed",
            target: "admitting",
            actions: { type: "remember", params: passing("the exchange announced the end") },
          },
          {
            target: "failed",
            actions: { type: "remember", params: passing("the exchange announced the end") },
          },
        ],
        "pressure.raised": { target: "paused", actions: ["raisePressure", "notePaused"] },
      },
      states: {
        feed: {
          initial: "connecting",
          states: {
            connecting: {
              entry: { type: "show", params: "connecting" },
              after: {
                connect_ms_max: {
                  target: "#connection.failed",
                  actions: [
                    { type: "remember", params: passing("no answer to the handshake") },
                    "noteUnreached",
                  ],
                },
              },
              on: {
                "socket.opened": { target: "subscribing", actions: "noteReached" },
                "socket.closed": {
                  target: "#connection.failed",
                  actions: [
                    {
                      type: "remember",
                      params: ({ context, event }) => socketFailure(context, event),
                    },
                    "noteUnreached",
                  ],
                },
              },
            },
            subscribing: {
              entry: [{ type: "show", params: "subscribing" }, "queueRequests"],
              always: [
                { guard: "isSubscribed", target: "streaming" },
                {
                  guard: "isHopeless",
                  target: "#connection.failed",
                  actions: "rememberHopeless",
                },
                {
                  guard: "isAnswered",
                  target: "#connection.failed",
                  actions: [
                    { type: "remember", params: ({ context }) => refusedFailure(context) },
                    "noteLost",
                  ],
                },
              ],
            },
            streaming: {
              entry: [
                { type: "show", params: "streaming" },
                "noteStreaming",
                "scheduleResubscribe",
              ],
              always: [
                {
                  guard: "isHopeless",
                  target: "#connection.failed",
                  actions: "rememberHopeless",
                },
                {
                  guard: "isAbandoned",
                  target: "#connection.failed",
                  actions: [
                    { type: "remember", params: ({ context }) => refusedFailure(context) },
                    "noteLost",
                  ],
                },
              ],
              on: {
                resubscribe: {
                  actions: [
                    "wantRefused",
                    "queueRequests",
                    "showSubscriptions",
                    "logRefused",
                    "scheduleResubscribe",
                  ],
                },
              },
              after: { healthy_ms_min: { actions: ["noteHealthy", "forgetFailures"] } },
            },
          },
        },
        requests: {
          initial: "idle",
          states: {
            idle: { always: { guard: "hasRequests", target: "spacing" } },
            spacing: {
              entry: "sendRequest",
              after: {
                request_interval_ms: [
                  { guard: "hasRequests", target: "spacing", reenter: true },
                  { target: "idle" },
                ],
              },
            },
          },
        },
        liveness: {
          initial: "watching",
          states: {
            watching: {
              after: {
                silence_check_ms: [
                  {
                    guard: "isSilent",
                    target: "#connection.failed",
                    actions: [
                      { type: "remember", params: ({ context }) => silenceFailure(context) },
                      "noteLost",
                    ],
                  },
                  { guard: "isQuiet", target: "watching", reenter: true, actions: "sendPing" },
                  { target: "watching", reenter: true },
                ],
              },
            },
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
