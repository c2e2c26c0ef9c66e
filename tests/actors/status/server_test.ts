/**
 * Goal: the status server answers to the letter, also while things fail, and lets go of its port.
 * Method: the real server on a free port inside a real tree, asked over HTTP.
 */

import { afterEach, expect, test } from "bun:test";
import { fromCallback } from "xstate";
import type { Incarnation, Stop } from "../../../actors/messages.ts";
import { createMetrics } from "../../../actors/status/metrics.ts";
import type { StatusDocument } from "../../../actors/status/node.ts";
import {
  refusePortInUse,
  type StatusServerInput,
  statusServer,
  streams_max,
} from "../../../actors/status/server.ts";
import { readStatus, statusUrl } from "../../../actors/status/status_command.ts";
import { tableOf } from "../../../actors/status/table.ts";
import { startTree, type Tree } from "../../../supervisors/supervisor.ts";

const token = "0123456789abcdef";
let tree: Tree | undefined;
/** What the server says of maintenance, once a test resolves it. */
let maintained = Promise.withResolvers<object | string>();

afterEach(async () => {
  await tree?.stop();
  tree = undefined;
});

/** A server and one more child, and the address that they got. */
async function serve(): Promise<{ url: string; starts: () => number }> {
  maintained = Promise.withResolvers();
  let starts = 0;
  const started_at_ms = Date.now();
  const leaf = fromCallback<Stop, Incarnation>(({ input, receive }) => {
    starts += 1;
    input.ready();
    receive(() => input.exit({ kind: "normal" }));
  });
  const child = { kind: "worker", restart: "permanent", start_ms_max: 5_000, shutdown_ms: 1_000 };
  const limits = { strategy: "one_for_one", restarts_max: 0, window_ms: 1_000 } as const;
  const planted = startTree(
    {
      ...limits,
      id: "k2",
      children: [
        {
          ...child,
          kind: "worker",
          restart: "permanent",
          id: "status",
          logic: statusServer,
          input: (incarnation): StatusServerInput => ({
            incarnation,
            hostname: "127.0.0.1",
            port: 0,
            token,
            role: "all",
            version: "3.0.0",
            started_at_ms,
            now_ms: Date.now,
            readTree: () => planted.node(),
            command: (path, command) => planted.send(path, command),
            requestImport: ({ exchange }) =>
              exchange === "kraken" ? null : `The running platform does not feed ${exchange}`,
            maintain: () => maintained.promise,
            metrics: createMetrics(),
          }),
        },
        {
          ...child,
          kind: "worker",
          restart: "permanent",
          id: "BTC/USD",
          logic: leaf,
          input: (i) => i,
        },
      ],
    },
    { now_ms: Date.now },
  );
  tree = planted;
  await planted.ready;
  const url = planted.node().children[0]?.figures.url;
  return { url: String(url), starts: () => starts };
}

function post(url: string, path: string, authorization = `Bearer ${token}`): Promise<Response> {
  return fetch(`${url}actors/${path}`, { method: "POST", headers: { authorization } });
}

test("GET /status gives the document, and `status` reads it", async () => {
  const { url } = await serve();
  const document = await readStatus(`${url}status`);
  expect(Object.keys(document)).toEqual(["version", "started_at", "uptime_s", "health", "tree"]);
  expect(document).toMatchObject({ version: "3.0.0", health: "pass" });
  expect(document.tree.children[0]).toEqual({
    id: "status",
    path: "k2/status",
    kind: "worker",
    state: "serving",
    since: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    restart: "permanent",
    restarts: { total: 0, in_window: 0, max: 0, window_ms: 1_000 },
    last_exit: null,
    figures: { url },
    children: [],
  });
  expect(tableOf(document)).toContain("  BTC/USD  running");
});

test("GET / is one page that may load nothing but its own script and style", async () => {
  const { url } = await serve();
  const response = await fetch(url);
  const html = await response.text();
  expect(response.headers.get("content-type")).toContain("text/html");
  expect(response.headers.get("content-security-policy")).toMatch(
    /^default-src 'none'; .*script-src 'sha256-[^']+'; style-src 'sha256-[^']+'/,
  );
  expect(html).toContain("<title>K2 status</title>");
  expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
});

test("GET /livez, /readyz and /metrics", async () => {
  const { url } = await serve();
  const livez = await fetch(`${url}livez`);
  expect([livez.status, await livez.json()]).toEqual([
    200,
    { status: "pass", uptime_s: expect.any(Number), version: "3.0.0" },
  ]);
  const ready = await fetch(`${url}readyz`);
  expect([ready.status, await ready.json()]).toEqual([200, { status: "pass", checks: [] }]);
  const metrics = await fetch(`${url}metrics`);
  expect(metrics.headers.get("content-type")).toContain("text/plain");
  expect(await metrics.text()).toContain('k2_actor_up{path="k2/BTC/USD"} 1');
});

test("GET /readyz is 503 with the reason once a child is down", async () => {
  const { url } = await serve();
  expect((await post(url, "k2/BTC/USD/stop")).status).toBe(202);
  const ready = await fetch(`${url}readyz`);
  expect([ready.status, await ready.json()]).toEqual([
    503,
    {
      status: "fail",
      checks: [{ name: "actor", path: "k2/BTC/USD", status: "fail", reason: "was stopped" }],
    },
  ]);
});

test("POST restarts, stops and starts a child, with the token only", async () => {
  const { starts, url } = await serve();
  const refused = await post(url, "k2/BTC/USD/restart", "Bearer wrong");
  expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([
    401,
    'Bearer realm="k2"',
  ]);
  expect((await fetch(`${url}actors/k2/x/restart`, { method: "POST" })).status).toBe(401);
  expect(starts()).toBe(1);
  expect((await post(url, "k2/BTC/USD/restart")).status).toBe(202);
  expect(starts()).toBe(2);
  expect((await post(url, "k2/BTC%2FUSD/stop")).status).toBe(202);
  expect((await post(url, "k2/BTC/USD/start")).status).toBe(202);
  expect(starts()).toBe(3);
  expect((await post(url, "k2/nobody/restart")).status).toBe(404);
  expect((await post(url, "k2/status/kill")).status).toBe(404);
  const root = await post(url, "k2/restart");
  expect([root.status, await root.json()]).toEqual([
    409,
    { error: 'Cannot restart "k2" as it is the root: end the process' },
  ]);
});

test("wrong methods, places and hosts are refused", async () => {
  const { url } = await serve();
  const wrong = await fetch(`${url}status`, { method: "POST" });
  expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  const read = await fetch(`${url}actors/k2/BTC/USD/restart`);
  expect([read.status, read.headers.get("allow")]).toEqual([405, "POST"]);
  expect((await fetch(`${url}status`, { method: "HEAD" })).status).toBe(200);
  expect((await fetch(`${url}nothing`)).status).toBe(404);
  const rebound = await fetch(`${url}status`, { headers: { host: "evil.example:8900" } });
  expect(rebound.status).toBe(403);
});

test("GET /status/events streams documents, to a bounded number of readers", async () => {
  const { url } = await serve();
  const readers = await Promise.all(
    Array.from({ length: streams_max }, async () => {
      const response = await fetch(`${url}status/events`);
      expect(response.headers.get("content-type")).toBe("text/event-stream");
      return response.body!.getReader();
    }),
  );
  for (const round of [1, 2]) {
    const { value } = await readers[0]!.read();
    const text = new TextDecoder().decode(value);
    expect(text).toMatch(/^data: .*\n\n$/);
    const document = JSON.parse(text.slice(6)) as StatusDocument & { checks: unknown[] };
    expect([round, document.tree.id, document.checks]).toEqual([round, "k2", []]);
  }
  const refused = await fetch(`${url}status/events`);
  expect(refused.status).toBe(503);
  await refused.body?.cancel();
  await readers[0]!.cancel();
  // The server learns of it through its own socket, so ask until it has.
  let again = await fetch(`${url}status/events`);
  for (let attempt = 0; again.status === 503 && attempt < 1_000; attempt += 1) {
    await again.body?.cancel();
    again = await fetch(`${url}status/events`);
  }
  expect(again.status).toBe(200);
});

test("a stop ends streams and frees the port", async () => {
  const { url } = await serve();
  const port = Number(new URL(url).port);
  const reader = (await fetch(`${url}status/events`)).body!.getReader();
  await expect(refusePortInUse("127.0.0.1", port)).rejects.toThrow(
    `Cannot serve the status page on 127.0.0.1:${port} as the port is in use: ` +
      "stop the other program or set K2_STATUS_PORT",
  );
  await tree?.stop();
  const ended = { done: true };
  let is_ended = false;
  // One tick may still be on its way; a reset is an end too.
  for (let chunk = 0; chunk < 3 && !is_ended; chunk += 1) {
    is_ended = (await reader.read().catch(() => ended)).done;
  }
  expect(is_ended).toBe(true);
  await refusePortInUse("127.0.0.1", port);
  await expect(readStatus(statusUrl("0.0.0.0", port))).rejects.toThrow(
    `No platform runs on 127.0.0.1:${port}: start one with`,
  );
});

test("what answers but is not K2 is told apart", async () => {
  const stranger = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("hi") });
  await expect(readStatus(`${stranger.url}status`)).rejects.toThrow("is not K2");
  await stranger.stop(true);
  expect(() => statusUrl("127.0.0.1", 0)).toThrow("K2_STATUS_PORT is 0");
  expect(statusUrl("::1", 8900)).toBe("http://[::1]:8900/status");
});

test("maintenance is asked for with the token, and answered once it is done", async () => {
  const { url } = await serve();
  async function post(authorization = `Bearer ${token}`) {
    const headers = { authorization };
    const response = await fetch(`${url}maintenance`, { method: "POST", headers });
    return [response.status, await response.json()] as const;
  }
  expect((await post("Bearer wrong"))[0]).toBe(401);
  expect((await fetch(`${url}maintenance`)).status).toBe(405);
  const answer = post();
  maintained.resolve({ seconds: 7 });
  expect(await answer).toEqual([200, { seconds: 7 }]);
  maintained = Promise.withResolvers();
  maintained.resolve("No Spark driver runs here now");
  expect(await post()).toEqual([409, { error: "No Spark driver runs here now" }]);
});

test("history is asked for with the token, and refused with a sentence", async () => {
  const { url } = await serve();
  const wanted = { native_symbol: "BTC/USD", from_timestamp: 1, to_timestamp: 2 };
  async function post(body: string, authorization = `Bearer ${token}`) {
    const headers = { authorization };
    const response = await fetch(`${url}imports`, { method: "POST", headers, body });
    return [response.status, await response.text()] as const;
  }
  const kraken = JSON.stringify({ ...wanted, exchange: "kraken" });
  expect(await post(kraken)).toEqual([202, expect.stringContaining('"accepted":"import"')]);
  expect((await post(kraken, "Bearer wrong"))[0]).toBe(401);
  const elsewhere = JSON.stringify({ ...wanted, exchange: "nowhere" });
  expect(await post(elsewhere)).toEqual([409, expect.stringContaining("does not feed nowhere")]);
  for (const body of ["", "[]", kraken.replace(":2", ":1"), kraken.replace(":2", ':"2"')]) {
    expect((await post(body))[0]).toBe(400);
  }
  expect((await fetch(`${url}imports`)).status).toBe(405);
});
