/**
 * Goal: nothing is stored or confirmed before the broker has it, gaps open by themselves, a disk that
 * refuses stops nothing, and after a kill what was not acknowledged is found again.
 * Method: the real actor and the real store with time moved by hand and an outbox that settles when
 * the test says so.
 */

import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createActor, fromCallback, sendTo, setup } from "xstate";
import { Continuity, type SymbolState } from "../../../actors/continuity/continuity.ts";
import {
  type ContinuityStore,
  openContinuityStore,
} from "../../../actors/continuity/continuity_store.ts";
import { createEmit, type KeeperInput, keeper } from "../../../actors/continuity/keeper.ts";
import type { Exit, FeedEvent, Report } from "../../../actors/messages.ts";
import { short, timeOf } from "./rig.ts";

const folder = mkdtempSync(join(tmpdir(), "k2-keeper-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

function newPath(): string {
  files += 1;
  return join(folder, `${files}.db`);
}

/** Time that passes when it is told to. */
function createTime() {
  let now_ms = 1_000;
  let waiting: { readonly at_ms: number; readonly callback: () => void }[] = [];
  return {
    now_ms: () => now_ms,
    after(delay_ms: number, callback: () => void) {
      const timer = { at_ms: now_ms + delay_ms, callback };
      waiting.push(timer);
      return () => {
        waiting = waiting.filter((other) => other !== timer);
      };
    },
    pass(ms: number) {
      const end_ms = now_ms + ms;
      for (;;) {
        const [next] = waiting.toSorted((one, other) => one.at_ms - other.at_ms);
        if (next === undefined || next.at_ms > end_ms) break;
        waiting = waiting.filter((other) => other !== next);
        now_ms = next.at_ms;
        next.callback();
      }
      now_ms = end_ms;
    },
    waiting: () => waiting.length,
  };
}

/** A process: its symbol, its outbox, its store, its keeper. */
function startProcess(path: string) {
  const time = createTime();
  const now_us = () => 1_800_000_000_000_000 + time.now_ms() * 1_000;
  const store = openContinuityStore(path);
  const events: FeedEvent[] = [];
  const outbox = { taken: 0, settled_through: 0, is_full: false, mark: () => outbox.taken };
  const sink = {
    addEvent(event: FeedEvent) {
      if (outbox.is_full) throw new Error("full");
      outbox.taken += 1;
      events.push(event);
    },
  };
  const warnings: string[] = [];
  const log = {
    info: () => {},
    warn: (message: string) => warnings.push(message),
    error: () => {},
  };
  let refusal: string | null = null;
  const watched: Pick<ContinuityStore, "writeStates" | "noted_through" | "note"> = {
    note: (event) => {
      if (refusal !== null) throw new Error(refusal);
      store.note(event);
    },
    get noted_through() {
      return store.noted_through;
    },
    writeStates(states, noted_through) {
      if (refusal !== null) throw new Error(refusal);
      writes.push(states);
      store.writeStates(states, noted_through);
    },
  };
  const writes: (readonly SymbolState[])[] = [];
  const states = new Map(store.readStates().map((state) => [state.native_symbol, state]));
  function createContinuity(native_symbol: string): Continuity {
    return new Continuity({
      exchange: "binance",
      native_symbol,
      are_ids_dense: true,
      gap_grace_ms: 1_000,
      positions: outbox,
      emit: createEmit({ store: watched, sink, log }),
      now_us,
      now_ms: time.now_ms,
      restored: states.get(native_symbol) ?? null,
    });
  }
  const continuities = [createContinuity("BTCUSDT")];
  const exits: Exit[] = [];
  const report: Report = { state: "starting", pid: null, figures: {} };
  const life = new AbortController();
  const flags = { ready_count: 0 };
  const input: KeeperInput = {
    incarnation: {
      path: "k2/test",
      signal: life.signal,
      report,
      ready: () => {
        flags.ready_count += 1;
      },
      exit: (exit: Exit) => exits.push(exit),
    },
    continuities: () => continuities,
    positions: outbox,
    sink,
    store: watched,
    after: time.after,
    now_us,
    log,
  };
  const root = setup({
    types: { events: {} as { type: "stop" } | { type: "drained" } },
    actors: { keeper, producer: fromCallback(() => {}) },
    actions: { stop: sendTo("keeper", { type: "stop" }) },
  }).createMachine({
    invoke: { src: "keeper", id: "keeper", input },
    on: { stop: { actions: "stop" } },
    initial: "producing",
    states: {
      producing: { invoke: { src: "producer", systemId: "producer" }, on: { drained: "drained" } },
      drained: {},
    },
  });
  const actor = createActor(root).start();
  return {
    actor,
    continuities,
    createContinuity,
    events,
    exits,
    flags,
    life,
    outbox,
    report,
    store,
    time,
    warnings,
    writes,
    settleAll() {
      outbox.settled_through = outbox.taken;
    },
    refuse(reason: string | null) {
      refusal = reason;
    },
    /** Trades as a normalizer gives them; returns those that are sent. */
    take(...ids: readonly number[]): number[] {
      const [continuity] = continuities;
      return ids.filter((id) => {
        if (continuity?.judge(String(id)) !== "new") return false;
        outbox.taken += 1;
        continuity.observe({ trade_id: String(id), timestamp: timeOf(id) });
        return true;
      });
    },
    said: () => events.splice(0).map(short),
    stored: () => writes.splice(0).flatMap((written) => written.map(({ head_id }) => head_id)),
  };
}

test("keeper opens gaps by itself, once their grace is over", () => {
  const process = startProcess(newPath());
  expect([process.flags.ready_count, process.report.state]).toEqual([1, "keeping"]);
  process.take(1, 5);
  process.time.pass(750);
  expect(process.said()).toEqual(["coverage 1"]);
  process.time.pass(500);
  expect(process.said()).toEqual(["gap_opened 2-4"]);
  expect(process.report.figures).toMatchObject({
    symbols: 1,
    gaps_open: 1,
    ids_missing: 3,
    oldest_gap_at: new Date(timeOf(1) / 1_000).toISOString(),
    store_error: null,
  });
});

test("keeper stores nothing before it is settled, then what was true at that position", () => {
  const process = startProcess(newPath());
  process.take(1, 2);
  process.time.pass(1_000);
  const position = process.outbox.mark();
  process.take(3);
  const { last_checkpoint_at } = process.report.figures;
  process.time.pass(20_000);
  expect(process.stored()).toEqual([]);
  expect(process.report.figures.last_checkpoint_at).toBe(last_checkpoint_at!);
  process.outbox.settled_through = position - 1;
  process.time.pass(1_000);
  expect(process.stored()).toEqual([]);
  process.outbox.settled_through = position;
  process.time.pass(250);
  expect(process.stored()).toEqual([2]);
  expect(process.report.figures.last_checkpoint_at).not.toBe(last_checkpoint_at!);
  process.time.pass(10_000);
  expect(process.stored()).toEqual([]);
  process.settleAll();
  process.time.pass(2_000);
  expect(process.stored()).toEqual([3]);
});

test("keeper stores only what has changed, and symbols that were added", () => {
  const process = startProcess(newPath());
  process.take(1);
  process.settleAll();
  process.time.pass(3_000);
  expect(process.stored()).toEqual([1]);
  process.continuities.push(process.createContinuity("ETHUSDT"));
  process.continuities[1]?.observe({ trade_id: "70", timestamp: timeOf(70) });
  process.settleAll();
  process.time.pass(3_000);
  expect(process.stored()).toEqual([70]);
});

test("keeper confirms every 5 s what is settled, and only where it is further", () => {
  const process = startProcess(newPath());
  process.take(1, 2);
  process.time.pass(30_000);
  expect(process.said()).toEqual(["coverage 1"]);
  process.settleAll();
  process.time.pass(6_000);
  expect(process.events).toMatchObject([
    {
      event: "confirmed",
      exchange: "binance",
      native_symbol: "BTCUSDT",
      through_id: 2,
      through_timestamp: timeOf(2),
    },
  ]);
  process.settleAll();
  process.said();
  process.time.pass(30_000);
  expect(process.said()).toEqual([]);
  process.take(3);
  process.settleAll();
  process.time.pass(4_000);
  process.settleAll();
  process.time.pass(6_000);
  expect(process.said()).toEqual(["confirmed 3"]);
  expect(process.report.figures.confirmed_behind_s).toBeNumber();
});

test("keeper that cannot tell a confirmation tells a later one", () => {
  const process = startProcess(newPath());
  process.take(1, 2);
  process.settleAll();
  process.outbox.is_full = true;
  process.time.pass(20_000);
  expect(process.exits).toEqual([]);
  process.outbox.is_full = false;
  process.time.pass(10_000);
  expect(process.said()).toContain("confirmed 2");
});

test("a disk that refuses is said once and shown, and stored is what it then takes", () => {
  const process = startProcess(newPath());
  process.refuse("disk I/O error");
  process.take(1, 5);
  process.settleAll();
  process.time.pass(5_000);
  process.settleAll();
  process.time.pass(5_000);
  expect(process.exits).toEqual([]);
  expect(process.warnings).toEqual([
    "Cannot note what is missing: disk I/O error",
    "Cannot store what is missing, tries again: disk I/O error",
  ]);
  expect(process.report.figures.store_error).toBe("disk I/O error");
  expect(process.said()).toContain("gap_opened 2-4");
  process.refuse(null);
  process.settleAll();
  process.time.pass(2_500);
  expect(process.stored()).toEqual([5]);
  expect(process.report.figures.store_error).toBeNull();
});

test("a killed process finds again what was not acknowledged, and ends the gap it had told of", () => {
  const path = newPath();
  const killed = startProcess(path);
  killed.take(1, 2);
  killed.settleAll();
  killed.time.pass(2_000);
  expect(killed.stored()).toEqual([2]);
  killed.take(3, 4, 9);
  killed.time.pass(1_500);
  expect(killed.said()).toContain("gap_opened 5-8");
  killed.take(10, 11);
  killed.store.close();

  const next = startProcess(path);
  next.time.pass(250);
  expect(next.said()).toEqual(["gap_opened 3-4", "gap_opened 5-8"]);
  expect(next.take(1, 2, 20)).toEqual([20]);
  next.time.pass(1_500);
  expect(next.said()).toEqual(["gap_opened 9-19"]);
  expect(next.take(3, 4, 5, 6, 7, 8)).toHaveLength(6);
  next.time.pass(250);
  expect(next.said()).toEqual([]);
  next.settleAll();
  next.time.pass(250);
  expect(next.said()).toEqual(["gap_filled 3-4", "gap_filled 5-8"]);
});

test("keeper that is stopped stores the last state once it is settled, and says nothing more", () => {
  const path = newPath();
  const process = startProcess(path);
  process.take(1);
  process.settleAll();
  process.time.pass(2_000);
  process.take(2, 9);
  process.actor.send({ type: "drained" });
  process.said();
  process.time.pass(3_000);
  expect(process.said()).toEqual([]);
  // A checkpoint without this trade still waits.
  process.take(10);
  process.actor.send({ type: "stop" });
  process.actor.send({ type: "stop" });
  expect(process.exits).toEqual([]);
  process.settleAll();
  process.time.pass(50);
  expect(process.exits).toEqual([{ kind: "normal" }]);
  process.life.abort();
  expect(process.time.waiting()).toBe(0);
  expect(process.store.readStates()).toMatchObject([{ head_id: 10 }]);
  process.store.close();
  const next = startProcess(path);
  next.time.pass(250);
  expect(next.said()).toEqual(["gap_opened 3-8"]);
});

test("keeper that is stopped while the broker is away ends within a second and stores nothing", () => {
  const process = startProcess(newPath());
  process.take(1);
  process.actor.send({ type: "stop" });
  process.time.pass(900);
  expect(process.exits).toEqual([{ kind: "normal" }]);
  expect(process.writes).toEqual([]);
});

test("keeper whose assumptions break crashes, and lets go of its timer when it is over", () => {
  const process = startProcess(newPath());
  process.continuities.push({
    openOverdue: () => {
      throw new Error("impossible");
    },
  } as never);
  process.time.pass(250);
  expect(process.exits).toEqual([{ kind: "crash", reason: "impossible" }]);
  const other = startProcess(newPath());
  other.life.abort();
  expect(other.time.waiting()).toBe(0);
});

test("an import is stored before the symbol's first trade, and so is its end", () => {
  const path = newPath();
  const first = startProcess(path);
  const range = { from_timestamp: timeOf(1), to_timestamp: timeOf(9) };
  first.continuities[0]?.addImport(range);
  first.settleAll();
  first.time.pass(2_000);
  first.store.close();

  const second = startProcess(path);
  const [continuity] = second.continuities;
  expect([continuity?.imports, continuity?.coverage]).toEqual([[range], null]);
  expect(second.take(5)).toEqual([5]);
  second.store.close();

  // Killed before the broker had it: what was told of is noted, and the import is still wanted.
  const third = startProcess(path);
  expect(third.continuities[0]?.coverage).toEqual({ from_id: 5, from_timestamp: timeOf(5) });
  expect(third.continuities[0]?.imports).toEqual([range]);
  expect(third.take(5)).toEqual([5]);
  third.continuities[0]?.removeImport(range);
  third.settleAll();
  third.time.pass(2_000);
  third.settleAll();
  third.time.pass(2_000);
  third.store.close();
  expect(startProcess(path).continuities[0]?.imports).toEqual([]);
});
