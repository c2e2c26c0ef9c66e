/**
 * Goal: decimals are exact, minimal two's complement, and what cannot be exact is refused.
 * Method: compared with BigInt over random digits of every length and with the edges of each byte.
 */

import { expect, test } from "bun:test";
import { readDecimal, writeDecimal } from "../../schemas/decimal.ts";
import { createRandom } from "./random.ts";

function encode(text: string): string {
  const buffer = Buffer.alloc(32);
  return buffer.subarray(0, writeDecimal(text, buffer, 0)).toString("hex");
}

/** The same by BigInt: the length as a zigzag long, then the bytes. */
function expected(text: string): string {
  const [integer = "", fraction = ""] = text.split(".");
  const unscaled = BigInt(integer + fraction.slice(0, 18).padEnd(18, "0"));
  let bytes = 1;
  while (BigInt.asIntN(bytes * 8, unscaled) !== unscaled) bytes += 1;
  const length = (bytes * 2).toString(16).padStart(2, "0");
  return length + unscaled.toString(16).padStart(bytes * 2, "0");
}

test("writeDecimal() writes what BigInt would, for any number of digits", () => {
  const random = createRandom(1);
  const digits = (count: number) =>
    Array.from({ length: count }, () => Math.floor(random() * 10)).join("");
  for (let round = 0; round < 20_000; round += 1) {
    const integer = digits(1 + Math.floor(random() * 20));
    const fraction = digits(Math.floor(random() * 19));
    const text = fraction === "" ? integer : `${integer}.${fraction}`;
    if (encode(text) !== expected(text)) throw new Error(`${text}: ${encode(text)}`);
  }
});

test("writeDecimal() grows by a byte exactly where the sign bit would be touched", () => {
  for (let bits = 1; bits < 127; bits += 1) {
    for (const step of [-1n, 0n, 1n]) {
      const digits = ((1n << BigInt(bits)) + step).toString().padStart(19, "0");
      const text = `${digits.slice(0, -18)}.${digits.slice(-18)}`;
      if (digits.length > 38) continue;
      expect(encode(text)).toBe(expected(text));
    }
  }
});

test("writeDecimal() takes the largest value and the smallest", () => {
  const largest = `${"9".repeat(20)}.${"9".repeat(18)}`;
  expect(encode(largest)).toBe(expected(largest));
  expect(encode(`0.${"0".repeat(17)}1`)).toBe("0201");
  expect(encode("0")).toBe("0200");
});

test("writeDecimal() ignores zeros that say nothing", () => {
  expect(encode(`000000000000000000000000000000001.5${"0".repeat(40)}`)).toBe(encode("1.5"));
});

test("writeDecimal() refuses what does not fit exactly", () => {
  for (const text of [`1${"0".repeat(20)}`, `0.${"0".repeat(18)}1`, "9".repeat(60)]) {
    expect(() => encode(text)).toThrow(/exactly/);
  }
});

test("writeDecimal() refuses what is not plain digits", () => {
  for (const text of ["", ".", ".5", "5.", "-1", "+1", "1e5", "1.2.3", " 1", "NaN", "1,5", "١"]) {
    expect(() => encode(text)).toThrow(/plain digits/);
  }
});

test("writeDecimal() drops what lies beyond the buffer and still tells the length", () => {
  const buffer = Buffer.alloc(4);
  expect(writeDecimal("64012.34", buffer, 0)).toBeGreaterThan(4);
});

test("readDecimal() gives the text back without needless zeros, negative ones too", () => {
  const bytes = (text: string) => Buffer.from(encode(text), "hex").subarray(1);
  expect(readDecimal(bytes("64012.34000000"))).toBe("64012.34");
  expect(readDecimal(bytes("0.000000000000000001"))).toBe("0.000000000000000001");
  expect(readDecimal(bytes("7"))).toBe("7");
  expect(readDecimal(Buffer.from("ff", "hex"))).toBe("-0.000000000000000001");
});
