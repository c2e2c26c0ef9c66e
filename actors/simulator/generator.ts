/**
 * Trades without a recording, and trades for load: trade k is a pure function of (seed, market, k).
 *
 * Time is cut into blocks of 64 trades of equal length. Within a block the gaps are exponential
 * and scaled to fill it, which is a Poisson process told its count: bursts and lulls as in a real
 * market, yet the block of any k or of any instant is found by one division. One gap in five is
 * zero: a taker's order that met several makers, fills of one side at one time, a tick apart.
 * Prices are a sum of slow sines of the time, so that they wander and never leave their range.
 *
 * @module
 */

import { decimalText, withDecimals, withoutTrailingZeros } from "./digits.ts";
import type { Instrument } from "./instruments.ts";
import { mix } from "./mix.ts";
import { epoch_us, type Market, type SimulatedTrade } from "./trade.ts";

const trades_per_block = 64;
const shared_time_share = 0.2;

/** Relative swing and period of each wave of a price. */
const waves = [
  { swing: 0.02, period_s: 86_400 },
  { swing: 0.008, period_s: 7_200 },
  { swing: 0.003, period_s: 900 },
  { swing: 0.001, period_s: 120 },
] as const;

/** Which of a trade's independent random numbers is meant. */
const lanes = {
  gap: 1,
  gap_after_block: 2,
  side: 3,
  order_type: 4,
  price: 5,
  quantity: 6,
  wave: 7,
  tail: 8,
} as const;

/** Highest rate of one market: below it a block still lasts 64 us. */
export const trades_per_second_max = 1_000_000;

/**
 * A generated market.
 *
 * @param options.seed Any integer; another seed is another market.
 * @param options.trades_per_second Held exactly over whole blocks, up to their length's rounding
 * to microseconds.
 * @throws {RangeError} if the rate is not above 0 and at most `trades_per_second_max`.
 */
export function generatedMarket(
  instrument: Instrument,
  options: { readonly seed: number; readonly trades_per_second: number },
): Market {
  const { trades_per_second } = options;
  if (!(trades_per_second > 0 && trades_per_second <= trades_per_second_max)) {
    throw new RangeError(
      `Cannot generate trades as trades_per_second must be above 0 and at most ` +
        `${trades_per_second_max}: current value is ${trades_per_second}`,
    );
  }
  const block_us = Math.round((trades_per_block * 1_000_000) / trades_per_second);
  const name = `${instrument.exchange}:${instrument.native_symbol}`;
  const salt = hashText(name, options.seed);
  const tradeOf = tradeMaker(instrument, salt);

  return {
    instrument,
    indexAt(time_us) {
      if (time_us < epoch_us) return 0;
      const block = Math.floor((time_us - epoch_us) / block_us);
      const { times } = blockOf({ block, block_us, salt });
      let count = 0;
      while (count < trades_per_block && (times[count] ?? 0) <= time_us) count += 1;
      return block * trades_per_block + count;
    },
    tradesIn(from, to) {
      const trades: SimulatedTrade[] = [];
      for (let index = from; index < to; ) {
        const block = Math.floor(index / trades_per_block);
        const { times, runs } = blockOf({ block, block_us, salt });
        const start = block * trades_per_block;
        for (; index < to && index < start + trades_per_block; index += 1) {
          const timestamp = times[index - start] ?? 0;
          trades.push(tradeOf({ index, timestamp, run: runs[index - start] ?? 0 }));
        }
      }
      return trades;
    },
  };
}

/** The times of a block's trades, and how many trades of the same order stand before each. */
function blockOf(options: {
  readonly block: number;
  readonly block_us: number;
  readonly salt: number;
}): { readonly times: Float64Array; readonly runs: Uint8Array } {
  const { block, block_us, salt } = options;
  const times = new Float64Array(trades_per_block);
  const runs = new Uint8Array(trades_per_block);
  let total = 0;
  for (let position = 0; position < trades_per_block; position += 1) {
    const u = uniform(salt, block * trades_per_block + position, lanes.gap);
    if (position === 0) total += gapOf(u);
    else if (u < shared_time_share) runs[position] = (runs[position - 1] ?? 0) + 1;
    // What is left of the number after the shared times is uniform again.
    else total += gapOf((u - shared_time_share) / (1 - shared_time_share));
    times[position] = total;
  }
  total += gapOf(uniform(salt, block, lanes.gap_after_block));
  const start_us = epoch_us + block * block_us;
  for (let position = 0; position < trades_per_block; position += 1)
    times[position] = start_us + Math.floor((block_us * (times[position] ?? 0)) / total);
  return { times, runs };
}

/** An exponential gap of mean 1 from a uniform number in [0, 1). */
function gapOf(u: number): number {
  return -Math.log(1 - u);
}

function tradeMaker(instrument: Instrument, salt: number) {
  const { first_trade_id, price, price_decimals, quantity, quantity_decimals } = instrument;
  const phases = waves.map((_, index) => uniform(salt, index, lanes.wave));
  const write = digitsOf(instrument);

  function middleAt(timestamp: number): number {
    const seconds = (timestamp - epoch_us) / 1_000_000;
    let swing = 0;
    for (const [index, wave] of waves.entries())
      swing +=
        wave.swing * Math.sin(2 * Math.PI * (seconds / wave.period_s + (phases[index] ?? 0)));
    return price * (1 + swing);
  }

  return ({ index, timestamp, run }: { index: number; timestamp: number; run: number }) => {
    // Fills of one order agree with its first fill in everything but size and one tick of price.
    const first = index - run;
    const side = uniform(salt, first, lanes.side) < 0.5 ? "BUY" : "SELL";
    const noise = 1 + (uniform(salt, first, lanes.price) - 0.5) * 0.0001;
    const ticks =
      Math.round(middleAt(timestamp) * noise * 10 ** price_decimals) +
      (side === "BUY" ? run : -run);
    const size = quantity * 10 ** (3 * uniform(salt, index, lanes.quantity) - 2);
    return {
      trade_id: first_trade_id + index,
      timestamp,
      tail_ns: Math.floor(uniform(salt, timestamp, lanes.tail) * 10) * 100,
      price: write(Math.max(1, ticks), price_decimals),
      quantity: write(Math.max(1, Math.round(size * 10 ** quantity_decimals)), quantity_decimals),
      side,
      order_type: uniform(salt, first, lanes.order_type) < 0.5 ? "limit" : "market",
    } satisfies SimulatedTrade;
  };
}

/**
 * Binance pads every decimal to 8 digits; Kraken's WebSocket drops trailing zeros but one; Coinbase
 * writes as many digits as the product has.
 */
function digitsOf(instrument: Instrument): (units: number, decimals: number) => string {
  if (instrument.exchange === "binance")
    return (units, decimals) => withDecimals(decimalText(units, decimals), 8);
  if (instrument.exchange === "coinbase") return decimalText;
  return (units, decimals) => withoutTrailingZeros(decimalText(units, decimals));
}

/** A number in [0, 1) that is a function of its arguments alone. `key` is below 2^53. */
function uniform(salt: number, key: number, lane: number): number {
  const high = Math.floor(key / 4_294_967_296);
  return mix(mix(mix(salt ^ Math.imul(lane, 0x9e3779b9)) ^ key) ^ high) / 4_294_967_296;
}

function hashText(text: string, seed: number): number {
  let hash = mix(mix(seed) ^ Math.floor(seed / 4_294_967_296));
  for (let index = 0; index < text.length; index += 1) hash = mix(hash ^ text.charCodeAt(index));
  return hash;
}
