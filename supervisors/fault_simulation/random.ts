/**
 * All chance of a run, from one seed. Each part of the world draws from a stream of its own, so
 * that what one part draws more of changes nothing for the others.
 *
 * @module
 */

import { mix } from "../../actors/simulator/mix.ts";

/** A stream of numbers. */
export class Random {
  #state: number;

  /** @param seed Any integer. */
  constructor(seed: number) {
    this.#state = mix((seed ^ Math.floor(seed / 2 ** 32)) >>> 0);
  }

  /** A further stream, by name: it depends on the seed and the name alone. */
  fork(name: string): Random {
    let hash = this.#state;
    for (let index = 0; index < name.length; index += 1) hash = mix(hash ^ name.charCodeAt(index));
    return new Random(hash);
  }

  /** A number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    return mix(this.#state) / 2 ** 32;
  }

  /** Whether something of that probability happens. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** A number from `min` up to and without `max`. */
  between(min: number, max: number): number {
    return min + this.next() * (max - min);
  }

  /** A whole number from `min` to `max`, both inclusive. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** A number from `min` to `max` whose order of magnitude is uniform: small ones are as likely. */
  magnitude(min: number, max: number): number {
    return min * (max / min) ** this.next();
  }

  /**
   * One of several.
   *
   * @throws {RangeError} where there is none.
   */
  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.integer(0, items.length - 1)];
    if (item === undefined) throw new RangeError("Cannot pick from nothing");
    return item;
  }

  /** Each of several with a probability, in their order. */
  some<Item>(items: readonly Item[], probability: number): readonly Item[] {
    return items.filter(() => this.chance(probability));
  }
}
