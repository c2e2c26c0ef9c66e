/**
 * Whether the outbox is full, with a memory: full at three quarters of the bound, relieved at
 * half. What closes its sockets because of it needs the room between the two to settle, and the
 * last quarter takes what is already on its way.
 *
 * @module
 */

import type { PressureListener } from "../messages.ts";

const full_share = 0.75;
const relieved_share = 0.5;

/** The state of pressure and its listeners. */
export class Pressure {
  readonly #listeners = new Set<PressureListener>();
  readonly #bytes_max: number;
  #is_full = false;

  constructor(bytes_max: number) {
    this.#bytes_max = bytes_max;
  }

  get is_full(): boolean {
    return this.#is_full;
  }

  /** Adds a listener, which is told at once where it is already full; returns its removal. */
  listen(listener: PressureListener): () => void {
    this.#listeners.add(listener);
    if (this.#is_full) listener.full();
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Takes the bytes now held; listeners hear only of a change. */
  update(bytes: number): void {
    if (!this.#is_full && bytes >= this.#bytes_max * full_share) {
      this.#is_full = true;
      for (const listener of this.#listeners) listener.full();
    } else if (this.#is_full && bytes <= this.#bytes_max * relieved_share) {
      this.#is_full = false;
      for (const listener of this.#listeners) listener.relieved();
    }
  }
}
