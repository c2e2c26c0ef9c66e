/**
 * Goal: an import brings every trade of its stretch and none beside it, however old, whatever is
 * known already, and goes on where a process left it.
 * Method: the real actor with real continuities in virtual time (`rig.ts`), before exchanges that
 * page by id and by time.
 */

import { expect, test } from "bun:test";
import { readSymbolState } from "../../../actors/continuity/symbol_state.ts";
import { began_us, by_time, createRig, idsFrom, textAnswer, tradeOf } from "./rig.ts";

const kinds: readonly (readonly [string, typeof by_time])[] = [
  ["by id", {}],
  ["by time", by_time],
];
const roomy = { budgets: [{ weight_max: 10_000, window_ms: 60_000 }] };
const hours_us = 3_600_000_000;

/** Exchange time of a trade of `tradeOf`. */
function timeOf(id: number): number {
  return began_us + id * 1_000_000;
}

test.each(kinds)("a first start in the past begins there, paged %s", async (_, rest) => {
  const rig = createRig({ rest: { ...rest, ...roomy } });
  rig.list("AB", idsFrom(1, 200));
  const range = { from_timestamp: timeOf(50) - 1, to_timestamp: timeOf(100_000) };
  rig.continuity().addImport(range);
  await rig.advance(500);
  expect(rig.figures).toMatchObject({
    import_symbol: "AB",
    import_from: "2026-08-26T12:13:09.999Z",
    import_ids_total: 151,
  });
  await rig.advance(5_000);
  expect(rig.backfilled().toSorted((left, right) => left - right)).toEqual(idsFrom(50, 200));
  expect(rig.continuity().coverage).toMatchObject({ from_id: 50 });
  expect(rig.continuity().imports).toEqual([]);
  expect(rig.figures).toMatchObject({
    gaps_open: 0,
    import_state: "done",
    import_ids_total: 151,
    import_ids_remaining: 0,
  });
});

test.each(kinds)("a stretch of long ago leaves what follows it open, paged %s", async (_, rest) => {
  const rig = createRig({ rest: { ...rest, ...roomy }, gap_hours_max: 1 });
  const old = (id: number) => tradeOf("AB", id, timeOf(id) - 500 * hours_us);
  rig.exchange.trades.set("AB", [
    ...idsFrom(1, 300).map(old),
    tradeOf("AB", 301),
    tradeOf("AB", 302),
  ]);
  rig.stream("AB", [301, 302]);
  const range = { from_timestamp: old(101).timestamp, to_timestamp: old(130).timestamp };
  rig.continuity().addImport(range);
  await rig.advance(5_000);
  // The last page held a few more, and what is missing is not thrown away.
  expect(rig.backfilled().toSorted((left, right) => left - right)).toEqual(idsFrom(101, 137));
  expect(rig.continuity().coverage).toMatchObject({ from_id: 101 });
  expect(rig.continuity().openGaps()).toMatchObject([
    { from_id: 101, to_id: 300, found_by: "import", remaining: [{ from_id: 138, to_id: 300 }] },
  ]);
  expect(rig.figures).toMatchObject({ import_state: "done", gaps_open: 1, gaps_too_old: 1 });
});

test.each(kinds)("a gap too old is filled on request, paged %s", async (_, rest) => {
  const rig = createRig({ rest: { ...rest, ...roomy }, gap_hours_max: 1 });
  const old = (id: number) => tradeOf("AB", id, timeOf(id) - 500 * hours_us);
  rig.exchange.trades.set("AB", idsFrom(1, 90).map(old));
  rig.stream("AB", [10, 80]);
  await rig.advance(3_000);
  expect(rig.backfilled()).toEqual([]);
  const remedy = /--from (\S+) --to (\S+)/.exec(String(rig.figures.remedy));
  rig.continuity().addImport({
    from_timestamp: Date.parse(remedy?.[1] ?? "") * 1_000,
    to_timestamp: Date.parse(remedy?.[2] ?? "") * 1_000,
  });
  await rig.advance(3_000);
  expect(rig.backfilled()).toEqual(idsFrom(11, 79));
  expect(rig.figures).toMatchObject({ gaps_open: 0, gaps_too_old: 0, remedy: null });
});

test("an import before the exchange's first trade begins with that one", async () => {
  const rig = createRig({ rest: roomy });
  rig.list("AB", idsFrom(7, 20));
  rig.stream("AB", [20]);
  rig.continuity().addImport({ from_timestamp: 0, to_timestamp: timeOf(20) });
  await rig.advance(3_000);
  expect(rig.backfilled().toSorted((left, right) => left - right)).toEqual(idsFrom(7, 19));
});

test("where nothing was traded since, an import is over", async () => {
  const rig = createRig({ rest: roomy });
  rig.list("AB", idsFrom(1, 20));
  rig.continuity().addImport({ from_timestamp: timeOf(500), to_timestamp: timeOf(900) });
  await rig.advance(3_000);
  expect([rig.backfilled(), rig.continuity().imports]).toEqual([[], []]);
});

test("a process that is started again goes on with what is left", async () => {
  const rest = { budgets: [{ weight_max: 1, window_ms: 1_000 }] };
  const first = createRig({ rest });
  first.list("AB", idsFrom(1, 200));
  first.stream("AB", [200]);
  const range = { from_timestamp: timeOf(11), to_timestamp: timeOf(200) };
  first.continuity().addImport(range);
  await first.advance(12_000);
  first.stop();
  const delivered = first.backfilled();
  expect(delivered.length).toBeGreaterThan(20);
  expect(delivered.length).toBeLessThan(150);

  const second = createRig({ rest, restored: first.continuity().state() });
  second.list("AB", idsFrom(1, 200));
  await second.advance(60_000, 500);
  expect(second.figures).toMatchObject({ import_state: "done", import_ids_total: 190 });
  const all = [...delivered, ...second.backfilled()].toSorted((left, right) => left - right);
  expect(all).toEqual(idsFrom(11, 199));
  expect(second.continuity().imports).toEqual([]);
});

test.each(kinds)("empty pages say nothing of where an import begins, paged %s", async (_, rest) => {
  for (let fault = 0; fault < 6; fault += 1) {
    const rig = createRig({ rest: { ...rest, ...roomy } });
    rig.list("AB", idsFrom(1, 100));
    const empty = textAnswer('{"kind":"trades","trades":[],"rejects":[],"cursor":null}');
    rig.continuity().addImport({ from_timestamp: timeOf(20), to_timestamp: timeOf(60) });
    rig.exchange.whenAsked = (turn) => (turn === fault ? empty : undefined);
    await rig.advance(20_000, 500);
    const taken = rig.backfilled().toSorted((left, right) => left - right);
    expect(taken.slice(0, 41)).toEqual(idsFrom(20, 60));
    expect(rig.figures.import_state).toBe("done");
  }
});

test.each(kinds)("a market that never traded is given up in time, paged %s", async (_, rest) => {
  const rig = createRig({ rest: { ...rest, ...roomy } });
  rig.continuity().addImport({ from_timestamp: timeOf(20), to_timestamp: timeOf(60) });
  await rig.advance(20_000, 500);
  expect(rig.continuity().imports).toHaveLength(1);
  await rig.advance(120_000, 500);
  expect(rig.continuity().imports).toEqual([]);
  expect(rig.lines).toEqual(["warn Gave up an import of fake AB: REST shows no trade"]);
  expect(rig.figures).toMatchObject({ import_state: "incomplete", import_ids_remaining: null });
});

test("a clock of ours that is days ahead makes none old", async () => {
  const rig = createRig({ rest: roomy, answer_ms: 50 });
  rig.exchange.offset_us = -48 * hours_us;
  rig.exchange.trades.set(
    "AB",
    idsFrom(1, 20).map((id) => tradeOf("AB", id, timeOf(id) - 48 * hours_us)),
  );
  rig.stream("AB", [1, 20]);
  await rig.advance(3_000);
  expect(rig.backfilled()).toEqual(idsFrom(2, 19));
  expect(rig.figures).toMatchObject({ gaps_too_old: 0, remedy: null });
});

test("gaps of now come before an import", async () => {
  const rig = createRig({ rest: { budgets: [{ weight_max: 1, window_ms: 1_000 }] } });
  rig.list("AB", idsFrom(1, 500));
  rig.stream("AB", [400]);
  rig.continuity().addImport({ from_timestamp: timeOf(1), to_timestamp: timeOf(400) });
  await rig.advance(20_000);
  rig.stream("AB", [420]);
  await rig.advance(5_000);
  expect(rig.backfilled().slice(-30)).toEqual(expect.arrayContaining(idsFrom(401, 419)));
  expect(rig.figures.import_state).toBe("filling");
});

test("without the normalizer an import's ends are not taken for delivered", async () => {
  const rig = createRig({ rest: roomy, normalizers: ["CD"] });
  rig.list("AB", idsFrom(1, 20));
  rig.continuity().addImport({ from_timestamp: timeOf(5), to_timestamp: timeOf(20) });
  await rig.advance(3_000);
  expect(rig.figures).toMatchObject({
    import_state: "locating",
    last_error: "its normalizer is not there",
  });
  rig.addNormalizer("AB");
  await rig.advance(20_000, 500);
  expect(rig.backfilled().toSorted((left, right) => left - right)).toEqual(idsFrom(5, 20));
});

test.each(kinds)("a stretch in which nothing was traded is over, paged %s", async (_, rest) => {
  const rig = createRig({ rest: { ...rest, ...roomy } });
  rig.list("AB", [...idsFrom(100, 120), ...idsFrom(500, 520)]);
  rig.stream("AB", [519]);
  await rig.advance(1_500);
  // Before the exchange's first trade, and between two of them.
  rig.continuity().addImport({ from_timestamp: timeOf(10), to_timestamp: timeOf(90) });
  rig.continuity().addImport({ from_timestamp: timeOf(200), to_timestamp: timeOf(300) });
  await rig.advance(5_000);
  expect(rig.continuity().imports).toEqual([]);
  expect(rig.continuity().coverage).toMatchObject({ from_id: 519 });
  expect([rig.backfilled(), rig.continuity().openGaps()]).toEqual([[], []]);
});

test.each(kinds)(
  "an import asked twice, or over what is known, is one, paged %s",
  async (_, rest) => {
    const rig = createRig({ rest: { ...rest, ...roomy } });
    rig.list("AB", idsFrom(1, 100));
    rig.stream("AB", idsFrom(60, 70));
    const range = { from_timestamp: timeOf(50), to_timestamp: timeOf(65) };
    rig.continuity().addImport(range);
    rig.continuity().addImport({ ...range });
    expect(rig.continuity().imports).toHaveLength(1);
    await rig.advance(5_000);
    expect(rig.backfilled().toSorted((left, right) => left - right)).toEqual(idsFrom(50, 59));
    rig.continuity().addImport(range);
    await rig.advance(5_000);
    expect(rig.backfilled()).toHaveLength(10);
    expect(rig.continuity().imports).toEqual([]);
    expect(rig.eventsOf("gap_opened")).toHaveLength(1);
  },
);

test.each(kinds)(
  "what cannot be read ends an import with its id open, paged %s",
  async (_, rest) => {
    const rig = createRig({ rest: { ...rest, ...roomy } });
    rig.list("AB", idsFrom(1, 200));
    rig.stream("AB", [200]);
    rig.exchange.isHidden = ({ trade_id }) => trade_id === "42";
    rig.exchange.rejects = [{ reason: "price_unreadable", item: "{42}", native_symbol: "AB" }];
    rig.continuity().addImport({ from_timestamp: timeOf(30), to_timestamp: timeOf(60) });
    await rig.advance(10_000, 500);
    // REST may lag: it is asked again before it is believed.
    expect(rig.continuity().imports).toHaveLength(1);
    await rig.advance(240_000, 500);
    expect(rig.continuity().imports).toEqual([]);
    expect(rig.figures).toMatchObject({
      import_symbol: "AB",
      import_state: "incomplete",
      import_ids_remaining: 1,
      gaps_open: 1,
    });
    expect(rig.continuity().openGaps()[0]?.remaining[0]).toEqual({ from_id: 42, to_id: 42 });
    expect(rig.lines).toEqual([
      "warn Ended an import of fake AB: REST does not show all of its trades (1 missing), and their " +
        "gap stays open",
    ]);
  },
);

test.each(kinds)(
  "what lies between an import and the first start stays open, paged %s",
  async (_, rest) => {
    const trades = idsFrom(1, 500).map((id) =>
      tradeOf("AB", id, timeOf(id) - (id <= 200 ? 500 * hours_us : 0)),
    );
    const first = createRig({ rest: { ...rest, ...roomy } });
    first.exchange.trades.set("AB", trades);
    const [from_timestamp, to_timestamp] = [101, 130].map((id) => timeOf(id) - 500 * hours_us);
    first.continuity().addImport({ from_timestamp: from_timestamp!, to_timestamp: to_timestamp! });
    await first.advance(5_000);
    expect(first.figures.import_state).toBe("done");
    const restored: unknown = JSON.parse(JSON.stringify(first.continuity().state()));

    const second = createRig({ rest: { ...rest, ...roomy }, restored: readSymbolState(restored) });
    second.exchange.trades.set("AB", trades);
    second.stream("AB", [400, 401, 410]);
    await second.advance(5_000);
    const open = second.continuity().openGaps();
    expect(open).toEqual([expect.objectContaining({ to_id: 399, found_by: "import" })]);
    expect(open[0]?.from_id).toBeGreaterThan(130);
    expect(second.backfilled()).toEqual(idsFrom(402, 409));
    expect(second.figures.gaps_too_old).toBe(1);
    expect(second.figures.remedy).toContain("bun run backfill --exchange fake --symbol AB");
  },
);

test("an import that waits for a market's first trade outlives the process", async () => {
  const rig = createRig({ rest: roomy });
  const range = { from_timestamp: timeOf(5), to_timestamp: timeOf(20) };
  rig.continuity().addImport(range);
  const stored: unknown = JSON.parse(JSON.stringify(rig.continuity().state()));
  const next = createRig({ rest: roomy, restored: readSymbolState(stored) });
  expect(next.continuity().imports).toEqual([range]);
  expect([next.continuity().coverage, next.continuity().head]).toEqual([null, null]);
  next.list("AB", idsFrom(1, 20));
  await next.advance(3_000);
  expect(next.backfilled().toSorted((left, right) => left - right)).toEqual(idsFrom(5, 20));
});

test("the remedy of a gap within one millisecond is an import", async () => {
  const rig = createRig({ gap_hours_max: 1 });
  rig.exchange.trades.set(
    "AB",
    [10, 11, 12].map((id) => tradeOf("AB", id, began_us - 5 * hours_us)),
  );
  rig.stream("AB", [10, 12]);
  await rig.advance(3_000);
  const remedy = /--from (\S+) --to (\S+)/.exec(String(rig.figures.remedy));
  expect(Date.parse(remedy?.[1] ?? "")).toBeLessThan(Date.parse(remedy?.[2] ?? ""));
});

test("a refused import says why, and hides none of another symbol's", async () => {
  const rig = createRig({ rest: roomy });
  const reason = "unknown symbol";
  const refused = { kind: "refused", is_terminal: true, reason, retry_at_ms: null };
  rig.exchange.faults.push(textAnswer(JSON.stringify(refused)));
  const range = { from_timestamp: timeOf(5), to_timestamp: timeOf(20) };
  rig.continuity("AB").addImport(range);
  await rig.advance(3_000);
  expect(rig.figures).toMatchObject({ import_symbol: "AB", import_refused: reason });
  rig.list("CD", idsFrom(1, 30));
  rig.continuity("CD").addImport(range);
  await rig.advance(500);
  expect(rig.figures).toMatchObject({ import_symbol: "CD", import_refused: null });
});
