/**
 * Reads the recordings in `tape/` from disk, once, at the start of the server: they ship with the
 * product, and nothing else of the simulator touches a file.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import type { Tapes } from "./market.ts";
import { parseBinanceTape, parseKrakenTape } from "./tape.ts";

/**
 * The recordings, parsed.
 *
 * @throws {Error} if a file is missing or is not a tape.
 */
export function readTapes(): Tapes {
  return {
    binance_btcusdt: parseBinanceTape(textOf("binance_btcusdt.csv")),
    kraken_xbtusdt: parseKrakenTape(textOf("kraken_xbtusdt.csv")),
  };
}

function textOf(file: string): string {
  return readFileSync(new URL(`./tape/${file}`, import.meta.url), "utf8");
}
