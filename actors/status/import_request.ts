/**
 * What `POST /imports` takes: which symbol's history is wanted, from when to when. Read from JSON
 * of a stranger, so that everything about it is checked here.
 *
 * @module
 */

/** History that is to be fetched. Microseconds since 1970, both inclusive. */
export interface ImportRequest {
  readonly exchange: string;
  readonly native_symbol: string;
  readonly from_timestamp: number;
  readonly to_timestamp: number;
}

/** Reads a request; a sentence that says what is wrong with it otherwise. */
export function readImportRequest(text: string): ImportRequest | string {
  const shape =
    'An import is {"exchange", "native_symbol", "from_timestamp", "to_timestamp"}, times in ' +
    "microseconds since 1970";
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return shape;
  }
  if (typeof value !== "object" || value === null) return shape;
  const { exchange, native_symbol, from_timestamp, to_timestamp } = { ...blank, ...value };
  if (typeof exchange !== "string" || typeof native_symbol !== "string") return shape;
  if (!isTime(from_timestamp) || !isTime(to_timestamp)) return shape;
  if (from_timestamp >= to_timestamp) return "An import ends later than it begins";
  return { exchange, native_symbol, from_timestamp, to_timestamp };
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

const blank: Readonly<Record<keyof ImportRequest, unknown>> = {
  exchange: undefined,
  native_symbol: undefined,
  from_timestamp: undefined,
  to_timestamp: undefined,
};
