/**
 * What `replay` was asked for. Pure: the instant of the call comes in.
 *
 * @module
 */

import { UsageError } from "../actors/settings/exit.ts";
import type { Flags } from "../actors/settings/invocation.ts";
import type { QuarantineFilter } from "../actors/validator/quarantine.ts";
import { readSince } from "./start_options.ts";

/** Every reason of the quarantine; `spark/jobs/silver.py` decides which one a record has. */
export const quarantine_reasons: readonly string[] = [
  "bad_header",
  "unknown_schema",
  "undecodable",
  "id_missing",
  "trade_id_unreadable",
  "message_id_mismatch",
  "side_unknown",
  "source_unknown",
  "price_not_positive",
  "quantity_not_positive",
  "timestamp_before_2009",
  "out_of_range",
  "timestamp_in_future",
];

/**
 * Reads the flags of `replay`.
 *
 * @throws {UsageError} naming the flag, its value and what is allowed.
 */
export function readReplayOptions(flags: Flags, now_ms: number): QuarantineFilter {
  const { reason } = flags;
  if (reason !== undefined && (reason === true || !quarantine_reasons.includes(String(reason)))) {
    const allowed = quarantine_reasons.join(", ");
    throw new UsageError(`--reason is "${reason}": it must be one of ${allowed}`);
  }
  const since = readSince(flags);
  const since_ms = since?.kind === "ago" ? now_ms - since.ms : (since?.ms ?? null);
  if (since_ms !== null && since_ms > now_ms) {
    throw new UsageError(`--since is "${flags.since}": it must be a time in the past`);
  }
  return { reason: typeof reason === "string" ? reason : null, since_ms };
}
