/**
 * Bars computed a second time, as the judge of those that Spark computes: from trades alone, by
 * plain loops over exact integers. Pure.
 *
 * @module
 */

import type { TradeRecord } from "../../schemas/mod.ts";
import { minute_us } from "./lake_records.ts";

/** What is known of a market. Times are microseconds since 1970, null while not known. */
export interface Knowledge {
  readonly from_us: number | null;
  readonly confirmed_us: number | null;
  /** From and to, both inclusive, of gaps that are open or unfillable. */
  readonly brackets: readonly (readonly [number, number])[];
}

/** A bar; decimals are integers of 10^-18. */
export interface Bar {
  readonly exchange: string;
  readonly symbol: string;
  readonly native_symbol: string;
  readonly interval: string;
  readonly start_us: number;
  readonly end_us: number;
  readonly open: bigint;
  readonly high: bigint;
  readonly low: bigint;
  readonly close: bigint;
  readonly volume: bigint;
  readonly quote_volume: bigint;
  readonly vwap: bigint;
  readonly trade_count: number;
  readonly first_trade_id: string;
  readonly last_trade_id: string;
}

/** Intervals by their length in minutes. */
const interval_minutes = {
  "1m": 1,
  "5m": 5,
  "15m": 15,
  "30m": 30,
  "1h": 60,
  "4h": 240,
  "1d": 1440,
};

const places = 18;
const one = 10n ** BigInt(places);

/** Plain decimal text as an integer of 10^-18. */
export function unscaled(text: string): bigint {
  const [whole = "", fraction = ""] = text.split(".");
  if (fraction.length > places) throw new RangeError(`${text} has more than ${places} decimals`);
  return BigInt(`${whole}${fraction.padEnd(places, "0")}`);
}

/** An integer of 10^-18 as text with all of its decimals. */
export function decimalText(value: bigint): string {
  const digits = value.toString().padStart(places + 1, "0");
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

/** price x quantity, which must be exact. */
export function quoteQuantity({ price, quantity }: TradeRecord): bigint {
  const product = unscaled(price) * unscaled(quantity);
  if (product % one !== 0n) throw new RangeError(`${price} x ${quantity} is not exact`);
  return product / one;
}

/** The bars of every interval, each trade once. */
export function barsOf(trades: Iterable<TradeRecord>): readonly Bar[] {
  const once = new Map([...trades].map((trade) => [trade.message_id, trade]));
  return Object.entries(interval_minutes).flatMap(([interval, minutes]) => {
    const length_us = minutes * minute_us;
    const windows = Map.groupBy(once.values(), ({ exchange, native_symbol, timestamp }) =>
      [exchange, native_symbol, Math.floor(timestamp / length_us)].join("|"),
    );
    return [...windows.values()].map((members) => barOf(members, interval, length_us));
  });
}

function barOf(members: readonly TradeRecord[], interval: string, length_us: number): Bar {
  const trades = members.toSorted(
    (a, b) => a.timestamp - b.timestamp || Number(BigInt(a.trade_id) - BigInt(b.trade_id)),
  );
  const [first, last] = [trades[0]!, trades.at(-1)!];
  const prices = trades.map(({ price }) => unscaled(price));
  const rising = prices.toSorted((a, b) => (a < b ? -1 : 1));
  const volume = trades.reduce((sum, { quantity }) => sum + unscaled(quantity), 0n);
  const quote_volume = trades.reduce((sum, trade) => sum + quoteQuantity(trade), 0n);
  const start_us = Math.floor(first.timestamp / length_us) * length_us;
  return {
    exchange: first.exchange,
    symbol: first.symbol,
    native_symbol: first.native_symbol,
    interval,
    start_us,
    end_us: start_us + length_us,
    open: prices[0]!,
    high: rising.at(-1)!,
    low: rising[0]!,
    close: prices.at(-1)!,
    volume,
    quote_volume,
    // Rounded half up; everything is above zero.
    vwap: (2n * quote_volume * one + volume) / (2n * volume),
    trade_count: trades.length,
    first_trade_id: first.trade_id,
    last_trade_id: last.trade_id,
  };
}

/** Whether no trade of the window is missing or still to come, by what is known of its market. */
export function isComplete({ start_us, end_us }: Bar, known: Knowledge | undefined): boolean {
  if (known === undefined || known.from_us === null || known.confirmed_us === null) return false;
  return (
    known.from_us <= start_us &&
    end_us <= known.confirmed_us &&
    !known.brackets.some(([from_us, to_us]) => from_us < end_us && to_us >= start_us)
  );
}
