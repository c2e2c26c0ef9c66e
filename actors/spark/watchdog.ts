/**
 * Notices a driver that is up but makes no progress: its main thread sends no heartbeat, or a query
 * does not even repeat its figures. It counts looks, one a second, and not milliseconds: while this
 * process itself was stopped, or the machine asleep, nobody could have heard the driver.
 *
 * @module
 */

/** The driver sends a heartbeat every 5 s. */
const heartbeat_looks_max = 30;
/**
 * A query without new data repeats its figures every few seconds, and one at work tells of each
 * step; on a busy machine one step may take minutes.
 */
const query_looks_max = 300;

/** Looks once a second at a driver that serves. */
export class Watchdog {
  #heartbeat_looks = 0;
  /** Looks since each query has said something; empty until the driver serves. */
  readonly #query_looks = new Map<string, number>();
  #is_serving = false;

  /** The driver serves, and these queries run. */
  begin(queries: readonly string[]): void {
    this.#is_serving = true;
    for (const query of queries) this.#query_looks.set(query, 0);
  }

  /** The driver's main thread has said that it lives. */
  heard(): void {
    this.#heartbeat_looks = 0;
  }

  /** A query has said something of itself. */
  heardOf(query: string): void {
    if (this.#query_looks.has(query)) this.#query_looks.set(query, 0);
  }

  /** Looks; returns in one clause what is stuck, or null. */
  look(): string | null {
    if (!this.#is_serving) return null;
    this.#heartbeat_looks += 1;
    if (this.#heartbeat_looks > heartbeat_looks_max) {
      return `the driver has sent no heartbeat for ${heartbeat_looks_max} s`;
    }
    for (const [query, looks] of this.#query_looks) {
      this.#query_looks.set(query, looks + 1);
      if (looks >= query_looks_max) {
        return `${query} has said nothing for ${query_looks_max} s`;
      }
    }
    return null;
  }
}
