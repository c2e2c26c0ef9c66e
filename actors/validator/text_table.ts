/**
 * Rows as text: a table for people, CSV (RFC 4180) and JSON for programs.
 *
 * @module
 */

import type { DuckDBValue } from "@duckdb/node-api";
import { rowAsJson, textOf } from "./values.ts";

interface Column {
  readonly name: string;
  /** Numbers stand at the right, so that their digits line up. */
  readonly is_right: boolean;
}

/** Columns as wide as their widest cell, two spaces apart, with a ruled header. */
export function textTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  const cells = rows.map((row) => row.map(onOneLine));
  const widths = columns.map(({ name }, index) =>
    cells.reduce((widest, row) => Math.max(widest, (row[index] ?? "").length), name.length),
  );
  function line(texts: readonly string[]): string {
    const padded = columns.map(({ is_right }, index) => {
      const text = texts[index] ?? "";
      const width = widths[index] ?? 0;
      return is_right ? text.padStart(width) : text.padEnd(width);
    });
    return `${padded.join("  ").trimEnd()}\n`;
  }
  const rule = line(widths.map((width) => "-".repeat(width)));
  return line(columns.map(({ name }) => name)) + rule + cells.map(line).join("");
}

/** One CSV record. Null is an empty field, an empty text a quoted one. */
export function csvRecord(values: readonly DuckDBValue[]): string {
  return `${values.map(csvField).join(",")}\r\n`;
}

/** The rows of one JSON array, of which `index` is the number of the first, from 0. */
export function jsonRows(
  names: readonly string[],
  rows: readonly (readonly DuckDBValue[])[],
  index: number,
): string {
  return rows
    .map((row, offset) => `${index + offset === 0 ? "" : ",\n"}${rowAsJson(names, row)}`)
    .join("");
}

function csvField(value: DuckDBValue): string {
  if (value === null) return "";
  const text = textOf(value);
  return text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A line break inside a cell would tear the table. */
function onOneLine(text: string): string {
  return text.replace(/[\r\n\t]+/g, " ");
}
