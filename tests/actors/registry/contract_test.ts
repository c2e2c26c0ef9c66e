/**
 * Goal: the embedded registry answers as another one does, so that either may stand behind the
 * platform, and `registerSchemas()` works and fails alike with both.
 * Method: the same calls, in the same order, against the embedded registry and a real Apicurio; each
 * answer against the one expectation. Where Apicurio departs from Confluent's API, the table of its
 * differences says so, and must still hold.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type RegistryAccess, registerSchemas } from "../../../actors/registry/client.ts";
import { registryActor } from "../../../actors/registry/registry.ts";
import { FailureError } from "../../../actors/settings/exit.ts";
import { schemasByTopic } from "../../../schemas/mod.ts";
import { incarnate, temporaryFolder } from "../producer/rig.ts";
import { startApicurio } from "./apicurio.ts";

const folder = temporaryFolder();
const embedded = incarnate(registryActor, (incarnation) => ({
  incarnation,
  port: 0,
  database_path: join(folder.path, "registry.db"),
}));
let apicurio: Awaited<ReturnType<typeof startApicurio>>;
const urls: Record<string, string> = {};

beforeAll(async () => {
  await embedded.ready;
  apicurio = await startApicurio(join(folder.path, "apicurio"));
  urls.embedded = `http://127.0.0.1:${embedded.report.figures.port}`;
  urls.apicurio = apicurio.url;
}, 90_000);

afterAll(async () => {
  embedded.kill();
  await apicurio?.[Symbol.asyncDispose]();
  folder.remove();
}, 30_000);

const one = record([{ name: "a", type: "string" }]);
const two = record([
  { name: "a", type: "string" },
  { name: "b", type: "long", default: 0 },
]);
const other = record([{ name: "c", type: "string" }]);
const wrong = '{"type":"no"}';

function record(fields: readonly object[]): string {
  return JSON.stringify({ type: "record", name: "R", fields });
}

/**
 * `<id 1>` and `<id 2>` stand for the ids that the registry gave to the schemas one and two, `<text>`
 * and `<number>` for any.
 */
type Call = readonly [name: string, method: string, path: string, body: unknown, answer: Answer];

interface Answer {
  readonly status: number;
  /** What the body must hold, or be where it is a list; nothing is said about its further fields. */
  readonly body: unknown;
}

const versions = "/subjects/s-value/versions";
const compatibility = "/compatibility/subjects/s-value/versions";

function ok(body: unknown): Answer {
  return { status: 200, body };
}

function error(status: number, error_code: number): Answer {
  return { status, body: { error_code, message: "<text>" } };
}

const calls: readonly Call[] = [
  [
    "set the level of all",
    "PUT",
    "/config",
    { compatibility: "BACKWARD" },
    ok({ compatibility: "BACKWARD" }),
  ],
  ["get the level of all", "GET", "/config", null, ok({ compatibilityLevel: "BACKWARD" })],
  ["get the level of no subject", "GET", "/config/s-value", null, error(404, 40408)],
  [
    "compare with nothing yet",
    "POST",
    `${compatibility}/latest`,
    { schema: one },
    ok({ is_compatible: true }),
  ],
  ["register", "POST", versions, { schema: one }, ok({ id: "<id 1>" })],
  ["register again", "POST", versions, { schema: one }, ok({ id: "<id 1>" })],
  [
    "register with other spaces",
    "POST",
    "/subjects/spaces/versions",
    { schema: ` ${one}` },
    ok({ id: "<id 1>" }),
  ],
  [
    "register under another subject",
    "POST",
    "/subjects/t%2Fx/versions",
    { schema: one },
    ok({ id: "<id 1>" }),
  ],
  [
    "set the level of a subject",
    "PUT",
    "/config/s-value",
    { compatibility: "FULL" },
    ok({ compatibility: "FULL" }),
  ],
  [
    "get the level of a subject",
    "GET",
    "/config/s-value",
    null,
    ok({ compatibilityLevel: "FULL" }),
  ],
  [
    "set it back",
    "PUT",
    "/config/s-value",
    { compatibility: "BACKWARD" },
    ok({ compatibility: "BACKWARD" }),
  ],
  ["register a compatible version", "POST", versions, { schema: two }, ok({ id: "<id 2>" })],
  ["refuse an incompatible version", "POST", versions, { schema: other }, error(409, 409)],
  ["list the versions", "GET", versions, null, ok([1, 2])],
  [
    "get the latest version",
    "GET",
    `${versions}/latest`,
    null,
    ok({ subject: "s-value", version: 2, id: "<id 2>", schema: two }),
  ],
  [
    "get a version",
    "GET",
    `${versions}/1`,
    null,
    ok({ subject: "s-value", version: 1, id: "<id 1>", schema: one }),
  ],
  ["get a version's schema", "GET", `${versions}/2/schema`, null, ok(JSON.parse(two))],
  ["get by id", "GET", "/schemas/ids/<id 2>", null, ok({ schema: two })],
  ["get the schema alone by id", "GET", "/schemas/ids/<id 2>/schema", null, ok(JSON.parse(two))],
  [
    "get the uses of an id",
    "GET",
    "/schemas/ids/<id 2>/versions",
    null,
    ok([{ subject: "s-value", version: 2 }]),
  ],
  [
    "look up",
    "POST",
    "/subjects/s-value",
    { schema: two },
    ok({ subject: "s-value", version: 2, id: "<id 2>", schema: two }),
  ],
  [
    "compare a compatible one",
    "POST",
    `${compatibility}/latest`,
    { schema: two },
    ok({ is_compatible: true }),
  ],
  [
    "compare an incompatible one",
    "POST",
    `${compatibility}/latest`,
    { schema: other },
    ok({ is_compatible: false }),
  ],
  [
    "compare with a version",
    "POST",
    `${compatibility}/1`,
    { schema: other },
    ok({ is_compatible: false }),
  ],
  [
    "say why",
    "POST",
    `${compatibility}/latest?verbose=true`,
    { schema: other },
    ok({ is_compatible: false, messages: ["<text>"] }),
  ],
  ["an unknown id", "GET", "/schemas/ids/999999", null, error(404, 40403)],
  ["an unknown subject", "GET", "/subjects/nobody/versions", null, error(404, 40401)],
  ["look up in an unknown subject", "POST", "/subjects/nobody", { schema: one }, error(404, 40401)],
  ["look up an unknown schema", "POST", "/subjects/s-value", { schema: other }, error(404, 40403)],
  ["an unknown version", "GET", `${versions}/9`, null, error(404, 40402)],
  [
    "compare with an unknown version",
    "POST",
    `${compatibility}/9`,
    { schema: one },
    error(404, 40402),
  ],
  ["a version that is none", "GET", `${versions}/zero`, null, error(422, 42202)],
  ["an invalid schema", "POST", versions, { schema: wrong }, error(422, 42201)],
  [
    "compare an invalid schema",
    "POST",
    `${compatibility}/latest`,
    { schema: wrong },
    error(422, 42201),
  ],
  ["no schema", "POST", versions, {}, error(422, 42201)],
  [
    "an unknown type of schema",
    "POST",
    versions,
    { schema: one, schemaType: "NO" },
    error(422, 42201),
  ],
  ["an unknown level", "PUT", "/config", { compatibility: "SOMEWHAT" }, error(422, 42203)],
];

/** Where Apicurio 3.0.9 does not answer as Confluent's API says. */
const apicurio_differences: Readonly<Record<string, Answer>> = {
  "set the level of all": ok({ compatibilityLevel: "BACKWARD" }),
  "set the level of a subject": ok({ compatibilityLevel: "FULL" }),
  "set it back": ok({ compatibilityLevel: "BACKWARD" }),
  // It has no error of its own for a subject without a level.
  "get the level of no subject": error(404, 40401),
  // It tells schemas apart by their text.
  "register with other spaces": ok({ id: "<number>" }),
  "say why": ok({ is_compatible: false }),
  "a version that is none": error(404, 40402),
  "no schema": error(500, 0),
  "an unknown type of schema": error(500, 0),
  "an unknown level": error(500, 0),
};

describe.each(["embedded", "apicurio"])("%s", (registry) => {
  const ids = new Map<string, number>();

  /** The same value, with what its placeholders stand for. */
  function withIds(value: unknown): unknown {
    if (value === "<text>") return expect.any(String);
    if (value === "<number>") return expect.any(Number);
    if (typeof value === "string") return ids.get(value) ?? value;
    if (Array.isArray(value)) return value.map(withIds);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, withIds(part)]));
  }

  test.each(calls)("%s", async (name, method, path, body, expected) => {
    const { status, body: wanted } =
      registry === "apicurio" ? (apicurio_differences[name] ?? expected) : expected;
    const [named] = /<id \d>/.exec(path) ?? [];
    const url = `${urls[registry]}${named === undefined ? path : path.replace(named, `${ids.get(named)}`)}`;
    const init = body === null ? { method } : { method, body: JSON.stringify(body) };
    const headers = { "content-type": "application/vnd.schemaregistry.v1+json" };
    const response = await fetch(url, { ...init, headers });
    const answer: unknown = await response.json();
    for (const [placeholder, register] of [
      ["<id 1>", "register"],
      ["<id 2>", "register a compatible version"],
    ] as const) {
      if (name === register) ids.set(placeholder, (answer as { id: number }).id);
    }
    expect({ status: response.status, body: answer }).toMatchObject({
      status,
      body: withIds(wanted) as object,
    });
  });

  function access(): RegistryAccess {
    return { url: urls[registry] ?? "", login: null, ca: null };
  }
  const options = { fetch, signal: new AbortController().signal };

  test("registerSchemas() registers the platform's schemas, with BACKWARD", async () => {
    await fetch(`${urls[registry]}/config`, {
      method: "PUT",
      body: JSON.stringify({ compatibility: "NONE" }),
      headers: { "content-type": "application/json" },
    });
    const schemas = schemasByTopic(["binance", "kraken"]);
    const first = await registerSchemas(access(), schemas, options);
    expect(Object.keys(first).toSorted()).toEqual(Object.keys(schemas).toSorted());
    expect(await registerSchemas(access(), schemas, options)).toEqual(first);
    for (const topic of Object.keys(schemas)) {
      const response = await fetch(`${urls[registry]}/config/${topic}-value`);
      expect(await response.json()).toMatchObject({ compatibilityLevel: "BACKWARD" });
    }
  });

  test("registerSchemas() fails for good, with the registry's words, where it refuses", async () => {
    await registerSchemas(access(), { changing: one }, options);
    await registerSchemas(access(), { changing: two }, options);
    const name = `The schema registry at ${urls[registry]}`;
    for (const [schema, words] of [
      [other, /[Ii]ncompatible.*\bc\b.*\(HTTP 409\)$/],
      [wrong, /\(HTTP 422\)$/],
    ] as const) {
      const error: unknown = await registerSchemas(access(), { changing: schema }, options).catch(
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(FailureError);
      const { message } = error as FailureError;
      expect(message).toStartWith(`${name} refuses the schema of changing-value: `);
      expect(message).toMatch(words);
    }
  });
});
