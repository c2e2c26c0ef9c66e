/**
 * One socket's life: the control plane. It subscribes, spaces its messages, and watches over two
 * clocks: whether the socket lives, and whether each subscription delivers (`deliveries.ts`). It
 * never sees a trade; those go from the socket to their normalizers (`receiver.ts`).
 *
 * ```
 * connecting -> subscribing -> streaming (proving -> proven)        any -> ended
 * ```
 *
 * `proven`: all that the session before it delivers, this one delivers too. A session never
 * reconnects: it ends with a reason, and the connection that spawned it decides what comes next.
 *
 * @module
 */

import { assign, enqueueActions, sendParent, setup } from "xstate";
import type { Probed } from "../messages.ts";
import type { Failure } from "./failure.ts";
import { receiver, type SendText, type SocketEvent } from "./receiver.ts";
import {
  type Cause,
  failureOf,
  isDelivering,
  lacking,
  queueList,
  queuePing,
  queueWanted,
  receiverInput,
  refused_ms_min,
  resubscribeAtMs,
  type SessionContext,
  type SessionInput,
  silenceCheckMs,
  silenceMs,
  startingContext,
} from "./session_context.ts";
import { monotonicMs } from "./shard.ts";
import { acknowledge, isUnanswered, refuse, standing } from "./subscriptions.ts";
import {
  attendSubscriptions,
  readList,
  settleSubscriptionProbe,
  settleSubscriptions,
  wantRefused,
} from "./upkeep.ts";

/** Session to connection. */
export type SessionReport =
  | { readonly type: "session.streaming"; readonly connection_id: string }
  /** It may take the place of the session before it. */
  | { readonly type: "session.delivering"; readonly connection_id: string }
  /** The exchange is about to end the socket. */
  | { readonly type: "session.closing"; readonly connection_id: string }
  | {
      readonly type: "session.ended";
      readonly connection_id: string;
      readonly failure: Failure;
      readonly how: EndedHow;
    };

/** `refused`: every symbol is refused for good, which no other socket would change. */
type EndedHow = "unreached" | "lost" | "refused";

type SessionEvent =
  | SocketEvent
  | Probed
  | { readonly type: "acknowledgement.overdue"; readonly request_id: number }
  | { readonly type: "resubscribe" }
  | { readonly type: "list.due" }
  | { readonly type: "ping.due" };

const outcomes: { readonly [Why in Cause]?: EndedHow } = {
  unanswered: "unreached",
  unreached: "unreached",
  hopeless: "refused",
};
const acknowledgement_ms_max = 10_000;
const no_acknowledgement = `not acknowledged within ${acknowledgement_ms_max / 1_000} s`;
/** Between two readings of what the exchange holds for the socket. */
const list_ms = 300_000;
/** Between two samples of the exchange's clock. */
const ping_ms = 30_000;

const machine = setup({
  types: {
    context: {} as SessionContext,
    events: {} as SessionEvent,
    input: {} as SessionInput,
  },
  actors: { receiver },
  delays: {
    /** A second wall behind the socket's own limit. */
    connect_ms_max: 12_000,
    /** Between two looks at the subscriptions. */
    attend_ms: 1_000,
    prove_ms: 100,
    /** Within this time all that the predecessor holds has to be acknowledged. */
    lacking_ms_max: 30_000,
    request_interval_ms: ({ context }) => context.shard.input.adapter.session.request_interval_ms,
    silence_check_ms: ({ context }) => silenceCheckMs(context),
  },
  guards: {
    isHopeless: ({ context }) => standing(context.subscriptions).is_hopeless,
    isSilent: ({ context }) =>
      silenceMs(context) >= context.shard.input.adapter.session.silence_ms_max,
    isQuiet: ({ context }) =>
      silenceMs(context) >= context.shard.input.adapter.session.silence_ms_max / 2,
    isQueued: ({ context }) => context.queue.length > 0,
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
    isDelivering: ({ context }) => isDelivering(context),
    isLacking: ({ context }) => lacking(context).length > 0,
  },
  actions: {
    show: ({ context: { session, shard } }, state: string) => {
      session.state = state;
      if (shard.shown === session) shard.input.incarnation.report.state = state;
    },
    listen: ({ context: { session, shard } }) => {
      session.pulse.heard_ms = monotonicMs(shard.input);
    },
    noteReached: ({ context: { shard } }) => shard.input.reachability.succeeded(doorOf(shard)),
    noteStreaming: assign(({ context }) => ({ streaming_ms: monotonicMs(context.shard.input) })),
    tell: sendParent(
      ({ context }, type: Exclude<SessionReport["type"], "session.ended">): SessionReport => ({
        type,
        connection_id: context.session.connection_id,
      }),
    ),
    end: enqueueActions(({ context, enqueue, event }, cause: Cause) => {
      const { session, shard } = context;
      const failure = failureOf(context, cause, event.type === "socket.closed" ? event : null);
      const how = outcomes[cause] ?? "lost";
      session.ending.reason ??= failure.reason;
      if (how === "unreached") {
        const { url } = shard.figures;
        shard.input.reachability.failed(doorOf(shard), { url, reason: failure.reason });
      }
      const { connection_id } = session;
      enqueue.sendParent({
        type: "session.ended",
        connection_id,
        failure,
        how,
      } satisfies SessionReport);
    }),
    settleSubscriptions: ({ context }) => settleSubscriptions(context),
    queueWanted: assign(({ context }) => queueWanted(context)),
    queuePing: assign(({ context }) => queuePing(context)),
    queueList: assign(({ context }) => queueList(context)),
    scheduleList: enqueueActions(({ enqueue }) => {
      enqueue.raise({ type: "list.due" }, { id: "list", delay: list_ms });
    }),
    schedulePing: enqueueActions(({ enqueue }) => {
      enqueue.raise({ type: "ping.due" }, { id: "ping", delay: ping_ms });
    }),
    sendNext: enqueueActions(({ context, enqueue }) => {
      const [next, ...queue] = context.queue;
      if (next === undefined) return;
      const { ping_id, subscribes, text } = next;
      enqueue.sendTo("socket", { type: "send", text, ping_id } satisfies SendText);
      enqueue.assign({ queue });
      if (subscribes === null) return;
      const { request_id } = subscribes;
      enqueue.raise(
        { type: "acknowledgement.overdue", request_id },
        { delay: acknowledgement_ms_max },
      );
    }),
    acknowledge: assign(({ context, event }) => {
      if (event.type !== "subscription.acknowledged") return {};
      return { subscriptions: acknowledge(context.subscriptions, event) };
    }),
    refuse: assign(({ context, event }) => {
      if (event.type !== "subscription.refused") return {};
      const { shard, subscriptions, terminal_retry_at_ms } = context;
      shard.figures.last_error = event.reason;
      const refused_ms = monotonicMs(shard.input) + refused_ms_min;
      const is_over = terminal_retry_at_ms <= monotonicMs(shard.input);
      return {
        subscriptions: refuse(subscriptions, event),
        ...(event.is_terminal && is_over && { terminal_retry_at_ms: refused_ms }),
      };
    }),
    refuseOverdue: assign(({ context, event }) => {
      if (event.type !== "acknowledgement.overdue") return {};
      const { request_id } = event;
      const refusal = { reason: no_acknowledgement, is_terminal: false };
      const subject = { request_id, native_symbol: null };
      return { subscriptions: refuse(context.subscriptions, { ...subject, ...refusal }) };
    }),
    readList: assign(({ context, event }) => {
      if (event.type !== "subscriptions.listed") return {};
      return readList(context, event.native_symbols);
    }),
    scheduleResubscribe: enqueueActions(({ context, enqueue }) => {
      const resubscribe_at_ms = resubscribeAtMs(context);
      if (resubscribe_at_ms === context.resubscribe_at_ms) return;
      enqueue.assign({ resubscribe_at_ms });
      enqueue.cancel("resubscribe");
      if (resubscribe_at_ms === null) return;
      const delay = Math.ceil(Math.max(0, resubscribe_at_ms - monotonicMs(context.shard.input)));
      enqueue.raise({ type: "resubscribe" }, { id: "resubscribe", delay });
    }),
    wantRefused: assign(({ context }) => wantRefused(context)),
    attend: assign(({ context, system }) =>
      attendSubscriptions(context, system.get(context.shard.input.backfiller_id)),
    ),
    settleProbe: ({ context, event }) => {
      if (event.type === "symbol.probed") settleSubscriptionProbe(context, event);
    },
  },
});

/** Actor logic of one socket. Its input is {@linkcode SessionInput}. */
export const session = machine.createMachine({
  id: "session",
  context: ({ input }) => startingContext(input),
  initial: "open",
  states: {
    open: {
      type: "parallel",
      entry: "listen",
      // The socket lives exactly as long as this state: leaving it, however, closes the socket.
      invoke: { src: "receiver", id: "socket", input: ({ context }) => receiverInput(context) },
      on: {
        "socket.closed": {
          target: "ended",
          actions: { type: "end", params: "closed" },
        },
        "subscription.acknowledged": {
          actions: ["acknowledge", "settleSubscriptions", "scheduleResubscribe"],
        },
        "subscription.refused": {
          actions: ["refuse", "settleSubscriptions", "scheduleResubscribe"],
        },
        "acknowledgement.overdue": {
          guard: "isUnanswered",
          actions: ["refuseOverdue", "settleSubscriptions", "scheduleResubscribe"],
        },
        "subscriptions.listed": {
          actions: ["readList", "queueWanted", "settleSubscriptions", "scheduleResubscribe"],
        },
        "socket.abandoned": "abandoned",
        "exchange.closing": { actions: { type: "tell", params: "session.closing" } },
      },
      states: {
        feed: {
          initial: "connecting",
          states: {
            connecting: {
              entry: { type: "show", params: "connecting" },
              after: {
                connect_ms_max: {
                  target: "#session.ended",
                  actions: { type: "end", params: "unanswered" },
                },
              },
              on: {
                "socket.opened": { target: "subscribing", actions: "noteReached" },
                "socket.closed": {
                  target: "#session.ended",
                  actions: { type: "end", params: "unreached" },
                },
              },
            },
            subscribing: {
              entry: [{ type: "show", params: "subscribing" }, "queueWanted"],
              always: [
                { guard: "isSubscribed", target: "streaming" },
                {
                  guard: "isHopeless",
                  target: "#session.ended",
                  actions: { type: "end", params: "hopeless" },
                },
                {
                  guard: "isAnswered",
                  target: "#session.ended",
                  actions: { type: "end", params: "abandoned" },
                },
              ],
            },
            streaming: {
              entry: [
                { type: "show", params: "streaming" },
                "noteStreaming",
                { type: "tell", params: "session.streaming" },
                "scheduleResubscribe",
                "queueList",
                "scheduleList",
                "queuePing",
                "schedulePing",
              ],
              type: "parallel",
              always: [
                {
                  guard: "isHopeless",
                  target: "#session.ended",
                  actions: { type: "end", params: "hopeless" },
                },
                {
                  guard: "isAbandoned",
                  target: "#session.ended",
                  actions: { type: "end", params: "abandoned" },
                },
              ],
              on: {
                resubscribe: {
                  actions: [
                    "wantRefused",
                    "queueWanted",
                    "settleSubscriptions",
                    "scheduleResubscribe",
                  ],
                },
                "list.due": { actions: ["queueList", "scheduleList"] },
                "ping.due": { actions: ["queuePing", "schedulePing"] },
                "symbol.probed": { actions: "settleProbe" },
              },
              states: {
                takeover: {
                  initial: "proving",
                  states: {
                    proving: {
                      always: { guard: "isDelivering", target: "proven" },
                      after: {
                        lacking_ms_max: {
                          guard: "isLacking",
                          target: "#session.ended",
                          actions: { type: "end", params: "lacking" },
                        },
                      },
                      initial: "looking",
                      states: {
                        looking: { after: { prove_ms: { target: "looking", reenter: true } } },
                      },
                    },
                    proven: { entry: { type: "tell", params: "session.delivering" } },
                  },
                },
                upkeep: {
                  initial: "watching",
                  states: {
                    watching: {
                      after: {
                        attend_ms: {
                          target: "watching",
                          reenter: true,
                          actions: ["attend", "queueWanted", "settleSubscriptions"],
                        },
                      },
                    },
                  },
                },
              },
            },
          },
        },
        requests: {
          initial: "idle",
          states: {
            idle: { always: { guard: "isQueued", target: "spacing" } },
            spacing: {
              entry: "sendNext",
              after: {
                request_interval_ms: [
                  { guard: "isQueued", target: "spacing", reenter: true },
                  { target: "idle" },
                ],
              },
            },
          },
        },
        transport: {
          initial: "watching",
          states: {
            watching: {
              after: {
                silence_check_ms: [
                  {
                    guard: "isSilent",
                    target: "#session.ended",
                    actions: { type: "end", params: "silent" },
                  },
                  { guard: "isQuiet", target: "watching", reenter: true, actions: "queuePing" },
                  { target: "watching", reenter: true },
                ],
              },
            },
          },
        },
      },
    },
    ended: { type: "final" },
    /** The connection has crashed, which does not stop its children (statelyai/xstate#5153). */
    abandoned: {},
  },
});

/** Name of the socket's door among those that `Reachability` watches. */
function doorOf({ input }: SessionContext["shard"]): string {
  return `socket.${input.shard}`;
}
