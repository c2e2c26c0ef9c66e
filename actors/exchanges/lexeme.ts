/**
 * Sources of regular expressions for values that need no further judgement.
 *
 * Nearly every frame of an exchange is written alike: the same keys in the same order, decimals
 * without exponents. An adapter recognizes that one form as a whole, from the first character to
 * the last, by a regular expression made of these, which is faster than parsing it. Anything that
 * differs, be it by one space, is left to the reader of JSON and its judgement: these expressions
 * only ever say "certainly good", so they cannot be fooled, only missed. A test holds both ways to
 * the same result.
 *
 * @module
 */

/** A space where serializers differ: after a colon or a comma. */
export const gap = " ?";

/** A string without escapes, quotes not included. */
export const plain_text = String.raw`[ !#-\[\]-~]*`;

/** As `plain_text`, with something in it. */
export const name = String.raw`[ !#-\[\]-~]+`;

/** A decimal above zero that decimal(38,18) holds; neither digit nor point may follow it. */
export const positive_decimal = String.raw`(?!0(?:\.0*)?[^.\d])(?:0|[1-9]\d{0,19})(?:\.\d{1,18})?`;

/** An integer of JSON, of any size. */
export const integer = String.raw`(?:0|[1-9]\d*)`;

/** An integer that is certainly below 2^63. */
export const trade_id = String.raw`(?:0|[1-9]\d{0,17})`;

/** Milliseconds or microseconds since 1970, certainly an exact number. */
export const epoch = String.raw`[1-8]\d{12}(?:\d{3})?`;

/** `2026-08-22T17:30:53.355059` without its zone; only the month's length is left to judge. */
export const iso_microseconds = String.raw`\d{4}-(?:0[1-9]|1[0-2])-[0-3]\d`.concat(
  String.raw`T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}`,
);
