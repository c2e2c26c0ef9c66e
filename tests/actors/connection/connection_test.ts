/**
 * Goal: a connection retries for ever what the network and the exchange do to it, with patience,
 * costs no symbol for another's refusal, and shows at every moment what it is doing.
 * Method: a fake socket that the test drives by hand, and a clock that moves only when told to.
 */

import { expect, test } from "bun:test";
import { InstrumentsUnavailable } from "../../../actors/rest/instrument_list.ts";
import { ack, lost, refusal, start, stream, text } from "./fake_connection.ts";
import { fake_adapter, trade, tradesFrame } from "./fake_exchange.ts";

test("a connection is ready at once, and streams once every symbol is acknowledged", async () => {
  const { clock, latest, loaded, readyCount, report, sockets } = start({});
  expect(readyCount()).toBe(1);
  expect(report.state).toBe("waiting_for_instruments");
  await loaded();
  expect(report.state).toBe("connecting");
  expect(sockets[0]?.url).toBe("wss://name:secret@fake.example/stream");
  expect(report.figures.url).toBe("wss://fake.example/stream");
  latest().opened();
  expect(report.state).toBe("subscribing");
  clock.increment(100);
  latest().text(ack("AB"));
  expect(report).toMatchObject({ state: "subscribing", figures: { subscribed: 1, refused: 0 } });
  latest().text(ack("CD"));
  expect(report).toMatchObject({ state: "streaming", figures: { subscribed: 2, symbols: 2 } });
  expect(report.figures.connection_id).toBe("fake-0");
});

test("requests are sent no closer to one another than the exchange allows", async () => {
  const { clock, latest, loaded, sockets } = start({
    adapter: { session: { ...fake_adapter.session, request_interval_ms: 250 } },
  });
  await loaded();
  latest().opened();
  expect(sockets[0]?.sent).toEqual(["subscribe AB 1"]);
  clock.increment(249);
  expect(sockets[0]?.sent).toHaveLength(1);
  clock.increment(1);
  expect(sockets[0]?.sent).toEqual(["subscribe AB 1", "subscribe CD 2"]);
});

test("without an instrument list a connection waits, tries again, and says so once", async () => {
  const away = new InstrumentsUnavailable("HTTP 503", { is_terminal: false, retry_after_ms: null });
  const { clock, lines, loaded, loadsCount, report, sockets } = start({ failures: [away, away] });
  await loaded();
  expect(report.state).toBe("waiting_for_instruments");
  expect(report.figures.last_error).toBe("no instrument list: HTTP 503");
  clock.increment(250);
  await loaded();
  expect([report.state, loadsCount(), sockets.length]).toEqual(["waiting_for_instruments", 2, 0]);
  clock.increment(500);
  await loaded();
  expect([report.state, loadsCount(), sockets.length]).toEqual(["connecting", 3, 1]);
  expect(lines).toEqual([]);
});

test("an instrument list refused for good is asked for every five minutes only", async () => {
  const refused = new InstrumentsUnavailable("HTTP 451", {
    is_terminal: true,
    retry_after_ms: null,
  });
  const { clock, loaded, loadsCount } = start({ failures: [refused] });
  await loaded();
  clock.increment(299_999);
  expect(loadsCount()).toBe(1);
  clock.increment(1);
  expect(loadsCount()).toBe(2);
});

test("reconnecting backs off from 250 ms to 30 s, for ever, one socket at a time", async () => {
  const { clock, latest, loaded, report, sockets } = start({});
  await loaded();
  const delays_ms = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000];
  for (const [index, delay_ms] of delays_ms.entries()) {
    latest().closed(lost("ECONNREFUSED"));
    expect(report).toMatchObject({ state: "waiting", figures: { attempt: index + 1 } });
    expect(sockets[index]?.is_open).toBe(false);
    clock.increment(delay_ms - 1);
    expect(sockets).toHaveLength(index + 1);
    clock.increment(1);
    expect(sockets).toHaveLength(index + 2);
  }
  expect(report.figures.reconnects_total).toBe(delays_ms.length);
});

test("an exchange out of reach is named once, and once more when it is back", async () => {
  const { clock, latest, lines, loaded } = start({});
  await loaded();
  for (let attempt = 0; attempt < 3; attempt += 1) {
    latest().closed(lost("connect ECONNREFUSED 127.0.0.1:1"));
    clock.increment(30_000);
  }
  expect(lines).toEqual([
    "warn Cannot reach fake at wss://fake.example/stream: connect ECONNREFUSED 127.0.0.1:1; " +
      "retrying. Without network access try: K2_DATA_DIR=.k2-simulated bun run start --simulate",
  ]);
  latest().opened();
  expect(lines.slice(1)).toEqual(["info Reached fake again"]);
});

test("the failures are forgotten only after thirty seconds of health", async () => {
  const { clock, latest, report } = await stream();
  latest().closed(lost("the connection was lost"));
  clock.increment(250);
  latest().opened();
  latest().text(ack("AB"));
  latest().text(ack("CD"));
  clock.increment(29_999);
  expect(report.figures.attempt).toBe(1);
  clock.increment(1);
  expect(report.figures).toMatchObject({ attempt: 0, last_error: null });
});

test("a lost connection is said once, and once more when it is healthy again", async () => {
  const { clock, latest, lines } = await stream({ symbols: ["AB"] });
  expect(lines.splice(0)).toEqual(["info fake connection 0 streams, symbols: 1"]);
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    latest().closed(lost("the connection was lost"));
    clock.increment(30_000);
    latest().opened();
    latest().text(ack("AB"));
  }
  clock.increment(30_000);
  expect(lines).toEqual([
    "warn Lost fake connection 0: the connection was lost; reconnecting",
    "info fake connection 0 streams, symbols: 1",
    "info fake connection 0 streams again, attempts: 3",
  ]);
});

test("a refused upgrade's Retry-After is waited for, and longer than the backoff", async () => {
  const { clock, latest, loaded, report, sockets } = start({});
  await loaded();
  latest().closed({ reason: "refused", code: null, status: 429, retry_after: "77" });
  expect(report).toMatchObject({ state: "waiting" });
  expect(report.figures.last_error).toBe("HTTP 429: too many requests from this address");
  clock.increment(76_999);
  expect(sockets).toHaveLength(1);
  clock.increment(1);
  expect(sockets).toHaveLength(2);
});

test.each([401, 403, 404, 451])(
  "HTTP %d waits five minutes and names the setting",
  async (status) => {
    const { clock, latest, lines, loaded, report, sockets } = start({});
    await loaded();
    latest().closed({ reason: "refused", code: null, status, retry_after: null });
    expect(report.state).toBe("refused");
    expect(report.figures.last_error).toContain(`HTTP ${status}`);
    expect(report.figures.last_error).toContain("K2_FAKE_WS_URL");
    expect(lines).toHaveLength(1);
    clock.increment(299_999);
    await loaded();
    expect(sockets).toHaveLength(1);
    clock.increment(1);
    await loaded();
    expect(sockets).toHaveLength(2);
  },
);

test("a handshake that is never answered fails", async () => {
  const { clock, loaded, report, sockets } = start({});
  await loaded();
  clock.increment(12_000);
  expect(report).toMatchObject({
    state: "waiting",
    figures: { last_error: "no answer to the handshake" },
  });
  expect(sockets[0]?.is_open).toBe(false);
});

test("a refused symbol costs the others nothing, and is asked for again", async () => {
  const { clock, latest, lines, loaded, report, sockets } = start({});
  await loaded();
  latest().opened();
  clock.increment(100);
  latest().text(ack("AB"));
  latest().text(refusal("CD", { is_terminal: true }));
  expect(report).toMatchObject({
    state: "streaming",
    figures: { subscribed: 1, refused: 1, refused_reason: "CD: no" },
  });
  expect(lines).toContain("error Not subscribed to CD: no");
  for (let elapsed_s = 0; elapsed_s < 299; elapsed_s += 1) {
    clock.increment(1_000);
    latest().pinged("");
  }
  expect(sockets[0]?.sent).toHaveLength(2);
  clock.increment(1_000);
  expect(sockets[0]?.sent.slice(2)).toEqual([expect.stringMatching(/^subscribe CD /)]);
  latest().text(ack("CD"));
  expect(report).toMatchObject({
    state: "streaming",
    figures: { subscribed: 2, refused: 0, refused_reason: null, reconnects_total: 0 },
  });
});

test("a symbol refused for now is asked for again soon, and ever less often", async () => {
  const { clock, latest, loaded, sockets } = start({
    // Questions would take their turns among the requests.
    adapter: { listSubscriptions: () => null, ping: () => null },
  });
  await loaded();
  latest().opened();
  clock.increment(100);
  latest().text(ack("AB"));
  latest().text(refusal("CD", { is_terminal: false }));
  for (const delay_ms of [5_000, 10_000, 20_000]) {
    const sent_count = sockets[0]!.sent.length;
    clock.increment(delay_ms - 1);
    expect(sockets[0]!.sent.length).toBe(sent_count);
    clock.increment(1);
    expect(sockets[0]!.sent.length).toBe(sent_count + 1);
    latest().text(refusal("CD", { is_terminal: false }));
  }
});

test("a symbol that is not acknowledged within ten seconds counts as refused", async () => {
  const { clock, latest, loaded, report } = start({});
  await loaded();
  latest().opened();
  clock.increment(100);
  latest().text(ack("AB"));
  clock.increment(9_999);
  expect(report.state).toBe("subscribing");
  clock.increment(1);
  expect(report).toMatchObject({
    state: "streaming",
    figures: { subscribed: 1, refused_reason: "CD: not acknowledged within 10 s" },
  });
});

test("a socket that acknowledges nothing is replaced", async () => {
  const { clock, latest, loaded, report, sockets } = start({});
  await loaded();
  latest().opened();
  clock.increment(100);
  clock.increment(10_000);
  expect(report.state).toBe("waiting");
  expect(sockets[0]?.is_open).toBe(false);
});

test("when every symbol is refused for good there is no tight loop", async () => {
  const { clock, latest, loaded, loadsCount, report, sockets } = start({});
  await loaded();
  latest().opened();
  clock.increment(100);
  latest().text(refusal("AB", { is_terminal: true }));
  latest().text(refusal("CD", { is_terminal: true }));
  expect(report).toMatchObject({
    state: "refused",
    figures: { refused: 2, last_error: "AB: no; CD: no" },
  });
  expect(sockets[0]?.is_open).toBe(false);
  clock.increment(299_999);
  expect(loadsCount()).toBe(1);
  clock.increment(1);
  await loaded();
  expect([loadsCount(), sockets.length, report.state]).toEqual([2, 2, "connecting"]);
});

test("an unknown symbol is refused before connecting, with what is near it", async () => {
  const { latest, lines, loaded, report, sockets } = start({ symbols: ["AB", "A-B-"] });
  await loaded();
  const reason = "fake does not list A-B- (near matches: AB)";
  expect(lines).toEqual([`error Not subscribed to A-B-: ${reason}`]);
  expect(report.figures.refused_reason).toBe(`A-B-: ${reason}`);
  latest().opened();
  latest().text(ack("AB"));
  expect(report.state).toBe("streaming");
  expect(sockets[0]?.sent).toEqual(["subscribe AB 1"]);
});

test("with nothing but unknown symbols no socket is opened", async () => {
  const { loaded, report, sockets } = start({ symbols: ["ZZZZZZ"] });
  await loaded();
  expect([report.state, sockets.length]).toEqual(["refused", 0]);
  expect(report.figures.last_error).toBe("ZZZZZZ: fake does not list ZZZZZZ (nothing is near it)");
});

test("a silent socket is pinged at half time and replaced in the end", async () => {
  const { clock, latest, report, sockets } = await stream();
  clock.increment(20_000);
  latest().pinged("");
  const pings = () => sockets[0]?.asked.filter((asked) => asked.startsWith("ping")).length;
  clock.increment(29_000);
  const before = pings();
  clock.increment(1_000);
  expect(pings()).toBe(before! + 1);
  latest().text(text({ kind: "pong", request_id: null, exchange_time_us: null }));
  clock.increment(59_999);
  expect(report.state).toBe("streaming");
  clock.increment(1);
  expect(report).toMatchObject({
    state: "waiting",
    figures: { last_error: "silent for 60000 ms", heartbeats_total: 1 },
  });
  expect(sockets[0]?.is_open).toBe(false);
});

test("full buffers close the socket on purpose until there is room", async () => {
  const { clock, pressure, report, sockets } = await stream();
  for (const listener of pressure) listener.full("the buffers are full");
  expect([report.state, sockets[0]?.is_open]).toEqual(["paused", false]);
  clock.increment(3_600_000);
  expect(sockets).toHaveLength(1);
  for (const listener of pressure) listener.relieved();
  expect([report.state, sockets.length]).toEqual(["connecting", 2]);
  expect(report.figures.attempt).toBe(0);
});

test("a connection that waits does not open a socket while the buffers are full", async () => {
  const { clock, latest, pressure, report, sockets } = await stream();
  latest().closed(lost("the connection was lost"));
  for (const listener of pressure) listener.full("the buffers are full");
  clock.increment(250);
  expect([report.state, sockets.length]).toEqual(["paused", 1]);
  for (const listener of pressure) listener.relieved();
  expect([report.state, sockets.length]).toEqual(["connecting", 2]);
});

test("a connection that starts while the buffers are full opens no socket", async () => {
  const { loaded, pressure, report, sockets } = start({});
  for (const listener of pressure) listener.full("the buffers are full");
  await loaded();
  expect([report.state, sockets.length]).toEqual(["paused", 0]);
});

test("every state obeys stop, and closes the socket", async () => {
  const streaming = await stream();
  streaming.actor.send({ type: "stop" });
  expect(streaming.report.state).toBe("stopped");
  expect(streaming.sockets[0]?.is_open).toBe(false);
  expect(streaming.actor.getSnapshot().status).toBe("done");
  const waiting = start({});
  waiting.actor.send({ type: "stop" });
  expect(waiting.actor.getSnapshot().status).toBe("done");
  await waiting.loaded();
  expect(waiting.sockets).toHaveLength(0);
});

test("nothing of a closed socket disturbs the next one", async () => {
  const { clock, latest, report, sockets } = await stream();
  const old = latest();
  latest().closed(lost("the connection was lost"));
  clock.increment(250);
  old.closed(lost("again"));
  old.text(ack("AB"));
  expect(report).toMatchObject({ state: "connecting", figures: { attempt: 1, subscribed: 0 } });
  expect(sockets).toHaveLength(2);
});

test("the figures tell when a frame came last", async () => {
  const { clock, latest, report } = await stream({ symbols: ["AB"] });
  clock.increment(1_500);
  latest().text(tradesFrame(trade("AB", "1"), trade("XY", "2")));
  expect(report.figures).toMatchObject({
    last_frame_at: "1970-01-01T00:00:01.500Z",
    frames_total: 2,
    trades_total: 1,
    undelivered_total: 0,
    unconfigured_total: 1,
  });
});

test("a broken assumption is a crash, not a retry", async () => {
  const { errors, loaded } = start({ failures: [new TypeError("a bug")] });
  await loaded().catch(() => null);
  expect(String(errors[0])).toContain("a bug");
});
