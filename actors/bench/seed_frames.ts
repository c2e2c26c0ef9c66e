/**
 * Frames of both exchanges for the bench, made from a seed: the same frames in every run and on
 * every machine. Written out letter by letter in the exchanges' own forms (recorded frames under
 * `tests/fixtures` show them), because a serializer would drop a price's trailing zeros.
 *
 * The mix is that of a busy hour: Binance sends one trade a frame, Kraken one or a few, a snapshot
 * of 50 now and then, and every fiftieth frame says something else than trades.
 *
 * @module
 */

import type { BenchFrame } from "./bench_frame.ts";

const start_us = 1_787_746_340_000_000;
const us_per_ms = 1000;
const controls: readonly BenchFrame[] = [
  { exchange: "kraken", text: '{"channel":"heartbeat"}' },
  { exchange: "binance", text: '{"result":null,"id":1}' },
  {
    exchange: "kraken",
    text:
      '{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online",' +
      '"api_version":"v2","connection_id":15113583034416118705}]}',
  },
];

/** Makes `count` frames. */
export function seedFrames(count: number): readonly BenchFrame[] {
  const random = createRandom(1);
  const frames: BenchFrame[] = [];
  for (let index = 0; index < count; index += 1) {
    const control = index % 50 === 49 ? controls[Math.floor(index / 50) % controls.length] : null;
    frames.push(
      control ?? (random(2) === 0 ? binanceFrame(index, random) : krakenFrame(index, random)),
    );
  }
  return frames;
}

type Random = (below: number) => number;

function binanceFrame(index: number, random: Random): BenchFrame {
  const is_bitcoin = random(3) > 0;
  const symbol = is_bitcoin ? "BTCUSDT" : "ETHUSDT";
  const price = `${is_bitcoin ? 60_000 + random(9000) : 2000 + random(999)}.${digits(random, 2)}`;
  const time_us = start_us + index * us_per_ms + random(us_per_ms);
  const text =
    `{"stream":"${symbol.toLowerCase()}@trade","data":{"e":"trade","E":${time_us + random(900)},` +
    `"s":"${symbol}","t":${6_621_701_993 + index},"p":"${price}000000",` +
    `"q":"0.${digits(random, 5)}000","T":${time_us},"m":${random(2) === 0},"M":true}}`;
  return { exchange: "binance", text };
}

function krakenFrame(index: number, random: Random): BenchFrame {
  const is_snapshot = random(500) === 0;
  const items_count = is_snapshot ? 50 : random(4) === 0 ? 2 + random(4) : 1;
  const symbol = random(3) > 0 ? "BTC/USD" : "ETH/USD";
  const items: string[] = [];
  for (let item = 0; item < items_count; item += 1) {
    const time = new Date((start_us + index * us_per_ms) / us_per_ms).toISOString().slice(0, 23);
    items.push(
      `{"symbol":"${symbol}","side":"${random(2) === 0 ? "buy" : "sell"}",` +
        `"price":${(symbol === "BTC/USD" ? 77_000 : 2000) + random(999)}.${random(10)},` +
        `"qty":0.${digits(random, 7)}${1 + random(9)},` +
        `"ord_type":"${random(2) === 0 ? "limit" : "market"}",` +
        `"trade_id":${105_994_519 + index * 50 + item},"timestamp":"${time}${digits(random, 3)}Z"}`,
    );
  }
  const type = is_snapshot ? "snapshot" : "update";
  const text = `{"channel":"trade","type":"${type}","data":[${items.join(",")}]}`;
  return { exchange: "kraken", text };
}

function digits(random: Random, count: number): string {
  return String(random(10 ** count)).padStart(count, "0");
}

/** Marsaglia's xorshift of 32 bits: small, quick, the same everywhere. */
function createRandom(seed: number): Random {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
