/**
 * A market with a history: what faults have done to its trades, remembered for good, because a
 * trade that was once told must be told the same for ever. The socket, REST and the list all read
 * this one market. A halt takes the trades of its time out and closes the ids up, as nothing was
 * traded; skipped ids leave their numbers unused; extreme digits change what a trade costs; hidden
 * trades exist and are only kept from the sockets.
 *
 * @module
 */

import { extremeTrade } from "./extreme_digits.ts";
import type { Instrument } from "./instruments.ts";
import type { IndexRange, Market, SimulatedTrade } from "./trade.ts";

/** A halt by the time it lasts and the trades of the market behind that it swallows. */
interface Halt {
  readonly from_us: number;
  until_us: number;
  readonly from: number;
  to: number;
}

/** A market whose trades faults can change. Costs nothing until one does. */
export class HistoryMarket implements Market {
  readonly instrument: Instrument;
  readonly #behind: Market;
  readonly #halts: Halt[] = [];
  readonly #absent: IndexRange[] = [];
  readonly #extreme: IndexRange[] = [];
  readonly #hidden: { from: number; to: number; readonly share: number }[] = [];
  /** The time that faults were last told. */
  now_us = 0;

  constructor(behind: Market) {
    this.#behind = behind;
    this.instrument = behind.instrument;
  }

  get is_halted(): boolean {
    return this.#halts.some((halt) => halt.from_us <= this.now_us && this.now_us < halt.until_us);
  }

  /** Whether some trades are kept from the sockets. */
  get hides(): boolean {
    return this.#hidden.length > 0;
  }

  indexAt(time_us: number): number {
    const index = this.#behind.indexAt(time_us);
    let swallowed = 0;
    for (const { from, to } of this.#halts) swallowed += Math.max(0, Math.min(index, to) - from);
    return index - swallowed;
  }

  tradesIn(from: number, to: number): SimulatedTrade[] {
    if (this.#halts.length + this.#absent.length + this.#extreme.length === 0)
      return this.#behind.tradesIn(from, to);
    const trades: SimulatedTrade[] = [];
    for (let index = from; index < to; ) {
      const { start, end } = this.#stretch(index, to - index);
      if (!Number.isFinite(start)) break;
      for (const trade of this.#behind.tradesIn(start, end)) {
        const own = this.#ownTrade(trade, index);
        if (own !== undefined) trades.push(own);
        index += 1;
      }
    }
    return trades;
  }

  /** From now on nothing is traded, until a time that may be `Infinity`. */
  halt(from_us: number, until_us: number): void {
    const last = this.#halts.at(-1);
    if (last !== undefined && last.until_us > from_us) return;
    const from = this.#behind.indexAt(from_us);
    this.#halts.push({ from_us, until_us, from, to: this.#indexBehind(until_us) });
  }

  /** Trading goes on now, whatever halts were to last longer. */
  resume(now_us: number): void {
    for (const halt of this.#halts) {
      if (halt.until_us <= now_us) continue;
      halt.until_us = now_us;
      halt.to = this.#indexBehind(now_us);
    }
  }

  /** The exchange skips the ids of the next `count` trades. */
  skip(count: number, now_us: number): void {
    this.#absent.push(this.#next(count, now_us));
  }

  /** The next `count` trades have digits that few readers survive. */
  makeExtreme(count: number, now_us: number): void {
    this.#extreme.push(this.#next(count, now_us));
  }

  /** A share of the trades between two times is kept from the sockets. */
  hide(options: { readonly count: number; readonly share: number; readonly now_us: number }): void {
    const { count, share, now_us } = options;
    this.#hidden.push({ ...this.#next(count, now_us), share });
  }

  /** Nothing that is traded from now on is kept from the sockets. */
  showAll(now_us: number): void {
    const index = this.indexAt(now_us);
    for (const range of this.#hidden) range.to = Math.min(range.to, Math.max(range.from, index));
  }

  /** Whether a trade is kept from the sockets. */
  isHidden(trade_id: number): boolean {
    const index = trade_id - this.instrument.first_trade_id;
    return this.#hidden.some(
      ({ from, to, share }) => index >= from && index < to && shareOf(index) < share,
    );
  }

  /** Whether no trade of the same time stands right before this one. */
  isFirstOfTimestamp(trade_id: number): boolean {
    const index = trade_id - this.instrument.first_trade_id;
    const [before, trade] = this.tradesIn(Math.max(0, index - 1), index + 1);
    return trade === undefined || before?.timestamp !== trade.timestamp;
  }

  #next(count: number, now_us: number): { from: number; to: number } {
    const from = this.indexAt(now_us);
    return { from, to: from + count };
  }

  #indexBehind(time_us: number): number {
    return time_us === Number.POSITIVE_INFINITY ? time_us : this.#behind.indexAt(time_us);
  }

  /** The trades of the market behind that begin at our `index`, up to the next halt. */
  #stretch(index: number, count: number): { readonly start: number; readonly end: number } {
    let start = index;
    for (const { from, to } of this.#halts) {
      if (start < from) return { start, end: Math.min(start + count, from) };
      start += to - from;
    }
    return { start, end: start + count };
  }

  #ownTrade(trade: SimulatedTrade, index: number): SimulatedTrade | undefined {
    if (isWithin(this.#absent, index)) return undefined;
    const trade_id = this.instrument.first_trade_id + index;
    const own = trade.trade_id === trade_id ? trade : { ...trade, trade_id };
    if (!isWithin(this.#extreme, index)) return own;
    return extremeTrade(own, { index, exchange: this.instrument.exchange });
  }
}

function isWithin(ranges: readonly IndexRange[], index: number): boolean {
  return ranges.some(({ from, to }) => index >= from && index < to);
}

/** A number in [0, 1) that is a function of the index alone. */
function shareOf(index: number): number {
  let bits = Math.imul(index ^ (index >>> 16), 0x21f0aaad);
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
  return ((bits ^ (bits >>> 15)) >>> 0) / 4_294_967_296;
}
