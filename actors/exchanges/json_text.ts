/**
 * JSON with its own text kept: numbers stay lexemes, and every value knows where it stands.
 *
 * `JSON.parse` turns numbers into floats, and its reviver tells neither where an object stood nor
 * what to cut out for a dead letter. So `JSON.parse` only judges whether the text is JSON, and
 * this reader, which may then trust its grammar, walks it once. Of equal keys the last one counts,
 * as in `JSON.parse`. Nesting deeper than any exchange sends is passed over unread.
 *
 * @module
 */

interface JsonObject extends Span {
  readonly kind: "object";
  readonly members: ReadonlyMap<string, JsonNode>;
}

interface JsonArray extends Span {
  readonly kind: "array";
  readonly items: readonly JsonNode[];
}

interface JsonString extends Span {
  readonly kind: "string";
  readonly value: string;
}

/** A number or a literal: `value` is its text, `1e-8`, `true`, `null`. */
interface JsonBare extends Span {
  readonly kind: "number" | "literal";
  readonly value: string;
}

/** An object or array nested too deep to be read. */
interface JsonUnread extends Span {
  readonly kind: "unread";
}

/** A JSON value with its place in the text. */
export type JsonNode = JsonObject | JsonArray | JsonString | JsonBare | JsonUnread;

/** Where a value stands in the text: from `start` up to, not including, `end`. */
interface Span {
  readonly start: number;
  readonly end: number;
}

const depth_max = 16;
const space = 0x20;
const quote = 0x22;
const comma = 0x2c;
const open_bracket = 0x5b;
const backslash = 0x5c;
const close_bracket = 0x5d;
const open_brace = 0x7b;
const close_brace = 0x7d;

/** Reads a whole JSON text. Undefined where it is not JSON; never throws. */
export function readJson(text: string): JsonNode | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  return readValue(text, pastSpace(text, 0), 1);
}

/** The value's own text. */
export function textOf(text: string, node: JsonNode): string {
  return text.slice(node.start, node.end);
}

/** The member of an object; undefined where the node is none or has no such member. */
export function memberOf(node: JsonNode | undefined, key: string): JsonNode | undefined {
  return node?.kind === "object" ? node.members.get(key) : undefined;
}

/** The value of a JSON string; undefined for anything else. */
export function stringOf(node: JsonNode | undefined): string | undefined {
  return node?.kind === "string" ? node.value : undefined;
}

/** The text of a JSON number; undefined for anything else. */
export function numberOf(node: JsonNode | undefined): string | undefined {
  return node?.kind === "number" ? node.value : undefined;
}

/** `true` or `false` as text; undefined for anything else. */
export function booleanOf(node: JsonNode | undefined): "true" | "false" | undefined {
  if (node?.kind !== "literal") return undefined;
  return node.value === "true" || node.value === "false" ? node.value : undefined;
}

function readValue(text: string, start: number, depth: number): JsonNode {
  switch (text.charCodeAt(start)) {
    case open_brace:
      return depth > depth_max ? unread(text, start) : readObject(text, start, depth);
    case open_bracket:
      return depth > depth_max ? unread(text, start) : readArray(text, start, depth);
    case quote:
      return readString(text, start);
    default:
      return readBare(text, start);
  }
}

function readObject(text: string, start: number, depth: number): JsonObject {
  const members = new Map<string, JsonNode>();
  let at = pastSpace(text, start + 1);
  while (at < text.length && text.charCodeAt(at) !== close_brace) {
    const key = readString(text, at);
    const colon = pastSpace(text, key.end);
    const value = readValue(text, pastSpace(text, colon + 1), depth + 1);
    members.set(key.value, value);
    at = pastComma(text, value.end);
  }
  return { kind: "object", start, end: at + 1, members };
}

function readArray(text: string, start: number, depth: number): JsonArray {
  const items: JsonNode[] = [];
  let at = pastSpace(text, start + 1);
  while (at < text.length && text.charCodeAt(at) !== close_bracket) {
    const value = readValue(text, at, depth + 1);
    items.push(value);
    at = pastComma(text, value.end);
  }
  return { kind: "array", start, end: at + 1, items };
}

function readString(text: string, start: number): JsonString {
  const end = pastString(text, start);
  const inner = text.slice(start + 1, end - 1);
  const value = inner.includes("\\") ? String(JSON.parse(text.slice(start, end))) : inner;
  return { kind: "string", start, end, value };
}

function readBare(text: string, start: number): JsonBare {
  let end = start;
  while (end < text.length && !endsBare(text.charCodeAt(end))) end += 1;
  const value = text.slice(start, end);
  return { kind: /^[tfn]/.test(value) ? "literal" : "number", start, end, value };
}

function endsBare(code: number): boolean {
  return code === comma || code === close_brace || code === close_bracket || code <= space;
}

/** Passes over an object or array by counting brackets: a deep one must not exhaust the stack. */
function unread(text: string, start: number): JsonUnread {
  let depth = 0;
  let at = start;
  do {
    const code = text.charCodeAt(at);
    if (code === quote) at = pastString(text, at) - 1;
    else if (code === open_brace || code === open_bracket) depth += 1;
    else if (code === close_brace || code === close_bracket) depth -= 1;
    at += 1;
  } while (depth > 0 && at < text.length);
  return { kind: "unread", start, end: at };
}

/** The position after a string's closing quote. */
function pastString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === quote) break;
    at += code === backslash ? 2 : 1;
  }
  return at + 1;
}

/** The position of the next member or item, or of the bracket that closes them. */
function pastComma(text: string, start: number): number {
  const at = pastSpace(text, start);
  return text.charCodeAt(at) === comma ? pastSpace(text, at + 1) : at;
}

/** JSON's white space is all that a valid text has at or below a space, outside of strings. */
function pastSpace(text: string, start: number): number {
  let at = start;
  while (text.charCodeAt(at) <= space) at += 1;
  return at;
}
