/**
 * Goal: whatever a server does to a request is a value with a reason, within its bounds.
 * Method: a local server that misbehaves by path.
 */

import { afterAll, expect, test } from "bun:test";
import { getPage, getPageWithin } from "../../../actors/connection/rest.ts";

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/busy") {
      return new Response("", { status: 429, headers: { "Retry-After": "7" } });
    }
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
  expect(await getPage(`${url}/page`)).toEqual({ kind: "text", text: "prices in € ✓" });
});

test("another status is a refusal, with the time to wait", async () => {
  expect(await getPage(`${url}/busy`)).toEqual({
    kind: "refused",
    status: 429,
    retry_after: "7",
  });
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
