/**
 * Goal: a list is had whenever there is one to be had - from memory, disk or the exchange - and
 * the exchange is asked no more often than it has to be.
 * Method: a scripted exchange and disk, and a clock that is a number.
 */

import { expect, test } from "bun:test";
import type { CachedInstruments } from "../../../actors/exchanges/instrument_cache.ts";
import type { Instrument } from "../../../actors/messages.ts";
import type { GateAnswer } from "../../../actors/rest/gate.ts";
import {
  createInstrumentList,
  InstrumentsUnavailable,
} from "../../../actors/rest/instrument_list.ts";
import { createReachability } from "../../../actors/rest/reachability.ts";
import { fake_adapter, fakeLog, instrument } from "../connection/fake_exchange.ts";

const hour_ms = 3_600_000;
const ab = instrument("AB", "A", "B");
const cd = instrument("CD", "C", "D");

function answerWith(...instruments: readonly Instrument[]): GateAnswer {
  return text(JSON.stringify(instruments));
}

function text(text: string): GateAnswer {
  return { kind: "text", text, bytes: Buffer.from(text), headers: new Headers() };
}

function refused(status: number, retry_after: string | null): GateAnswer {
  return { kind: "refused", status, retry_after, text: "", headers: new Headers() };
}

function start(options: {
  readonly cached?: CachedInstruments;
  readonly answers?: readonly GateAnswer[];
  readonly disk_error?: Error;
}) {
  const answers = [...(options.answers ?? [])];
  const asked: string[] = [];
  const written: CachedInstruments[] = [];
  const waits: { delay_ms: number; end: () => void }[] = [];
  const clock = { now_ms: 100 * hour_ms };
  const controller = new AbortController();
  const { lines, log } = fakeLog();
  const list = createInstrumentList({
    adapter: fake_adapter,
    rest_url: "http://fake",
    ask: async (url, { weight }) => {
      expect(weight).toBe(1);
      asked.push(url);
      return answers.shift() ?? { kind: "failed", reason: "connect ECONNREFUSED" };
    },
    readCache: async () => options.cached ?? null,
    writeCache: async (it) => {
      if (options.disk_error !== undefined) throw options.disk_error;
      written.push(it);
    },
    reachability: createReachability({ exchange: "fake", log, remedy: "" }),
    log,
    now_ms: () => clock.now_ms,
    random: () => 1,
    wait: (delay_ms) => new Promise((resolve) => waits.push({ delay_ms, end: resolve })),
    signal: controller.signal,
  });
  return { answers, asked, clock, controller, lines, list, waits, written };
}

/** Lets everything that is already resolved run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

test("a first load asks the exchange and keeps the list on disk", async () => {
  const { asked, clock, list, written } = start({ answers: [answerWith(ab, cd)] });
  expect(list.all()).toEqual([]);
  await list.load();
  expect(asked).toEqual(["http://fake/instruments"]);
  expect(list.get("CD")).toEqual(cd);
  expect(list.get("XY")).toBeUndefined();
  expect(list.all()).toEqual([ab, cd]);
  expect(written).toEqual([{ fetched_at_ms: clock.now_ms, instruments: [ab, cd] }]);
});

test("loads that overlap share one request", async () => {
  const { asked, list } = start({ answers: [answerWith(ab)] });
  await Promise.all([list.load(), list.load(["AB"]), list.load()]);
  expect(asked).toHaveLength(1);
});

test("a list of less than a day is used without asking, an older one is not", async () => {
  const cached = { fetched_at_ms: 77 * hour_ms, instruments: [ab] };
  const { asked, clock, list } = start({ cached, answers: [answerWith(ab, cd)] });
  await list.load(["AB"]);
  expect(asked).toHaveLength(0);
  clock.now_ms += hour_ms;
  await list.load(["AB"]);
  expect(asked).toHaveLength(1);
  expect(list.get("CD")).toEqual(cd);
});

test("a symbol that does not trade makes the list ask again, every five minutes", async () => {
  const cached = { fetched_at_ms: 99 * hour_ms, instruments: [ab, { ...cd, status: "delisted" }] };
  const { answers, asked, clock, list } = start({ cached, answers: [answerWith(ab)] });
  await list.load(["AB"]);
  expect(asked).toHaveLength(0);
  await list.load(["CD"]);
  expect(asked).toHaveLength(1);
  await list.load(["CD"]);
  expect(asked).toHaveLength(1);
  clock.now_ms += 5 * 60_000;
  answers.push(answerWith(ab, cd));
  await list.load(["CD"]);
  expect(asked).toHaveLength(2);
  expect(list.get("CD")?.status).toBe("online");
});

test("an old list serves while the exchange is away, and is refreshed meanwhile", async () => {
  const cached = { fetched_at_ms: 1, instruments: [ab] };
  const { answers, asked, lines, list, waits } = start({ cached });
  await list.load(["AB"]);
  await list.load(["AB"]);
  expect(list.get("AB")).toEqual(ab);
  expect(lines).toEqual([
    "warn Cannot reach fake at http://fake/instruments: connect ECONNREFUSED; retrying.",
  ]);
  expect(waits.map(({ delay_ms }) => delay_ms)).toEqual([10_000]);
  waits[0]!.end();
  await settle();
  expect(waits.map(({ delay_ms }) => delay_ms)).toEqual([10_000, 20_000]);
  answers.push(answerWith(ab, cd));
  waits[1]!.end();
  await settle();
  expect(list.get("CD")).toEqual(cd);
  expect(lines.slice(1)).toEqual(["info Reached fake again"]);
  expect([asked.length, waits.length]).toEqual([4, 2]);
});

test("the refresh ends with the platform", async () => {
  const cached = { fetched_at_ms: 1, instruments: [ab] };
  const { asked, controller, list, waits } = start({ cached });
  await list.load();
  controller.abort();
  waits[0]!.end();
  await settle();
  expect([asked.length, waits.length]).toEqual([1, 1]);
});

test("a list stamped in the future is not believed to be fresh", async () => {
  const cached = { fetched_at_ms: 200 * hour_ms, instruments: [ab] };
  const { asked, list } = start({ cached, answers: [answerWith(cd)] });
  await list.load();
  expect([asked.length, list.get("AB")]).toEqual([1, undefined]);
});

test.each([
  [{ kind: "failed", reason: "no answer within 10 s" }, "no answer within 10 s"],
  [text("<html>"), "its instrument list cannot be read (not JSON)"],
  [text("[]"), "its instrument list is empty"],
  [refused(503, null), "HTTP 503"],
  [{ kind: "postponed", wait_ms: 39_500 }, "the request budget has room in 40 s"],
] satisfies [GateAnswer, string][])(
  "without list and cache %j is the reason",
  async (answer, reason) => {
    const { list } = start({ answers: [answer] });
    const error = await list.load().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InstrumentsUnavailable);
    expect(error).toMatchObject({ is_terminal: false });
    expect(String(error)).toContain(reason);
  },
);

test("a refusal names the setting, and its Retry-After is kept by all who ask", async () => {
  const { answers, asked, clock, list } = start({
    answers: [refused(418, "120")],
  });
  const error = await list.load().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ is_terminal: false, retry_after_ms: 120_000 });
  answers.push(answerWith(ab));
  clock.now_ms += 119_999;
  expect(await list.load().catch((thrown: unknown) => thrown)).toBe(error);
  expect(asked).toHaveLength(1);
  clock.now_ms += 1;
  await list.load();
  expect([asked.length, list.get("AB")]).toEqual([2, ab]);

  const banned = start({ answers: [refused(451, null)] });
  expect(await banned.list.load().catch((thrown: unknown) => thrown)).toMatchObject({
    is_terminal: true,
    message: expect.stringContaining("K2_FAKE_REST_URL"),
  });
});

test("a clock that is set back does not make a Retry-After last longer", async () => {
  const { answers, clock, list } = start({ answers: [refused(418, "120")] });
  await list.load().catch(() => {});
  answers.push(answerWith(ab));
  clock.now_ms -= 24 * hour_ms;
  await list.load();
  expect(list.get("AB")).toEqual(ab);
});

test("a disk that refuses costs the cache and not the list", async () => {
  const { lines, list } = start({ answers: [answerWith(ab)], disk_error: new Error("ENOSPC") });
  await list.load();
  expect(list.get("AB")).toEqual(ab);
  expect(lines).toEqual(["warn Cannot keep the instrument list of fake: ENOSPC"]);
});

test("room in the budget is waited for, where it comes soon", async () => {
  const { answers, asked, lines, list, waits } = start({
    answers: [
      { kind: "postponed", wait_ms: 1_100 },
      { kind: "postponed", wait_ms: 900 },
    ],
  });
  const loaded = list.load();
  await settle();
  waits[0]!.end();
  await settle();
  answers.push(answerWith(ab));
  waits[1]!.end();
  await loaded;
  expect(waits.map(({ delay_ms }) => delay_ms)).toEqual([1_100, 900]);
  expect([asked.length, lines.length, list.get("AB")]).toEqual([3, 0, ab]);
});

test("a budget that is used up for longer is no outage, and is asked when it has room", async () => {
  const { answers, asked, clock, lines, list } = start({
    answers: [{ kind: "postponed", wait_ms: 30_000 }],
  });
  await list.load().catch((thrown: unknown) => thrown);
  expect(lines).toEqual([]);
  answers.push(answerWith(ab));
  clock.now_ms += 29_999;
  await list.load().catch((thrown: unknown) => thrown);
  expect(asked).toHaveLength(1);
  clock.now_ms += 1;
  await list.load();
  expect(list.get("AB")).toEqual(ab);
});

test("a refresh asks for a list that is five minutes old, though all in it trade", async () => {
  const { answers, asked, clock, list } = start({ answers: [answerWith(ab)] });
  await list.load(["AB"]);
  await list.refresh();
  expect(asked).toHaveLength(1);
  clock.now_ms += 5 * 60_000;
  answers.push(answerWith({ ...ab, status: "halted" }));
  await list.refresh();
  expect(list.get("AB")?.status).toBe("halted");
  clock.now_ms += 5 * 60_000;
  await expect(list.refresh()).rejects.toThrow("ECONNREFUSED");
  expect(list.get("AB")?.status).toBe("halted");
});
