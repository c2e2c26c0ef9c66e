/**
 * Goal: whatever a server does to a request is a value with a reason, within its bounds.
 * Method: a local server that misbehaves by path.
 */

import { afterAll, expect, test } from "bun:test";
import { getPage, getPageWithin } from "../../../actors/rest/get_page.ts";

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/busy") {
      return new Response("slower", { status: 429, headers: { "Retry-After": "7" } });
    }
    if (pathname === "/stuck") {
      return new Response(new ReadableStream({ start: (it) => it.enqueue("because") }), {
        status: 418,
        headers: { "Retry-After": "120" },
      });
    }
    if (pathname === "/wordy") return new Response("x".repeat(1_000_000), { status: 500 });
    if (pathname === "/echo") return new Response(request.headers.get("x-asked"));
    if (pathname === "/broken") return new Response(new Uint8Array([0x22, 0xff, 0x22]));
    if (pathname === "/mute") return new Promise<Response>(() => {});
    if (pathname === "/endless") {
      return new Response(
        new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) }),
      );
    }
    return new Response("prices in € ✓");
  },
});
const url = `http://127.0.0.1:${server.port}`;
afterAll(() => server.stop(true));

test("a page is its text", async () => {
  expect(await getPage(`${url}/page`)).toMatchObject({ kind: "text", text: "prices in € ✓" });
});

test("a page is also its bytes, whatever they are, and its headers", async () => {
  const answer = await getPage(`${url}/broken`);
  if (answer.kind !== "text") throw new Error("no page");
  expect([...answer.bytes]).toEqual([0x22, 0xff, 0x22]);
  expect(answer.headers.get("content-length")).toBe("3");
});

test("the exchange's headers are sent", async () => {
  expect(await getPage(`${url}/echo`, { headers: { "x-asked": "yes" } })).toMatchObject({
    text: "yes",
  });
});

test("whoever gives up gets a value at once", async () => {
  const controller = new AbortController();
  const answer = getPage(`${url}/mute`, { signal: controller.signal });
  controller.abort();
  expect(await answer).toEqual({ kind: "failed", reason: "given up on our side" });
});

test("another status is a refusal, with the time to wait", async () => {
  expect(await getPage(`${url}/busy`)).toMatchObject({
    kind: "refused",
    status: 429,
    retry_after: "7",
    text: "slower",
  });
});

test("a refusal counts although its body does not come", async () => {
  const answer = await getPageWithin(`${url}/stuck`, { ms_max: 200, bytes_max: 1_000 });
  expect(answer).toMatchObject({ kind: "refused", status: 418, retry_after: "120", text: "" });
});

test("a refusal's explanation is cut", async () => {
  const answer = await getPage(`${url}/wordy`);
  if (answer.kind !== "refused") throw new Error("not refused");
  expect(answer.text).toBe("x".repeat(16_384));
});

test("no answer, too large an answer and no server are reasons", async () => {
  const limits = { ms_max: 10_000, bytes_max: 1_000_000 };
  expect(await getPageWithin(`${url}/mute`, { ...limits, ms_max: 20 })).toEqual({
    kind: "failed",
    reason: "no answer within 0.02 s",
  });
  expect(await getPageWithin(`${url}/endless`, limits)).toEqual({
    kind: "failed",
    reason: "the answer is larger than 1000000 bytes",
  });
  expect(await getPage("http://127.0.0.1:1/")).toEqual({
    kind: "failed",
    reason: "ECONNREFUSED: Unable to connect",
  });
});
