/**
 * Goal: each frame's trades go to their symbol's normalizer with where and when they came, nothing
 * unreadable is lost or costs its neighbors, and no throw leaves a socket's handler.
 * Method: a fake socket, driven by hand, in a system with one normalizer that keeps what it gets.
 */

import { expect, test } from "bun:test";
import { createActor, createMachine } from "xstate";
import {
  type ReceiverInput,
  receiver,
  type SocketHandlers,
} from "../../../actors/connection/receiver.ts";
import type { Frame } from "../../../actors/exchanges/adapter.ts";
import type { FrameTrades } from "../../../actors/messages.ts";
import { fake_adapter, fakeIncarnation, fakeSink, trade, tradesFrame } from "./fake_exchange.ts";

function start(changes: Partial<ReceiverInput> = {}) {
  const received: FrameTrades[] = [];
  const events: string[] = [];
  const { incarnation, ...fakes } = fakeIncarnation();
  const { letters, sink } = fakeSink();
  let handlers: SocketHandlers | undefined;
  let closes_count = 0;
  let now_us = 1_000;
  function close(): void {
    closes_count += 1;
  }
  const figures = {
    frames_total: 0,
    trades_total: 0,
    heartbeats_total: 0,
    dead_letters_total: 0,
    undelivered_total: 0,
    unconfigured_total: 0,
    exchange_status: null,
  };
  const input: ReceiverInput = {
    adapter: fake_adapter,
    url: "ws://fake",
    connection_id: "fake-1",
    normalizer_ids: new Map([
      ["AB", "fake.normalizer.AB"],
      ["CD", "fake.normalizer.CD"],
    ]),
    incarnation,
    sink,
    figures,
    pulse: { heard_us: 0, frame_us: null },
    openSocket: (_, given) => {
      handlers = given;
      return { send: () => {}, close };
    },
    now_us: () => now_us++,
    ...changes,
  };
  const normalizer = createMachine({
    on: { frame_trades: { actions: ({ event }) => received.push(event as FrameTrades) } },
  });
  const root = createMachine({
    invoke: [
      { src: normalizer, systemId: "fake.normalizer.AB" },
      { src: receiver, id: "socket", input },
    ],
    on: { "*": { actions: ({ event }) => events.push(event.type) } },
  });
  createActor(root).start();
  return {
    ...fakes,
    closesCount: () => closes_count,
    events,
    figures,
    handlers: handlers!,
    letters,
    pulse: input.pulse,
    received,
  };
}

function text(frame: Frame): string {
  return JSON.stringify(frame);
}

test("a frame's trades are one message that says where and when they came", () => {
  const { figures, handlers, pulse, received } = start();
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
  expect(pulse).toEqual({ heard_us: 1_001, frame_us: 1_001 });
});

test("trades of an absent normalizer and of a foreign symbol are counted apart", () => {
  const { figures, handlers, received } = start();
  handlers.text(tradesFrame(trade("CD", "1"), trade("XY", "2"), trade("AB", "3")));
  expect(received.map(({ trades }) => trades.map(({ trade_id }) => trade_id))).toEqual([["3"]]);
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
  expect(received[0]?.source).toBe("SNAPSHOT");
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
  const { events, figures, handlers } = start();
  handlers.text(text({ kind: "heartbeat" }));
  handlers.text(text({ kind: "pong" }));
  handlers.text(text({ kind: "status", status: "maintenance" }));
  expect(figures).toMatchObject({ heartbeats_total: 2, exchange_status: "maintenance" });
  expect(events).toEqual([]);
  handlers.opened();
  handlers.text(text({ kind: "acknowledged", request_id: 1, native_symbol: null }));
  const refusal = { request_id: 1, native_symbol: null, reason: "no", is_terminal: true };
  handlers.text(text({ kind: "refused", ...refusal }));
  handlers.text(text({ kind: "shutdown" }));
  handlers.closed({ reason: "gone", status: null, retry_after: null });
  expect(events).toEqual([
    "socket.opened",
    "subscription.acknowledged",
    "subscription.refused",
    "exchange.closing",
    "socket.closed",
  ]);
});

test("a ping is heard, and is no frame", () => {
  const { figures, handlers, pulse } = start();
  handlers.pinged();
  expect(pulse).toEqual({ heard_us: 1_000, frame_us: null });
  expect(figures.frames_total).toBe(0);
});

test("a sink that is full crashes the incarnation, not the process", () => {
  const { closesCount, exits, handlers } = start({
    sink: {
      addDeadLetter: () => {
        throw new RangeError("the outbox is full");
      },
    },
  });
  handlers.text("unreadable");
  handlers.binary(new Uint8Array([1]));
  const crash = { kind: "crash", reason: "the outbox is full" } as const;
  expect(exits).toEqual([crash, crash]);
  expect(closesCount()).toBeGreaterThan(0);
});

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
  const over = fakeIncarnation();
  over.controller.abort();
  expect(start({ incarnation: over.incarnation }).closesCount()).toBe(1);
});
