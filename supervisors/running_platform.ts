/**
 * Commands that a running platform is asked to do, over its status server.
 *
 * @module
 */

import { FailureError } from "../actors/settings/exit.ts";
import type { Settings } from "../actors/settings/settings.ts";
import { statusUrl } from "../actors/status/status_command.ts";
import { statusToken } from "./platform.ts";

/** Posts to the platform that runs with these settings, with the token of its data directory. */
export async function postToPlatform(
  settings: Settings,
  path: string,
  options: { readonly body?: string; readonly signal: AbortSignal },
): Promise<Response> {
  return await fetch(new URL(path, statusUrl(settings.status_host, settings.status_port)), {
    method: "POST",
    headers: { authorization: `Bearer ${statusToken(settings)}` },
    ...options,
  });
}

/**
 * The JSON that the platform has answered.
 *
 * @returns null where it is none.
 * @throws {FailureError} where it refuses, in its own words.
 */
export async function acceptedAnswer(response: Response): Promise<unknown> {
  const body: unknown = await response.json().catch(() => null);
  if (response.ok) return body;
  const is_told = typeof body === "object" && body !== null && "error" in body;
  throw new FailureError(
    is_told ? String(body.error) : `The platform answered with HTTP ${response.status}`,
  );
}
