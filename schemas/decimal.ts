/**
 * Decimal text into Avro's `decimal(38,18)`: the unscaled integer as two's complement, big-endian,
 * in the fewest bytes (Avro specification, "Decimal"). No float ever holds the value: the digits go
 * into limbs of 24 bits, small enough that a limb times 10^7 is an exact number, and three whole
 * bytes each. BigInt does the same, several times slower, and a trade has two decimals.
 *
 * @module
 */

const precision = 38;

/** Digits after the point in every price and quantity. */
export const scale = 18;

const integer_digits_max = precision - scale;
const limb = 2 ** 24;
// 38 digits are 127 bits: six limbs.
const limbs_max = 6;
const chunk_digits_max = 7;
const powers_of_ten = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7] as const;
// Up to here a further digit keeps the head an exact integer, below 10^15.
const head_limit = 1e14;

// The value being converted, least significant limb first. Conversion is synchronous: one will do.
const limbs = new Float64Array(limbs_max);
let limbs_used = 0;

/**
 * Writes plain decimal text (`64012.34000000`; digits, or digits, a point and digits) as Avro
 * bytes: the length, then the unscaled integer. Bytes beyond the buffer's end are dropped without
 * an error: whoever writes compares the returned offset with the length.
 *
 * @returns The offset after the last byte.
 * @throws {RangeError} where the text is no such number, or does not fit exactly.
 */
export function writeDecimal(text: string, buffer: Uint8Array, offset: number): number {
  readLimbs(text);
  let top = limbs_used - 1;
  while (top > 0 && limbs[top] === 0) top -= 1;
  const top_limb = limbs[top] ?? 0;
  // A byte more where the highest bit would otherwise read as a sign.
  const top_bytes = top_limb < 0x80 ? 1 : top_limb < 0x8000 ? 2 : top_limb < 0x800000 ? 3 : 4;
  let position = offset;
  buffer[position++] = (top_bytes + 3 * top) * 2;
  if (top_bytes === 4) buffer[position++] = 0;
  if (top_bytes >= 3) buffer[position++] = top_limb >> 16;
  if (top_bytes >= 2) buffer[position++] = top_limb >> 8;
  buffer[position++] = top_limb;
  for (let index = top - 1; index >= 0; index -= 1) {
    const value = limbs[index] ?? 0;
    buffer[position++] = value >> 16;
    buffer[position++] = value >> 8;
    buffer[position++] = value;
  }
  return position;
}

/** The text's digits, and zeros up to the scale, as one integer in `limbs`. */
function readLimbs(text: string): void {
  const length = text.length;
  let head = 0;
  let chunk = 0;
  let chunk_digits = 0;
  let digits = 0;
  let point = -1;
  let is_long = false;
  for (let index = 0; index < length; index += 1) {
    const digit = text.charCodeAt(index) - 48;
    if (digit < 0 || digit > 9) {
      if (digit !== -2 || point >= 0 || index === 0) throw notPlain(text);
      point = digits;
      continue;
    }
    // Zeros beyond the scale say nothing; any other digit there cannot be kept.
    if (point >= 0 && digits - point === scale) {
      if (digit !== 0) throw notExact(text);
      continue;
    }
    digits += 1;
    if (!is_long && head < head_limit) {
      head = head * 10 + digit;
      continue;
    }
    if (!is_long) {
      is_long = true;
      setLimbs(head);
    }
    chunk = chunk * 10 + digit;
    chunk_digits += 1;
    if (chunk_digits === chunk_digits_max) {
      multiplyAdd(powers_of_ten[chunk_digits_max], chunk, text);
      chunk = 0;
      chunk_digits = 0;
    }
  }
  if (digits === 0 || text.charCodeAt(length - 1) === 46) throw notPlain(text);
  if (!is_long) setLimbs(head);
  if (chunk_digits > 0) multiplyAdd(powers_of_ten[chunk_digits] ?? 1, chunk, text);
  let zeros = scale - (point < 0 ? 0 : digits - point);
  for (; zeros > chunk_digits_max; zeros -= chunk_digits_max) multiplyAdd(1e7, 0, text);
  if (zeros > 0) multiplyAdd(powers_of_ten[zeros] ?? 1, 0, text);
  refuseBeyondPrecision(text, point < 0 ? digits : point);
}

/** Sets the limbs to an integer below 10^15. */
function setLimbs(value: number): void {
  const rest = Math.floor(value / limb);
  const high = Math.floor(rest / limb);
  limbs[0] = value - rest * limb;
  limbs[1] = rest - high * limb;
  limbs[2] = high;
  limbs_used = high > 0 ? 3 : rest > 0 ? 2 : 1;
}

function multiplyAdd(factor: number, summand: number, text: string): void {
  let carry = summand;
  for (let index = 0; index < limbs_used; index += 1) {
    const product = (limbs[index] ?? 0) * factor + carry;
    carry = Math.floor(product / limb);
    limbs[index] = product - carry * limb;
  }
  if (carry > 0) {
    if (limbs_used === limbs_max) throw notExact(text);
    limbs[limbs_used] = carry;
    limbs_used += 1;
  }
}

/** Digits before the point are counted only where there are many; zeros in front do not count. */
function refuseBeyondPrecision(text: string, integer_digits: number): void {
  if (integer_digits <= integer_digits_max) return;
  for (let index = 0; index < integer_digits - integer_digits_max; index += 1) {
    if (text.charCodeAt(index) !== 48) throw notExact(text);
  }
}

function notPlain(text: string): RangeError {
  return new RangeError(`Cannot encode a decimal: ${JSON.stringify(text)} is not plain digits`);
}

function notExact(text: string): RangeError {
  return new RangeError(`Cannot encode ${text} exactly as decimal(${precision},${scale})`);
}

/** The unscaled integer of Avro's bytes as plain decimal text, without needless zeros. */
export function readDecimal(bytes: Uint8Array): string {
  let unscaled = 0n;
  for (const byte of bytes) unscaled = (unscaled << 8n) | BigInt(byte);
  unscaled = BigInt.asIntN(bytes.length * 8, unscaled);
  const sign = unscaled < 0n ? "-" : "";
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const fraction = digits.slice(-scale).replace(/0+$/, "");
  return `${sign}${digits.slice(0, -scale)}${fraction === "" ? "" : `.${fraction}`}`;
}
