/**
 * What the bench compares: the platform's way from raw frames to trades or encoded records, and
 * the floor of the same machine for the same frames.
 *
 * The platform's way is the live code: the adapter of the frame's exchange, `normalize.ts`, the
 * producer's encoder. The floor is the least that any program in this language does: `JSON.parse`
 * of the frame, and for records avsc's encoding of the same trades, whose values it is given
 * ready, into a buffer that is used again and again.
 *
 * @module
 */

import { type Schema, Type } from "avsc";
import { createTradeEncoder, tradeSchema, tradeType } from "../../schemas/mod.ts";
import type { ExchangeAdapter } from "../exchanges/mod.ts";
import type { Trade, WireTrade } from "../messages.ts";
import { type Names, namesOf, normalizeTrade, type Receipt } from "../normalizer/normalize.ts";
import type { BenchFrame } from "./bench_frame.ts";
import { unknownInstrument } from "./known_instruments.ts";

/** One pass over all frames; returns how many trades it made. */
export type Pass = () => number;

/** The platform's way and its floor, over the same frames. */
export interface Stretch {
  readonly ours: Pass;
  /** Makes the floor: its ready values take memory that is not ours. */
  readonly createFloor: () => Pass;
}

/** Takes each trade. What it returns is added up, so that no work can be optimized away. */
type Consume = (trade: Trade) => number;

const connection_id = "bench-0";
const received_us = 1_787_746_340_684_123;
const schema_id = 1;
/** Room for the largest record that a frame of an exchange can make. */
const record_bytes_max = 1 << 16;

/** Frames to trades, against `JSON.parse`. */
export function tradeStretch(
  frames: readonly BenchFrame[],
  adapters: readonly ExchangeAdapter[],
): Stretch {
  return {
    ours: ourPass(frames, adapters, ({ price, quantity }) => price.length + quantity.length),
    createFloor: () => parsePass(frames),
  };
}

/** Frames to encoded records, against `JSON.parse` and avsc. */
export function recordStretch(
  frames: readonly BenchFrame[],
  adapters: readonly ExchangeAdapter[],
): Stretch {
  const encoder = createTradeEncoder(schema_id);
  const buffer = Buffer.allocUnsafe(record_bytes_max);
  function createFloor(): Pass {
    const parse = parsePass(frames);
    const encode = avscPass(frames, adapters);
    return () => {
      parse();
      return encode();
    };
  }
  return {
    ours: ourPass(frames, adapters, (trade) => encoder.encode(trade, buffer, 0)),
    createFloor,
  };
}

/** Every trade of the frames, as the live feed makes them. */
export function readTrades(
  frames: readonly BenchFrame[],
  adapters: readonly ExchangeAdapter[],
): readonly Trade[] {
  const trades: Trade[] = [];
  ourPass(frames, adapters, (trade) => trades.push(trade))();
  return trades;
}

function ourPass(
  frames: readonly BenchFrame[],
  adapters: readonly ExchangeAdapter[],
  consume: Consume,
): Pass {
  const lanes = new Map(adapters.map((adapter) => [adapter.exchange, createLane(adapter)]));
  const work = frames.flatMap(({ exchange, text }) => {
    const lane = lanes.get(exchange);
    return lane === undefined ? [] : [{ lane, text }];
  });
  return () => {
    let trades_count = 0;
    let checksum = 0;
    let frame_sequence = 0;
    for (const { lane, text } of work) {
      frame_sequence += 1;
      const frame = lane.adapter.parse(text);
      if (frame.kind !== "trades") continue;
      const ingestion_timestamp = received_us + frame_sequence;
      const receipt = { source: frame.source, connection_id, frame_sequence, ingestion_timestamp };
      checksum += consumeFrame(lane, frame.trades, receipt, consume);
      trades_count += frame.trades.length;
    }
    if (checksum < trades_count) throw new Error("Cannot trust the bench: a trade was not made");
    return trades_count;
  };
}

/** One exchange's adapter and the names of its markets, as the live feed has them at hand. */
interface Lane {
  readonly adapter: ExchangeAdapter;
  readonly namesFor: (native_symbol: string) => Names<string>;
}

function createLane(adapter: ExchangeAdapter): Lane {
  const known = new Map<string, Names<string>>();
  function namesFor(native_symbol: string): Names<string> {
    const names = known.get(native_symbol);
    if (names !== undefined) return names;
    // Raw frames come without an instrument list; the live feed's names are no longer than these.
    const made = namesOf(unknownInstrument(adapter.exchange, native_symbol));
    known.set(native_symbol, made);
    return made;
  }
  return { adapter, namesFor };
}

function consumeFrame(
  lane: Lane,
  trades: readonly WireTrade[],
  receipt: Receipt,
  consume: Consume,
): number {
  let checksum = 0;
  for (const trade of trades) {
    checksum += consume(normalizeTrade(trade, lane.namesFor(trade.native_symbol), receipt));
  }
  return checksum;
}

function parsePass(frames: readonly BenchFrame[]): Pass {
  return () => {
    let parsed_count = 0;
    for (const { text } of frames) {
      try {
        if (JSON.parse(text) !== undefined) parsed_count += 1;
      } catch {
        // A frame that is not JSON costs the floor its attempt, too.
      }
    }
    return parsed_count;
  };
}

function avscPass(frames: readonly BenchFrame[], adapters: readonly ExchangeAdapter[]): Pass {
  const trades = readTrades(frames, adapters);
  const schema: Schema = JSON.parse(tradeSchema);
  // Without logical types a decimal is its bytes, which is what a ready value means.
  const type = Type.forSchema(schema);
  const values: readonly unknown[] = trades.map((trade) =>
    type.fromBuffer(tradeType.toBuffer(trade)),
  );
  const buffer = Buffer.allocUnsafe(record_bytes_max);
  return () => {
    let bytes_count = 0;
    for (const value of values) bytes_count += type.encode(value, buffer, 0);
    if (bytes_count < values.length) throw new Error("Cannot trust the bench: avsc wrote nothing");
    return values.length;
  };
}
