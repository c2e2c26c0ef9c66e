/**
 * Goal: whatever a feed does, no id is lost: each is taken, missing, absent or unfillable; a trade
 * is sent again only where a restart went back or ranges were merged; what is confirmed holds; each
 * gap that was told of ends exactly once.
 * Method: seeded random histories - order, duplicates, drops, pages, imports, refused events,
 * restarts from a state of any age - against sets of ids.
 */

import { expect, test } from "bun:test";
import type { Continuity, SymbolState } from "../../../actors/continuity/continuity.ts";
import type { FeedEvent } from "../../../actors/messages.ts";
import { createRig, idsFrom, timeOf } from "./rig.ts";

const first_id = 5_000;

/** Numbers in [0, 1) from a seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A feed with faults, what it should have done, and what it did. */
class History {
  readonly random: () => number;
  rig: ReturnType<typeof createRig>;
  /** What is known of each id: how it went. */
  taken = new Set<number>();
  /** Ids that the exchange never had. */
  readonly never = new Set<number>();
  /** Ids that a page has proven absent or two have shown to be lost. */
  settled = new Set<number>();
  readonly events: FeedEvent[] = [];
  next_id = first_id;
  from_id = first_id;

  constructor(seed: number) {
    this.random = randomOf(seed);
    this.rig = createRig();
  }

  integer(below: number): number {
    return Math.floor(this.random() * below);
  }

  /** Gives one trade, and compares the verdict with the sets. */
  give(id: number): void {
    const { continuity } = this.rig;
    const verdict = continuity.judge(String(id));
    const is_known = this.taken.has(id) || this.settled.has(id);
    const is_old = this.from_id - id > 1_000;
    const expected = is_old ? "before_coverage" : is_known ? "duplicate" : "new";
    if (verdict !== expected) throw new Error(`${id}: ${verdict}, wanted ${expected}`);
    if (verdict !== "new") return;
    continuity.observe({ trade_id: String(id), timestamp: timeOf(id) });
    if (this.taken.size === 0) this.from_id = id;
    this.from_id = Math.min(this.from_id, id);
    this.taken.add(id);
  }

  /** Some trades of the stream: shuffled, repeated and dropped. */
  stream(): void {
    const ids: number[] = [];
    for (let count = this.integer(12); count >= 0; count -= 1) {
      this.next_id += 1;
      if (this.random() < 0.05) this.never.add(this.next_id);
      else if (this.random() > 0.15) ids.push(this.next_id);
      if (this.random() < 0.1) ids.push(this.next_id - this.integer(60));
    }
    const given = ids.filter((id) => !this.never.has(id));
    if (this.random() < 0.5) given.sort(() => this.random() - 0.5);
    for (const id of given) this.give(id);
    if (this.random() < 0.2) this.progress();
  }

  /** A heartbeat: what it names may be lost, or not be there yet. */
  progress(): void {
    while (this.never.has(this.next_id)) this.next_id += 1;
    const trade_id = this.next_id - (this.random() < 0.2 ? 1 : 0);
    this.rig.continuity.confirmThrough({ trade_id, timestamp: timeOf(trade_id + 1) });
  }

  /** A page for some open gap, of which some trades are not delivered. */
  page(): void {
    const gaps = this.rig.continuity.openGaps();
    const gap = gaps[this.integer(gaps.length)];
    if (gap === undefined) return;
    const end = gap.from_id - 1 + this.integer(30);
    const ids = idsFrom(gap.from_id - 1, end).filter((id) => !this.never.has(id));
    const has_rejects = this.random() < 0.1;
    for (const id of ids) if (this.random() < 0.8) this.give(id);
    const open = this.openIds();
    this.rig.continuity.settlePage({ ids, after_id: null, has_rejects });
    if (has_rejects) return;
    const last = ids.at(-1) ?? 0;
    for (const id of idsFrom(ids[0] ?? 0, last)) {
      if (!ids.includes(id) && open.has(id)) this.settled.add(id);
    }
  }

  openIds(): Set<number> {
    const ranges = this.rig.continuity.openGaps().flatMap(({ remaining }) => remaining);
    return new Set(ranges.flatMap(({ from_id, to_id }) => idsFrom(from_id, to_id)));
  }

  importBack(): void {
    if (this.taken.size === 0 || this.from_id < 100) return;
    this.from_id -= 1 + this.integer(40);
    this.rig.continuity.extendBack({ trade_id: this.from_id, timestamp: timeOf(this.from_id) });
  }

  /** Goes on in a new process, from the state of now. */
  restart(): void {
    this.collect();
    const restored = this.rig.continuity.state();
    const parsed: SymbolState | null = JSON.parse(JSON.stringify(restored));
    this.rig = createRig({ restored: parsed });
  }

  collect(): void {
    this.events.push(...this.rig.events.splice(0));
  }

  step(): void {
    const dice = this.random();
    if (dice < 0.6) this.stream();
    else if (dice < 0.75) this.page();
    else if (dice < 0.93) this.rig.pass(this.integer(1_500));
    else if (dice < 0.95) this.importBack();
    else if (dice < 0.97) this.rig.refuse();
    else if (dice < 0.99) this.rig.accept();
    else this.restart();
  }

  /** Every id from the coverage to the head is in exactly one of the sets, and as confirmed. */
  check(): void {
    const { continuity } = this.rig;
    const { coverage, head } = continuity;
    if (coverage === null || head === null) return;
    const missing = new Set(this.rig.missing());
    const opened = this.openIds();
    const through_id = continuity.confirmable()?.through_id ?? -1;
    const told_from_id = continuity.state()?.told_from_id ?? 0;
    for (let id = coverage.from_id; id <= head.trade_id; id += 1) {
      const is_known = this.taken.has(id) || this.settled.has(id);
      if (is_known === missing.has(id)) throw new Error(`${id} is ${is_known ? "and" : "not"}`);
      const is_told = is_known || opened.has(id);
      if (id >= told_from_id && id <= through_id && !is_told) throw new Error(`${id} unknown`);
    }
  }
}

/** How often each gap was told to be open and to have ended. */
function endsOf(events: readonly FeedEvent[]): Map<string, { opened: number; ended: number }> {
  const gaps = new Map<string, { opened: number; ended: number }>();
  for (const { event, gap_id } of events) {
    if (gap_id === null) continue;
    const counts = gaps.get(gap_id) ?? { opened: 0, ended: 0 };
    gaps.set(gap_id, counts);
    if (event === "gap_opened") counts.opened += 1;
    else counts.ended += 1;
    if (event === "gap_opened" && counts.ended > 0) throw new Error(`${gap_id} again`);
  }
  return gaps;
}

function fillAll({ continuity }: { readonly continuity: Continuity }, history: History): void {
  for (const { remaining } of continuity.openGaps()) {
    for (const { from_id, to_id } of remaining) {
      for (const id of idsFrom(from_id, to_id)) history.give(id);
    }
  }
}

test("no id is lost, and each gap ends once, in two hundred random histories", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const history = new History(seed);
    try {
      for (let step = 0; step < 150; step += 1) {
        history.step();
        if (step % 5 === 0) history.check();
      }
      history.rig.accept();
      history.rig.pass(2_000);
      fillAll(history.rig, history);
      history.rig.pass(10_000);
      history.collect();
      for (const [gap_id, { opened, ended }] of endsOf(history.events)) {
        if (opened < 1 || ended !== 1) throw new Error(`${gap_id}: ${opened} and ${ended}`);
      }
      expect(history.rig.missing()).toEqual([]);
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`);
    }
  }
});

test("from an older state only trades after it are sent again, and none is lost", () => {
  for (let seed = 1; seed <= 100; seed += 1) {
    const history = new History(seed);
    for (let step = 0; step < 60; step += 1) history.step();
    const old = history.rig.continuity.state();
    const known_then = new Set(history.taken);
    const missing_then = new Set(history.rig.missing());
    for (let step = 0; step < 60; step += 1) history.step();
    const all = idsFrom(history.from_id, history.next_id);
    const restarted = createRig({ restored: old });
    const sent = new Set(restarted.take(...all));
    for (const id of all) {
      const was_known = known_then.has(id);
      if (was_known && sent.has(id)) throw new Error(`seed ${seed}: ${id} twice`);
      if (!was_known && (missing_then.has(id) || id > (old?.head_id ?? 0)) && !sent.has(id)) {
        throw new Error(`seed ${seed}: ${id} lost`);
      }
    }
  }
});
