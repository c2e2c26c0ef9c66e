/**
 * Goal: each frame's trades go to their symbol's normalizer with where and when they came, nothing
 * unreadable is lost or costs its neighbors, and no throw leaves a socket's handler.
 * Method: a fake socket, driven by hand, in a system with one normalizer that keeps what it gets.
 */

import { expect, test } from "bun:test";
import { createActor, createMachine } from "xstate";
import { type Delivery, noDelivery } from "../../../actors/connection/deliveries.ts";
import { ExchangeClock } from "../../../actors/connection/exchange_clock.ts";
import {
  type ReceiverInput,
  receiver,
  type SocketHandlers,
} from "../../../actors/connection/receiver.ts";
import type { Frame } from "../../../actors/exchanges/adapter.ts";
import type { FrameTrades, SymbolProgressed } from "../../../actors/messages.ts";
import { fake_adapter, fakeIncarnation, fakeSink, trade, tradesFrame } from "./fake_exchange.ts";

function start(changes: Partial<ReceiverInput> = {}) {
  const received: (FrameTrades | SymbolProgressed)[] = [];
  const events: string[] = [];
  const sent: string[] = [];
  const { incarnation, ...fakes } = fakeIncarnation();
  const kept = fakeSink();
  let handlers: SocketHandlers | undefined;
  let closes_count = 0;
  let now_us = 1_000;
  let monotonic_ns = 5_000_000;
  const figures = {
    frames_total: 0,
    trades_total: 0,
    heartbeats_total: 0,
    dead_letters_total: 0,
    undelivered_total: 0,
    unconfigured_total: 0,
    exchange_status: null,
  };
  const deliveries: Readonly<Record<string, Delivery>> = { AB: noDelivery(), CD: noDelivery() };
  const clock = new ExchangeClock({ wall_us: 0, monotonic_ms: 0 });
  const input: ReceiverInput = {
    adapter: fake_adapter,
    url: "ws://me:secret@fake",
    shown_url: "ws://fake",
    connection_id: "fake-1",
    outlets: new Map(
      Object.entries(deliveries).map(([symbol, delivery]) => [
        symbol,
        { normalizer_id: `fake.normalizer.${symbol}`, delivery },
      ]),
    ),
    incarnation,
    sink: kept.sink,
    figures,
    pulse: { heard_ms: 0, frame_us: null },
    ending: { reason: null },
    clock,
    openSocket: (_, given) => {
      handlers = given;
      return {
        send(text) {
          if (text === "too early") return false;
          sent.push(text);
          return true;
        },
        close: () => {
          closes_count += 1;
        },
      };
    },
    now_us: () => now_us++,
    monotonic_ns: () => (monotonic_ns += 1_000_000),
    ...changes,
  };
  const normalizer = createMachine({
    on: {
      "*": {
        actions: ({ event }) => {
          received.push(event as FrameTrades);
          kept.order.push("trade");
        },
      },
    },
  });
  const root = createMachine({
    initial: "open",
    invoke: { src: normalizer, systemId: "fake.normalizer.AB" },
    states: {
      open: {
        invoke: { src: receiver, id: "socket", input },
        on: {
          close: "over",
          send: { actions: ({ event, self }) => self.getSnapshot().children.socket?.send(event) },
          "*": { actions: ({ event }) => events.push(event.type) },
        },
      },
      over: {},
    },
  });
  const actor = createActor(root).start();
  return {
    ...fakes,
    ...kept,
    actor,
    clock,
    closesCount: () => closes_count,
    deliveries,
    told: events,
    figures,
    handlers: handlers!,
    input,
    received,
    sent,
  };
}

function text(frame: Frame): string {
  return JSON.stringify(frame);
}

test("a frame's trades are one message that says where and when they came", () => {
  const { figures, handlers, input, received } = start();
  handlers.text(text({ kind: "ignored" }));
  handlers.text(tradesFrame(trade("AB", "1"), trade("AB", "2")));
  expect(received).toEqual([
    {
      type: "frame_trades",
      source: "STREAM",
      connection_id: "fake-1",
      frame_sequence: 1,
      ingestion_timestamp: 1_001,
      trades: [trade("AB", "1"), trade("AB", "2")],
    },
  ]);
  expect(figures).toMatchObject({ frames_total: 2, trades_total: 2 });
  expect(input.pulse).toEqual({ heard_ms: 7, frame_us: 1_001 });
});

test("trades of an absent normalizer and of a foreign symbol are counted apart", () => {
  const { figures, handlers, received } = start();
  handlers.text(tradesFrame(trade("CD", "1"), trade("XY", "2"), trade("AB", "3")));
  expect(
    (received as FrameTrades[]).map(({ trades }) => trades.map(({ trade_id }) => trade_id)),
  ).toEqual([["3"]]);
  expect(figures).toMatchObject({
    trades_total: 2,
    undelivered_total: 1,
    unconfigured_total: 1,
  });
});

test("an unreadable item is a dead letter and costs its neighbors nothing", () => {
  const { figures, handlers, letters, received } = start();
  handlers.text(
    text({
      kind: "trades",
      source: "SNAPSHOT",
      trades: [trade("AB", "1")],
      rejects: [{ reason: "price_unreadable", item: '{"price":"€"}', native_symbol: "AB" }],
    }),
  );
  expect(received).toHaveLength(1);
  expect(received[0]).toMatchObject({ source: "SNAPSHOT" });
  expect(letters).toEqual([
    {
      exchange: "fake",
      native_symbol: "AB",
      connection_id: "fake-1",
      frame_sequence: 0,
      ingestion_timestamp: 1_000,
      reason: "price_unreadable",
      payload: new TextEncoder().encode('{"price":"€"}'),
      topic: null,
    },
  ]);
  expect(figures.dead_letters_total).toBe(1);
});

test("a binary and an unreadable frame are dead letters, verbatim", () => {
  const { handlers, letters } = start();
  handlers.binary(new Uint8Array([0, 255]));
  handlers.text("¿?");
  expect(letters.map(({ reason, payload }) => [reason, ...payload])).toEqual([
    ["not_json", 0, 255],
    ["not_json", ...new TextEncoder().encode("¿?")],
  ]);
});

test("heartbeats, pongs and the exchange's status are figures, answers are events", () => {
  const { figures, handlers, told } = start();
  handlers.text(text({ kind: "heartbeat", progress: null }));
  handlers.text(text({ kind: "pong", request_id: 1, exchange_time_us: null }));
  handlers.text(text({ kind: "status", status: "online", is_closing: false }));
  expect(figures).toMatchObject({ heartbeats_total: 2, exchange_status: "online" });
  expect(told).toEqual([]);
  handlers.opened();
  handlers.text(text({ kind: "acknowledged", request_id: 1, native_symbol: null }));
  const refusal = { request_id: 1, native_symbol: null, reason: "no", is_terminal: true };
  handlers.text(text({ kind: "refused", ...refusal }));
  handlers.text(text({ kind: "subscriptions", request_id: 2, native_symbols: ["AB"] }));
  handlers.text(text({ kind: "shutdown" }));
  handlers.closed({ reason: "gone", code: 1000, status: null, retry_after: null });
  expect(told).toEqual([
    "socket.opened",
    "subscription.acknowledged",
    "subscription.refused",
    "subscriptions.listed",
    "exchange.closing",
    "socket.closed",
  ]);
});

test("maintenance that begins is the end of the socket; maintenance as a greeting is not", () => {
  const { handlers, told } = start();
  handlers.text(text({ kind: "status", status: "maintenance", is_closing: true }));
  expect(told).toEqual([]);
  handlers.text(text({ kind: "status", status: "online", is_closing: false }));
  handlers.text(text({ kind: "status", status: "maintenance", is_closing: true }));
  expect(told).toEqual(["exchange.closing"]);
});

test("what a heartbeat says of a symbol goes to its normalizer", () => {
  const { handlers, received } = start();
  const progress = { native_symbol: "AB", trade_id: "7", timestamp: 1_787_746_340_684_000 };
  handlers.text(text({ kind: "heartbeat", progress }));
  handlers.text(text({ kind: "heartbeat", progress: { ...progress, native_symbol: "XY" } }));
  expect(received).toEqual([
    { type: "symbol_progressed", trade_id: "7", timestamp: 1_787_746_340_684_000 },
  ]);
});

test("a ping is heard, is no frame, and tells the exchange's time", () => {
  const { clock, figures, frames, handlers, input } = start();
  handlers.pinged("1787733299756000");
  handlers.pinged("not a time");
  expect(input.pulse).toEqual({ heard_ms: 7, frame_us: null });
  expect(clock.timeAt(6)).toBe(1_787_733_299_756_000);
  expect(figures.frames_total).toBe(0);
  expect(frames).toEqual([]);
});

test("a pong's time is that of the middle between sending and receiving", () => {
  const { actor, clock, handlers } = start();
  handlers.opened();
  actor.send({ type: "send", text: "ping 4", ping_id: 4 });
  const exchange_time_us = 1_787_733_299_756_000;
  handlers.text(text({ kind: "pong", request_id: 3, exchange_time_us: 1 }));
  handlers.text(text({ kind: "pong", request_id: 4, exchange_time_us }));
  // Sent at 6 ms, the answer received at 8 ms.
  expect(clock.timeAt(7)).toBe(exchange_time_us);
});

test("every message is kept verbatim, both ways in one count, before anyone reads it", () => {
  const { actor, frames, handlers, order } = start();
  actor.send({ type: "send", text: "too early", ping_id: null });
  handlers.opened();
  actor.send({ type: "send", text: "subscribe AB 1", ping_id: null });
  handlers.text("¿?");
  handlers.binary(new Uint8Array([0, 255]));
  handlers.text(tradesFrame(trade("AB", "1")));
  expect(frames.map(({ entry }) => [entry.frame_sequence, entry.direction, entry.frame])).toEqual([
    [0, "SENT", "subscribe AB 1"],
    [1, "RECEIVED", "¿?"],
    [2, "RECEIVED", new Uint8Array([0, 255])],
    [3, "RECEIVED", tradesFrame(trade("AB", "1"))],
  ]);
  expect(frames[1]?.entry).toMatchObject({
    kind: "MESSAGE",
    request: null,
    received_us: 1_002,
    received_monotonic_ns: 7_000_000,
  });
  expect(frames[0]?.session).toEqual({
    exchange: "fake",
    connection_id: "fake-1",
    url: "ws://fake",
  });
  expect(order).toEqual(["event", "frame", "frame", "letter", "frame", "letter", "frame", "trade"]);
});

test("a session's begin and end are events, once, with the reason", () => {
  const lost = start();
  lost.handlers.opened();
  lost.handlers.closed({ reason: "gone", code: 1006, status: null, retry_after: null });
  lost.actor.send({ type: "close" });
  expect(lost.events.map(({ event, reason }) => [event, reason])).toEqual([
    ["session_opened", null],
    ["session_closed", "gone"],
  ]);
  expect(lost.events[1]).toMatchObject({ connection_id: "fake-1", url: "ws://fake" });
  expect(lost.closed).toHaveLength(1);
  const ended = start({ ending: { reason: "silent for 5 ms" } });
  ended.handlers.opened();
  ended.actor.send({ type: "close" });
  expect(ended.events.at(-1)?.reason).toBe("silent for 5 ms");
  const unopened = start();
  unopened.actor.send({ type: "close" });
  expect(unopened.events).toEqual([]);
});

test("what a symbol brought and when is noted, a repeated trade as not pushed", () => {
  const { deliveries, handlers } = start();
  handlers.text(
    text({ kind: "trades", source: "SNAPSHOT", trades: [trade("AB", "4")], rejects: [] }),
  );
  expect(deliveries.AB).toMatchObject({ streamed_ms: null, trade_id: "4" });
  handlers.text(tradesFrame(trade("AB", "5"), trade("AB", "6")));
  expect(deliveries.AB).toMatchObject({ streamed_ms: 7, trade_id: "6" });
  expect(deliveries.CD).toEqual(noDelivery());
});

test.each(["addDeadLetter", "addEvent", "frames"] as const)(
  "a sink that throws in %s crashes the incarnation, not the process",
  (where) => {
    function refuse(): never {
      throw new RangeError("the outbox is full");
    }
    const { sink } = fakeSink();
    const { closesCount, exits, handlers } = start({
      sink: {
        addDeadLetter: where === "addDeadLetter" ? refuse : sink.addDeadLetter,
        addEvent: where === "addEvent" ? refuse : sink.addEvent,
        openFrames: where === "frames" ? () => ({ add: refuse, close() {} }) : sink.openFrames,
      },
    });
    handlers.opened();
    handlers.text("unreadable");
    expect(exits[0]).toEqual({ kind: "crash", reason: "the outbox is full" });
    expect(closesCount()).toBeGreaterThan(0);
  },
);

test("an adapter's bug crashes the incarnation, not the process", () => {
  const { exits, handlers } = start({
    adapter: {
      ...fake_adapter,
      parse: () => {
        throw new TypeError("undefined is not an object");
      },
    },
  });
  handlers.text("anything");
  expect(exits).toEqual([{ kind: "crash", reason: "undefined is not an object" }]);
});

test("the socket closes when the incarnation is over, also before it began", () => {
  const running = start();
  running.controller.abort();
  expect(running.closesCount()).toBe(1);
  expect(running.told).toEqual(["socket.abandoned"]);
  const over = fakeIncarnation();
  over.controller.abort();
  expect(start({ incarnation: over.incarnation }).closesCount()).toBe(1);
});
