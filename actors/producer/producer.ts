/**
 * The producer: closes batches that are old enough, and says whether records flow. It is the
 * control plane of the outbox; records go from a normalizer into the outbox and from there into
 * the port's pipe by plain calls, and no record ever enters this machine.
 *
 * ```
 * waiting_for_port <-> flowing        either, on stop:  draining -> drained
 * ```
 *
 * Draining ends when the broker has acknowledged everything. What it has not acknowledged after a
 * while goes to disk, where the next start finds it; how long both may take is the supervisor's
 * deadline.
 *
 * @module
 */

import { fromCallback, setup } from "xstate";
import type { Incarnation, Stop } from "../messages.ts";
import type { After } from "../port/timers.ts";
import { crashOf } from "../settings/exit.ts";
import type { Log } from "../settings/log.ts";
import type { Outbox } from "./outbox.ts";

/** What the producer needs. */
export interface ProducerInput {
  readonly incarnation: Incarnation;
  /** Made once in `tree.ts`; outlives every incarnation. */
  readonly outbox: Outbox;
  /** Timers: `afterOnHost` in operation. */
  readonly after: After;
  /** Free space on the disk of the spill. */
  readonly freeBytes: () => number;
  readonly log: Log;
}

type OutboxEvent =
  | { readonly type: "port.attached" }
  | { readonly type: "port.detached" }
  | { readonly type: "outbox.emptied" };

const report_ms = 500;
/** How long a drain waits for Kafka before it uses the disk. */
const store_after_ms = 3_000;
const store_again_ms = 500;
const reports_per_window = 120;

/** Listens to the outbox, closes batches by age, reports figures and checks the accounts. */
const watcher = fromCallback<{ type: "none" }, ProducerInput>(({ input, sendBack }) => {
  const { incarnation, outbox, after, log } = input;
  let was_spilling = false;
  let last_error: string | null = null;
  let cancelFlush: (() => void) | null = null;
  let cancelReport: (() => void) | null = null;
  let reports = 0;

  function guarded(step: () => void): () => void {
    return () => {
      try {
        step();
      } catch (error) {
        incarnation.exit(crashOf(error));
      }
    };
  }
  function flush(): void {
    cancelFlush = null;
    const rest_ms = outbox.closeAged();
    if (rest_ms !== null) schedule(rest_ms);
  }
  function schedule(delay_ms: number): void {
    cancelFlush?.();
    cancelFlush = after(delay_ms, guarded(flush));
  }
  /** Says what the disk does once, and once when it is over. */
  function tend(): void {
    outbox.tend(input.freeBytes());
    const { is_spilling, spill_error } = outbox;
    if (is_spilling !== was_spilling) {
      if (is_spilling) log.warn("Kafka does not keep up: records wait on disk");
      else log.info("Kafka has what waited on disk");
      was_spilling = is_spilling;
    }
    if (spill_error !== null && last_error === null) {
      log.error(`Records cannot wait on disk: ${spill_error}`);
    }
    last_error = spill_error;
  }
  function report(): void {
    tend();
    outbox.check();
    Object.assign(incarnation.report.figures, outbox.figures());
    reports += 1;
    if (reports % reports_per_window === 0) outbox.latency.rotate();
    cancelReport = after(report_ms, guarded(report));
  }
  const unlisten = outbox.listen({
    opened: schedule,
    attached: () => sendBack({ type: "port.attached" }),
    detached: () => sendBack({ type: "port.detached" }),
    emptied: () => sendBack({ type: "outbox.emptied" }),
  });
  function letGo(): void {
    unlisten();
    cancelFlush?.();
    cancelReport?.();
  }
  // A crashed machine does not stop what it invoked, hence the signal besides the clean-up.
  incarnation.signal.addEventListener("abort", letGo, { once: true });
  report();
  schedule(0);
  return () => {
    incarnation.signal.removeEventListener("abort", letGo);
    letGo();
    Object.assign(incarnation.report.figures, outbox.figures());
  };
});

/** The machine drawn above. It is ready once records can flow, and on `Stop` ends when drained. */
export const producerMachine = setup({
  types: {
    context: {} as ProducerInput,
    events: {} as OutboxEvent | Stop,
    input: {} as ProducerInput,
  },
  actors: { watcher },
  guards: {
    isAttached: ({ context }) => context.outbox.is_attached,
    isEmpty: ({ context }) => context.outbox.is_empty,
    isStored: ({ context }) => context.outbox.storeAll(),
  },
  actions: {
    show: ({ context }, state: string) => {
      context.incarnation.report.state = state;
    },
    beReady: ({ context }) => context.incarnation.ready(),
    closeAll: ({ context }) => context.outbox.closeAll(),
  },
}).createMachine({
  id: "producer",
  context: ({ input }) => input,
  invoke: { src: "watcher", input: ({ context }) => context },
  initial: "waiting_for_port",
  on: { stop: ".draining" },
  states: {
    waiting_for_port: {
      entry: { type: "show", params: "waiting_for_port" },
      always: { guard: "isAttached", target: "flowing" },
      on: { "port.attached": "flowing" },
    },
    flowing: {
      entry: [{ type: "show", params: "flowing" }, "beReady"],
      on: { "port.detached": "waiting_for_port" },
    },
    draining: {
      entry: [{ type: "show", params: "draining" }, "closeAll"],
      always: { guard: "isEmpty", target: "drained" },
      initial: "acknowledging",
      states: {
        acknowledging: { after: { [store_after_ms]: "storing" } },
        storing: {
          always: { guard: "isStored", target: "#producer.drained" },
          after: { [store_again_ms]: { target: "storing", reenter: true } },
        },
      },
      on: {
        "outbox.emptied": { guard: "isEmpty", target: "drained" },
        // A second stop is the first one again.
        stop: {},
      },
    },
    drained: { type: "final", entry: { type: "show", params: "drained" } },
  },
});
