/**
 * Goal: no digit of a value is lost on its way out of DuckDB.
 * Method: DuckDB itself makes the values; they are compared with the text of their literals.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { jsonOf, rowAsJson, textOf } from "../../../actors/validator/values.ts";

let instance: DuckDBInstance;
let connection: DuckDBConnection;

beforeAll(async () => {
  instance = await DuckDBInstance.create(":memory:");
  connection = await instance.connect();
  await connection.run("SET TimeZone = 'America/New_York'");
});
afterAll(() => {
  connection.closeSync();
  instance.closeSync();
});

async function valueFrom(sql: string) {
  const [row] = await (await connection.run(`SELECT ${sql}`)).getRows();
  return row![0]!;
}

const cases: readonly (readonly [sql: string, json: string, text: string])[] = [
  [
    "99999999999999999999.123456789012345678::DECIMAL(38,18)",
    '"99999999999999999999.123456789012345678"',
    "99999999999999999999.123456789012345678",
  ],
  ["-0.000000000000000001::DECIMAL(38,18)", '"-0.000000000000000001"', "-0.000000000000000001"],
  ["9223372036854775807", "9223372036854775807", "9223372036854775807"],
  ["170141183460469231731687303715884105727::HUGEINT", `${2n ** 127n - 1n}`, `${2n ** 127n - 1n}`],
  ["7::INTEGER", "7", "7"],
  ["true", "true", "true"],
  ["0.1::DOUBLE", "0.1", "0.1"],
  ["'nan'::DOUBLE", '"NaN"', "NaN"],
  [
    "'2026-11-23 04:25:38.1234+00'::TIMESTAMPTZ",
    '"2026-11-23T04:25:38.123400Z"',
    "2026-11-23T04:25:38.123400Z",
  ],
  [
    "'1969-12-31 23:59:59.999999+00'::TIMESTAMPTZ",
    '"1969-12-31T23:59:59.999999Z"',
    "1969-12-31T23:59:59.999999Z",
  ],
  ["'infinity'::TIMESTAMPTZ", '"infinity"', "infinity"],
  [
    "'2026-11-23 04:25:38'::TIMESTAMP",
    '"2026-11-23T04:25:38.000000"',
    "2026-11-23T04:25:38.000000",
  ],
  ["'2026-11-23'::DATE", '"2026-11-23"', "2026-11-23"],
  ["'\\x00\\xFF'::BLOB", '"00ff"', "00ff"],
  [`'a "quoted" word'`, '"a \\"quoted\\" word"', 'a "quoted" word'],
  ["''", '""', ""],
  ["[1.5::DECIMAL(3,1), NULL]", '["1.5",null]', '["1.5",null]'],
  ["{a: 1, b: 'x'}", '{"a":1,"b":"x"}', '{"a":1,"b":"x"}'],
  ["MAP {'ord_type': 'limit'}", '{"ord_type":"limit"}', '{"ord_type":"limit"}'],
];

for (const [sql, json, text] of cases) {
  test(`${sql} keeps all its digits`, async () => {
    const value = await valueFrom(sql);
    expect(jsonOf(value)).toBe(json);
    expect(textOf(value)).toBe(text);
  });
}

test("null is null in JSON and nothing in text", () => {
  expect(jsonOf(null)).toBe("null");
  expect(textOf(null)).toBe("");
});

test("rowAsJson() names each value", () => {
  expect(rowAsJson(["n", "of"], [3n, null])).toBe('{"n":3,"of":null}');
});
