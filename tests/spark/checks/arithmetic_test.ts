/**
 * Goal: the arithmetic of the checks is exact for all numbers that DECIMAL(38,18) holds.
 * Method: numbers of many lengths from a seed, their sums, products and quotients by BigInt, and the
 * same a little beside; DuckDB judges them.
 */

import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { readShared } from "../../../actors/validator/checks.ts";
import { createRandom } from "../../schemas/random.ts";

const root = resolve(import.meta.dir, "../../..");
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const unit = 10n ** 18n;
const units_max = 10n ** 38n - 1n;
const cases = 2_000;

/** Units of 10^-18 as DuckDB shows a DECIMAL(38,18). */
function text(units: bigint): string {
  const digits = String(units).padStart(19, "0");
  return `${digits.slice(0, -18)}.${digits.slice(-18)}`;
}

/** The same as SQL. */
function sql(units: bigint): string {
  return `'${text(units)}'::DECIMAL(38,18)`;
}

/** Numbers of 1 to 20 digits before the point and 0 to 18 after it, more than zero. */
function randomUnits(random: () => number): bigint {
  const decimals = Math.floor(random() * 19);
  const digits = decimals + 1 + Math.floor(random() ** 2 * 20);
  let number = 0n;
  for (let digit = 0; digit < digits; digit += 1) {
    number = number * 10n + BigInt(Math.floor(random() * 10));
  }
  return (number === 0n ? 1n : number) * 10n ** BigInt(18 - decimals);
}

async function answers(rows: readonly string[], expression: string): Promise<unknown[]> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  await connection.run(readShared(root, "arithmetic"));
  const reader = await connection.runAndReadAll(
    `SELECT ${expression} FROM (VALUES ${rows.join()}) AS t(number, x, a, b) ORDER BY number`,
  );
  const values = reader.getRows().map(([value]) => value);
  connection.closeSync();
  instance.closeSync();
  return values;
}

/** Two factors, a number that may be their product or quotient, and whether it is. */
interface Case {
  readonly x: bigint;
  readonly a: bigint;
  readonly b: bigint;
  readonly is_so: boolean;
}

async function expectAnswers(found: readonly Case[], expression: string): Promise<void> {
  const kept = found.filter(({ x, a, b }) => x >= 0n && [x, a, b].every((it) => it <= units_max));
  const rows = kept.map(({ x, a, b }, index) => `(${index}, ${sql(x)}, ${sql(a)}, ${sql(b)})`);
  const values = await answers(rows, expression);
  const wrong = kept.filter(({ is_so }, index) => values[index] !== is_so);
  expect({ seed, wrong: wrong.slice(0, 3) }).toEqual({ seed, wrong: [] });
  expect(kept.filter(({ is_so }) => is_so).length).toBeGreaterThan(cases / 10);
}

test("decimal_of() keeps every digit of a text", async () => {
  const random = createRandom(seed);
  const units = Array.from({ length: cases }, () => randomUnits(random)).filter(
    (number) => number <= units_max,
  );
  const texts = units.map((number) => text(number).replace(/[.]?0+$/, ""));
  const short = texts.filter((digits) => /^\d{1,10}([.]\d{1,8})?$/.test(digits));
  expect(short.length).toBeGreaterThan(cases / 10);
  expect(texts.length - short.length).toBeGreaterThan(cases / 10);
  const rows = texts.map((digits, index) => `(${index}, '${digits}', NULL, NULL)`);
  expect(await answers(rows, "decimal_of(x)::VARCHAR")).toEqual(units.map(text));
});

test("decimal_of() knows what is no plain number", async () => {
  const texts = ["1e-9", "1.5E3", "-0.5", "0.123456789", "12345678901.1", "", "1.2.3", "x"];
  const rows = texts.map((digits, index) => `(${index}, '${digits}', NULL, NULL)`);
  const numbers = [1n, 1_500n * 10n ** 9n, null, 123_456_789n, 12_345_678_901_100_000_000n];
  expect(await answers(rows, "decimal_of(x)::VARCHAR")).toEqual([
    ...numbers.map((nanos) => (nanos === null ? `-${text(unit / 2n)}` : text(nanos * 10n ** 9n))),
    null,
    null,
    null,
  ]);
});

test("is_product() is right about products and about what is one unit beside them", async () => {
  const random = createRandom(seed);
  const found: Case[] = [];
  for (let index = 0; index < cases; index += 1) {
    const [a, b] = [randomUnits(random), randomUnits(random)];
    const product = (a * b) / unit;
    const is_exact = (a * b) % unit === 0n;
    found.push({ x: product, a, b, is_so: is_exact });
    found.push({ x: product + 1n, a, b, is_so: false }, { x: product - 1n, a, b, is_so: false });
  }
  await expectAnswers(found, "is_product(x, a, b)");
});

test("a number that no trade has is no failure", async () => {
  const number = `'-99999999999999999999'::DECIMAL(38,18)`;
  const rows = [`(0, ${number}, ${number}, ${sql(unit)})`, `(1, ${number}, ${number}, ${number})`];
  expect(await answers(rows, "is_product(x, a, b)")).toEqual([true, false]);
});

test("is_quotient() rounds half up", async () => {
  const random = createRandom(seed);
  const found: Case[] = [];
  for (let index = 0; index < cases; index += 1) {
    const [a, b] = [randomUnits(random), randomUnits(random)];
    const quotient = (2n * a * unit + b) / (2n * b);
    found.push({ x: quotient, a, b, is_so: true });
    found.push({ x: quotient + 1n, a, b, is_so: false }, { x: quotient - 1n, a, b, is_so: false });
  }
  await expectAnswers(found, "is_quotient(x, a, b)");
});

test("a sum of two parts is the sum, or NULL where 38 digits cannot hold it", async () => {
  const random = createRandom(seed);
  const found = Array.from({ length: cases }, () => [randomUnits(random), randomUnits(random)]);
  const pairs = found.filter((pair) => pair.every((units) => units <= units_max));
  pairs.push([units_max, 1n], [units_max - 1n, 1n], [10n ** 28n, 10n ** 28n - 1n]);
  const rows = pairs.map(([a, b], index) => `(${index}, NULL, ${sql(a!)}, ${sql(b!)})`);
  const sums = await answers(
    rows,
    "joined_sum(large_part(a) + large_part(b), small_part(a) + small_part(b))::VARCHAR",
  );
  const wanted = pairs.map(([a, b]) => {
    const sum = a! + b!;
    return sum > units_max ? null : text(sum);
  });
  const wrong = pairs.filter((_, index) => sums[index] !== wanted[index]);
  expect({ seed, wrong: wrong.slice(0, 3) }).toEqual({ seed, wrong: [] });
});
