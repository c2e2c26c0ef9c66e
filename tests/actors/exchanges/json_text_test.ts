/**
 * Goal: the reader sees what `JSON.parse` sees, with each value's own text, and never throws.
 * Method: texts that tempt a scanner, then random JSON, both turned back and compared.
 */

import { expect, test } from "bun:test";
import { type JsonNode, memberOf, readJson, textOf } from "../../../actors/exchanges/json_text.ts";
import { createRandom } from "../../fixtures/frames.ts";

/** What `JSON.parse` would have made of it. */
function plainValue(text: string, node: JsonNode): unknown {
  if (node.kind === "string") return node.value;
  if (node.kind === "array") return node.items.map((item) => plainValue(text, item));
  if (node.kind !== "object") return JSON.parse(textOf(text, node));
  return Object.fromEntries(
    [...node.members].map(([key, member]) => [key, plainValue(text, member)] as const),
  );
}

test.each([
  '{"a":1,"b":[true,false,null,"x"],"c":{}}',
  ' \t\r\n{ "a" : [ ] , "b" : [ 1 , 2 ] }\n',
  '{"note":"\\"price\\":1,","price":2}',
  '{"a":"}]","b":"\\\\","c":"\\u0022\\u005c\\n"}',
  '{"a":1,"a":2}',
  '{"\\u0061":1,"a":2}',
  '{"":0,"__proto__x":{"a":1}}',
  "[]",
  "-0.5e-10",
  '"only text"',
  "null",
  '["\u2028 \ud83d\ude00"]',
])("readJson(%p) reads what JSON.parse reads", (text) => {
  const node = readJson(text);
  expect(node && plainValue(text, node)).toEqual(JSON.parse(text));
});

test.each(["", " ", "{", '{"a":}', "[1,]", '{"a":1}}', "01", "'a'", "nul", "\u00a01", '{"a":1'])(
  "readJson(%p) is undefined",
  (text) => {
    expect(readJson(text)).toBeUndefined();
  },
);

test("readJson() keeps each value's own text", () => {
  const text = '{"id": 15113583034416118705, "x": {"p": 77120.00, "q": 4E-8 }}';
  const node = readJson(text);
  const inner = memberOf(node, "x");
  expect(inner && textOf(text, inner)).toBe('{"p": 77120.00, "q": 4E-8 }');
  expect(memberOf(node, "id")).toMatchObject({ kind: "number", value: "15113583034416118705" });
  expect(memberOf(inner, "p")).toMatchObject({ kind: "number", value: "77120.00" });
});

test("readJson() passes over what is nested too deep, and goes on behind it", () => {
  const deep = `${'{"a":['.repeat(50_000)}"]}"${"]}".repeat(50_000)}`;
  const text = `{"deep":${deep},"after":1}`;
  const node = readJson(text);
  // Whether the engine still calls it JSON is its own affair; it must not end the process.
  if (node !== undefined) expect(memberOf(node, "after")).toMatchObject({ value: "1" });
  const shallow = `{"deep":${"[".repeat(40)}"]"${"]".repeat(40)},"after":1}`;
  expect(memberOf(readJson(shallow), "after")).toMatchObject({ kind: "number", value: "1" });
});

test("readJson() agrees with JSON.parse on random values in random spacing", () => {
  const random = createRandom(11);
  for (let round = 0; round < 2000; round += 1) {
    const text = JSON.stringify(randomValue(random, 0), null, ["", " ", "\n\t"][random(3)]);
    const node = readJson(text);
    expect(node && plainValue(text, node)).toEqual(JSON.parse(text));
  }
});

function randomValue(random: (below: number) => number, depth: number): unknown {
  const scalars = [null, true, false, random(1e9) - 5e8, random(1e9) / 1e7, '\\"{}[],:\n', "é€"];
  const kind = random(depth > 4 ? scalars.length : scalars.length + 4);
  if (kind < scalars.length) return scalars[kind];
  const values = Array.from({ length: random(4) }, () => randomValue(random, depth + 1));
  if (kind % 2 === 0) return values;
  return Object.fromEntries(values.map((value, index) => [`k"${index}`, value]));
}
