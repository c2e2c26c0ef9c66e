/**
 * What JSON from elsewhere turned out to be. Pure.
 *
 * @module
 */

/** Whether a value is an object with members: neither null nor a list. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
