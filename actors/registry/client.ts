/**
 * Registers the schemas with a registry of Confluent's API, the embedded one or another, through
 * that registry's own compatibility check. Credentials go into a header only: no message here
 * holds them.
 *
 * @module
 */

import { subjectOf } from "../../schemas/mod.ts";
import { FailureError, reasonOf } from "../settings/exit.ts";
import type { RegistryLogin } from "../settings/settings.ts";

/** Where a registry is, and what is needed to talk to it. */
export interface RegistryAccess {
  /** Base URL, without credentials. */
  readonly url: string;
  /** Secret. */
  readonly login: RegistryLogin | null;
  /** The authorities that its certificate is checked against, as PEM; null: the usual ones. */
  readonly ca: string | null;
}

/** The part of `fetch` that is used, so that a test can stand in for the network. */
export type Fetch = (url: string, init: BunFetchRequestInit) => Promise<Response>;

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Registry {
  /** For messages. */
  readonly name: string;
  call(method: string, path: string, body: unknown): Promise<Answer>;
}

const request_ms_max = 10_000;
const content_type = "application/vnd.schemaregistry.v1+json";

/**
 * Registers each topic's schema under `<topic>-value`, with BACKWARD compatibility where the
 * registry lets us set it.
 *
 * @param schemas Schema texts by topic.
 * @returns The schemas' ids by topic.
 * @throws {FailureError} where the registry refuses for good: a schema that may not follow the
 *   earlier ones, credentials, a wrong URL. Any other error may pass: try again.
 */
export async function registerSchemas(
  access: RegistryAccess,
  schemas: Readonly<Record<string, string>>,
  options: { readonly fetch: Fetch; readonly signal: AbortSignal },
): Promise<Readonly<Record<string, number>>> {
  const registry = connect(access, options);
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
  const answer = await registry.call("POST", `/subjects/${name}/versions`, { schema });
  const { id } = requireOk(registry, answer, `refuses the schema of ${subject}`);
  if (typeof id !== "number") throw new Error(`${registry.name} gave no id for ${subject}`);
  // Some registries know a subject's level only once it has a version; others forbid to set it.
  if (set.status >= 400) await registry.call("PUT", `/config/${name}`, level);
  return id;
}

function connect(
  { url, login, ca }: RegistryAccess,
  options: { readonly fetch: Fetch; readonly signal: AbortSignal },
): Registry {
  const base = url.replace(/\/+$/, "");
  const name = `The schema registry at ${base}`;
  const headers: Record<string, string> = { "content-type": content_type, accept: content_type };
  if (login !== null) {
    const credentials = `${login.username}:${login.password}`;
    headers.authorization = `Basic ${Buffer.from(credentials).toString("base64")}`;
  }
  const tls = ca === null ? {} : { tls: { ca } };
  async function call(method: string, path: string, body: unknown): Promise<Answer> {
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(request_ms_max)]);
    const init = { method, headers, body: JSON.stringify(body), signal, ...tls };
    let response: Response;
    try {
      response = await options.fetch(`${base}${path}`, init);
    } catch (error) {
      throw new Error(`${name} cannot be reached: ${reasonOf(error)}`);
    }
    if (response.status >= 500 || response.status === 429 || response.status === 408) {
      throw new Error(`${name} answered ${response.status}`);
    }
    if (response.status === 401) {
      throw new FailureError(
        `${name} does not know us (HTTP 401): K2_SCHEMA_REGISTRY_USERNAME and ` +
          "K2_SCHEMA_REGISTRY_PASSWORD must be what it wants",
      );
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
