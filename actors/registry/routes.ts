/**
 * Confluent's REST API for schemas, the part that its own clients and Spark use, over a store
 * (https://docs.confluent.io/platform/current/schema-registry/develop/api.html). Request in,
 * response out; error codes are Confluent's. Schemas are Avro, without references.
 *
 * @module
 */

import { reasonOf } from "../settings/exit.ts";
import {
  compatibility_levels,
  findIncompatibilities,
  findInvalidity,
  isCompatibilityLevel,
  normalizeSchema,
  type SchemaVersion,
} from "./compatibility.ts";
import type { SchemaStore } from "./store.ts";

/** An answer that is an error: HTTP status, Confluent's code, one sentence. */
class ApiError extends Error {
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

interface Call {
  readonly store: SchemaStore;
  /** What the path's parts in braces hold, decoded. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Route {
  readonly method: string;
  /** Parts in braces match one part of a path. */
  readonly path: string;
  readonly answer: (call: Call) => unknown;
}

const content_type = "application/vnd.schemaregistry.v1+json";
const versions_path = "/subjects/{subject}/versions";
const compatibility_path = "/compatibility/subjects/{subject}/versions";

const routes: readonly Route[] = [
  { method: "GET", path: "/", answer: () => ({}) },
  { method: "GET", path: "/schemas/types", answer: () => ["AVRO"] },
  { method: "GET", path: "/schemas/ids/{id}", answer: getSchema },
  {
    method: "GET",
    path: "/schemas/ids/{id}/schema",
    answer: (call) => JSON.parse(getSchema(call).schema),
  },
  { method: "GET", path: "/schemas/ids/{id}/versions", answer: getUses },
  { method: "GET", path: "/mode", answer: () => ({ mode: "READWRITE" }) },
  { method: "GET", path: "/config", answer: getLevel },
  { method: "PUT", path: "/config", answer: putLevel },
  { method: "GET", path: "/config/{subject}", answer: getLevel },
  { method: "PUT", path: "/config/{subject}", answer: putLevel },
  { method: "GET", path: "/subjects", answer: ({ store }) => store.subjects() },
  { method: "POST", path: "/subjects/{subject}", answer: lookUp },
  {
    method: "GET",
    path: versions_path,
    answer: (call) => requireVersions(call).map(({ version }) => version),
  },
  { method: "POST", path: versions_path, answer: register },
  { method: "GET", path: `${versions_path}/{version}`, answer: getVersion },
  {
    method: "GET",
    path: `${versions_path}/{version}/schema`,
    answer: (call) => JSON.parse(findVersion(call).schema),
  },
  { method: "POST", path: compatibility_path, answer: checkAll },
  { method: "POST", path: `${compatibility_path}/{version}`, answer: checkOne },
];

/** Answers one request; never throws. */
export async function answerRequest(store: SchemaStore, request: Request): Promise<Response> {
  try {
    const url = new URL(request.url);
    const { route, parts } = findRoute(request.method, url.pathname);
    const body = route.method === "GET" ? {} : await readBody(request);
    return respond(route.answer({ store, parts, query: url.searchParams, body }), 200);
  } catch (error) {
    const { status, code, message } =
      error instanceof ApiError ? error : new ApiError(500, 50001, reasonOf(error));
    return respond({ error_code: code, message }, status);
  }
}

function respond(value: unknown, status: number): Response {
  const headers = { "content-type": content_type };
  return new Response(JSON.stringify(value), { status, headers });
}

function findRoute(method: string, pathname: string) {
  const given = pathname === "/" ? [""] : pathname.replace(/\/$/, "").split("/").slice(1);
  let is_path_known = false;
  for (const route of routes) {
    const wanted = route.path.split("/").slice(1);
    const fits = wanted.every((part, index) => part.startsWith("{") || part === given[index]);
    if (wanted.length !== given.length || !fits) continue;
    is_path_known = true;
    if (route.method !== method) continue;
    const parts = given.filter((_, index) => wanted[index]?.startsWith("{"));
    return { route, parts: parts.map(decodePart) };
  }
  if (is_path_known) throw new ApiError(405, 405, "HTTP 405 Method Not Allowed");
  throw new ApiError(404, 404, "HTTP 404 Not Found");
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ApiError(400, 400, `The path is not well encoded: ${part}`);
  }
}

async function readBody(request: Request): Promise<Readonly<Record<string, unknown>>> {
  let value: unknown;
  try {
    value = await request.json();
  } catch {
    throw new ApiError(400, 400, "The request's body is not JSON");
  }
  if (typeof value === "object" && value !== null) return { ...value };
  throw new ApiError(400, 400, "The request's body is not a JSON object");
}

function subjectOf({ parts }: Call): string {
  return parts[0] ?? "";
}

/** The schema of the body, in the form in which schemas are stored. */
function schemaOf({ body }: Call): string {
  const { schema, schemaType = "AVRO", references = [] } = body;
  if (schemaType !== "AVRO") throw invalidSchema(`its type is ${schemaType}, only AVRO is known`);
  if (Array.isArray(references) && references.length > 0) {
    throw invalidSchema("it refers to others, which is not supported");
  }
  if (typeof schema !== "string") throw invalidSchema("it is missing");
  const invalidity = findInvalidity(schema);
  if (invalidity !== null) throw invalidSchema(invalidity);
  return normalizeSchema(schema);
}

function invalidSchema(why: string): ApiError {
  return new ApiError(422, 42201, `Invalid schema: ${why}`);
}

function getSchema({ store, parts }: Call): { readonly schema: string } {
  const [id = ""] = parts;
  const schema = /^\d+$/.test(id) ? store.schema(Number(id)) : null;
  if (schema === null) throw new ApiError(404, 40403, `Schema ${id} not found`);
  return { schema };
}

function getUses(call: Call) {
  getSchema(call);
  return call.store.uses(Number(call.parts[0]));
}

function getLevel({ store, parts, query }: Call) {
  const subject = parts[0] ?? null;
  const is_default_wanted = subject === null || query.get("defaultToGlobal") === "true";
  const compatibilityLevel = is_default_wanted ? store.level(subject) : store.ownLevel(subject);
  if (compatibilityLevel !== null) return { compatibilityLevel };
  const message = `Subject '${subject}' does not have subject-level compatibility configured`;
  throw new ApiError(404, 40408, message);
}

function putLevel({ store, parts, body: { compatibility } }: Call) {
  if (!isCompatibilityLevel(compatibility)) {
    const allowed = compatibility_levels.join(", ");
    throw new ApiError(422, 42203, `Invalid compatibility level. Valid values are ${allowed}`);
  }
  store.setLevel(parts[0] ?? null, compatibility);
  return { compatibility };
}

function requireVersions(call: Call): readonly SchemaVersion[] {
  const versions = call.store.versions(subjectOf(call));
  if (versions.length > 0) return versions;
  throw new ApiError(404, 40401, `Subject '${subjectOf(call)}' not found.`);
}

function findVersion(call: Call): SchemaVersion {
  const versions = requireVersions(call);
  const wanted = call.parts[1] ?? "";
  if (wanted === "latest" || wanted === "-1") {
    const latest = versions.at(-1);
    if (latest !== undefined) return latest;
  }
  if (!/^[1-9]\d{0,9}$/.test(wanted)) {
    const message = `The specified version '${wanted}' is not a valid version id.`;
    throw new ApiError(422, 42202, message);
  }
  const found = versions.find(({ version }) => version === Number(wanted));
  if (found === undefined) throw new ApiError(404, 40402, `Version ${wanted} not found.`);
  return found;
}

function getVersion(call: Call) {
  return { subject: subjectOf(call), ...findVersion(call), schemaType: "AVRO" };
}

function lookUp(call: Call) {
  const versions = requireVersions(call);
  const schema = schemaOf(call);
  const found = versions.find((version) => version.schema === schema);
  if (found === undefined) throw new ApiError(404, 40403, "Schema not found");
  return { subject: subjectOf(call), ...found };
}

function register(call: Call) {
  const subject = subjectOf(call);
  const registration = call.store.register(subject, schemaOf(call));
  if (registration.kind === "registered") return { id: registration.id };
  const why = registration.messages.join("; ");
  const what = "Schema being registered is incompatible with an earlier schema for subject";
  throw new ApiError(409, 409, `${what} "${subject}", details: [${why}]`);
}

function checkOne(call: Call) {
  // As Confluent's does: whatever there is not yet, anything may follow.
  const is_first = call.parts[1] === "latest" && call.store.versions(subjectOf(call)).length === 0;
  return check(call, is_first ? [] : [findVersion(call)]);
}

function checkAll(call: Call) {
  return check(call, call.store.versions(subjectOf(call)));
}

function check(call: Call, earlier: readonly SchemaVersion[]) {
  const level = call.store.level(subjectOf(call));
  const messages = findIncompatibilities(level, schemaOf(call), earlier);
  const is_compatible = messages.length === 0;
  return call.query.get("verbose") === "true" ? { is_compatible, messages } : { is_compatible };
}
