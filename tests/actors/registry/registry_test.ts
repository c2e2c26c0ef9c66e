/**
 * Goal: the registry speaks Confluent's API with its codes, remembers over a restart, and takes
 * the platform's own schemas through the client.
 * Method: the real actor on a free port, asked over HTTP; a stand-in for networks that fail.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import {
  type Fetch,
  type RegistryAccess,
  registerSchemas,
} from "../../../actors/registry/client.ts";
import { registryActor } from "../../../actors/registry/registry.ts";
import { FailureError } from "../../../actors/settings/exit.ts";
import {
  dead_letters_topic,
  schemasByTopic,
  tradeSchema,
  tradesTopic,
} from "../../../schemas/mod.ts";
import { createAuthority } from "../../certificates.ts";
import { incarnate, temporaryFolder } from "../producer/rig.ts";

const folder = temporaryFolder();
const database_path = join(folder.path, "deep", "registry.db");
let registry = start();
let base = "";

function start() {
  return incarnate(registryActor, (incarnation) => ({ incarnation, port: 0, database_path }));
}

beforeAll(async () => {
  await registry.ready;
  base = `http://127.0.0.1:${registry.report.figures.port}`;
});
afterAll(() => {
  registry.kill();
  folder.remove();
});

interface Answer {
  id: number;
  schema: string;
  message: string;
  messages: string[];
  is_compatible: boolean;
  error_code: number;
}

async function call(method: string, path: string, body?: unknown) {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const response = await fetch(`${base}${path}`, init);
  return { status: response.status, body: await response.json() };
}

function accessTo(url: string): RegistryAccess {
  return { url, login: null, ca: null };
}

function fieldsOf(body: unknown): Answer {
  return body as Answer;
}

const one = '{"type":"record","name":"R","fields":[{"name":"a","type":"string"}]}';
const two =
  '{"type":"record","name":"R","fields":[{"name":"a","type":"string"},' +
  '{"name":"b","type":"long","default":0}]}';
const other = '{"type":"record","name":"R","fields":[{"name":"c","type":"string"}]}';

test("a schema gets an id, and the same id again, under any subject", async () => {
  const first = await call("POST", "/subjects/s-value/versions", { schema: one });
  expect(first.status).toBe(200);
  const again = { schema: `  ${one}`, schemaType: "AVRO", references: [] };
  expect(await call("POST", "/subjects/s-value/versions", again)).toEqual(first);
  expect(await call("POST", "/subjects/t%2Fx/versions", { schema: one })).toEqual(first);
  const { id } = fieldsOf(first.body);
  expect((await call("GET", `/schemas/ids/${id}`)).body).toEqual({ schema: one });
  expect((await call("GET", `/schemas/ids/${id}/schema`)).body).toEqual(JSON.parse(one));
  expect((await call("GET", `/schemas/ids/${id}/versions`)).body).toEqual([
    { subject: "s-value", version: 1 },
    { subject: "t/x", version: 1 },
  ]);
  expect((await call("GET", "/subjects")).body).toEqual(["s-value", "t/x"]);
});

test("a compatible schema is the next version, an incompatible one is 409", async () => {
  const { body } = await call("POST", "/subjects/s-value/versions", { schema: two });
  const refused = await call("POST", "/subjects/s-value/versions", { schema: other });
  expect(refused.status).toBe(409);
  expect(fieldsOf(refused.body).error_code).toBe(409);
  expect(fieldsOf(refused.body).message).toContain("incompatible with an earlier schema");
  expect((await call("GET", "/subjects/s-value/versions")).body).toEqual([1, 2]);
  const latest = {
    subject: "s-value",
    version: 2,
    id: fieldsOf(body).id,
    schema: two,
    schemaType: "AVRO",
  };
  expect((await call("GET", "/subjects/s-value/versions/latest")).body).toEqual(latest);
  expect((await call("GET", "/subjects/s-value/versions/-1")).body).toEqual(latest);
  expect((await call("GET", "/subjects/s-value/versions/2/schema")).body).toEqual(JSON.parse(two));
  const found = await call("POST", "/subjects/s-value", { schema: two });
  expect(found.body).toEqual({
    subject: "s-value",
    version: 2,
    id: fieldsOf(body).id,
    schema: two,
  });
});

test("compatibility is told without registering", async () => {
  const path = "/compatibility/subjects/s-value/versions";
  expect((await call("POST", `${path}/latest`, { schema: two })).body).toEqual({
    is_compatible: true,
  });
  const { body } = await call("POST", `${path}/1`, { schema: other });
  expect(fieldsOf(body).is_compatible).toBe(false);
  expect(fieldsOf(body).messages).toBeUndefined();
  const verbose = await call("POST", `${path}/1?verbose=true`, { schema: other });
  expect(fieldsOf(verbose.body).messages[0]).toContain("version 1");
  expect(fieldsOf((await call("POST", path, { schema: other })).body).is_compatible).toBe(false);
});

test("levels are set for all and for one", async () => {
  expect((await call("GET", "/config")).body).toEqual({ compatibilityLevel: "BACKWARD" });
  expect(await call("GET", "/config/s-value")).toMatchObject({
    status: 404,
    body: { error_code: 40408 },
  });
  expect((await call("GET", "/config/s-value?defaultToGlobal=true")).body).toEqual({
    compatibilityLevel: "BACKWARD",
  });
  const none = { compatibility: "NONE" };
  expect((await call("PUT", "/config/free", none)).body).toEqual(none);
  expect((await call("GET", "/config/free")).body).toEqual({ compatibilityLevel: "NONE" });
  await call("POST", "/subjects/free/versions", { schema: one });
  expect((await call("POST", "/subjects/free/versions", { schema: other })).status).toBe(200);
});

test("errors carry Confluent's codes", async () => {
  const cases = [
    ["GET", "/subjects/nobody/versions", undefined, 404, 40401],
    ["GET", "/subjects/s-value/versions/9", undefined, 404, 40402],
    ["GET", "/subjects/s-value/versions/zero", undefined, 422, 42202],
    ["GET", "/schemas/ids/999999", undefined, 404, 40403],
    ["POST", "/subjects/s-value", { schema: other }, 404, 40403],
    ["POST", "/subjects/nobody", { schema: one }, 404, 40401],
    ["POST", "/subjects/s-value/versions", { schema: '{"type":"no"}' }, 422, 42201],
    ["POST", "/subjects/s-value/versions", {}, 422, 42201],
    ["POST", "/subjects/s-value/versions", { schema: one, schemaType: "JSON" }, 422, 42201],
    ["PUT", "/config", { compatibility: "SOMEWHAT" }, 422, 42203],
    ["GET", "/no/such/path", undefined, 404, 404],
    ["DELETE", "/subjects", undefined, 405, 405],
  ] as const;
  for (const [method, path, body, status, error_code] of cases) {
    const answer = await call(method, path, body);
    expect([path, answer.status, fieldsOf(answer.body).error_code]).toEqual([
      path,
      status,
      error_code,
    ]);
  }
  const torn = await fetch(`${base}/subjects/s/versions`, { method: "POST", body: "{" });
  expect(torn.status).toBe(400);
});

test("registerSchemas() registers every topic's schema, and gives the same ids again", async () => {
  const schemas = schemasByTopic(["binance", "kraken"]);
  const options = { fetch, signal: new AbortController().signal };
  const ids = await registerSchemas(accessTo(`${base}/`), schemas, options);
  expect(Object.keys(ids).toSorted()).toEqual(Object.keys(schemas).toSorted());
  expect(Object.keys(ids)).toContain(dead_letters_topic);
  expect(ids[tradesTopic("binance")]).toBe(ids[tradesTopic("kraken")]!);
  expect(await registerSchemas(accessTo(base), schemas, options)).toEqual(ids);
  const { body } = await call("GET", `/schemas/ids/${ids[tradesTopic("kraken")]}`);
  expect(JSON.parse(fieldsOf(body).schema)).toEqual(JSON.parse(tradeSchema));
});

test("registerSchemas() fails for good, with the registry's words, on an incompatible schema", async () => {
  const topic = tradesTopic("binance");
  const signal = new AbortController().signal;
  const attempt = registerSchemas(accessTo(base), { [topic]: one }, { fetch, signal });
  expect(attempt).rejects.toThrow(FailureError);
  expect(attempt).rejects.toThrow(/cannot read records of version 1/);
  await attempt.catch(() => {});
});

test("registerSchemas() speaks TLS with an authority of its own, and logs in", async () => {
  const authority = createAuthority(join(folder.path, "tls"));
  const { certificate, key } = authority.certify("registry");
  const expected = `Basic ${btoa("someone:p@ss")}`;
  await using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { cert: certificate, key },
    fetch: (request) =>
      request.headers.get("authorization") === expected
        ? Response.json({ id: 7 })
        : Response.json({ error_code: 40101, message: "Unauthorized" }, { status: 401 }),
  });
  const url = `https://127.0.0.1:${server.port}`;
  const login = { username: "someone", password: "p@ss" };
  async function outcomeOf(access: RegistryAccess): Promise<unknown> {
    const options = { fetch, signal: new AbortController().signal };
    return await registerSchemas(access, { t: one }, options).catch((reason: unknown) => reason);
  }
  expect(await outcomeOf({ url, login, ca: authority.authority })).toEqual({ t: 7 });

  const unknown = await outcomeOf({ url, login, ca: null });
  expect(unknown).not.toBeInstanceOf(FailureError);
  expect(String(unknown)).toMatch(/cannot be reached: .*certificate/);

  const wrong = { ...login, password: "not-to-be-seen" };
  const refused = await outcomeOf({ url, login: wrong, ca: authority.authority });
  expect(refused).toBeInstanceOf(FailureError);
  expect(String(refused)).toContain("does not know us (HTTP 401): K2_SCHEMA_REGISTRY_USERNAME");
  expect(String(refused)).not.toContain("not-to-be-seen");
});

test("registerSchemas() keeps credentials out of messages and sends them as a header", async () => {
  const headers: (string | null)[] = [];
  const failing: Fetch = async (url, init) => {
    headers.push(new Headers(init.headers).get("authorization"));
    throw new Error(`refused ${url}`);
  };
  const access = {
    ...accessTo("https://registry.example/base/"),
    login: { username: "someone", password: "p@ss" },
  };
  const options = { fetch: failing, signal: new AbortController().signal };
  const error = await registerSchemas(access, { t: one }, options).catch((reason) => reason);
  expect(headers).toEqual([`Basic ${btoa("someone:p@ss")}`]);
  expect(error).not.toBeInstanceOf(FailureError);
  expect(error.message).toContain("https://registry.example/base cannot be reached");
  expect(error.message).not.toContain("someone");
  expect(error.message).not.toContain("ss@");
});

test("registerSchemas() tells what may pass from what will not", async () => {
  const signal = new AbortController().signal;
  const answering = (status: number): Fetch => {
    return async () => new Response('{"message":"no"}', { status });
  };
  for (const [status, is_final] of [
    [500, false],
    [503, false],
    [429, false],
    [401, true],
  ] as const) {
    const options = { fetch: answering(status), signal };
    const attempt = registerSchemas(accessTo("http://r"), { t: one }, options);
    const error = await attempt.catch((reason) => reason);
    expect([status, error instanceof FailureError]).toEqual([status, is_final]);
  }
});

test("ids, versions and levels outlive the actor", async () => {
  const before = await Promise.all([
    call("GET", "/subjects"),
    call("GET", "/subjects/s-value/versions/latest"),
    call("GET", "/config/free"),
  ]);
  registry.stop();
  expect(await registry.exited).toEqual({ kind: "normal" });
  registry = start();
  await registry.ready;
  base = `http://127.0.0.1:${registry.report.figures.port}`;
  const after = await Promise.all([
    call("GET", "/subjects"),
    call("GET", "/subjects/s-value/versions/latest"),
    call("GET", "/config/free"),
  ]);
  expect(after).toEqual(before);
});

test("a taken port is a crash with its reason", async () => {
  const port = Number(registry.report.figures.port);
  const second = incarnate(registryActor, (incarnation) => ({
    incarnation,
    port,
    database_path: join(folder.path, "second.db"),
  }));
  expect(await second.exited).toMatchObject({ kind: "crash" });
});
