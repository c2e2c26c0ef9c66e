/**
 * A world in virtual time: what is to happen stands in one queue, ordered by its time, and time
 * jumps from one event to the next. Promises are settled between events (`drainMicrotasks`), so
 * that a run is one synchronous call without a turn of the host's loop, and the same seed gives
 * the same history, byte for byte.
 *
 * @module
 */

import { drainMicrotasks } from "bun:jsc";

/** Whether something still lives: what it has ordered does not happen after its death. */
export interface Life {
  readonly is_alive: boolean;
}

interface Happening {
  readonly at_us: number;
  /** Among those of one time, the one that was ordered first happens first. */
  readonly order: number;
  readonly life: Life;
  readonly happen: () => void;
  is_cancelled: boolean;
}

/** What stands in the queue at once: more than this is a leak. */
const happenings_max = 20_000;
/** A history that goes on for ever is cut: the end is what counts. */
const history_lines_max = 200_000;

/** More than this happens at one instant only where something goes in circles. */
const at_once_max = 100_000;

/** The world itself lives as long as the run. */
export const everlasting: Life = { is_alive: true };

/** Virtual time, what is to happen, and what has happened. */
export class World {
  /** Wall clock, microseconds since 1970. */
  now_us: number;
  readonly started_us: number;
  readonly #queue: Happening[] = [];
  readonly #lines: string[] = [];
  #ordered = 0;
  /** Happenings of the present instant. */
  #at_once = 0;
  #violation: string | null = null;

  constructor(started_us: number) {
    this.started_us = started_us;
    this.now_us = started_us;
  }

  /** Virtual seconds since the world began. */
  get seconds(): number {
    return (this.now_us - this.started_us) / 1e6;
  }

  /** What was broken first; null where all has held. */
  get violation(): string | null {
    return this.#violation;
  }

  /** Everything that was noted, in order. */
  get history(): readonly string[] {
    return this.#lines;
  }

  /** Notes what happens. */
  note(line: string): void {
    if (this.#lines.length >= history_lines_max) this.#lines.splice(0, history_lines_max / 2);
    this.#lines.push(`${this.seconds.toFixed(6).padStart(12)} ${line}`);
  }

  /** Something must never be and is: the run ends. The first such thing is told. */
  violate(what: string): void {
    this.note(`VIOLATION ${what}`);
    this.#violation ??= what;
  }

  /** Orders what is to happen after a delay; what it returns takes the order back. */
  after(delay_us: number, life: Life, happen: () => void): () => void {
    const at_us = this.now_us + Math.max(0, Math.ceil(delay_us));
    const happening: Happening = {
      at_us,
      order: this.#ordered,
      life,
      happen,
      is_cancelled: false,
    };
    this.#ordered += 1;
    push(this.#queue, happening);
    if (this.#queue.length > happenings_max) this.violate("orders heap up: something leaks");
    return () => {
      happening.is_cancelled = true;
    };
  }

  /**
   * Lets things happen until that time, or until something is violated.
   *
   * @param until.isOver Asked after each event.
   * @param until.onEscape What a happening throws; its life may have ended by it.
   */
  run(until: {
    readonly at_us: number;
    readonly isOver: () => boolean;
    readonly onEscape: (error: unknown, life: Life) => void;
  }): void {
    while (this.#violation === null && !until.isOver()) {
      const next = this.#queue[0];
      if (next === undefined || next.at_us > until.at_us) {
        this.now_us = Math.max(this.now_us, until.at_us);
        return;
      }
      pop(this.#queue);
      if (next.is_cancelled || !next.life.is_alive) continue;
      if (next.at_us > this.now_us) this.#at_once = 0;
      this.now_us = Math.max(this.now_us, next.at_us);
      this.#at_once += 1;
      if (this.#at_once > at_once_max) this.violate("time stands still: something goes in circles");
      try {
        next.happen();
      } catch (error) {
        until.onEscape(error, next.life);
      }
      drainMicrotasks();
    }
  }
}

function isBefore(one: Happening, other: Happening): boolean {
  return one.at_us === other.at_us ? one.order < other.order : one.at_us < other.at_us;
}

/** Adds to a heap whose first is the earliest. */
function push(heap: Happening[], happening: Happening): void {
  let place = heap.length;
  heap.push(happening);
  while (place > 0) {
    const parent_place = (place - 1) >>> 1;
    const parent = heap[parent_place];
    if (parent === undefined || !isBefore(happening, parent)) break;
    heap[place] = parent;
    place = parent_place;
  }
  heap[place] = happening;
}

/** Takes the earliest out of a heap. */
function pop(heap: Happening[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let place = 0;
  for (;;) {
    let child_place = 2 * place + 1;
    let child = heap[child_place];
    const right = heap[child_place + 1];
    if (child !== undefined && right !== undefined && isBefore(right, child)) {
      child_place += 1;
      child = right;
    }
    if (child === undefined || !isBefore(child, last)) break;
    heap[place] = child;
    place = child_place;
  }
  heap[place] = last;
}
