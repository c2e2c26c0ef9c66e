/**
 * Registers the schemas with a registry of Confluent's API, the embedded one or another, through
 * that registry's own compatibility check. Credentials stand in the URL (`https://user:pass@…`)
 * and go into a header only: no message here holds them.
 *
 * @module
 */

import { subjectOf } from "../../schemas/mod.ts";
import { FailureError, reasonOf } from "../settings/exit.ts";

/** The part of `fetch` that is used, so that a test can stand in for the network. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Registry {
  /** Without credentials, for messages. */
  readonly name: string;
  call(method: string, path: string, body: unknown): Promise<Answer>;
}

const request_ms_max = 10_000;
const content_type = "application/vnd.schemaregistry.v1+json";

/**
 * Registers each topic's schema under `<topic>-value`, with BACKWARD compatibility where the
 * registry lets us set it.
 *
 * @param url The registry's base URL, with credentials if it wants some.
 * @param schemas Schema texts by topic.
 * @returns The schemas' ids by topic.
 * @throws {FailureError} where the registry refuses for good: a schema that may not follow the
 *   earlier ones, credentials, a wrong URL. Any other error may pass: try again.
 */
export async function registerSchemas(
  url: string,
  schemas: Readonly<Record<string, string>>,
  options: { readonly fetch: Fetch; readonly signal: AbortSignal },
): Promise<Readonly<Record<string, number>>> {
  const registry = connect(url, options);
  const ids: Record<string, number> = {};
  for (const [topic, schema] of Object.entries(schemas)) {
    ids[topic] = await registerSchema(registry, subjectOf(topic), schema);
  }
  return ids;
}

async function registerSchema(
  registry: Registry,
  subject: string,
  schema: string,
): Promise<number> {
  const name = encodeURIComponent(subject);
  const level = { compatibility: "BACKWARD" };
  const set = await registry.call("PUT", `/config/${name}`, level);
  await refuseIncompatible(registry, subject, schema);
  const answer = await registry.call("POST", `/subjects/${name}/versions`, { schema });
  const { id } = requireOk(registry, answer, `refuses the schema of ${subject}`);
  if (typeof id !== "number") throw new Error(`${registry.name} gave no id for ${subject}`);
  // Some registries know a subject's level only once it has a version; others forbid to set it.
  if (set.status >= 400) await registry.call("PUT", `/config/${name}`, level);
  return id;
}

/** Asks first, because the answer to the question explains more than a refused registration. */
async function refuseIncompatible(
  registry: Registry,
  subject: string,
  schema: string,
): Promise<void> {
  const path = `/compatibility/subjects/${encodeURIComponent(subject)}/versions/latest`;
  const answer = await registry.call("POST", `${path}?verbose=true`, { schema });
  // No version yet: anything may come first.
  if (answer.status === 404) return;
  const { is_compatible, messages } = requireOk(registry, answer, `cannot compare ${subject}`);
  if (is_compatible === true) return;
  const why = Array.isArray(messages) ? messages.join("; ") : "it gave no reason";
  throw new FailureError(
    `${registry.name} says that the schema of ${subject} is incompatible with the latest ` +
      `version: ${why}`,
  );
}

function connect(
  url: string,
  options: { readonly fetch: Fetch; readonly signal: AbortSignal },
): Registry {
  const { username, password, origin, pathname } = new URL(url);
  const base = `${origin}${pathname.replace(/\/+$/, "")}`;
  const name = `The schema registry at ${base}`;
  const headers: Record<string, string> = { "content-type": content_type, accept: content_type };
  if (username !== "") {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    headers.authorization = `Basic ${Buffer.from(credentials).toString("base64")}`;
  }
  async function call(method: string, path: string, body: unknown): Promise<Answer> {
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(request_ms_max)]);
    const init = { method, headers, body: JSON.stringify(body), signal };
    let response: Response;
    try {
      response = await options.fetch(`${base}${path}`, init);
    } catch (error) {
      throw new Error(`${name} cannot be reached: ${reasonOf(error)}`);
    }
    if (response.status >= 500 || response.status === 429 || response.status === 408) {
      throw new Error(`${name} answered ${response.status}`);
    }
    return { status: response.status, body: await readObject(response) };
  }
  return { name, call };
}

async function readObject(response: Response): Promise<Readonly<Record<string, unknown>>> {
  try {
    const value: unknown = await response.json();
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function requireOk(registry: Registry, { status, body }: Answer, what: string) {
  if (status < 300) return body;
  const message = typeof body.message === "string" ? body.message : "no further words";
  throw new FailureError(`${registry.name} ${what}: ${message} (HTTP ${status})`);
}
