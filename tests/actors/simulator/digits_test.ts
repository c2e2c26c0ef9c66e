/**
 * Goal: the simulator's decimals are exact in every form that an exchange writes.
 * Method: edge cases by hand, and products against integer arithmetic.
 */

import { expect, test } from "bun:test";
import {
  decimalText,
  plainText,
  productText,
  withDecimals,
  withoutTrailingZeros,
} from "../../../actors/simulator/digits.ts";

test("decimalText() writes every digit", () => {
  expect(decimalText(9_000_001, 2)).toBe("90000.01");
  expect(decimalText(1, 8)).toBe("0.00000001");
  expect(decimalText(120, 2)).toBe("1.20");
  expect(decimalText(42, 0)).toBe("42");
});

test("withDecimals() pads and never cuts", () => {
  expect(withDecimals("105433.6", 5)).toBe("105433.60000");
  expect(withDecimals("3000", 8)).toBe("3000.00000000");
  expect(withDecimals("0.1391315", 5)).toBe("0.1391315");
});

test("withoutTrailingZeros() keeps one digit after the point", () => {
  expect(withoutTrailingZeros("77120.00000")).toBe("77120.0");
  expect(withoutTrailingZeros("0.00840640")).toBe("0.0084064");
  expect(withoutTrailingZeros("0.00005000")).toBe("0.00005");
  expect(withoutTrailingZeros("100")).toBe("100.0");
});

test("productText() is exact and cuts", () => {
  expect(productText("39432.48000000", "0.00026300", 8)).toBe("10.37074224");
  expect(productText("0.00000001", "0.00000001", 8)).toBe("0.00000000");
  expect(productText("99999999.99999999", "99999999.99999999", 8)).toBe(
    "9999999999999998.00000000",
  );
  expect(productText("2", "3.5", 8)).toBe("7.00000000");
});

test("plainText() expands exponents and leaves the rest", () => {
  expect(plainText("4e-8")).toBe("0.00000004");
  expect(plainText("1.25e-7")).toBe("0.000000125");
  expect(plainText("12.5e-1")).toBe("1.25");
  expect(plainText("77120.0")).toBe("77120.0");
  expect(plainText("3000")).toBe("3000");
});
