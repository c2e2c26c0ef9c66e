/**
 * Exchange times as whole microseconds since 1970, UTC.
 *
 * Read from the text, because `Date` keeps milliseconds and a float loses the finer digits. Digits
 * finer than a microsecond are cut, never rounded: a rounded time could fall into the next bar.
 * Only real calendar instants pass: no 30 February, no 25:61, no leap second (a record's time has
 * no room for one). An instant must also be an exact number, which holds from 1684 to 2255.
 *
 * @module
 */

import { readPositiveDecimal } from "./decimal.ts";

const iso_grammar =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))$/;
const days_before_month = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
const days_in_month = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const us_per_second = 1_000_000;
/** Day 0 of year 0 to 1 January 1970, in days. */
const epoch_days = 719_528;

/** A date and a time of day as they are written. */
interface Civil {
  readonly year: number;
  /** From 1. */
  readonly month: number;
  /** From 1. */
  readonly day: number;
  readonly second_of_day: number;
  readonly microsecond: number;
}

/**
 * Microseconds of an ISO 8601 instant, `2026-08-22T17:30:53.355059Z`, or of one with an offset,
 * which is converted. Undefined where it is none.
 */
export function microsecondsFromIso(text: string): number | undefined {
  const match = iso_grammar.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = "", sign, off_hour, off_minute] =
    match;
  const second_of_day = secondOfDay(Number(hour), Number(minute), Number(second));
  const offset = secondOfDay(Number(off_hour ?? 0), Number(off_minute ?? 0), 0);
  if (second_of_day === undefined || offset === undefined) return undefined;
  return microsecondsOf({
    year: Number(year),
    month: Number(month),
    day: Number(day),
    second_of_day: sign === "-" ? second_of_day + offset : second_of_day - offset,
    microsecond: Number(fraction.slice(0, 6).padEnd(6, "0")),
  });
}

/**
 * Microseconds of `2026-08-22T17:30:53.355059`, which must stand at `start` in exactly these
 * digits with hours, minutes and seconds in range, as a regular expression has established.
 * Undefined where the month has no such day. Reads characters in place: this is the hot path.
 */
export function microsecondsAt(text: string, start: number): number | undefined {
  const hour = twoDigits(text, start + 11);
  const minute = twoDigits(text, start + 14);
  return microsecondsOf({
    year: twoDigits(text, start) * 100 + twoDigits(text, start + 2),
    month: twoDigits(text, start + 5),
    day: twoDigits(text, start + 8),
    second_of_day: (hour * 60 + minute) * 60 + twoDigits(text, start + 17),
    microsecond:
      (twoDigits(text, start + 20) * 100 + twoDigits(text, start + 22)) * 100 +
      twoDigits(text, start + 24),
  });
}

/**
 * Microseconds of an integer that counts from 1970 in milliseconds (13 digits) or microseconds
 * (16): which one depends on the URL that asked, and the digits tell. Undefined for any other.
 */
export function microsecondsFromEpoch(digits: string): number | undefined {
  if (!/^[1-9]\d{12}(?:\d{3})?$/.test(digits)) return undefined;
  return exactInstant(digits.length === 13 ? Number(digits) * 1000 : Number(digits));
}

/** Microseconds of a count of seconds since 1970 with a fraction, `1762795433.9717445`. */
export function microsecondsFromSeconds(lexeme: string): number | undefined {
  const decimal = readPositiveDecimal(lexeme);
  if (decimal.kind === "fault") return undefined;
  const [whole = "", fraction = ""] = decimal.text.split(".");
  const microsecond = Number(fraction.slice(0, 6).padEnd(6, "0"));
  return exactInstant(Number(whole) * us_per_second + microsecond);
}

function secondOfDay(hour: number, minute: number, second: number): number | undefined {
  return hour < 24 && minute < 60 && second < 60 ? (hour * 60 + minute) * 60 + second : undefined;
}

function microsecondsOf({ year, month, day, second_of_day, microsecond }: Civil) {
  const is_leap_year = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  if (day < 1 || day > (days_in_month[month - 1] ?? 0)) return undefined;
  if (month === 2 && day === 29 && !is_leap_year) return undefined;
  // Leap days of the years that are over, this year's included once February is.
  const leap_year = month <= 2 ? year - 1 : year;
  const leap_days =
    Math.trunc(leap_year / 4) - Math.trunc(leap_year / 100) + Math.trunc(leap_year / 400);
  const month_days = days_before_month[month - 1] ?? 0;
  const days = year * 365 + leap_days + month_days + day - epoch_days;
  return exactInstant((days * 86_400 + second_of_day) * us_per_second + microsecond);
}

function exactInstant(microseconds: number): number | undefined {
  return Number.isSafeInteger(microseconds) ? microseconds : undefined;
}

function twoDigits(text: string, at: number): number {
  return text.charCodeAt(at) * 10 + text.charCodeAt(at + 1) - 528;
}
