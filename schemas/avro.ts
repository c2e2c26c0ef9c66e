/**
 * Avro's primitives and Confluent's framing, written straight into a buffer: what the encoders of
 * the hot path are made of (Avro specification, "Binary Encoding").
 *
 * Bytes beyond a buffer's end are dropped by typed arrays without an error, so none of these asks
 * for room: they return the offset at which they would have ended, and whoever calls compares it
 * with the buffer's length once, at the record's end.
 *
 * @module
 */

/** Up to here a string's length fits into one byte, and a loop beats a call of `write`. */
const short_string_chars = 64;

/** Most bytes that Avro takes for a length below 2^34. */
const length_bytes_max = 5;

/** Most bytes that one UTF-16 unit of a string takes in UTF-8. */
const unit_bytes_max = 3;

/** Confluent's wire format: a zero byte, the schema id in four bytes, big-endian. */
export function writeFraming(schema_id: number, buffer: Uint8Array, offset: number): number {
  buffer[offset] = 0;
  buffer[offset + 1] = schema_id >>> 24;
  buffer[offset + 2] = schema_id >>> 16;
  buffer[offset + 3] = schema_id >>> 8;
  buffer[offset + 4] = schema_id;
  return offset + 5;
}

/** A string; made for short ones of ASCII. */
export function writeString(text: string, buffer: Buffer, offset: number): number {
  const length = text.length;
  if (length >= short_string_chars) return writeLongString(text, buffer, offset);
  buffer[offset] = length * 2;
  let position = offset + 1;
  for (let index = 0; index < length; index += 1) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) return writeLongString(text, buffer, offset);
    buffer[position++] = code;
  }
  return position;
}

/** A string of any length: counted first, and not written where it does not fit. */
function writeLongString(text: string, buffer: Buffer, offset: number): number {
  const bytes = Buffer.byteLength(text);
  const position = writeLong(bytes, buffer, offset);
  if (position + bytes <= buffer.length) buffer.write(text, position);
  return position + bytes;
}

/**
 * A string or its bytes, as Avro's `string` and `bytes` both are: the length in bytes, then the
 * bytes. Made for long texts: most are ASCII, so the length is guessed, the text is written once,
 * and moved in the rare case that the guess was wrong.
 */
export function writeText(text: string, buffer: Buffer, offset: number): number {
  const units = text.length;
  const room = buffer.length - offset - length_bytes_max;
  // Where it may not fit, `write` would cut it without a word.
  if (room < units * unit_bytes_max) return writeLongString(text, buffer, offset);
  const start = writeLong(units, buffer, offset);
  const bytes = buffer.write(text, start);
  if (bytes === units) return start + bytes;
  const moved = writeLong(bytes, buffer, offset);
  if (moved === start) return start + bytes;
  // The longer length has overwritten the text's first byte.
  return writeLongString(text, buffer, offset);
}

/** Copies byte by byte: for some forty bytes a loop is cheaper than a call of `set`. */
export function writeBytes(bytes: Uint8Array, buffer: Uint8Array, offset: number): number {
  const length = bytes.length;
  for (let index = 0; index < length; index += 1) buffer[offset + index] = bytes[index] ?? 0;
  return offset + length;
}

/** Strings one after the other, as bytes to be copied. */
export function encodeStrings(texts: readonly string[]): Uint8Array {
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + length_bytes_max, 0);
  const buffer = Buffer.alloc(bytes);
  let position = 0;
  for (const text of texts) position = writeString(text, buffer, position);
  return buffer.subarray(0, position);
}

/**
 * A long, zigzag, in groups of seven bits from the least significant.
 *
 * @throws {RangeError} where it is no exact integer.
 */
export function writeLong(value: number, buffer: Uint8Array, offset: number): number {
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`Cannot encode ${value} as a long: it is no exact integer`);
  }
  const magnitude = value < 0 ? -value - 1 : value;
  let rest = Math.floor(magnitude / 64);
  let position = offset;
  let group = (magnitude - rest * 64) * 2 + (value < 0 ? 1 : 0);
  // Bit operators cut at 32 bits, so four groups at a time are split off by division.
  while (rest >= 2 ** 28) {
    const high = Math.floor(rest / 2 ** 28);
    let low = rest - high * 2 ** 28;
    for (let count = 0; count < 4; count += 1) {
      buffer[position++] = group | 0x80;
      group = low & 0x7f;
      low >>>= 7;
    }
    rest = high;
  }
  while (rest > 0) {
    buffer[position++] = group | 0x80;
    group = rest & 0x7f;
    rest >>>= 7;
  }
  buffer[position++] = group;
  return position;
}
