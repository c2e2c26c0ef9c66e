/**
 * Goal: a socket is replaced without a hole, never by more than one other, and never beyond the
 * budget of attempts; what cannot be replaced stays.
 * Method: a connection in virtual time, with sockets that the test drives by hand.
 */

import { expect, test } from "bun:test";
import { accept, ack, lost, refusal, start, stream, text } from "./fake_connection.ts";
import { fake_adapter, trade, tradesFrame } from "./fake_exchange.ts";

type Started = Awaited<ReturnType<typeof stream>>;

/** The margin is longer than this life, so that half of it is used. */
const session = { ...fake_adapter.session, life_ms_max: 120_000 };
const rotation_ms = 60_000;

/** Trades of AB at each half second on the first socket. */
function deliverOn({ pass, sockets }: Started, index: number, duration_ms: number): void {
  pass(duration_ms, () => sockets[index]!.handlers.text(tradesFrame(trade("AB", "1"))));
}

/** Whether each socket is open. */
function open({ sockets }: Started): readonly boolean[] {
  return sockets.map(({ is_open }) => is_open);
}

/** A connection whose second socket has just been asked for. */
async function rotate(): Promise<Started> {
  const started = await stream({ adapter: { session } });
  deliverOn(started, 0, rotation_ms);
  expect(started.sockets).toHaveLength(2);
  return started;
}

test("before its end a socket is replaced by one that delivers, and closed only then", async () => {
  const started = await rotate();
  const { events, latest, lines, report, sockets } = started;
  expect(open(started)).toEqual([true, true]);
  expect(report).toMatchObject({ state: "streaming", figures: { subscribed: 2 } });
  accept(started);
  deliverOn(started, 0, 2_000);
  // AB came on the first within ten seconds, and not yet on the second.
  expect(open(started)).toEqual([true, true]);
  latest().text(tradesFrame(trade("AB", "2")));
  started.pass(500);
  // The first has not come as far: what the second began with may follow others on the first.
  expect(open(started)).toEqual([true, true]);
  sockets[0]!.handlers.text(tradesFrame(trade("AB", "2")));
  started.pass(100);
  expect(open(started)).toEqual([false, true]);
  expect(report).toMatchObject({
    state: "streaming",
    figures: { rotations_total: 1, reconnects_total: 0, subscribed: 2, attempt: 0 },
  });
  expect(report.figures.connection_id).toBe("fake-1");
  expect(report.figures.down_since).toBeNull();
  expect(events.map(({ event, connection_id, reason }) => [event, connection_id, reason])).toEqual([
    ["session_opened", "fake-0", null],
    ["session_opened", "fake-1", null],
    ["session_closed", "fake-0", "replaced by fake-1"],
  ]);
  expect(lines.at(-1)).toBe("info fake connection 0 streams over a new socket");
  sockets[0]!.handlers.closed(lost("late"));
  expect(report.state).toBe("streaming");
});

test("a symbol that stays silent on the new socket is waited for ten seconds", async () => {
  const started = await rotate();
  accept(started);
  deliverOn(started, 0, 9_500);
  expect(open(started)).toEqual([true, true]);
  deliverOn(started, 0, 1_000);
  expect(open(started)).toEqual([false, true]);
});

test("a snapshot is no proof that a symbol is pushed", async () => {
  const started = await rotate();
  accept(started);
  const snapshot = { kind: "trades", source: "SNAPSHOT", trades: [trade("AB", "1")] } as const;
  started.latest().text(text({ ...snapshot, rejects: [] }));
  deliverOn(started, 0, 1_000);
  expect(open(started)).toEqual([true, true]);
});

test("the new socket is replaced in its turn", async () => {
  const started = await rotate();
  accept(started);
  deliverOn(started, 1, 1_100);
  expect(open(started)).toEqual([false, true]);
  deliverOn(started, 1, rotation_ms - 2_000);
  expect(started.sockets).toHaveLength(2);
  deliverOn(started, 1, 2_000);
  expect(started.sockets).toHaveLength(3);
});

test("a day's life ends ten to sixty minutes early, by chance", async () => {
  const life_ms_max = 24 * 3_600_000;
  const day = { ...session, life_ms_max, silence_ms_max: 10 * life_ms_max };
  const { clock, sockets } = await stream({ adapter: { session: day } });
  clock.increment(life_ms_max - 3_600_001);
  expect(sockets).toHaveLength(1);
  clock.increment(1);
  expect(sockets).toHaveLength(2);
});

test("an exchange without an end of sockets gets no second one", async () => {
  const endless = { ...session, life_ms_max: null };
  const started = await stream({ adapter: { session: endless } });
  deliverOn(started, 0, 3 * rotation_ms);
  expect(started.sockets).toHaveLength(1);
});

test.each([
  ["shutdown", [{ kind: "shutdown" }]],
  [
    "maintenance",
    [
      { kind: "status", status: "online", is_closing: false },
      { kind: "status", status: "maintenance", is_closing: true },
    ],
  ],
] as const)("an announced end, by %s, opens the second socket at once", async (_, frames) => {
  const started = await stream();
  for (const frame of frames) started.latest().text(text(frame));
  expect(open(started)).toEqual([true, true]);
  accept(started);
  // What was on its way before the second was subscribed comes on the first alone.
  started.pass(900);
  expect(open(started)).toEqual([true, true]);
  started.pass(200);
  expect(open(started)).toEqual([false, true]);
  expect(started.report).toMatchObject({ state: "streaming", figures: { rotations_total: 1 } });
});

test("a new socket whose end is announced too is dropped, and tried again", async () => {
  const started = await stream();
  const { latest, pass, sockets } = started;
  latest().text(text({ kind: "shutdown" }));
  latest().opened();
  latest().text(text({ kind: "shutdown" }));
  expect(open(started)).toEqual([true, false]);
  pass(400, () => sockets[0]!.handlers.pinged(""));
  expect(sockets).toHaveLength(2);
  pass(200, () => sockets[0]!.handlers.pinged(""));
  expect(open(started)).toEqual([true, false, true]);
});

test("where the second socket fails the first stays, and it is tried again", async () => {
  const started = await rotate();
  const { latest, lines, report, sockets } = started;
  latest().closed(lost("ECONNREFUSED"));
  expect(open(started)).toEqual([true, false]);
  expect(report).toMatchObject({
    state: "streaming",
    figures: { attempt: 1, last_error: "ECONNREFUSED", rotations_total: 0, subscribed: 2 },
  });
  expect(lines.at(-1)).toBe("warn fake connection 0 keeps its socket: ECONNREFUSED; trying again");
  deliverOn(started, 0, 200);
  expect(sockets).toHaveLength(2);
  deliverOn(started, 0, 100);
  expect(sockets).toHaveLength(3);
  accept(started);
  deliverOn(started, 2, 1_100);
  expect(open(started)).toEqual([false, false, true]);
});

test("a second socket that does not hold what the first holds is dropped", async () => {
  const started = await rotate();
  started.latest().opened();
  started.pass(500);
  started.latest().text(ack("AB"));
  for (let count = 0; count < 90; count += 1) {
    started.sockets[0]!.handlers.pinged("");
    if (started.sockets[1]!.is_open) {
      started.sockets[1]!.handlers.text(refusal("CD", { is_terminal: false }));
    }
    started.clock.increment(500);
  }
  expect(started.sockets[1]!.is_open).toBe(false);
  expect(started.sockets[0]!.is_open).toBe(true);
  expect(started.events.find(({ reason }) => reason?.startsWith("the exchange did not"))).toEqual(
    expect.objectContaining({ connection_id: "fake-1" }),
  );
});

test("what two sockets hold differently is said by the one that is relied on", async () => {
  const started = await rotate();
  const { clock, events, latest, lines, sockets } = started;
  const refusals = () => events.filter(({ event }) => event === "subscription_refused");
  latest().opened();
  started.pass(500);
  latest().text(ack("AB"));
  latest().text(refusal("CD", { is_terminal: false }));
  for (let count = 0; count < 10; count += 1) {
    for (const { handlers } of sockets) handlers.pinged("");
    clock.increment(1_000);
    latest().text(refusal("CD", { is_terminal: false }));
  }
  expect(refusals()).toEqual([]);
  sockets[0]!.handlers.closed(lost("gone"));
  started.pass(3_000);
  expect(refusals()).toMatchObject([{ native_symbol: "CD", connection_id: "fake-1" }]);
  expect(lines.filter((line) => line.includes("Not subscribed to CD"))).toHaveLength(1);
});

test("a symbol that is refused for good meanwhile holds nothing up", async () => {
  const started = await rotate();
  started.latest().opened();
  started.pass(500);
  started.latest().text(ack("AB"));
  started.latest().text(refusal("CD", { is_terminal: true }));
  deliverOn(started, 1, 1_500);
  expect(open(started)).toEqual([false, true]);
});

test("where the first ends meanwhile the second goes on, streaming or not", async () => {
  const streaming = await rotate();
  accept(streaming);
  streaming.sockets[0]!.handlers.closed(lost("gone"));
  expect(streaming.report.state).toBe("streaming");
  expect(streaming.report.figures.connection_id).toBe("fake-1");
  const connecting = await rotate();
  connecting.sockets[0]!.handlers.closed(lost("gone"));
  expect(connecting.report.state).toBe("connecting");
  expect(connecting.report.figures.down_since).not.toBeNull();
  accept(connecting);
  expect(connecting.report.state).toBe("streaming");
  expect(connecting.report.figures.down_since).toBeNull();
  expect(connecting.sockets).toHaveLength(2);
});

test("once the first has ended, what the second lacks is no reason to end it too", async () => {
  const started = await rotate();
  const { clock, latest, report, sockets } = started;
  latest().opened();
  started.pass(500);
  latest().text(ack("AB"));
  latest().text(refusal("CD", { is_terminal: false }));
  sockets[0]!.handlers.closed(lost("gone"));
  for (let count = 0; count < 90; count += 1) {
    latest().text(tradesFrame(trade("AB", "2")));
    latest().text(refusal("CD", { is_terminal: false }));
    clock.increment(500);
  }
  expect(open(started)).toEqual([false, true]);
  expect(report).toMatchObject({ state: "streaming", figures: { subscribed: 1, refused: 1 } });
});

test("maintenance that is said again after a greeting with it is no news", async () => {
  const started = await stream();
  const maintenance = text({ kind: "status", status: "maintenance", is_closing: true });
  for (let count = 0; count < 3; count += 1) started.latest().text(maintenance);
  started.pass(5_000);
  expect(started.sockets).toHaveLength(1);
  started.latest().text(text({ kind: "status", status: "online", is_closing: false }));
  started.latest().text(maintenance);
  expect(started.sockets).toHaveLength(2);
});

test("where the first ends while the second waits for its turn, all begins anew", async () => {
  const started = await rotate();
  started.latest().closed(lost("ECONNREFUSED"));
  started.sockets[0]!.handlers.closed(lost("gone"));
  expect(started.report.state).toBe("waiting");
  started.clock.increment(500);
  expect(open(started)).toEqual([false, false, true]);
});

test("full buffers and stop close both sockets", async () => {
  const pressed = await rotate();
  for (const listener of pressed.pressure) listener.full("the buffers are full");
  expect(open(pressed)).toEqual([false, false]);
  expect(pressed.report.state).toBe("paused");
  const stopped = await rotate();
  accept(stopped, []);
  stopped.actor.send({ type: "stop" });
  expect(open(stopped)).toEqual([false, false]);
  expect(stopped.events.slice(-2)).toMatchObject([
    { event: "session_closed", reason: "stopped" },
    { event: "session_closed", reason: "stopped" },
  ]);
});

test("an announced end before the socket streams is followed with patience", async () => {
  const { clock, latest, loaded, report, sockets } = start();
  await loaded();
  for (const delay_ms of [250, 500]) {
    latest().opened();
    latest().text(text({ kind: "shutdown" }));
    expect([report.state, sockets.at(-1)?.is_open]).toEqual(["waiting", false]);
    const sockets_count = sockets.length;
    clock.increment(delay_ms - 1);
    expect(sockets).toHaveLength(sockets_count);
    clock.increment(1);
    expect(sockets).toHaveLength(sockets_count + 1);
  }
});

test("without budget no socket is opened, and the state says so", async () => {
  const started = start({ attempts_max: 2 });
  const { clock, latest, loaded, report, sockets } = started;
  await loaded();
  latest().closed(lost("gone"));
  clock.increment(250);
  latest().closed(lost("gone"));
  clock.increment(500);
  expect([report.state, sockets.length]).toEqual(["waiting_for_budget", 2]);
  for (let minute = 0; minute < 9; minute += 1) clock.increment(60_000);
  expect(sockets).toHaveLength(2);
  clock.increment(60_000);
  clock.increment(60_000);
  expect(sockets).toHaveLength(3);
});

test("a block from before the start is waited for, and the status says how long", async () => {
  const { attempts, loaded, report, sockets } = start();
  attempts.blockFor(24 * 3_600_000);
  await loaded();
  expect(sockets).toHaveLength(0);
  expect(report).toMatchObject({
    state: "waiting_for_budget",
    figures: {
      attempt_wait_s: 24 * 3_600,
      last_error: "the exchange allows no connection attempt yet",
    },
  });
});

test("without budget a socket is not rotated either, and stays", async () => {
  const started = await stream({ attempts_max: 1 });
  deliverOn(started, 0, 500_000);
  started.latest().text(text({ kind: "shutdown" }));
  expect(started.sockets).toHaveLength(1);
  expect(started.report.state).toBe("streaming");
  deliverOn(started, 0, 101_000);
  expect(open(started)).toEqual([true, true]);
});

test("a refused upgrade's Retry-After holds for every connection of the exchange", async () => {
  const { attempts, latest, loaded } = start();
  await loaded();
  latest().closed({ reason: "refused", code: null, status: 429, retry_after: "77" });
  expect(attempts.waitMs(1)).toBe(77_000);
});

test("a broken rule, 1008, once is an accident; twice it is the operator's", async () => {
  const started = await stream();
  const { clock, latest, lines, report, sockets } = started;
  const violation = { ...lost("closed by the exchange with code 1008 (no)"), code: 1008 };
  latest().closed(violation);
  expect(report.state).toBe("waiting");
  clock.increment(250);
  accept(started);
  latest().closed(violation);
  expect(report.state).toBe("refused");
  expect(report.figures.last_error).toContain("check K2_FAKE_WS_URL and K2_FAKE_SYMBOLS");
  expect(lines.at(-1)).toStartWith("error Lost fake connection 0: closed by the exchange with");
  clock.increment(299_999);
  expect(sockets).toHaveLength(2);
});

test("the age of the socket is shown while it streams", async () => {
  const { clock, latest, report } = await stream();
  clock.increment(7_500);
  expect(report.figures.session_age_s).toBe(7);
  latest().closed(lost("gone"));
  expect(report.figures.session_age_s).toBeNull();
});
