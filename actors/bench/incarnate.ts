/**
 * Incarnations for actors that the bench runs without supervisors: an actor that crashes ends the
 * bench, because what it measures must not have been interrupted.
 *
 * @module
 */

import { type AnyActorLogic, createActor } from "xstate";
import type { Figures, Incarnation } from "../messages.ts";
import { FailureError } from "../settings/exit.ts";

/** An incarnation and what becomes of it. */
interface Incarnated {
  readonly incarnation: Incarnation;
  /** Resolves once it serves. */
  readonly ready: Promise<void>;
  /** Resolves once it has ended by itself, rejects where it crashed. */
  readonly ended: Promise<void>;
}

/** An actor that stands for itself. */
interface Standing {
  readonly report: Incarnation["report"];
  readonly ended: Promise<void>;
  /** Tells it to stop and waits until it has. */
  stop(): Promise<void>;
}

/** Makes an incarnation. */
export function incarnate(name: string, signal: AbortSignal): Incarnated {
  const ready = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  // Whoever waits for the one is told by it; nobody need wait for the other.
  ready.promise.catch(ignore);
  ended.promise.catch(ignore);
  const figures: Figures = {};
  const incarnation: Incarnation = {
    path: `bench/${name}`,
    signal,
    report: { state: "starting", pid: null, figures },
    ready: () => ready.resolve(),
    exit(exit) {
      if (exit.kind === "normal") {
        ready.resolve();
        ended.resolve();
        return;
      }
      const error = new FailureError(`Cannot measure as ${name} ended: ${exit.reason}`);
      ready.reject(error);
      ended.reject(error);
    },
  };
  return { incarnation, ready: ready.promise, ended: ended.promise };
}

/** Starts an actor that needs no neighbors; resolves once it serves. */
export async function startStanding(
  name: string,
  logic: AnyActorLogic,
  options: {
    readonly signal: AbortSignal;
    readonly input: (incarnation: Incarnation) => unknown;
  },
): Promise<Standing> {
  const { incarnation, ready, ended } = incarnate(name, options.signal);
  const actor = createActor(logic, { input: options.input(incarnation) });
  actor.subscribe({
    complete: () => incarnation.exit({ kind: "normal" }),
    error: (error) => incarnation.exit({ kind: "crash", reason: String(error) }),
  });
  actor.start();
  await ready;
  return {
    report: incarnation.report,
    ended,
    async stop() {
      actor.send({ type: "stop" });
      await ended;
      actor.stop();
    },
  };
}

function ignore(): void {}
