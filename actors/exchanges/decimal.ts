/**
 * Prices and quantities as plain decimal text, from the digits that stood on the wire.
 *
 * A binary float changes digits (`4e-8` for 0.00000004, 77120 for 77120.0, another value from 16
 * digits up), so a number's text is never turned into one. What can be stored is what the records'
 * type holds exactly, decimal(38,18): at most 20 digits before the point and 18 after it, zeros
 * that carry no value aside.
 *
 * @module
 */

/** Why a lexeme is no price and no quantity. */
type DecimalFault = "unreadable" | "not_positive" | "out_of_range";

/** A decimal as text, or what is wrong with it. */
type Decimal =
  | { readonly kind: "decimal"; readonly text: string }
  | { readonly kind: "fault"; readonly fault: DecimalFault };

/** Digits of decimal(38,18) before and after the point. */
const whole_digits_max = 20;
const fraction_digits_max = 18;
/** Exponents of more digits are beyond any decimal(38,18) that a frame can carry. */
const exponent_digits_max = 7;

const zero = "0".charCodeAt(0);

const number_grammar = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?)(\d+))?$/;

/**
 * Reads a price or a quantity: JSON's grammar of a number, whether it stood bare or in quotes.
 *
 * The wire's digits stay, trailing zeros included; an exponent is expanded; zeros past the 18th
 * digit after the point are cut, because no record can hold them.
 */
export function readPositiveDecimal(lexeme: string): Decimal {
  const match = number_grammar.exec(lexeme);
  if (match === null) return fault("unreadable");
  const [, minus = "", whole = "", fraction = "", exponent_sign = "", written = "0"] = match;
  const exponent = written.replace(/^0+(?=\d)/, "");
  const digits = whole + fraction;
  const first = digits.search(/[1-9]/);
  if (minus !== "" || first === -1) return fault("not_positive");
  if (exponent.length > exponent_digits_max) return fault("out_of_range");

  // Where the point stands within the digits; it may lie before the first or after the last.
  const point = whole.length + Number(exponent_sign + exponent);
  let last = digits.length - 1;
  while (digits.charCodeAt(last) === zero) last -= 1;
  const is_exact = point - first <= whole_digits_max && last + 1 - point <= fraction_digits_max;
  return is_exact ? { kind: "decimal", text: withPoint(digits, point) } : fault("out_of_range");
}

function withPoint(digits: string, point: number): string {
  const padded = point > 0 ? digits.padEnd(point, "0") : "0".repeat(1 - point) + digits;
  const whole_length = Math.max(point, 1);
  const whole = padded.slice(0, whole_length).replace(/^0+(?=\d)/, "");
  const fraction = padded.slice(whole_length, whole_length + fraction_digits_max);
  return fraction === "" ? whole : `${whole}.${fraction}`;
}

function fault(kind: DecimalFault): Decimal {
  return { kind: "fault", fault: kind };
}
