/**
 * The default tape: recorded trades played in a loop from the epoch on, with their own prices,
 * sizes, sides and rhythm. Only ids and times move: ids go on densely from the instrument's first
 * id, and a loop lasts the recorded span plus one mean gap, so that the seam looks like any other
 * gap. `tape/SOURCE.md` says where the recordings are from.
 *
 * @module
 */

import { withoutTrailingZeros } from "./digits.ts";
import type { Instrument } from "./instruments.ts";
import { epoch_us, type Market, type SimulatedTrade } from "./trade.ts";

/** One recorded trade, its time told from the first trade of its recording. */
export interface TapeTrade {
  readonly offset_us: number;
  readonly tail_ns: number;
  readonly price: string;
  readonly quantity: string;
  readonly side: "BUY" | "SELL";
  readonly order_type: "limit" | "market";
}

/** The recordings that `tape/` holds, by file name. */
export type TapeName = "binance_btcusdt" | "kraken_xbtusdt";

/**
 * Reads `id,price,qty,time_us,is_buyer_maker`. A buyer who is the maker makes the taker a seller.
 *
 * @throws {Error} if a line does not have this form.
 */
export function parseBinanceTape(text: string): TapeTrade[] {
  let first_us: number | undefined;
  return rowsOf(text).map(({ price, quantity, rest: [time_us, is_buyer_maker] }) => {
    const recorded_us = Number(time_us);
    first_us ??= recorded_us;
    return {
      offset_us: recorded_us - first_us,
      tail_ns: 0,
      price,
      quantity,
      side: is_buyer_maker === "true" ? "SELL" : "BUY",
      order_type: "market",
    };
  });
}

/**
 * Reads `id,price,qty,time_s,side,ord_type`, whose seconds have up to 7 digits after the point.
 * REST pads its decimals, the WebSocket does not: the trades get the WebSocket's form.
 *
 * @throws {Error} if a line does not have this form.
 */
export function parseKrakenTape(text: string): TapeTrade[] {
  let first: { readonly seconds: number; readonly fraction: number } | undefined;
  return rowsOf(text).map(({ price, quantity, rest: [time_s, side, order_type] }) => {
    const [seconds = "", fraction = ""] = (time_s ?? "").split(".");
    const recorded = { seconds: Number(seconds), fraction: Number(fraction.padEnd(7, "0")) };
    first ??= recorded;
    // In units of 100 ns, taken apart because seconds x 10^7 would leave the exact integers.
    const offset =
      (recorded.seconds - first.seconds) * 10_000_000 + recorded.fraction - first.fraction;
    return {
      offset_us: Math.floor(offset / 10),
      tail_ns: (offset % 10) * 100,
      price: withoutTrailingZeros(price),
      quantity: withoutTrailingZeros(quantity),
      side: side === "b" ? "BUY" : "SELL",
      order_type: order_type === "m" ? "market" : "limit",
    };
  });
}

function rowsOf(text: string): { price: string; quantity: string; rest: string[] }[] {
  const [, ...lines] = text.trimEnd().split("\n");
  return lines.map((line) => {
    const [, price, quantity, ...rest] = line.split(",");
    if (price === undefined || quantity === undefined || rest.length < 2)
      throw new Error(`Cannot read a tape as a line is not a trade: ${line}`);
    return { price, quantity, rest };
  });
}

/** How long one loop of a tape lasts: the recorded span and one mean gap, whole microseconds. */
export function loopDurationUs(tape: readonly TapeTrade[]): number {
  const span_us = tape.at(-1)?.offset_us ?? 0;
  return span_us + Math.max(1, Math.round(span_us / Math.max(1, tape.length - 1)));
}

/**
 * Plays a tape as a market, for ever.
 *
 * @throws {RangeError} if the tape is empty.
 */
export function tapeMarket(instrument: Instrument, tape: readonly TapeTrade[]): Market {
  if (tape.length === 0) throw new RangeError("Cannot play a tape as it holds no trade");
  const duration_us = loopDurationUs(tape);
  return {
    instrument,
    indexAt(time_us) {
      if (time_us < epoch_us) return 0;
      const loop = Math.floor((time_us - epoch_us) / duration_us);
      return loop * tape.length + countUpTo(tape, time_us - epoch_us - loop * duration_us);
    },
    tradesIn(from, to) {
      const trades: SimulatedTrade[] = [];
      for (let index = from; index < to; index += 1) {
        const loop = Math.floor(index / tape.length);
        const recorded = tape[index - loop * tape.length];
        if (recorded === undefined) throw new RangeError(`Cannot play trade ${index} of a tape`);
        const { offset_us, ...trade } = recorded;
        trades.push({
          ...trade,
          trade_id: instrument.first_trade_id + index,
          timestamp: epoch_us + loop * duration_us + offset_us,
        });
      }
      return trades;
    },
  };
}

function countUpTo(tape: readonly TapeTrade[], offset_us: number): number {
  let low = 0;
  let high = tape.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((tape[middle]?.offset_us ?? 0) <= offset_us) low = middle + 1;
    else high = middle;
  }
  return low;
}
