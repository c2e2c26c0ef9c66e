/**
 * Which schema may follow which, as Confluent's registry defines its levels
 * (https://docs.confluent.io/platform/current/schema-registry/fundamentals/schema-evolution.html).
 * avsc decides the single question: whether a reader with one schema can read what was written
 * with another.
 *
 * @module
 */

import { type Schema, Type } from "avsc";
import { reasonOf } from "../settings/exit.ts";

/** The levels of Confluent's registry; one that is transitive asks about all earlier versions. */
export const compatibility_levels = [
  "NONE",
  "BACKWARD",
  "BACKWARD_TRANSITIVE",
  "FORWARD",
  "FORWARD_TRANSITIVE",
  "FULL",
  "FULL_TRANSITIVE",
] as const;

/** One of `compatibility_levels`. */
export type CompatibilityLevel = (typeof compatibility_levels)[number];

/** One version of a subject. */
export interface SchemaVersion {
  readonly version: number;
  readonly id: number;
  readonly schema: string;
}

/** Whether a text names a level. */
export function isCompatibilityLevel(text: unknown): text is CompatibilityLevel {
  return compatibility_levels.some((level) => level === text);
}

/** The same schema, in the one way in which it is stored: JSON without needless spaces. */
export function normalizeSchema(text: string): string {
  return JSON.stringify(JSON.parse(text));
}

/** Why a text is no Avro schema, or null where it is one. */
export function findInvalidity(text: string): string | null {
  try {
    parseSchema(text);
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

/**
 * Why a schema may not follow the versions of its subject; empty where it may.
 *
 * @param earlier All versions, oldest first. Levels that are not transitive look at the last only.
 */
export function findIncompatibilities(
  level: CompatibilityLevel,
  schema: string,
  earlier: readonly SchemaVersion[],
): readonly string[] {
  if (level === "NONE") return [];
  const compared = level.endsWith("_TRANSITIVE") ? earlier : earlier.slice(-1);
  const messages: string[] = [];
  for (const { version, schema: other } of compared) {
    const backward = level.startsWith("FORWARD") ? null : findUnreadable(schema, other);
    if (backward !== null) {
      messages.push(`the new schema cannot read records of version ${version}: ${backward}`);
    }
    const forward = level.startsWith("BACKWARD") ? null : findUnreadable(other, schema);
    if (forward !== null) {
      messages.push(`version ${version} cannot read records of the new schema: ${forward}`);
    }
  }
  return messages;
}

function findUnreadable(reader: string, writer: string): string | null {
  try {
    parseSchema(reader).createResolver(parseSchema(writer));
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

function parseSchema(text: string): Type {
  const schema: Schema = JSON.parse(text);
  return Type.forSchema(schema);
}
