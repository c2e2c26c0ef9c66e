/**
 * What an event costs in a machine, against a frame's trades in a plain callback: why no trade
 * ever enters a machine. The machine is the producer's, which is told that its port comes and
 * goes; the callback is the kind of actor that a normalizer is.
 *
 * @module
 */

import { createActor, fromCallback } from "xstate";
import { Outbox, type OutboxOptions } from "../producer/outbox.ts";
import { type ProducerInput, producerMachine } from "../producer/producer.ts";
import { warningsOnly } from "./bench_log.ts";
import { incarnate } from "./incarnate.ts";
import { measure } from "./measure.ts";
import type { Result } from "./producer_ground.ts";
import type { Pass } from "./stretch.ts";

/** Events of one pass. */
const pass_events = 10_000;

/** Measures both, in turns; the messages are the floor of the events. */
export function measureEvents(options: OutboxOptions): Result {
  const controller = new AbortController();
  try {
    const ours = machinePass(new Outbox(options), controller.signal);
    const { trades: records, ...measured } = measure({ ours, createFloor: callbackPass });
    const { cpu_s, floor_cpu_s } = measured;
    const event_ns = Math.round((cpu_s * 1e9) / records);
    const message_ns = Math.round((floor_cpu_s * 1e9) / records);
    return { records, ...measured, further: { event_ns, message_ns } };
  } finally {
    controller.abort();
  }
}

/** Each event is one transition, with its guard and its actions. */
function machinePass(outbox: Outbox, signal: AbortSignal): Pass {
  const { incarnation } = incarnate("producer", signal);
  const input: ProducerInput = {
    incarnation,
    outbox,
    after: () => () => {},
    freeBytes: () => Number.POSITIVE_INFINITY,
    log: warningsOnly(),
  };
  const actor = createActor(producerMachine, { input }).start();
  return () => {
    for (let event = 0; event < pass_events; event += 2) {
      actor.send({ type: "port.attached" });
      actor.send({ type: "port.detached" });
    }
    return pass_events;
  };
}

/** Each message is one call of what the actor received with. */
function callbackPass(): Pass {
  let received = 0;
  const logic = fromCallback<{ readonly type: "frame"; readonly trades: readonly unknown[] }>(
    ({ receive }) =>
      receive(({ trades }) => {
        received += trades.length;
      }),
  );
  const actor = createActor(logic).start();
  const trades = [null];
  return () => {
    for (let event = 0; event < pass_events; event += 1) actor.send({ type: "frame", trades });
    if (received === 0) throw new Error("Cannot trust the bench: no message was received");
    return pass_events;
  };
}
