/**
 * The actor that tells what is missing, and writes down what is not: it opens gaps whose grace is
 * over, stores every symbol's state, and confirms up to where nothing is unknown.
 *
 * A state and a confirmation are used only once the broker has acknowledged everything up to them.
 * So a restart may fetch what Kafka has, and never believes that Kafka has what it has not. A disk
 * that refuses does not stop the feed: it is said once, shown, and tried again.
 *
 * @module
 */

import { fromCallback } from "xstate";
import type { FeedEvent, Incarnation, RecordSink, Stop } from "../messages.ts";
import { reasonOf } from "../settings/exit.ts";
import type { Log } from "../settings/log.ts";
import { Checkpoints, type CheckpointsInput } from "./checkpoints.ts";
import type { ContinuityStore } from "./continuity_store.ts";

export type { Positions } from "./continuity.ts";

/** Calls back once, after a delay; what it returns takes the call back. */
type After = (delay_ms: number, callback: () => void) => () => void;

/** What the keeper needs. */
export interface KeeperInput extends CheckpointsInput {
  readonly incarnation: Incarnation;
  /** Timers: `afterOnHost` in operation. */
  readonly after: After;
}

const tick_ms = 250;
const ticks_per_checkpoint = 4;
const ticks_per_confirmation = 20;
/** How often, and in which intervals, the last checkpoint is looked at. */
const last_looks_max = 16;
const last_look_ms = 50;

/**
 * Makes what takes a symbol's events: each is noted on disk and then given to the sink, so that
 * after a crash what somebody may have heard of is known. A disk that refuses is said once and
 * stops nothing.
 */
export function createEmit(options: {
  readonly store: Pick<ContinuityStore, "note">;
  readonly sink: Pick<RecordSink, "addEvent">;
  readonly log: Log;
}): (event: FeedEvent) => void {
  const { store, sink, log } = options;
  let is_refused = false;
  return (event) => {
    try {
      store.note(event);
      is_refused = false;
    } catch (error) {
      if (!is_refused) log.warn(`Cannot note what is missing: ${reasonOf(error)}`);
      is_refused = true;
    }
    sink.addEvent(event);
  };
}

/**
 * Receives `Stop`. Ends when the last state is stored, or cannot be. It tells nothing while there
 * is no producer: once that has drained, a record would stay behind.
 */
export const keeper = fromCallback<Stop, KeeperInput>(({ input, receive, system }) => {
  const { after, incarnation } = input;
  const checkpoints = new Checkpoints(input);
  let cancel: () => void = () => {};
  let ticks = 0;
  let is_ending = false;

  function schedule(delay_ms: number, step: () => void): void {
    cancel = after(delay_ms, () => {
      try {
        step();
      } catch (error) {
        incarnation.exit({ kind: "crash", reason: reasonOf(error) });
      }
    });
  }
  function tick(): void {
    if (system.get("producer")?.getSnapshot().status === "active") {
      for (const continuity of input.continuities()) continuity.openOverdue();
      if (ticks % ticks_per_confirmation === 0) checkpoints.confirm();
    }
    checkpoints.settle();
    if (ticks % ticks_per_checkpoint === 0) checkpoints.take();
    ticks += 1;
    schedule(tick_ms, tick);
  }
  /** The producer has drained before, so what is taken now is settled at once or never. */
  function end(looks: number): void {
    checkpoints.settle();
    if (!checkpoints.is_waiting || looks >= last_looks_max) incarnation.exit({ kind: "normal" });
    else schedule(last_look_ms, () => end(looks + 1));
  }
  function letGo(): void {
    cancel();
  }
  receive(() => {
    if (is_ending) return;
    is_ending = true;
    cancel();
    incarnation.report.state = "storing";
    checkpoints.settle();
    checkpoints.forget();
    checkpoints.take();
    end(0);
  });
  incarnation.signal.addEventListener("abort", letGo, { once: true });
  checkpoints.showIn(incarnation.report.figures);
  incarnation.report.state = "keeping";
  tick();
  incarnation.ready();
  return letGo;
});
