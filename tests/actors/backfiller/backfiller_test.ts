/**
 * Goal: whatever is missing is fetched in order and once, within what the exchange allows, and
 * whatever cannot be had stays visible and is tried again.
 * Method: the real actor with real normalizers and continuities in virtual time, before an exchange
 * that the test owns (`rig.ts`).
 */

import { expect, test } from "bun:test";
import { createRandom } from "../../schemas/random.ts";
import { fullestWindow } from "../rest/windows.ts";
import {
  began_us,
  by_time,
  createRig,
  idsFrom,
  refusedAnswer,
  textAnswer,
  tradeOf,
} from "./rig.ts";

/** An exchange that has ids 1 to `last`, of which the socket delivered some. */
async function withHole(
  options: Parameters<typeof createRig>[0] & {
    readonly last: number;
    readonly streamed: readonly number[];
  },
) {
  const rig = createRig(options);
  rig.list("AB", idsFrom(1, options.last));
  rig.stream("AB", options.streamed);
  return rig;
}

test.each([
  ["by id", {}],
  ["by time", by_time],
])("a hole is filled with ids ascending and every digit, paged %s", async (_, rest) => {
  const roomy = {
    ...rest,
    budgets: [{ weight_max: 10_000, window_ms: 60_000 }],
    page_trades_max: 100,
  };
  const rig = await withHole({ rest: roomy, last: 3_020, streamed: [9, 10, 3_011, 3_012] });
  await rig.advance(3_000);
  expect(rig.backfilled()).toEqual(idsFrom(11, 3_010));
  const expected = new Map(rig.exchange.trades.get("AB")!.map((it) => [it.trade_id, it]));
  for (const { trade_id, price, quantity, timestamp } of rig.trades) {
    expect({ price, quantity, timestamp }).toEqual({
      price: expected.get(trade_id)!.price,
      quantity: "0.00000004",
      timestamp: expected.get(trade_id)!.timestamp,
    });
  }
  expect(rig.eventsOf("gap_filled")).toHaveLength(1);
  expect(rig.figures).toMatchObject({ gaps_open: 0, ids_missing: 0, trades_total: 3_000 });
  expect(rig.report.state).toBe("idle");
});

test("pages are kept verbatim before their trades, in a session that is opened and closed", async () => {
  const rig = await withHole({ last: 5, streamed: [1, 5] });
  await rig.advance(2_000);
  rig.stop();
  const session = { exchange: "fake", connection_id: "fake-rest-1", url: "http://fake.example/" };
  expect(rig.frames.map((it) => it.session)).toEqual([session]);
  expect(rig.frames[0]!.entry).toMatchObject({
    frame_sequence: 0,
    direction: "RECEIVED",
    kind: "PAGE",
    request: "GET http://user:secret@fake.example/trades?symbol=AB&from=1",
  });
  expect(JSON.parse(Buffer.from(rig.frames[0]!.entry.frame).toString()).trades).toHaveLength(5);
  const first_frame = rig.order.indexOf("frame");
  expect(rig.order.slice(first_frame).indexOf("trade")).toBeGreaterThan(0);
  expect(rig.order.slice(0, first_frame).filter((it) => it === "trade")).toHaveLength(2);
  expect(rig.eventsOf("session_opened")).toMatchObject([session]);
  expect(rig.eventsOf("session_closed")).toMatchObject([session]);
  expect(rig.closed).toEqual([session]);
  expect(rig.trades.at(-1)).toMatchObject({ connection_id: "fake-rest-1", frame_sequence: 0 });
});

test("the newest gap comes first", async () => {
  const rig = await withHole({ last: 60, streamed: [1, 5, 40, 45] });
  await rig.advance(2_500);
  expect(rig.backfilled()).toEqual([...idsFrom(41, 44), ...idsFrom(6, 39), ...idsFrom(2, 4)]);
});

test("what REST does not show yet is asked for again, after a growing time", async () => {
  const rig = await withHole({ last: 8, streamed: [1, 8] });
  rig.exchange.isHidden = ({ trade_id }) => Number(trade_id) > 1;
  await rig.advance(20_000);
  expect(rig.backfilled()).toEqual([]);
  expect(rig.eventsOf("gap_opened")).toHaveLength(1);
  expect(rig.figures).toMatchObject({
    gaps_open: 1,
    ids_missing: 6,
    last_error: "REST does not show all of the missing trades yet",
  });
  const asked = rig.asked.filter(({ url }) => url.includes("from=1")).map(({ at_ms }) => at_ms);
  const pauses = asked.slice(1).map((at_ms, index) => at_ms - asked[index]!);
  expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000]);
  rig.exchange.isHidden = () => false;
  await rig.advance(20_000);
  expect(rig.backfilled()).toEqual(idsFrom(2, 7));
  expect(rig.figures).toMatchObject({ gaps_open: 0, attempts: 0, last_error: null });
});

test("ids that a page skips are absent", async () => {
  const rig = await withHole({ last: 0, streamed: [] });
  rig.list("AB", [1, 5, 10, 11]);
  rig.stream("AB", [1, 10, 11]);
  await rig.advance(2_000);
  expect(rig.backfilled()).toEqual([5]);
  expect(rig.eventsOf("gap_filled")).toMatchObject([
    {
      absent: [
        { from_id: 2, to_id: 4 },
        { from_id: 6, to_id: 9 },
      ],
    },
  ]);
  expect(rig.figures).toMatchObject({ absent_total: 7, gaps_open: 0 });
});

test.each([
  ["by id", {}],
  ["by time", by_time],
])(
  "ids that the exchange has no longer are unfillable after a second look, %s",
  async (_, rest) => {
    const rig = createRig({ rest });
    rig.list("AB", idsFrom(15, 20));
    rig.stream("AB", [9, 10, 20]);
    await rig.advance(9_000);
    expect(rig.backfilled()).toEqual(idsFrom(15, 19));
    expect(rig.figures).toMatchObject({ ids_missing: 4 });
    await rig.advance(15_000);
    expect(rig.eventsOf("gap_unfillable")).toMatchObject([
      { from_id: 11, to_id: 19, unfillable: [{ from_id: 11, to_id: 14 }] },
    ]);
    expect(rig.figures.gaps_open).toBe(0);
  },
);

test("a page by time shows a hole at its edge with trades on both sides", async () => {
  const rig = await withHole({ rest: by_time, last: 30, streamed: [1, 30] });
  rig.list("AB", [...idsFrom(1, 10), ...idsFrom(14, 30)]);
  await rig.advance(30_000);
  expect(rig.backfilled()).toEqual([...idsFrom(2, 10), ...idsFrom(14, 29)]);
  expect(rig.eventsOf("gap_filled")).toMatchObject([{ absent: [{ from_id: 11, to_id: 13 }] }]);
});

test("a full page of trades of one time does not go round for ever", async () => {
  const rig = await withHole({ rest: by_time, last: 0, streamed: [] });
  const same = idsFrom(2, 30).map((id) => tradeOf("AB", id, 1_787_746_345_000_000));
  rig.exchange.trades.set("AB", [tradeOf("AB", 1), ...same, tradeOf("AB", 31)]);
  rig.stream("AB", [1, 31]);
  await rig.advance(30_000);
  expect(rig.figures.gaps_open).toBe(1);
  expect(rig.asked.length).toBeLessThan(20);
});

test("an item that cannot be read keeps its id missing and is a dead letter once", async () => {
  const rig = await withHole({ last: 8, streamed: [1, 8] });
  rig.exchange.isHidden = ({ trade_id }) => trade_id === "4";
  rig.exchange.rejects = [{ reason: "price_unreadable", item: '{"id":4}', native_symbol: "AB" }];
  await rig.advance(20_000);
  expect(rig.backfilled()).toEqual([2, 3, 5, 6, 7]);
  expect(rig.letters).toHaveLength(1);
  expect(rig.letters[0]).toMatchObject({
    reason: "price_unreadable",
    connection_id: "fake-rest-1",
  });
  expect(rig.continuity().openGaps()).toMatchObject([{ remaining: [{ from_id: 4, to_id: 4 }] }]);
  expect(rig.figures).toMatchObject({ gaps_open: 1, ids_missing: 1, dead_letters_total: 1 });
});

test("a truncated and an empty page say nothing, and are asked for again", async () => {
  const rig = await withHole({ last: 8, streamed: [1, 8] });
  const empty = JSON.stringify({ kind: "trades", trades: [], rejects: [], cursor: null });
  rig.exchange.faults = [textAnswer('{"kind":"tra'), textAnswer(empty)];
  await rig.advance(1_500);
  expect(
    rig.letters.map(({ reason, payload }) => [reason, Buffer.from(payload).toString()]),
  ).toEqual([["not_json", '{"kind":"tra']]);
  expect(rig.figures).toMatchObject({ gaps_open: 1, ids_missing: 6 });
  await rig.advance(5_000);
  expect(rig.backfilled()).toEqual(idsFrom(2, 7));
});

test.each([
  ["429 with Retry-After", refusedAnswer(429, "30"), 30_000, "blocked"],
  ["418 without one", refusedAnswer(418), 120_000, "blocked"],
  ["503 with Retry-After", refusedAnswer(503, "20"), 20_000, "blocked"],
  ["a status of the network", refusedAnswer(502), 1_000, "retrying"],
  ["no answer", { kind: "failed", reason: "ECONNRESET" } as const, 1_000, "retrying"],
  [
    "an error in a page",
    textAnswer(
      '{"kind":"refused","reason":"EService:Busy","is_terminal":false,"retry_at_ms":null}',
    ),
    1_000,
    "retrying",
  ],
  [
    "an instant in a page",
    textAnswer(
      `{"kind":"refused","reason":"EService:Throttled: 1787746390","is_terminal":false,"retry_at_ms":1787746390000}`,
    ),
    48_000,
    "blocked",
  ],
])("%s stops every request of the exchange for its time", async (_, fault, wait_ms, state) => {
  const rig = await withHole({ last: 8, streamed: [1, 8] });
  rig.list("CD", idsFrom(1, 8));
  rig.stream("CD", [1, 8]);
  rig.exchange.faults = [fault];
  await rig.advance(2_100);
  const pages = () => rig.asked.filter(({ url }) => url.includes("/trades"));
  const refused_at_ms = pages()[0]!.at_ms;
  await rig.advance(wait_ms - (rig.clock.now() - refused_at_ms) - 600);
  expect(pages()).toHaveLength(1);
  expect(rig.report.state).toBe(state);
  await rig.advance(2_000);
  expect(pages().length).toBeGreaterThan(1);
  expect(pages()[1]!.at_ms - refused_at_ms).toBeGreaterThanOrEqual(wait_ms - 600);
  expect(rig.figures.gaps_open).toBe(0);
});

test.each([401, 403, 404])(
  "HTTP %d is not asked again for five minutes, and says why",
  async (status) => {
    const rig = await withHole({ last: 8, streamed: [1, 8] });
    rig.exchange.faults = [refusedAnswer(status)];
    await rig.advance(299_000, 500);
    expect(rig.urls().filter((url) => url.startsWith("/trades"))).toHaveLength(1);
    expect(rig.report.state).toBe("refused");
    expect(rig.figures.refused_reason).toContain("K2_FAKE_REST_URL");
    expect(rig.lines).toHaveLength(1);
    await rig.advance(5_000, 500);
    expect(rig.backfilled()).toEqual(idsFrom(2, 7));
    expect(rig.figures.refused_reason).toBeNull();
  },
);

test("a symbol that the exchange does not know costs no other its trades", async () => {
  const rig = await withHole({ last: 8, streamed: [1, 8] });
  rig.list("CD", idsFrom(1, 8));
  rig.exchange.faults = [
    textAnswer(
      '{"kind":"refused","reason":"EQuery:Unknown asset pair","is_terminal":true,"retry_at_ms":null}',
    ),
  ];
  await rig.advance(2_000);
  rig.stream("CD", [1, 8]);
  await rig.advance(60_000, 500);
  expect(rig.backfilled("CD")).toEqual(idsFrom(2, 7));
  expect(rig.backfilled("AB")).toEqual([]);
  expect(rig.figures.refused_reason).toBe("EQuery:Unknown asset pair");
  expect(rig.lines).toEqual(["error Cannot backfill AB: EQuery:Unknown asset pair"]);
});

test("the budget is kept, and what waits for it is said", async () => {
  const rig = await withHole({
    rest: { budgets: [{ weight_max: 1, window_ms: 1_100 }] },
    last: 100,
    streamed: [1, 100],
  });
  await rig.advance(10_000);
  const pauses = rig.asked.slice(1).map(({ at_ms }, index) => at_ms - rig.asked[index]!.at_ms);
  expect(Math.min(...pauses)).toBeGreaterThan(1_100);
  expect(rig.report.state).toBe("waiting_for_budget");
  await rig.advance(10_000);
  expect(rig.backfilled()).toEqual(idsFrom(2, 99));
});

test("with full buffers no page is asked for, and it goes on when there is room", async () => {
  const rig = await withHole({ last: 50, streamed: [1, 50] });
  for (const listener of rig.listeners) listener.full("the buffers are full");
  await rig.advance(5_000);
  expect(rig.report.state).toBe("paused");
  expect(rig.urls().filter((url) => url.startsWith("/trades"))).toEqual([]);
  for (const listener of rig.listeners) listener.relieved();
  await rig.advance(2_000);
  expect(rig.backfilled()).toEqual(idsFrom(2, 49));
});

test("without the normalizer nothing is settled, and it is tried again", async () => {
  const rig = await withHole({ last: 9, streamed: [1, 9] });
  rig.list("AB", [1, 2, 3, 7, 8, 9]);
  const normalizer = rig.normalizers.get("AB")!;
  rig.normalizers.delete("AB");
  await rig.advance(3_000);
  expect(rig.figures).toMatchObject({ ids_missing: 7, last_error: "its normalizer is not there" });
  rig.normalizers.set("AB", normalizer);
  await rig.advance(5_000);
  expect(rig.backfilled()).toEqual([2, 3, 7, 8]);
  expect(rig.figures).toMatchObject({ gaps_open: 0 });
});

test("gaps too old stay open and visible with the command that fills them", async () => {
  const rig = createRig({ gap_hours_max: 1 });
  const old_us = began_us - 7_200_000_000;
  const old = idsFrom(1, 9).map((id) => tradeOf("AB", id, old_us + id * 1_000_000 + 1));
  rig.exchange.trades.set("AB", old);
  rig.stream("AB", [1, 9]);
  await rig.advance(5_000);
  expect(rig.urls().filter((url) => url.startsWith("/trades"))).toEqual([]);
  const { gaps_open, gaps_too_old, remedy } = rig.figures;
  expect({ gaps_open, gaps_too_old, remedy }).toEqual({
    gaps_open: 1,
    gaps_too_old: 1,
    remedy:
      "bun run backfill --exchange fake --symbol AB " +
      "--from 2026-08-26T10:12:21.000Z --to 2026-08-26T10:12:29.001Z --simulate --seed 1",
  });
});

test.each(idsFrom(1, 12))("whatever happens, every trade comes once (seed %d)", async (seed) => {
  const random = createRandom(seed);
  const rule = { weight_max: 3 + Math.floor(random() * 20), window_ms: 5_000 };
  const kind = seed % 2 === 0 ? by_time : {};
  const rig = createRig({ rest: { ...kind, budgets: [rule], page_trades_max: 7 } });
  const ids = idsFrom(1, 400).filter((id) => id === 1 || random() > 0.02);
  rig.list("AB", ids);
  let shown_id = 0;
  rig.exchange.isHidden = ({ trade_id }) => Number(trade_id) > shown_id;
  const faults = [
    () => refusedAnswer(429, String(1 + Math.floor(random() * 5))),
    () => refusedAnswer(502),
    () => textAnswer('{"kind":"trades","trades":[{'),
    () => textAnswer('{"kind":"trades","trades":[],"rejects":[],"cursor":null}'),
    () => ({ kind: "failed", reason: "ECONNRESET" }) as const,
  ];
  for (let next = 0; next < ids.length; ) {
    const heard = ids.slice(next, next + 1 + Math.floor(random() * 20));
    const lost = Math.floor(random() * 60);
    next += heard.length + lost;
    rig.stream("AB", heard);
    if (random() < 0.3) rig.probe("AB");
    if (random() < 0.4) rig.exchange.faults.push(faults[Math.floor(random() * 5)]!());
    await rig.advance(1_000);
    // REST lags the socket.
    shown_id = Math.max(shown_id, (ids[Math.min(next, ids.length) - 1] ?? 400) - 10);
  }
  shown_id = 1_000;
  rig.stream("AB", ids.slice(-1));
  await rig.advance(200_000, 500);
  rig.probe("AB");
  await rig.advance(20_000, 500);
  expect(rig.figures.gaps_open).toBe(0);
  const taken = rig.trades.map(({ trade_id }) => Number(trade_id));
  expect(taken.toSorted((left, right) => left - right)).toEqual(ids);
  const spent = rig.asked.map(({ at_ms }) => ({ at_ms, weight: 1 }));
  expect(fullestWindow(spent, rule)).toBeLessThanOrEqual(rule.weight_max);
});

test("a probe answers with the newest trade, and fetches what the socket has missed", async () => {
  const rig = await withHole({ last: 12, streamed: [1, 2, 3] });
  await rig.advance(1_000);
  rig.probe("AB");
  rig.probe("AB");
  rig.probe("AB", "fake.connection.7");
  await rig.advance(100);
  expect(rig.probed).toEqual([
    {
      type: "symbol.probed",
      native_symbol: "AB",
      newest: { trade_id: "12", timestamp: tradeOf("AB", 12).timestamp },
    },
  ]);
  expect(rig.urls().filter((url) => url === "/trades?symbol=AB")).toHaveLength(1);
  expect(rig.backfilled()).toEqual(idsFrom(4, 12));
  expect(rig.figures.probes_waiting).toBe(0);
});

test("a probe of a quiet symbol confirms it up to fifteen seconds before the question", async () => {
  const rig = await withHole({ last: 3, streamed: [1, 2, 3] });
  await rig.advance(60_000, 500);
  rig.probe("AB");
  await rig.advance(100);
  expect(rig.continuity().confirmable()).toEqual({
    through_id: 3,
    through_timestamp: began_us + 45_000_000,
  });
});

test("the first probe of a symbol without a trade anchors it at the newest", async () => {
  const rig = await withHole({ last: 12, streamed: [] });
  rig.probe("AB");
  rig.probe("CD");
  await rig.advance(1_000);
  expect(rig.backfilled()).toEqual([12]);
  expect(rig.probed).toMatchObject([{ newest: { trade_id: "12" } }, { newest: null }]);
});

test("probes do not starve gaps", async () => {
  const rig = await withHole({ last: 60, streamed: [1, 60], answer_ms: 50 });
  await rig.advance(1_000);
  for (let turn = 0; turn < 20; turn += 1) {
    rig.probe("CD");
    await rig.advance(50);
  }
  expect(rig.backfilled()).toEqual(idsFrom(2, 59));
});

test("the exchange's clock is compared at the start and every ten minutes", async () => {
  const rig = createRig({ answer_ms: 100 });
  rig.exchange.offset_us = 250_000;
  await rig.advance(1_000);
  // The exchange answered at the end of the round trip of 100 ms: half of it cannot be known.
  expect(rig.figures.clock_offset_ms).toBe(300);
  rig.exchange.offset_us = 0;
  await rig.advance(598_000, 500);
  expect(rig.urls()).toEqual(["/time"]);
  await rig.advance(2_000);
  expect(rig.urls()).toEqual(["/time", "/time"]);
});

test("an end in the middle of a page lets go of the request and delivers nothing more", async () => {
  const rig = await withHole({ last: 9, streamed: [1, 9], answer_ms: 400 });
  await rig.advance(1_600);
  expect(rig.report.state).toBe("fetching");
  rig.stop();
  expect(rig.signals.at(-1)!.aborted).toBe(true);
  await rig.advance(2_000);
  expect(rig.backfilled()).toEqual([]);
  expect(rig.frames).toHaveLength(0);
  expect(rig.listeners.size).toBe(0);
});

test("an aborted incarnation lets go at once", async () => {
  const rig = await withHole({ last: 9, streamed: [1, 9], answer_ms: 400 });
  await rig.advance(1_600);
  rig.controller.abort();
  expect(rig.signals.at(-1)!.aborted).toBe(true);
  expect(rig.eventsOf("session_closed")).toHaveLength(1);
  await rig.advance(400);
  expect(rig.backfilled()).toEqual([]);
});
