/**
 * The status tree as text for a terminal: one line per node, indented by depth, its figures at the
 * end. Pure.
 *
 * @module
 */

import type { Figures } from "../messages.ts";
import type { StatusDocument, StatusNode } from "./node.ts";

/** The whole document, with a line of its own about the platform. Ends with a newline. */
export function tableOf(document: StatusDocument): string {
  const { version, health, uptime_s, tree } = document;
  const rows = [["ACTOR", "STATE", "RESTARTS", "PID", "FIGURES"], ...rowsOf(tree, 0)];
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return `K2 ${version}: ${health}, up ${durationOf(uptime_s)}\n\n${lines.join("\n")}\n`;
}

function rowsOf(node: StatusNode, depth: number): string[][] {
  const { id, state, restarts, pid, figures, last_exit, children } = node;
  const is_down = state === "failed" || restarts.in_window > 0;
  const exit = is_down && last_exit !== null ? [`last exit: ${last_exit.reason}`] : [];
  return [
    [
      "  ".repeat(depth) + id,
      state,
      restarts.total === 0 ? "" : String(restarts.total),
      pid === undefined || pid === null ? "" : String(pid),
      [...figuresOf(figures), ...exit].join(" "),
    ],
    ...children.flatMap((child) => rowsOf(child, depth + 1)),
  ];
}

function figuresOf(figures: Readonly<Figures>): string[] {
  return Object.entries(figures).flatMap(([name, value]) => {
    if (value === null || value === "") return [];
    const text = String(value);
    return [`${name}=${/\s/.test(text) ? JSON.stringify(text) : text}`];
  });
}

/** `3 d 4 h`, `4 h 5 min`, `5 min 6 s`, `6 s`. */
export function durationOf(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const units: readonly (readonly [string, number])[] = [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
    ["s", 1],
  ];
  const first = units.findIndex(([, size]) => whole >= size);
  if (first === -1) return "0 s";
  return units
    .slice(first, first + 2)
    .map(([unit, size], index) => {
      const above = index === 0 ? Number.POSITIVE_INFINITY : (units[first]?.[1] ?? 1);
      return `${Math.floor((whole % above) / size)} ${unit}`;
    })
    .join(" ");
}
