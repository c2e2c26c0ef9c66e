/**
 * Goal: no trade is lost and none is sent twice; every id is taken, missing, absent or unfillable;
 * each gap that is told of ends once, with its neighbors' times; nothing unknown is confirmed.
 * Method: the stories of a feed one by one, with clocks moved by hand; seeded random histories
 * against a plain set of ids are in `continuity_property_test.ts`.
 */

import { expect, test } from "bun:test";
import { Continuity } from "../../../actors/continuity/continuity.ts";
import { readSymbolState } from "../../../actors/continuity/symbol_state.ts";
import { createRig, idsFrom, timeOf } from "./rig.ts";

test("the first trade begins the coverage, and trades in order say nothing more", () => {
  const { continuity, said, take, pass } = createRig();
  expect([continuity.coverage, continuity.head, continuity.state()]).toEqual([null, null, null]);
  expect(continuity.confirmable()).toBeNull();
  expect(take(100, 101, 102)).toEqual([100, 101, 102]);
  pass(5_000);
  expect(said()).toEqual(["coverage 100"]);
  expect(continuity.head).toEqual({ trade_id: 102, timestamp: timeOf(102) });
  expect(continuity.confirmable()).toEqual({ through_id: 102, through_timestamp: timeOf(102) });
  expect(take(101, 102)).toEqual([]);
  expect(continuity.figures).toMatchObject({ duplicates_total: 2, gaps_open: 0, ids_missing: 0 });
});

test("id 0 is a trade like any other", () => {
  const { continuity, take, missing } = createRig();
  expect(take(0, 2, 0, 1)).toEqual([0, 2, 1]);
  expect(missing()).toEqual([]);
  expect(continuity.head?.trade_id).toBe(2);
});

test("a jump becomes a gap only after the grace, with its neighbors' times", () => {
  const { continuity, events, said, take, pass } = createRig();
  take(10, 14);
  pass(999);
  expect(said()).toEqual(["coverage 10"]);
  expect(continuity.openGaps()).toEqual([]);
  expect(continuity.confirmable()).toEqual({ through_id: 10, through_timestamp: timeOf(10) });
  pass(1);
  expect(events).toMatchObject([
    {
      event: "gap_opened",
      exchange: "binance",
      native_symbol: "BTCUSDT",
      gap_id: "binance:BTCUSDT:11",
      from_id: 11,
      to_id: 13,
      from_timestamp: timeOf(10),
      to_timestamp: timeOf(14),
      found_by: "jump",
      remaining: [{ from_id: 11, to_id: 13 }],
      reason: null,
    },
  ]);
  expect(continuity.confirmable()?.through_id).toBe(14);
  expect(said()).toHaveLength(1);
  pass(60_000);
  expect(said()).toEqual([]);
});

test("where ids may have holes a jump is a suspicion", () => {
  const { continuity, take, pass } = createRig({ are_ids_dense: false });
  take(1, 3);
  pass(1_000);
  expect(continuity.openGaps()).toMatchObject([{ found_by: "suspected_jump", is_imported: false }]);
});

test("trades that come within the grace close what they can, and split the rest", () => {
  const { continuity, events, said, take, pass, missing } = createRig();
  expect(take(10, 20, 19, 11, 15, 14)).toEqual([10, 20, 19, 11, 15, 14]);
  expect(missing()).toEqual([12, 13, 16, 17, 18]);
  pass(1_000);
  expect(events.slice(1)).toMatchObject([
    { from_id: 12, to_id: 13, from_timestamp: timeOf(11), to_timestamp: timeOf(14) },
    { from_id: 16, to_id: 18, from_timestamp: timeOf(15), to_timestamp: timeOf(19) },
  ]);
  expect(said()).toEqual(["coverage 10", "gap_opened 12-13", "gap_opened 16-18"]);
  take(13, 12);
  expect(said()).toEqual(["gap_filled 12-13"]);
  expect(continuity.openGaps().map(({ from_id }) => from_id)).toEqual([16]);
});

test("trades of a frame in any order are no gap", () => {
  const { said, take, pass, missing } = createRig();
  take(1);
  expect(take(...idsFrom(2, 51).reverse())).toHaveLength(50);
  expect(missing()).toEqual([]);
  pass(2_000);
  expect(said()).toEqual(["coverage 1"]);
});

test("a second gap is found and told while an older one is open, newest first in the list", () => {
  const { continuity, said, take, pass } = createRig();
  take(1, 5);
  pass(1_000);
  take(6, 9);
  expect(continuity.confirmable()?.through_id).toBe(6);
  pass(1_000);
  expect(said()).toEqual(["coverage 1", "gap_opened 2-4", "gap_opened 7-8"]);
  expect(continuity.openGaps().map(({ gap_id }) => gap_id)).toEqual([
    "binance:BTCUSDT:7",
    "binance:BTCUSDT:2",
  ]);
  expect(continuity.figures).toMatchObject({
    gaps_open: 2,
    ids_missing: 5,
    contiguous_id: 1,
    through_id: 9,
    oldest_gap_at: new Date(timeOf(1) / 1_000).toISOString(),
  });
});

test("an open gap keeps its ends and times, and tells what remains at most every 5 s", () => {
  const { events, said, take, pass } = createRig();
  take(1, 10);
  pass(1_000);
  said();
  take(5);
  pass(4_999);
  expect(said()).toEqual([]);
  pass(1);
  expect(events).toMatchObject([
    {
      gap_id: "binance:BTCUSDT:2",
      from_id: 2,
      to_id: 9,
      from_timestamp: timeOf(1),
      to_timestamp: timeOf(10),
      remaining: [
        { from_id: 2, to_id: 4 },
        { from_id: 6, to_id: 9 },
      ],
    },
  ]);
  said();
  take(2, 3, 4, 6, 7, 8, 9);
  expect(said()).toEqual(["gap_filled 2-9"]);
  pass(60_000);
  expect(said()).toEqual([]);
});

test("trades out of order at the start extend the coverage back, told once and without holes", () => {
  const { continuity, said, take, pass } = createRig();
  expect(take(50, 49, 48, 45)).toEqual([50, 49, 48, 45]);
  expect(said()).toEqual(["coverage 50"]);
  expect(continuity.confirmable()?.through_id).toBe(50);
  pass(999);
  expect(said()).toEqual([]);
  pass(1);
  expect(said()).toEqual(["gap_opened 46-47", "coverage 45"]);
});

test("a trade from long before the coverage is counted and not sent", () => {
  const { continuity, take, missing } = createRig();
  take(5_000);
  expect(take(3_999)).toEqual([]);
  expect(take(4_000)).toEqual([4_000]);
  expect(missing()).toHaveLength(999);
  expect(continuity.figures.before_coverage_total).toBe(1);
  continuity.observe({ trade_id: "1", timestamp: timeOf(1) });
  expect(continuity.coverage?.from_id).toBe(4_000);
});

test("an id beyond what a number holds is sent and has no part in continuity", () => {
  const { continuity } = createRig();
  for (const trade_id of ["9007199254740993", "9223372036854775807"]) {
    expect(continuity.judge(trade_id)).toBe("unsequenced");
    continuity.observe({ trade_id, timestamp: 1 });
    expect(continuity.judge(trade_id)).toBe("unsequenced");
  }
  expect(continuity.state()).toBeNull();
  expect(continuity.figures.unsequenced_total).toBe(2);
});

test("judge() changes nothing", () => {
  const { continuity } = createRig();
  expect(continuity.judge("7")).toBe("new");
  expect(continuity.judge("9")).toBe("new");
  expect(continuity.state()).toBeNull();
  continuity.observe({ trade_id: "7", timestamp: timeOf(7) });
  expect(continuity.head?.trade_id).toBe(7);
});

test("a snapshot that overlaps what is known sends only what is not", () => {
  const { take, missing } = createRig();
  take(...idsFrom(1, 40));
  expect(take(...idsFrom(21, 70))).toEqual(idsFrom(41, 70));
  expect(missing()).toEqual([]);
});

test("a page with ids on both sides proves ids absent; what it holds stays missing", () => {
  const { continuity, events, said, take, pass, missing } = createRig({ are_ids_dense: false });
  take(1, 10);
  pass(1_000);
  said();
  continuity.settlePage({ ids: [1, 4, 5, 10], after_id: 1, has_rejects: false });
  expect(missing()).toEqual([4, 5]);
  take(4, 5);
  expect(events).toMatchObject([
    {
      event: "gap_filled",
      from_id: 2,
      to_id: 9,
      remaining: [],
      absent: [
        { from_id: 2, to_id: 3 },
        { from_id: 6, to_id: 9 },
      ],
      unfillable: [],
    },
  ]);
});

test("a gap whose ids the exchange never had is absent", () => {
  const { continuity, said, take, pass } = createRig({ are_ids_dense: false });
  take(1, 5);
  pass(1_000);
  said();
  continuity.settlePage({ ids: [1, 5, 6], after_id: 1, has_rejects: false });
  expect(said()).toEqual(["gap_absent 2-4"]);
  expect(take(3)).toEqual([]);
});

test("an empty page, a short one, one with rejects and one within the grace prove nothing", () => {
  const { continuity, said, take, pass, missing } = createRig();
  take(1, 5);
  continuity.settlePage({ ids: [1, 5], after_id: 1, has_rejects: false });
  expect(missing()).toEqual([2, 3, 4]);
  pass(1_000);
  said();
  continuity.settlePage({ ids: [], after_id: 1, has_rejects: false });
  continuity.settlePage({ ids: [1], after_id: 1, has_rejects: false });
  continuity.settlePage({ ids: [1, 2], after_id: 1, has_rejects: false });
  continuity.settlePage({ ids: [1, 5], after_id: 1, has_rejects: true });
  expect(missing()).toEqual([2, 3, 4]);
  expect(said()).toEqual([]);
});

test("ids before a page that begins late are unfillable, once two pages 10 s apart say so", () => {
  const { continuity, events, said, take, pass, missing } = createRig();
  take(1, 10);
  pass(1_000);
  said();
  const late = { ids: [6, 7, 10], after_id: 1, has_rejects: false };
  continuity.settlePage(late);
  expect(missing()).toEqual([2, 3, 4, 5, 6, 7]);
  pass(9_999);
  continuity.settlePage(late);
  expect(missing()).toEqual([2, 3, 4, 5, 6, 7]);
  pass(1);
  continuity.settlePage({ ...late, has_rejects: true });
  expect(missing()).toEqual([2, 3, 4, 5, 6, 7]);
  continuity.settlePage(late);
  expect(missing()).toEqual([6, 7]);
  said();
  take(6, 7);
  expect(events).toMatchObject([
    {
      event: "gap_unfillable",
      unfillable: [{ from_id: 2, to_id: 5 }],
      absent: [{ from_id: 8, to_id: 9 }],
      reason: "the exchange no longer gives these trades",
    },
  ]);
});

test("a page that begins where it was asked to undoes the suspicion", () => {
  const { continuity, take, pass, missing } = createRig();
  take(1, 10);
  pass(1_000);
  continuity.settlePage({ ids: [9], after_id: 1, has_rejects: false });
  pass(5_000);
  continuity.settlePage({ ids: [1, 2], after_id: 1, has_rejects: false });
  pass(5_000);
  continuity.settlePage({ ids: [9], after_id: 1, has_rejects: false });
  expect(missing()).toHaveLength(8);
  pass(10_000);
  continuity.settlePage({ ids: [9], after_id: 1, has_rejects: false });
  expect(missing()).toEqual([9]);
});

test("only ids before both late pages are unfillable, and the rest awaits two of its own", () => {
  const { continuity, take, pass, missing } = createRig();
  take(1, 10);
  pass(1_000);
  continuity.settlePage({ ids: [4], after_id: 1, has_rejects: false });
  pass(10_000);
  continuity.settlePage({ ids: [8], after_id: 1, has_rejects: false });
  expect(missing()).toEqual([4, 5, 6, 7, 8, 9]);
  pass(10_000);
  continuity.settlePage({ ids: [8], after_id: 1, has_rejects: false });
  expect(missing()).toEqual([8, 9]);
});

test("a single id before a late page is unfillable too, and none is where the page follows", () => {
  const { continuity, said, take, pass, missing } = createRig();
  take(1, 4);
  pass(1_000);
  said();
  for (let look = 0; look < 3; look += 1) {
    continuity.settlePage({ ids: [2], after_id: 1, has_rejects: false });
    pass(10_000);
  }
  expect(missing()).toEqual([2, 3]);
  for (let look = 0; look < 2; look += 1) {
    continuity.settlePage({ ids: [3], after_id: 1, has_rejects: false });
    pass(10_000);
  }
  expect(missing()).toEqual([3]);
});

test("a late page proves nothing where the trade before it is not known to exist", () => {
  const { continuity, take, pass, missing } = createRig();
  take(100);
  continuity.extendBack({ trade_id: 90, timestamp: timeOf(90) });
  for (let look = 0; look < 3; look += 1) {
    continuity.settlePage({ ids: [96], after_id: 89, has_rejects: false });
    continuity.settlePage({ ids: [96], after_id: 92, has_rejects: false });
    pass(10_000);
  }
  expect(missing()).toEqual(idsFrom(90, 99));
});

test("an import opens a gap to the coverage at once, then moves the coverage", () => {
  const { continuity, events, said, take, pass } = createRig();
  take(100, 101);
  said();
  continuity.extendBack({ trade_id: 40, timestamp: timeOf(40) });
  expect(events).toMatchObject([
    {
      event: "gap_opened",
      from_id: 40,
      to_id: 99,
      from_timestamp: timeOf(40),
      to_timestamp: timeOf(100),
      found_by: "import",
    },
    { event: "coverage", from_id: 40, from_timestamp: timeOf(40) },
  ]);
  said();
  expect(continuity.openGaps()).toMatchObject([{ is_imported: true }]);
  continuity.extendBack({ trade_id: 60, timestamp: timeOf(60) });
  expect(said()).toEqual([]);
  expect(take(...idsFrom(40, 99))).toHaveLength(60);
  expect(said()).toEqual(["gap_filled 40-99"]);
  pass(10_000);
  expect(said()).toEqual([]);
});

test("an import first tells what is missing behind the coverage that was told", () => {
  const { continuity, said, take } = createRig();
  take(100, 97);
  continuity.extendBack({ trade_id: 90, timestamp: timeOf(90) });
  expect(said()).toEqual(["coverage 100", "gap_opened 98-99", "gap_opened 90-96", "coverage 90"]);
});

test("an import before the first trade begins the coverage, and the first trade finds the gap", () => {
  const { continuity, said, take, pass, missing } = createRig();
  continuity.extendBack({ trade_id: 0, timestamp: timeOf(0) });
  expect(said()).toEqual(["coverage 0"]);
  expect([continuity.head, continuity.confirmable()]).toEqual([null, null]);
  take(3);
  pass(1_000);
  expect(said()).toEqual(["gap_opened 0-2"]);
  expect(missing()).toEqual([0, 1, 2]);
});

test("a heartbeat confirms only the head, and only where nothing is within the grace", () => {
  const { continuity, take, pass } = createRig();
  continuity.confirmThrough({ trade_id: 1, timestamp: timeOf(900) });
  take(1, 2);
  const through = () => continuity.confirmable()?.through_timestamp;
  continuity.confirmThrough({ trade_id: 1, timestamp: timeOf(900) });
  continuity.confirmThrough({ trade_id: Number.NaN, timestamp: timeOf(900) });
  expect(through()).toBe(timeOf(2));
  continuity.confirmThrough({ trade_id: 2, timestamp: timeOf(500) });
  expect(through()).toBe(timeOf(500));
  continuity.confirmThrough({ trade_id: 2, timestamp: timeOf(400) });
  expect(through()).toBe(timeOf(500));
  take(4);
  continuity.confirmThrough({ trade_id: 4, timestamp: timeOf(900) });
  expect(continuity.confirmable()).toEqual({ through_id: 2, through_timestamp: timeOf(500) });
  pass(1_000);
  continuity.confirmThrough({ trade_id: 4, timestamp: timeOf(900) });
  expect(continuity.confirmable()).toEqual({ through_id: 4, through_timestamp: timeOf(900) });
});

test("a trade that only a heartbeat or a probe knows of is missing once the grace is over", () => {
  const { continuity, events, said, take, pass } = createRig();
  take(1, 2);
  continuity.confirmThrough({ trade_id: 5, timestamp: timeOf(6) });
  expect(continuity.confirmable()).toEqual({ through_id: 2, through_timestamp: timeOf(2) });
  expect(take(3, 6, 7)).toEqual([3, 6, 7]);
  said();
  pass(1_000);
  expect(events).toMatchObject([{ from_id: 4, to_id: 5, from_timestamp: timeOf(3) }]);
  expect(said()).toEqual(["gap_opened 4-5"]);
  expect(continuity.openGaps()[0]?.to_timestamp).toBeGreaterThan(timeOf(7));
  expect(take(5, 4)).toEqual([5, 4]);
  continuity.confirmThrough({ trade_id: 8, timestamp: timeOf(9) });
  expect(take(8, 9)).toEqual([8, 9]);
  pass(1_000);
  expect(said()).toEqual(["gap_filled 4-5"]);
});

test("a restart knows its gaps, tells of none again, and opens at once what was in its grace", () => {
  const before = createRig();
  before.take(1, 5);
  before.pass(1_000);
  before.take(3, 8);
  const after = createRig({ restored: before.continuity.state() });
  expect(after.continuity.state()).toEqual(before.continuity.state());
  expect(after.said()).toEqual([]);
  expect(after.continuity.confirmable()?.through_id).toBe(5);
  after.pass(0);
  expect(after.said()).toEqual(["gap_opened 6-7"]);
  expect(after.continuity.openGaps()).toHaveLength(2);
  after.take(20);
  after.pass(1_000);
  expect(after.events).toMatchObject([{ from_id: 9, to_id: 19, from_timestamp: timeOf(8) }]);
  after.said();
  expect(after.take(...idsFrom(1, 20))).toEqual([2, 4, 6, 7, ...idsFrom(9, 19)]);
  expect(after.said()).toEqual(["gap_filled 2-4", "gap_filled 6-7", "gap_filled 9-19"]);
});

test("what cannot be told now is told with a later look, in the right order", () => {
  const { continuity, said, take, pass, refuse, accept } = createRig();
  refuse();
  take(1, 5);
  pass(1_000);
  expect(continuity.openGaps()).toEqual([]);
  expect(continuity.confirmable()?.through_id).toBe(1);
  accept();
  pass(0);
  expect(said()).toEqual(["gap_opened 2-4", "coverage 1"]);
  refuse();
  take(2, 3, 4);
  expect(continuity.openGaps()).toEqual([]);
  const restarted = createRig({ restored: continuity.state() });
  restarted.pass(0);
  expect(restarted.said()).toEqual(["gap_filled 2-4"]);
  restarted.pass(0);
  expect(restarted.said()).toEqual([]);
  accept();
  pass(0);
  expect(said()).toEqual(["gap_filled 2-4"]);
});

/** Takes trades so that there are gaps of eight ids with two known ones between any two gaps. */
function leaveGaps(count: number, take: (...ids: readonly number[]) => number[]): void {
  take(0, 1);
  for (let gap = 1; gap <= count; gap += 1) take(10 * gap, 10 * gap + 1);
}

test("beyond 10,000 missing ranges the two nearest become one, and each gap still ends once", () => {
  const { continuity, events, said, take, pass, missing } = createRig();
  leaveGaps(9_999, take);
  take(100_000);
  pass(1_000);
  expect(continuity.openGaps()).toHaveLength(10_000);
  said();
  take(100_002);
  expect(said()).toEqual(["gap_opened 99992-100001"]);
  pass(1_000);
  expect(said()).toEqual([]);
  expect(continuity.openGaps()).toHaveLength(10_000);
  // The known trade between the two is sent again.
  expect(take(100_000, 99_991)).toEqual([100_000]);
  take(...missing());
  expect(continuity.openGaps()).toEqual([]);
  expect(events.filter(({ event }) => event === "gap_filled")).toHaveLength(10_000);
});

test("of two told gaps that become one, the larger one is told before the other one ends", () => {
  const { continuity, events, said, take, pass } = createRig();
  leaveGaps(9_997, take);
  take(99_980, 99_988);
  pass(1_000);
  said();
  // The last gap has two ranges, and a single known trade before it.
  take(99_984);
  take(100_010);
  expect(events.map(({ event, gap_id, to_id, reason }) => [event, gap_id, to_id, reason])).toEqual([
    ["gap_opened", "binance:BTCUSDT:99972", 99_987, null],
    ["gap_filled", "binance:BTCUSDT:99981", 99_987, "merged into binance:BTCUSDT:99972"],
  ]);
  expect(continuity.openGaps()[0]?.remaining).toEqual([
    { from_id: 99_972, to_id: 99_983 },
    { from_id: 99_985, to_id: 99_987 },
  ]);
  said();
  expect(take(...idsFrom(99_970, 99_990))).toHaveLength(17);
  expect(said()).toEqual(["gap_filled 99972-99987"]);
});

test("imports are remembered over a restart until they are done", () => {
  const { continuity, take } = createRig();
  take(1);
  const range = { from_timestamp: 5, to_timestamp: 9 };
  const before = continuity.revision;
  continuity.addImport(range);
  continuity.addImport({ ...range });
  continuity.addImport({
    from_timestamp: range.from_timestamp,
    to_timestamp: range.from_timestamp,
  });
  expect(continuity.revision).toBeGreaterThan(before);
  expect(createRig({ restored: continuity.state() }).continuity.imports).toEqual([range]);
  continuity.removeImport({ ...range });
  expect(continuity.imports).toEqual([]);
  for (let waiting = 0; waiting < 1_000; waiting += 1) {
    continuity.addImport({ from_timestamp: waiting, to_timestamp: waiting });
  }
  const another = { from_timestamp: 2_000, to_timestamp: 2_001 };
  expect(() => continuity.addImport(another)).toThrow("1000 imports are waiting");
});

test("an id wildly too high is sent and does not become the newest", () => {
  const { continuity, said, pass, take } = createRig();
  const wild = 1_787_746_340_684_123;
  take(100, 101);
  expect(continuity.judge(String(wild))).toBe("unsequenced");
  continuity.observe({ trade_id: String(wild), timestamp: timeOf(101) });
  // A snapshot shows it again.
  expect(continuity.judge(String(wild))).toBe("duplicate");
  continuity.confirmThrough({ trade_id: wild, timestamp: timeOf(101) });
  expect(take(102, 104, 103)).toEqual([102, 104, 103]);
  pass(2_000);
  expect(said()).toEqual(["coverage 100"]);
  expect(continuity.head?.trade_id).toBe(104);
  expect(continuity.confirmable()).toEqual({ through_id: 104, through_timestamp: timeOf(104) });
  expect(continuity.figures.unsequenced_total).toBe(1);
});

test("an exchange whose ids do leap is followed with the second one", () => {
  const { continuity, said, pass, take } = createRig();
  const far = 1_787_746_340_684_123;
  take(100);
  continuity.observe({ trade_id: String(far), timestamp: timeOf(101) });
  expect(take(far + 5, far + 6)).toEqual([far + 5, far + 6]);
  pass(2_000);
  expect(continuity.head?.trade_id).toBe(far + 6);
  expect(said()).toEqual(["coverage 100", `gap_opened 101-${far + 4}`]);
});

test("where the first id was wildly too high, no trade after it is dropped", () => {
  const { continuity, take } = createRig();
  take(1_787_746_340_684_123);
  expect(continuity.judge("100")).toBe("unsequenced");
  continuity.observe({ trade_id: "100", timestamp: timeOf(100) });
  expect(continuity.coverage?.from_id).toBe(1_787_746_340_684_123);
});

test("a market's first trade is number 0, and is a trade like others", () => {
  const { continuity, said, pass, take } = createRig();
  expect(take(0, 0, 1, 3)).toEqual([0, 1, 3]);
  pass(2_000);
  expect(said()).toEqual(["coverage 0", "gap_opened 2-2"]);
  const restored = readSymbolState(JSON.parse(JSON.stringify(continuity.state())));
  expect(createRig({ restored }).take(0, 1, 2, 3, 4)).toEqual([2, 4]);
});

test("a gap's end is told once the broker has what filled it", () => {
  const positions = { taken: 7, settled_through: 6, mark: () => positions.taken };
  const rig = createRig({ positions });
  rig.take(0, 1, 5);
  rig.pass(1_000);
  expect(rig.said()).toEqual(["coverage 0", "gap_opened 2-4"]);
  rig.take(2, 3, 4);
  rig.pass(1_000);
  expect(rig.said()).toEqual([]);
  const restored = readSymbolState(JSON.parse(JSON.stringify(rig.continuity.state())));
  positions.settled_through = 7;
  rig.pass(1_000);
  expect(rig.said()).toEqual(["gap_filled 2-4"]);
  // A state is stored only when the broker has everything up to it.
  const next = createRig({ restored });
  next.pass(0);
  expect(next.said()).toEqual(["gap_filled 2-4"]);
});

test("while no event is taken, one gap at a time is tried", () => {
  let tries = 0;
  let now_ms = 0;
  const continuity = new Continuity({
    exchange: "binance",
    native_symbol: "BTCUSDT",
    are_ids_dense: true,
    gap_grace_ms: 1_000,
    positions: { mark: () => 0, settled_through: 0 },
    emit: () => {
      tries += 1;
      throw new Error("full");
    },
    now_us: () => 1_800_000_000_000_000,
    now_ms: () => now_ms,
    restored: null,
  });
  for (let id = 0; id < 2_000; id += 2) {
    continuity.observe({ trade_id: String(id), timestamp: timeOf(id) });
  }
  now_ms = 2_000;
  tries = 0;
  continuity.openOverdue();
  expect(tries).toBe(1);
});
