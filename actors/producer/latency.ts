/**
 * Percentiles of a latency in bounded memory: counts in buckets that grow with the value, each at
 * most 3 % wide. Two windows follow one another, so that the figures forget and are never empty
 * just after a change of window.
 *
 * @module
 */

const bits = 5;
const buckets_per_doubling = 2 ** bits;
const value_max = 2 ** 31 - 1;
const buckets = (31 - bits + 1) * buckets_per_doubling;

/** Latencies of the current and of the previous window. */
export class Latency {
  #current = new Uint32Array(buckets);
  #previous = new Uint32Array(buckets);

  /** Counts one latency in microseconds; below zero (a clock that was set) counts as zero. */
  add(latency_us: number): void {
    const index = bucketOf(latency_us);
    this.#current[index] = (this.#current[index] ?? 0) + 1;
  }

  /** Begins the next window and forgets the one before the last. */
  rotate(): void {
    [this.#previous, this.#current] = [this.#current, this.#previous];
    this.#current.fill(0);
  }

  /**
   * The latency that a share of all do not exceed, in microseconds, rounded up to its bucket's
   * end; null where none was counted.
   *
   * @param share From 0 to 1: 0.99 for the 99th percentile.
   */
  percentile(share: number): number | null {
    let total = 0;
    for (let index = 0; index < buckets; index += 1) total += this.#count(index);
    if (total === 0) return null;
    const wanted = Math.max(1, Math.ceil(total * share));
    let seen = 0;
    for (let index = 0; index < buckets; index += 1) {
      seen += this.#count(index);
      if (seen >= wanted) return endOf(index);
    }
    return value_max;
  }

  #count(index: number): number {
    return (this.#current[index] ?? 0) + (this.#previous[index] ?? 0);
  }
}

function bucketOf(latency_us: number): number {
  const value = Math.min(Math.max(Math.floor(latency_us), 0), value_max);
  if (value < buckets_per_doubling) return value;
  const shift = 31 - Math.clz32(value) - bits;
  return shift * buckets_per_doubling + (value >>> shift);
}

/** The largest value of a bucket. */
function endOf(index: number): number {
  if (index < buckets_per_doubling * 2) return index;
  const shift = Math.floor(index / buckets_per_doubling) - 1;
  const start = (index - shift * buckets_per_doubling) * 2 ** shift;
  return start + 2 ** shift - 1;
}
