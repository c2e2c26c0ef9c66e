/**
 * The platform's log: lines on stderr, as text for people or JSON for machines. stdout is left to
 * results. A secret never reaches it, because nothing logs settings or URLs with credentials.
 *
 * @module
 */

/** One log line's severity, in rising order. */
type Level = "info" | "warn" | "error";

/** Takes messages, each one sentence, with fields for what a program may look for. */
export interface Log {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/**
 * Makes a log.
 *
 * @param options.format `text`: `12:30:01 warn message key=value`; `json`: one object a line.
 * @param options.write Takes a line that ends with a newline.
 * @param options.now_ms Wall clock, milliseconds since 1970.
 */
export function createLog(options: {
  readonly format: "text" | "json";
  readonly write: (line: string) => void;
  readonly now_ms: () => number;
}): Log {
  const line = options.format === "json" ? jsonLine : textLine;
  function log(level: Level, message: string, fields: Readonly<Record<string, unknown>> = {}) {
    options.write(`${line(new Date(options.now_ms()).toISOString(), level, message, fields)}\n`);
  }
  return {
    info: (message, fields) => log("info", message, fields),
    warn: (message, fields) => log("warn", message, fields),
    error: (message, fields) => log("error", message, fields),
  };
}

function jsonLine(
  time: string,
  level: Level,
  message: string,
  fields: Readonly<Record<string, unknown>>,
): string {
  return JSON.stringify({ time, level, message, ...fields });
}

function textLine(
  time: string,
  level: Level,
  message: string,
  fields: Readonly<Record<string, unknown>>,
): string {
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`);
  return `${time.slice(11, 19)} ${level.padEnd(5)} ${message}${rest.join("")}`;
}
