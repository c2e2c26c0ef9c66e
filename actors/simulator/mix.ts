/**
 * The mixing of bits on which everything random of the simulator and of the simulations rests.
 *
 * @module
 */

/** A bijection of 32 bits in which every input bit moves every output bit. */
export function mix(value: number): number {
  let bits = value ^ (value >>> 16);
  bits = Math.imul(bits, 0x21f0aaad);
  bits ^= bits >>> 15;
  bits = Math.imul(bits, 0x735a2d97);
  return (bits ^ (bits >>> 15)) >>> 0;
}
