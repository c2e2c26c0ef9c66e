/**
 * Goal: a price's text is exactly the wire's value, or it is refused for the right reason.
 * Method: cases by hand at every border, then random lexemes against exact integer arithmetic.
 */

import { describe, expect, test } from "bun:test";
import { readPositiveDecimal } from "../../../actors/exchanges/decimal.ts";
import { createRandom } from "../../fixtures/frames.ts";

const nines_20 = "9".repeat(20);

describe("readPositiveDecimal() keeps the wire's digits", () => {
  test.each([
    ["64522.19000000", "64522.19000000"],
    ["77120.0", "77120.0"],
    ["100", "100"],
    ["0.0084064", "0.0084064"],
    ["12345678901.12345678", "12345678901.12345678"],
    [`${nines_20}.${"9".repeat(18)}`, `${nines_20}.${"9".repeat(18)}`],
    ["0.000000000000000001", "0.000000000000000001"],
  ])("%s", (lexeme, text) => {
    expect(readPositiveDecimal(lexeme)).toEqual({ kind: "decimal", text });
  });
});

describe("readPositiveDecimal() expands exponents", () => {
  test.each([
    ["4e-8", "0.00000004"],
    ["4E-08", "0.00000004"],
    ["1E+3", "1000"],
    ["1e3", "1000"],
    ["1.50e1", "15.0"],
    ["1.5e0", "1.5"],
    ["1.50e-3", "0.00150"],
    ["100e-2", "1.00"],
    ["0.5e1", "5"],
    ["0.05e+1", "0.5"],
    ["1e-18", "0.000000000000000001"],
    ["1e19", "10000000000000000000"],
    ["0.00000000000000000001e30", "10000000000"],
    ["1e0000000000000000002", "100"],
  ])("%s is %s", (lexeme, text) => {
    expect(readPositiveDecimal(lexeme)).toEqual({ kind: "decimal", text });
  });
});

describe("readPositiveDecimal() cuts zeros that no record can hold", () => {
  test.each([
    [`1.${"0".repeat(25)}`, `1.${"0".repeat(18)}`],
    [`0.5${"0".repeat(1000)}`, `0.5${"0".repeat(17)}`],
    ["10e-19", "0.000000000000000001"],
  ])("%s", (lexeme, text) => {
    expect(readPositiveDecimal(lexeme)).toEqual({ kind: "decimal", text });
  });
});

describe("readPositiveDecimal() refuses", () => {
  test.each([
    ["unreadable", ["", " ", "1 ", " 1", "+1", "01", "00.1", ".5", "1.", "1,5", "1_0", "0x10"]],
    [
      "unreadable",
      ["NaN", "Infinity", "-", "--1", "1e", "1e+", "e5", "1.2.3", "１", "1\n", "null"],
    ],
    ["not_positive", ["0", "0.0", "0e5", "-0", "-1", "-0.5", "-1e400", `0e${"9".repeat(99)}`]],
    ["out_of_range", ["1e20", `1${nines_20}`, "1e400", "1e-19", "0.0000000000000000001", "11e-19"]],
    ["out_of_range", [`1.${"0".repeat(18)}1`, `1e${"9".repeat(99)}`, `1e-${"9".repeat(99)}`]],
  ] as const)("%s: %p", (fault, lexemes) => {
    for (const lexeme of lexemes) {
      expect([lexeme, readPositiveDecimal(lexeme)]).toEqual([lexeme, { kind: "fault", fault }]);
    }
  });
});

test("readPositiveDecimal() agrees with exact arithmetic on random lexemes", () => {
  const random = createRandom(7);
  for (let round = 0; round < 20_000; round += 1) {
    const whole = random(3) === 0 ? "0" : `${1 + random(9)}${digits(random, random(23))}`;
    const fraction = digits(random, random(24));
    const exponent =
      random(3) === 0 ? "" : `${"eE"[random(2)]}${["", "+", "-"][random(3)]}${random(30)}`;
    const lexeme = whole + (fraction === "" ? "" : `.${fraction}`) + exponent;
    const scaled = scaledValue(whole, fraction, Number(exponent.slice(1) || 0));
    const is_exact = scaled % scale_of_oracle === 0n && scaled / scale_of_oracle < 10n ** 38n;
    const reading = readPositiveDecimal(lexeme);
    if (scaled === 0n)
      expect([lexeme, reading]).toEqual([lexeme, { kind: "fault", fault: "not_positive" }]);
    else if (!is_exact)
      expect([lexeme, reading]).toEqual([lexeme, { kind: "fault", fault: "out_of_range" }]);
    else {
      const text = reading.kind === "decimal" ? reading.text : "";
      expect([lexeme, text]).toEqual([
        lexeme,
        expect.stringMatching(/^(0|[1-9]\d{0,19})(\.\d{1,18})?$/),
      ]);
      const [read_whole = "", read_fraction = ""] = text.split(".");
      expect([lexeme, scaledValue(read_whole, read_fraction, 0)]).toEqual([lexeme, scaled]);
    }
  }
});

test("readPositiveDecimal() gives back any value of the records, by whatever exponent", () => {
  const random = createRandom(13);
  for (let round = 0; round < 20_000; round += 1) {
    // Up to 38 digits of which the last ones may lie below the point, as decimal(38,18) has them.
    const units = BigInt(digits(random, 1 + random(38)) || "0");
    if (units === 0n) continue;
    const lexeme = writtenWithExponent(units, random);
    const reading = readPositiveDecimal(lexeme);
    const text = reading.kind === "decimal" ? reading.text : "";
    const [whole = "", fraction = ""] = text.split(".");
    expect([lexeme, BigInt(whole + fraction.padEnd(18, "0"))]).toEqual([lexeme, units]);
    expect(readPositiveDecimal(text)).toEqual({ kind: "decimal", text });
  }
});

/** A number of units of 10^-18, its point moved anywhere and an exponent that moves it back. */
function writtenWithExponent(units: bigint, random: (below: number) => number): string {
  const written = String(units) + "0".repeat(random(2) * random(300));
  const exponent = String(units).length - written.length - 18;
  const sign = ["e", "E", "e+", "E+"];
  if (random(2) === 0) {
    // All digits behind the point, after any number of zeros.
    const zeros = "0".repeat(random(300));
    const back = exponent + written.length + zeros.length;
    return `0.${zeros}${written}${back < 0 ? "e" : sign[random(4)]}${back}`;
  }
  const whole_length = 1 + random(written.length);
  const fraction = written.slice(whole_length);
  const back = exponent + fraction.length;
  const point = fraction === "" ? "" : ".";
  const whole = written.slice(0, whole_length);
  return `${whole}${point}${fraction}${back < 0 ? "e" : sign[random(4)]}${back}`;
}

/** The oracle counts in units of 10^-60; decimal(38,18) in units of 10^-18. */
const scale_of_oracle = 10n ** 42n;

function scaledValue(whole: string, fraction: string, exponent: number): bigint {
  return BigInt(whole + fraction) * 10n ** BigInt(60 - fraction.length + exponent);
}

function digits(random: (below: number) => number, count: number): string {
  return Array.from({ length: count }, () => (random(3) === 0 ? 0 : random(10))).join("");
}

test("a number of a million digits is judged like a short one", () => {
  const zeros = "0".repeat(1_000_000);
  expect(readPositiveDecimal(`0.${zeros}1`)).toEqual({ kind: "fault", fault: "out_of_range" });
  expect(readPositiveDecimal(`1e${zeros}x`)).toEqual({ kind: "fault", fault: "unreadable" });
  expect(readPositiveDecimal(`1e-${zeros}1`)).toEqual({ kind: "decimal", text: "0.1" });
  expect(readPositiveDecimal(`1.5${zeros}`)).toMatchObject({ kind: "decimal" });
});
