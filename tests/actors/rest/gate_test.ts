/**
 * Goal: no request leaves without room in the budget or while the exchange wants to be left alone,
 * and each one that leaves is paid for before.
 * Method: the real budget on a clock that is a number, and scripted answers.
 */

import { expect, test } from "bun:test";
import { Budget } from "../../../actors/rest/budget.ts";
import { createGate } from "../../../actors/rest/gate.ts";
import type { RestAnswer } from "../../../actors/rest/get_page.ts";
import { fake_adapter } from "../connection/fake_exchange.ts";

const rule = { weight_max: 10, window_ms: 1_000 };

function start(...answers: readonly RestAnswer[]) {
  const clock = { now_ms: 0 };
  const asked: { url: string; used: number; headers: unknown }[] = [];
  const budget = new Budget({ rules: [rule], now_ms: () => clock.now_ms });
  const left = [...answers];
  const ask = createGate({
    rest: fake_adapter.rest,
    budget,
    getPage: async (url, request) => {
      asked.push({ url, used: budget.used(rule), headers: request?.headers });
      return left.shift() ?? text({});
    },
    now_ms: () => clock.now_ms,
  });
  return { ask, asked, budget, clock };
}

function text(headers: Record<string, string>): RestAnswer {
  return { kind: "text", text: "", bytes: new Uint8Array(), headers: new Headers(headers) };
}

function refused(status: number, retry_after: string | null): RestAnswer {
  return { kind: "refused", status, retry_after, text: "", headers: new Headers() };
}

test("a request is paid before it leaves, with the exchange's headers", async () => {
  const { ask, asked } = start();
  await ask("http://a/1", { weight: 6 });
  expect(asked).toEqual([{ url: "http://a/1", used: 6, headers: { "x-fake": "1" } }]);
});

test("without room nothing leaves", async () => {
  const { ask, asked, clock } = start();
  await ask("http://a/1", { weight: 6 });
  expect(await ask("http://a/2", { weight: 6 })).toEqual({ kind: "postponed", wait_ms: 1_001 });
  expect(asked).toHaveLength(1);
  clock.now_ms += 1_001;
  await ask("http://a/2", { weight: 6 });
  expect(asked).toHaveLength(2);
});

test("the exchange's own count is taken over", async () => {
  const { ask, budget } = start(text({ "x-fake-used": "9" }));
  await ask("http://a/1", { weight: 1 });
  expect(budget.used(rule)).toBe(9);
  expect(await ask("http://a/2", { weight: 2 })).toMatchObject({ kind: "postponed" });
});

test.each([
  [429, "7", 7_000],
  [429, null, 60_000],
  [429, "Thu, 01 Jan 1970 00:00:09 GMT", 9_000],
  [418, "300", 300_000],
  [418, null, 120_000],
  [503, "30", 30_000],
  [503, null, 0],
  [500, "30", 0],
  [403, null, 0],
])("HTTP %d with Retry-After %p shuts the gate for %d ms", async (status, retry_after, ms) => {
  const { ask, budget, clock } = start(refused(status, retry_after));
  expect(await ask("http://a/1", { weight: 1 })).toMatchObject({ kind: "refused", status });
  expect(budget.blockedMs()).toBe(ms);
  clock.now_ms += ms;
  expect(await ask("http://a/2", { weight: 1 })).toMatchObject({ kind: "text" });
});
