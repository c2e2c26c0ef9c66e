/**
 * Goal: after a crash, a gap that was told of before is still the same gap and ends once more, also
 * where the stored state is older than it; and every trade that the state does not know is taken.
 * Method: stories with a state and the notes made after it, then seeded random feeds that crash at a
 * random time with a state of a random age.
 */

import { expect, test } from "bun:test";
import type { SymbolState } from "../../../actors/continuity/continuity.ts";
import { type Note, noteOf, readNote, withNotes } from "../../../actors/continuity/notes.ts";
import { readSymbolState } from "../../../actors/continuity/symbol_state.ts";
import type { FeedEvent } from "../../../actors/messages.ts";
import { createRig, idsFrom, timeOf } from "./rig.ts";

const symbol = { exchange: "binance", native_symbol: "BTCUSDT" };

/** Notes of events, as they come from a file. */
function notesOf(events: readonly FeedEvent[]): Note[] {
  return events.flatMap((event) => {
    const note = noteOf(event);
    const read = note === null ? null : readNote(JSON.parse(JSON.stringify(note)));
    expect(read).toEqual(note);
    return read === null ? [] : [read];
  });
}

/** A restart from a state and what was told after it. */
function restart(state: SymbolState | null, events: readonly FeedEvent[]) {
  const restored = withNotes(symbol, state, notesOf(events));
  // What comes of it is a state that a file may hold.
  if (restored !== null) expect(readSymbolState(restored)).not.toBeNull();
  return createRig({ restored });
}

test("only a coverage and an opened gap are noted", () => {
  const { continuity, events, take, pass } = createRig();
  take(1, 3);
  pass(1_000);
  take(2);
  continuity.confirmThrough({ trade_id: 3, timestamp: timeOf(9) });
  expect(events.map((event) => noteOf(event)?.kind)).toEqual(["coverage", "gap", undefined]);
});

test("a coverage that was told before any state is kept, and all after it is fetched", () => {
  const before = createRig();
  before.take(100, 101);
  const after = restart(null, before.events);
  expect(after.continuity.coverage?.from_id).toBe(100);
  after.pass(0);
  expect(after.said()).toEqual(["coverage 100"]);
  after.take(105);
  after.pass(1_000);
  expect(after.said()).toEqual(["gap_opened 100-104"]);
});

test("a gap is known although the coverage was told again after it", () => {
  const before = createRig();
  before.take(1, 2, 6);
  before.pass(1_000);
  const [coverage, ...gaps] = before.events;
  expect(before.said()).toEqual(["coverage 1", "gap_opened 3-5"]);
  if (coverage === undefined) throw new Error("no coverage was told");
  // A process that was killed soon after its start had told the coverage once more.
  const after = restart(null, [...gaps, coverage]);
  after.pass(0);
  expect(after.said()).toContain("gap_opened 3-5");
  after.take(1, 2, 3, 4, 5);
  after.pass(0);
  expect(after.said()).toContain("gap_filled 3-5");
});

test("a gap that was told after the state is the same gap, and what lies between is missing", () => {
  const before = createRig();
  before.take(1, 2);
  before.said();
  const state = before.continuity.state();
  before.take(3, 4, 9);
  before.pass(1_000);
  before.take(10, 11, 5);
  const after = restart(state, before.events);
  expect(after.missing()).toEqual(idsFrom(3, 8));
  after.pass(0);
  expect(after.said()).toEqual(["gap_opened 3-4", "gap_opened 5-8"]);
  after.take(...idsFrom(1, 20));
  expect(after.said()).toEqual(["gap_filled 3-4", "gap_filled 5-8"]);
});

test("a gap told after a state that had it within its grace is cut out of what it had", () => {
  const before = createRig();
  before.take(1, 10);
  before.said();
  const state = before.continuity.state();
  before.take(4, 7);
  before.pass(1_000);
  const after = restart(state, before.events);
  expect(after.missing()).toEqual(idsFrom(2, 9));
  after.pass(0);
  expect(after.said()).toEqual([
    "gap_opened 4-4",
    "gap_opened 7-7",
    "gap_opened 2-3",
    "gap_opened 5-6",
    "gap_opened 8-9",
  ]);
});

test("an import that was told after the state is known", () => {
  const before = createRig();
  before.take(100);
  before.said();
  const state = before.continuity.state();
  before.continuity.extendBack({ trade_id: 90, timestamp: timeOf(90) });
  const after = restart(state, before.events);
  expect(after.continuity.coverage).toEqual({ from_id: 90, from_timestamp: timeOf(90) });
  expect(after.continuity.openGaps()).toMatchObject([
    { from_id: 90, to_id: 99, found_by: "import", is_imported: true },
  ]);
  after.pass(0);
  expect(after.said()).toEqual(["gap_opened 90-99", "coverage 90"]);
});

test("notes that the state already holds change nothing but are told again", () => {
  const before = createRig();
  before.take(1, 5);
  before.pass(1_000);
  const state = before.continuity.state();
  const after = restart(state, before.events);
  expect(after.missing()).toEqual([2, 3, 4]);
  after.pass(0);
  expect(after.said()).toEqual(["coverage 1"]);
});

test("readNote() refuses what is none", () => {
  const bad = [
    null,
    1,
    {},
    { kind: "coverage" },
    { kind: "coverage", from_id: -1, from_timestamp: 1 },
    { kind: "coverage", from_id: 1.5, from_timestamp: 1 },
    { kind: "coverage", from_id: "1", from_timestamp: 1 },
    { kind: "gap" },
    { kind: "gap", gap: { from_id: 3, to_id: 2 } },
  ];
  for (const value of bad) expect(readNote(value)).toBeNull();
});

test("after a crash every told gap ends, and no trade is lost, in five hundred random feeds", () => {
  let seed = 1;
  /** The next number below a bound (a linear congruential generator). */
  function integer(below: number): number {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  }
  for (let round = 0; round < 500; round += 1) {
    const before = createRig();
    let id = 1_000;
    let state: SymbolState | null = null;
    let events_at_state = 0;
    let known = new Set<number>();
    const taken = new Set<number>();
    const steps = 5 + integer(25);
    const stored_at = integer(steps);
    for (let step = 0; step < steps; step += 1) {
      id += integer(3) === 0 ? 1 + integer(9) : 1;
      const late = id - 1 - integer(8);
      for (const sent of before.take(...(integer(2) === 0 ? [id] : [id, late]))) taken.add(sent);
      if (integer(3) === 0) before.pass(integer(1_500));
      if (integer(12) === 0) {
        const from_id = (before.continuity.coverage?.from_id ?? 0) - 1 - integer(6);
        before.continuity.extendBack({ trade_id: from_id, timestamp: timeOf(from_id) });
      }
      if (step !== stored_at || integer(5) === 0) continue;
      state = before.continuity.state();
      events_at_state = before.events.length;
      known = new Set(taken);
    }
    const after = restart(state, before.events.slice(events_at_state));
    const from_id = before.continuity.coverage?.from_id ?? 0;
    after.pass(integer(2) * 1_000);
    const sent = new Set(after.take(...idsFrom(from_id, id + 20)));
    after.pass(10_000);
    for (const each of idsFrom(from_id, id + 20)) {
      if (!known.has(each) && !sent.has(each)) throw new Error(`round ${round}: ${each} is lost`);
    }
    const ended = new Map<string, boolean>();
    for (const { event, gap_id } of [...before.events, ...after.events]) {
      if (gap_id !== null) ended.set(gap_id, event !== "gap_opened");
    }
    const open = [...ended].filter(([, is_ended]) => !is_ended);
    if (open.length > 0) throw new Error(`round ${round}: ${open} never ends`);
  }
});
