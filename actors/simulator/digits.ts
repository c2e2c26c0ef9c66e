/**
 * Decimal texts, exact: a binary float never holds a price on its way to the wire, because the
 * simulator's digits are what everything downstream is compared with.
 *
 * @module
 */

/** Writes `units` x 10^-`decimals` with exactly that many digits after the point. */
export function decimalText(units: number, decimals: number): string {
  if (decimals === 0) return String(units);
  const digits = String(units).padStart(decimals + 1, "0");
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** Adds zeros until `decimals` digits stand after the point: Binance's form, and Kraken's REST. */
export function withDecimals(text: string, decimals: number): string {
  const point = text.indexOf(".");
  if (point < 0) return `${text}.${"0".repeat(decimals)}`;
  return text + "0".repeat(Math.max(0, decimals - (text.length - point - 1)));
}

/** Drops trailing zeros but one: Kraken's WebSocket writes `77120.0` and `0.0084064`. */
export function withoutTrailingZeros(text: string): string {
  if (!text.includes(".")) return `${text}.0`;
  let end = text.length;
  while (text[end - 1] === "0" && text[end - 2] !== ".") end -= 1;
  return text.slice(0, end);
}

/** The product of two plain decimals, cut (not rounded) to `decimals` digits after the point. */
export function productText(a: string, b: string, decimals: number): string {
  const product = BigInt(a.replace(".", "")) * BigInt(b.replace(".", ""));
  const surplus = decimalsOf(a) + decimalsOf(b) - decimals;
  const units = surplus >= 0 ? product / 10n ** BigInt(surplus) : product * 10n ** BigInt(-surplus);
  const digits = String(units).padStart(decimals + 1, "0");
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

function decimalsOf(text: string): number {
  const point = text.indexOf(".");
  return point < 0 ? 0 : text.length - point - 1;
}

/** A decimal without its exponent: `4e-8` becomes `0.00000004`; other texts stay as they are. */
export function plainText(text: string): string {
  const [, whole, fraction = "", exponent] = /^(\d+)(?:\.(\d+))?e-(\d+)$/.exec(text) ?? [];
  if (whole === undefined) return text;
  const decimals = fraction.length + Number(exponent);
  const digits = (whole + fraction).padStart(decimals + 1, "0");
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}
