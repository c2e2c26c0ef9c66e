/**
 * DuckDB's values as text without losing a digit: decimals as JSON strings and integers as JSON
 * numbers, both with every digit; times in ISO 8601, UTC, with microseconds; bytes in hexadecimal;
 * a map as an object. One rule for JSON, CSV and the table.
 *
 * @module
 */

import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBValue,
} from "@duckdb/node-api";

/** A value as a JSON text. */
export function jsonOf(value: DuckDBValue): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    return Number.isFinite(value) ? String(value) : JSON.stringify(String(value));
  }
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    return `[${value.items.map(jsonOf).join(",")}]`;
  }
  if (value instanceof DuckDBStructValue) return objectOf(Object.entries(value.entries));
  if (value instanceof DuckDBMapValue) {
    return objectOf(value.entries.map(({ key, value: item }) => [textOf(key), item]));
  }
  return JSON.stringify(scalarText(value));
}

/** A value as plain text; null is empty, and what holds other values is JSON. */
export function textOf(value: DuckDBValue): string {
  if (value === null || value === undefined) return "";
  const json = jsonOf(value);
  return json.startsWith('"') ? scalarText(value) : json;
}

/** One row as a JSON object. */
export function rowAsJson(names: readonly string[], row: readonly DuckDBValue[]): string {
  return objectOf(names.map((name, index) => [name, row[index] ?? null]));
}

/** A time as ISO 8601 with microseconds. */
function isoOf(micros: bigint): string | null {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = Number((micros - fraction) / 1_000_000n);
  const date = new Date(seconds * 1000);
  // Beyond what a calendar of four-digit years holds, infinity included.
  if (Number.isNaN(date.getTime()) || seconds >= 253_402_300_800) return null;
  return `${date.toISOString().slice(0, -5)}.${fraction.toString().padStart(6, "0")}`;
}

function scalarText(value: DuckDBValue): string {
  if (value instanceof DuckDBTimestampTZValue) {
    const iso = isoOf(value.micros);
    return iso === null ? String(value) : `${iso}Z`;
  }
  if (value instanceof DuckDBTimestampValue) return isoOf(value.micros) ?? String(value);
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString("hex");
  return String(value);
}

function objectOf(entries: readonly (readonly [string, DuckDBValue])[]): string {
  const members = entries.map(([name, value]) => `${JSON.stringify(name)}:${jsonOf(value)}`);
  return `{${members.join(",")}}`;
}
