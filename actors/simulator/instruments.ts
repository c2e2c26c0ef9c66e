/**
 * The instruments that the simulated exchanges list: enough of each exchange's own to try what is
 * hard about names (XBT and XDG on either leg, keys with and without X and Z) and about digits
 * (1 to 8 decimals). Prices, sizes and rates are believable, not current.
 *
 * @module
 */

import type { TapeName } from "./tape.ts";

/** One market of one exchange. */
export interface Instrument {
  readonly exchange: "binance" | "kraken" | "coinbase";
  readonly native_symbol: string;
  /** The exchange's REST names of the two legs: `BTC` on Binance, `XXBT` on Kraken. */
  readonly base: string;
  readonly quote: string;
  /** Around which generated prices wander, quote for one base. */
  readonly price: number;
  readonly price_decimals: number;
  /** A usual size of a generated trade, base; sizes go from a hundredth to tenfold. */
  readonly quantity: number;
  readonly quantity_decimals: number;
  /** Trades per second of the generator where neither a tape plays nor a rate was asked for. */
  readonly trades_per_second: number;
  readonly first_trade_id: number;
  readonly tape: TapeName | undefined;
}

/** A Kraken market has four names: the WebSocket's (`native_symbol`) and three on REST. */
export interface KrakenInstrument extends Instrument {
  /** `XXBTZUSD`: the key of AssetPairs and of Trades. */
  readonly key: string;
  /** `XBTUSD`. */
  readonly altname: string;
  /** `XBT/USD`: the name of WebSocket version 1, which REST still tells. */
  readonly wsname: string;
}

// [base, quote, price, price_decimals, quantity, quantity_decimals, trades_per_second, first id]
type PlainRow = readonly [string, string, number, number, number, number, number, number];

const binance_rows: readonly PlainRow[] = [
  ["BTC", "USDT", 90_000, 2, 0.01, 5, 2, 5_700_000_000],
  ["ETH", "USDT", 3_000, 2, 0.2, 4, 2, 3_100_000_000],
  ["SOL", "USDT", 140, 2, 5, 3, 2, 1_600_000_000],
  ["BNB", "USDT", 880, 2, 0.5, 3, 1, 1_200_000_000],
  ["XRP", "USDT", 2.1, 4, 300, 1, 2, 1_400_000_000],
  ["DOGE", "USDT", 0.14, 5, 3_000, 0, 2, 1_100_000_000],
  ["ADA", "USDT", 0.42, 4, 900, 1, 1, 650_000_000],
  ["LINK", "USDT", 13.2, 2, 30, 2, 1, 560_000_000],
  ["AVAX", "USDT", 13.8, 2, 30, 2, 1, 430_000_000],
  ["LTC", "USDT", 82, 2, 5, 3, 1, 470_000_000],
  ["BTC", "USDC", 90_010, 2, 0.01, 5, 2, 380_000_000],
  ["ETH", "BTC", 0.0333, 5, 0.3, 4, 1, 520_000_000],
];

/** Binance's list. Names and tick sizes as its exchangeInfo has them. */
export const binance_instruments: readonly Instrument[] = binance_rows.map(
  ([base, quote, price, price_decimals, quantity, quantity_decimals, rate, first_id]) => ({
    exchange: "binance",
    native_symbol: base + quote,
    base,
    quote,
    price,
    price_decimals,
    quantity,
    quantity_decimals,
    trades_per_second: rate,
    first_trade_id: first_id,
    tape: base + quote === "BTCUSDT" ? "binance_btcusdt" : undefined,
  }),
);

// [base, quote, price, price_decimals, quantity, quantity_decimals, trades_per_second, first id]
const coinbase_rows: readonly PlainRow[] = [
  ["BTC", "USD", 90_000, 2, 0.01, 8, 2, 890_000_000],
  ["ETH", "USD", 3_000, 2, 0.2, 8, 2, 690_000_000],
  ["SOL", "USD", 140, 2, 5, 8, 2, 320_000_000],
  ["XRP", "USD", 2.1, 4, 300, 6, 2, 180_000_000],
  ["DOGE", "USD", 0.14, 5, 3_000, 1, 1, 150_000_000],
  ["ADA", "USD", 0.42, 4, 900, 8, 1, 170_000_000],
  ["LINK", "USD", 13.2, 5, 30, 2, 1, 190_000_000],
  ["LTC", "USD", 82, 2, 5, 8, 1, 210_000_000],
  ["AVAX", "USD", 13.8, 2, 30, 8, 1, 120_000_000],
  ["BTC", "EUR", 77_000, 2, 0.01, 8, 1, 110_000_000],
  ["ETH", "BTC", 0.0333, 5, 0.3, 8, 1, 90_000_000],
  ["SHIB", "USD", 0.0000085, 8, 900_000, 0, 1, 130_000_000],
];

/** Coinbase Exchange's list. Names and increments as its products have them. */
export const coinbase_instruments: readonly Instrument[] = coinbase_rows.map(
  ([base, quote, price, price_decimals, quantity, quantity_decimals, rate, first_id]) => ({
    exchange: "coinbase",
    native_symbol: `${base}-${quote}`,
    base,
    quote,
    price,
    price_decimals,
    quantity,
    quantity_decimals,
    trades_per_second: rate,
    first_trade_id: first_id,
    tape: undefined,
  }),
);

// [native symbol, key, altname, wsname, base, quote]
type KrakenNames = readonly [string, string, string, string, string, string];
// [price, price_decimals, quantity, quantity_decimals, trades_per_second, first id]
type KrakenFigures = readonly [number, number, number, number, number, number];

const kraken_rows: readonly (readonly [KrakenNames, KrakenFigures])[] = [
  [
    ["BTC/USD", "XXBTZUSD", "XBTUSD", "XBT/USD", "XXBT", "ZUSD"],
    [90_000, 1, 0.02, 8, 1, 94_000_000],
  ],
  [
    ["ETH/USD", "XETHZUSD", "ETHUSD", "ETH/USD", "XETH", "ZUSD"],
    [3_000, 2, 0.4, 8, 1, 77_000_000],
  ],
  [
    ["BTC/USDT", "XBTUSDT", "XBTUSDT", "XBT/USDT", "XXBT", "USDT"],
    [90_000, 1, 0.01, 8, 1, 10_400_000],
  ],
  [
    ["DOGE/USD", "XDGUSD", "XDGUSD", "XDG/USD", "XXDG", "ZUSD"],
    [0.14, 7, 3_000, 8, 1, 13_000_000],
  ],
  [
    ["SOL/USD", "SOLUSD", "SOLUSD", "SOL/USD", "SOL", "ZUSD"],
    [140, 2, 5, 8, 1, 22_000_000],
  ],
  [
    ["XRP/USD", "XXRPZUSD", "XRPUSD", "XRP/USD", "XXRP", "ZUSD"],
    [2.1, 5, 300, 8, 1, 30_000_000],
  ],
  [
    ["LTC/USD", "XLTCZUSD", "LTCUSD", "LTC/USD", "XLTC", "ZUSD"],
    [82, 2, 3, 8, 1, 12_000_000],
  ],
  [
    ["ADA/USD", "ADAUSD", "ADAUSD", "ADA/USD", "ADA", "ZUSD"],
    [0.42, 6, 900, 8, 1, 14_000_000],
  ],
  [
    ["LINK/USD", "LINKUSD", "LINKUSD", "LINK/USD", "LINK", "ZUSD"],
    [13.2, 5, 20, 8, 1, 9_000_000],
  ],
  [
    ["BTC/EUR", "XXBTZEUR", "XBTEUR", "XBT/EUR", "XXBT", "ZEUR"],
    [77_000, 1, 0.02, 8, 1, 68_000_000],
  ],
  [
    ["ETH/BTC", "XETHXXBT", "ETHXBT", "ETH/XBT", "XETH", "XXBT"],
    [0.0333, 5, 0.4, 8, 1, 36_000_000],
  ],
  [
    ["USDT/USD", "USDTZUSD", "USDTUSD", "USDT/USD", "USDT", "ZUSD"],
    [0.9995, 5, 900, 8, 1, 24_000_000],
  ],
];

/** Kraken's list. Names as its AssetPairs has them. */
export const kraken_instruments: readonly KrakenInstrument[] = kraken_rows.map(
  ([
    [native_symbol, key, altname, wsname, base, quote],
    [price, price_decimals, quantity, quantity_decimals, rate, first_id],
  ]) => ({
    exchange: "kraken",
    native_symbol,
    key,
    altname,
    wsname,
    base,
    quote,
    price,
    price_decimals,
    quantity,
    quantity_decimals,
    trades_per_second: rate,
    first_trade_id: first_id,
    tape:
      native_symbol === "BTC/USD" || native_symbol === "BTC/USDT" ? "kraken_xbtusdt" : undefined,
  }),
);

/** Kraken's assets: REST name to its short name. XBT and XDG are Kraken's for BTC and DOGE. */
export const kraken_assets: Readonly<Record<string, string>> = {
  XXBT: "XBT",
  XETH: "ETH",
  XXDG: "XDG",
  XXRP: "XRP",
  XLTC: "LTC",
  SOL: "SOL",
  ADA: "ADA",
  LINK: "LINK",
  USDT: "USDT",
  ZUSD: "USD",
  ZEUR: "EUR",
};
