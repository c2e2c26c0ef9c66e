/**
 * Up to where everything is settled. Batches have positions in the order in which they were
 * closed, and are settled in any order; a refused record's dead letter keeps its batch's position
 * open until it is settled itself. What is durable elsewhere (the cursor of each symbol) may only
 * follow the position up to which nothing is open.
 *
 * @module
 */

/** Positions that were taken, from 1, and those that are settled. */
export class Settlement {
  /** Position -> how much of it is open; ascending, because nothing is added behind the last. */
  readonly #open = new Map<number, number>();
  #last = 0;

  /** The position that was taken last; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /** The largest position up to which everything is settled. */
  get through(): number {
    const first = this.#open.keys().next();
    return first.done === true ? this.#last : first.value - 1;
  }

  /** Takes the next position, which is open until it is settled. */
  take(): number {
    this.#last += 1;
    this.#open.set(this.#last, 1);
    return this.#last;
  }

  /**
   * An open position is to be settled once more.
   *
   * @throws {Error} where it is not open.
   */
  hold(position: number): void {
    this.#open.set(position, this.#parts(position) + 1);
  }

  /**
   * One part of an open position is settled.
   *
   * @throws {Error} where it is not open.
   */
  settle(position: number): void {
    const parts = this.#parts(position);
    if (parts === 1) this.#open.delete(position);
    else this.#open.set(position, parts - 1);
  }

  #parts(position: number): number {
    const parts = this.#open.get(position);
    if (parts === undefined) throw new Error(`Position ${position} is not open`);
    return parts;
  }
}
