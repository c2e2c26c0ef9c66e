/**
 * Goal: each subscription's trouble is noticed within the stated time and handled for it alone;
 * a quiet pair, a halted one and a wall clock that jumps cost nothing.
 * Method: a connection in virtual time, its sockets, REST and clocks driven by hand.
 */

import { expect, test } from "bun:test";
import { accept, ack, refusal, start, stream, text } from "./fake_connection.ts";
import { fake_adapter, instrument, trade, tradesFrame } from "./fake_exchange.ts";

type Started = Awaited<ReturnType<typeof stream>>;

/** A trade of AB at every half second, so that only CD is silent. */
function withTrades({ latest, pass }: Started, duration_ms: number): void {
  pass(duration_ms, () => latest().text(tradesFrame(trade("AB", "1"))));
}

/** REST shows a trade of this moment. */
function tradeNow({ clock }: Started, trade_id: string) {
  return { trade_id, timestamp: clock.now() * 1_000 };
}

test("a misspelt stream is subscribed anew, it alone, and its neighbor untouched", async () => {
  const started = await stream();
  const { answerProbe, latest, probes, report, sockets } = started;
  withTrades(started, 6_000);
  expect(probes).toEqual([{ type: "probe", native_symbol: "CD", reply_to: "fake.connection.0" }]);
  answerProbe(tradeNow(started, "9"));
  withTrades(started, 3_500);
  expect(sockets[0]?.sent.slice(2).map((sent) => sent.replace(/ \d+$/, ""))).toEqual([
    "unsubscribe CD",
    "subscribe CD",
  ]);
  latest().text(ack("CD"));
  expect(report).toMatchObject({
    state: "streaming",
    figures: { resubscribed_total: 1, reconnects_total: 0, subscribed: 2, not_delivering: 0 },
  });
  expect(sockets).toHaveLength(1);
});

test("what three resubscriptions do not heal is said, and tried less often", async () => {
  const started = await stream();
  const { answerProbe, latest, lines, probes, report, sockets } = started;
  const times_ms: number[] = [];
  for (let round = 1; round <= 4; round += 1) {
    const probes_before = probes.length;
    while (probes.length === probes_before) withTrades(started, 500);
    answerProbe(tradeNow(started, String(round)));
    const sent_before = sockets[0]!.sent.length;
    while (sockets[0]!.sent.length < sent_before + 2) withTrades(started, 500);
    times_ms.push(started.clock.now());
    latest().text(ack("CD"));
  }
  expect(report.figures).toMatchObject({ not_delivering: 1, resubscribed_total: 4 });
  expect(report.figures.not_delivering_reason).toContain("CD");
  expect(lines.filter((line) => line.startsWith("error"))).toEqual([
    "error fake connection 0 gets no trade of CD, which REST shows",
  ]);
  const pauses_ms = times_ms.slice(1).map((time_ms, index) => time_ms - times_ms[index]!);
  expect(pauses_ms[2]).toBeGreaterThan(18_000);
  latest().text(tradesFrame(trade("CD", "99")));
  withTrades(started, 1_500);
  expect(report.figures).toMatchObject({ not_delivering: 0, not_delivering_reason: null });
  expect(sockets).toHaveLength(1);
});

test("a quiet pair is known as quiet, asked for every minute, and reconnects nothing", async () => {
  const session = { ...fake_adapter.session, life_ms_max: null };
  const started = await stream({ adapter: { session } });
  const { answerProbe, probes, report, sockets } = started;
  withTrades(started, 6_000);
  answerProbe(null);
  withTrades(started, 59_000);
  expect(probes).toHaveLength(1);
  expect(report.figures).toMatchObject({ quiet: 1, not_delivering: 0 });
  withTrades(started, 2_000);
  expect(probes).toHaveLength(2);
  for (let minute = 0; minute < 30; minute += 1) {
    answerProbe({ trade_id: "1", timestamp: -1 });
    withTrades(started, 61_000);
  }
  expect(report.figures).toMatchObject({ quiet: 1, reconnects_total: 0, resubscribed_total: 0 });
  expect(sockets[0]?.sent).toHaveLength(2);
});

test.each([3_600_000_000, -3_600_000_000])(
  "a wall clock that jumps by %d us breaks nothing",
  async (jump_us) => {
    const started = await stream({ wall_us: 1_787_733_299_756_000 });
    const { answerProbe, clock, latest, probes, report, sockets, wall } = started;
    latest().pinged(String(1_787_733_299_756_000 + clock.now() * 1_000));
    expect(report.figures.clock_offset_ms).toBe(0);
    wall.jump_us += jump_us;
    expect(report.figures.clock_offset_ms).toBe(-jump_us / 1_000);
    // The probe's trade is from before the subscription, by the exchange's clock.
    withTrades(started, 6_000);
    answerProbe({ trade_id: "9", timestamp: 1_787_733_299_756_000 - 60_000_000 });
    expect(probes).toHaveLength(1);
    withTrades(started, 61_000);
    expect([report.state, sockets.length]).toEqual(["streaming", 1]);
    expect(report.figures).toMatchObject({ quiet: 1, resubscribed_total: 0 });
    // And this one is from after it.
    expect(probes).toHaveLength(2);
    answerProbe({ trade_id: "9", timestamp: 1_787_733_299_756_000 + clock.now() * 1_000 });
    withTrades(started, 4_000);
    expect(report.figures).toMatchObject({ resubscribed_total: 1, reconnects_total: 0 });
  },
);

test("what the exchange lacks is asked for again alone, a surplus is ended", async () => {
  const started = await stream();
  const { latest, pass, report, sockets } = started;
  pass(1_000);
  expect(sockets[0]?.asked.filter((asked) => asked.startsWith("list"))).toHaveLength(1);
  latest().text(text({ kind: "subscriptions", request_id: 3, native_symbols: ["AB", "XY"] }));
  expect(report.figures.subscribed).toBe(1);
  pass(1_000);
  expect(sockets[0]?.sent.slice(2).map((sent) => sent.replace(/ \d+$/, ""))).toEqual([
    "unsubscribe XY",
    "subscribe CD",
  ]);
  latest().text(ack("CD"));
  expect(report.figures).toMatchObject({ subscribed: 2, resubscribed_total: 1 });
  // A surplus that stays is not fought with.
  latest().text(text({ kind: "subscriptions", request_id: 3, native_symbols: ["AB", "CD", "XY"] }));
  pass(300_000);
  expect(sockets[0]?.sent.filter((sent) => sent.startsWith("unsubscribe"))).toHaveLength(1);
  expect(sockets[0]?.asked.filter((asked) => asked.startsWith("list"))).toHaveLength(2);
});

test("where the exchange lists unasked, what it lists is acknowledged", async () => {
  const started = start({ adapter: { listSubscriptions: () => null } });
  await started.loaded();
  started.latest().opened();
  const list = (native_symbols: string[]) =>
    started.latest().text(text({ kind: "subscriptions", request_id: null, native_symbols }));
  started.clock.increment(100);
  list(["AB"]);
  expect(started.report).toMatchObject({ state: "subscribing", figures: { subscribed: 1 } });
  list(["AB", "CD"]);
  expect(started.report).toMatchObject({ state: "streaming", figures: { subscribed: 2 } });
  expect(started.sockets[0]?.sent).toEqual(["subscribe AB 1", "subscribe CD 2"]);
});

test("a part of a burst that is refused without a word is asked for again", async () => {
  const started = start();
  const { latest, loaded, pass, report, sockets } = started;
  await loaded();
  latest().opened();
  pass(500);
  latest().text(ack("AB"));
  pass(10_000);
  expect(report.figures.refused_reason).toBe("CD: not acknowledged within 10 s");
  pass(6_000);
  expect(sockets[0]?.sent.at(-1)).toStartWith("subscribe CD");
  latest().text(ack("CD"));
  expect(report.figures).toMatchObject({ subscribed: 2, refused: 0, reconnects_total: 0 });
});

test("a half-open connection is silent, and replaced", async () => {
  const { clock, events, report, sockets } = await stream();
  clock.increment(30_000);
  clock.increment(30_000);
  expect(report.figures.last_error).toBe("silent for 60000 ms");
  expect(events.at(-1)).toMatchObject({ event: "session_closed", reason: "silent for 60000 ms" });
  clock.increment(250);
  expect(sockets).toHaveLength(2);
});

test("a halt is said once, is no silence, and the list is asked every five minutes", async () => {
  const started = await stream();
  const { events, instruments, lines, loadsCount, probes, report } = started;
  withTrades(started, 6_000);
  expect(loadsCount()).toBe(2);
  instruments[1] = { ...instruments[1]!, status: "halted" };
  const probes_before = probes.length;
  withTrades(started, 120_000);
  expect(probes).toHaveLength(probes_before);
  expect(report.figures.halted).toBe(1);
  const halts = events.filter(({ event }) => event === "symbol_halted");
  expect(halts).toMatchObject([{ native_symbol: "CD", reason: "its status is halted" }]);
  expect(lines).toContain("warn fake has halted CD: its status is halted");
  // Nothing else is silent, and yet only the list can tell that the halt is over.
  withTrades(started, 180_000);
  expect(loadsCount()).toBe(3);
  instruments[1] = { ...instruments[1], status: "online" };
  withTrades(started, 2_000);
  expect(report.figures.halted).toBe(0);
  expect(loadsCount()).toBe(3);
});

test("a refusal is an event once, until the symbol is acknowledged", async () => {
  const { clock, events, latest, loaded, pass } = start();
  await loaded();
  latest().opened();
  clock.increment(100);
  latest().text(ack("AB"));
  const refusals = () => events.filter(({ event }) => event === "subscription_refused");
  for (let round = 0; round < 3; round += 1) {
    latest().text(refusal("CD", { is_terminal: false }));
    pass(6_000);
  }
  expect(refusals()).toMatchObject([
    { native_symbol: "CD", reason: "no", connection_id: "fake-0" },
  ]);
  latest().text(ack("CD"));
  latest().text(refusal("CD", { is_terminal: false }));
  expect(refusals()).toHaveLength(2);
});

/** A connection whose exchange accepts all symbols but the last, which it refuses for good. */
async function withRefused(symbols: readonly string[]) {
  const started = start({ symbols });
  const { instruments, latest, loaded, pass, sockets } = started;
  instruments.push(instrument("EF", "E", "F"));
  await loaded();
  latest().opened();
  const askedFor = (symbol: string) =>
    sockets[0]!.sent.filter((sent) => sent.startsWith(`subscribe ${symbol} `)).length;
  let refusals_count = 0;
  function hear(): void {
    latest().pinged("");
    if (askedFor("CD") === refusals_count) return;
    refusals_count += 1;
    latest().text(refusal("CD", { is_terminal: true }));
  }
  pass(500, hear);
  for (const symbol of symbols) if (symbol !== "CD") latest().text(ack(symbol));
  expect(started.report.state).toBe("streaming");
  return { ...started, askedFor, hear };
}

test("refused for good is asked for again every five minutes, whatever is answered", async () => {
  const { askedFor, hear, latest, pass } = await withRefused(["AB", "CD"]);
  const asked_by_minute: number[] = [];
  for (let minute = 1; minute <= 11; minute += 1) {
    latest().text(text({ kind: "subscriptions", request_id: null, native_symbols: ["AB"] }));
    pass(60_000, hear);
    asked_by_minute.push(askedFor("CD"));
  }
  expect(asked_by_minute).toEqual([1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3]);
});

test("what is refused for good is not asked for with what is refused for now", async () => {
  const { askedFor, hear, latest, pass } = await withRefused(["AB", "CD", "EF"]);
  for (let count = 0; count < 20; count += 1) {
    // The exchange loses EF again and again, and refuses it for now.
    latest().text(text({ kind: "subscriptions", request_id: null, native_symbols: ["AB"] }));
    pass(100, hear);
    latest().text(refusal("EF", { is_terminal: false }));
    pass(10_000, hear);
    latest().text(ack("EF"));
  }
  expect(askedFor("EF")).toBeGreaterThan(20);
  expect(askedFor("CD")).toBe(1);
});

test("what is sent is kept too, in the order of the wire", async () => {
  const { frames, pass } = await stream({ symbols: ["AB"] });
  pass(1_000);
  expect(frames.map(({ entry }) => [entry.direction, entry.frame])).toEqual([
    ["SENT", "subscribe AB 1"],
    ["RECEIVED", ack("AB")],
    ["SENT", "list 2"],
    ["SENT", "ping 3"],
  ]);
});

test("the exchange's clock is asked every half minute", async () => {
  const { clock, latest, pass, report, sockets } = await stream();
  pass(1_000);
  const ping_id = Number(sockets[0]!.asked.find((asked) => asked.startsWith("ping"))!.slice(5));
  const exchange_time_us = clock.now() * 1_000 + 250_000;
  latest().text(text({ kind: "pong", request_id: ping_id, exchange_time_us }));
  expect(Number(report.figures.clock_offset_ms)).toBeWithin(250, 1_250);
  pass(60_000);
  expect(sockets[0]!.asked.filter((asked) => asked.startsWith("ping"))).toHaveLength(3);
});

test("a probe that nobody answers judges nothing, and is repeated", async () => {
  const started = await stream({ adapter: { ...fake_adapter } });
  const { probes, report } = started;
  withTrades(started, 126_000);
  // Asked, never answered: given up after two minutes, asked again a minute later.
  expect(probes).toHaveLength(1);
  withTrades(started, 62_000);
  expect(probes).toHaveLength(2);
  expect(report.figures).toMatchObject({ quiet: 0, not_delivering: 0, resubscribed_total: 0 });
});

test("symbols of a reconnected socket are judged by what the new socket brings", async () => {
  const started = await stream();
  const { clock, latest, probes, sockets } = started;
  withTrades(started, 6_000);
  latest().closed({ reason: "gone", code: 1006, status: null, retry_after: null });
  clock.increment(250);
  accept(started);
  expect(sockets).toHaveLength(2);
  started.answerProbe(tradeNow(started, "9"));
  withTrades(started, 3_000);
  expect(sockets[1]?.sent).toHaveLength(2);
  expect(probes).toHaveLength(1);
});

test("a bug in a session is a crash of its connection, and not the process's end", async () => {
  const { controller, errors, instruments, pass, probes, sockets } = await stream();
  instruments.splice(0, 2, {
    ...instruments[0]!,
    get native_symbol(): string {
      throw new TypeError("a bug");
    },
  });
  pass(1_500);
  expect(String(errors[0])).toContain("a bug");
  // What is left of it falls silent once the supervisor ends the incarnation.
  controller.abort();
  expect(sockets[0]?.is_open).toBe(false);
  pass(120_000);
  expect([probes.length, sockets.length]).toEqual([0, 1]);
});

test("a late acknowledgement still counts, and repeats nothing", async () => {
  const started = start();
  const { latest, loaded, pass, report, sockets } = started;
  await loaded();
  latest().opened();
  pass(500);
  latest().text(ack("AB"));
  pass(11_000);
  expect(report.figures.refused).toBe(1);
  latest().text(ack("CD"));
  expect(report.figures).toMatchObject({ subscribed: 2, refused: 0 });
  pass(60_000);
  expect(sockets[0]?.sent).toHaveLength(2);
});
