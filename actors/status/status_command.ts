/**
 * `status`: asks the platform that runs on this machine, and prints its tree as a table. It needs
 * no package, so that it answers at once.
 *
 * @module
 */

import { FailureError } from "../settings/exit.ts";
import type { Run } from "../settings/invocation.ts";
import type { StatusDocument } from "./node.ts";
import { tableOf } from "./table.ts";

const answer_ms_max = 5_000;

/** Prints the status of a running platform as a table. */
export const run: Run = async ({ settings }) => {
  const document = await readStatus(statusUrl(settings.status_host, settings.status_port));
  // Unlike a plain write, this one waits for a slow reader.
  await Bun.write(Bun.stdout, tableOf(document));
  return 0;
};

/** Where a platform with these settings answers. A wildcard address is reached over loopback. */
export function statusUrl(status_host: string, status_port: number): string {
  if (status_port === 0) {
    throw new FailureError(
      "Cannot ask the platform as K2_STATUS_PORT is 0: set it to the port that start printed",
    );
  }
  const wildcards: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };
  const host = wildcards[status_host] ?? status_host;
  return `http://${host.includes(":") ? `[${host}]` : host}:${status_port}/status`;
}

/**
 * Fetches the tree.
 *
 * @throws {FailureError} if nobody answers there, or somebody who is not K2.
 */
export async function readStatus(url: string): Promise<StatusDocument> {
  const place = new URL(url).host;
  const response = await ask(url, place);
  const stranger = `What answers on ${place} is not K2: set K2_STATUS_PORT to K2's port`;
  if (!response.ok) throw new FailureError(`${stranger} (it answered ${response.status})`);
  const document: unknown = await response.json().catch(() => null);
  if (!isStatusDocument(document)) throw new FailureError(stranger);
  return document;
}

async function ask(url: string, place: string): Promise<Response> {
  try {
    return await fetch(url, { signal: AbortSignal.timeout(answer_ms_max), redirect: "manual" });
  } catch (error) {
    if (error instanceof Error && error.name === "TimeoutError") {
      throw new FailureError(`Cannot read the status as ${place} did not answer within 5 s`);
    }
    throw new FailureError(
      `No platform runs on ${place}: start one with \`bun run start\`, or set K2_STATUS_HOST ` +
        "and K2_STATUS_PORT",
    );
  }
}

function isStatusDocument(value: unknown): value is StatusDocument {
  if (typeof value !== "object" || value === null) return false;
  return "version" in value && "health" in value && "tree" in value && "uptime_s" in value;
}
