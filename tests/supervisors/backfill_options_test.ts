/**
 * Goal: an import is asked for in times as people say them, and what cannot be imported is refused
 * with the flag, its value and what is allowed.
 * Method: flags as the command line gives them, at a fixed now.
 */

import { expect, test } from "bun:test";
import { exchanges } from "../../actors/exchanges/mod.ts";
import { UsageError } from "../../actors/settings/exit.ts";
import { readSettings } from "../../actors/settings/settings.ts";
import { readBackfillOptions } from "../../supervisors/backfill_options.ts";

const settings = readSettings({}, exchanges);
const now_ms = Date.parse("2026-11-23T12:00:00Z");
const whole = { exchange: "kraken", symbol: "BTC/USD", from: "2h", to: "now" };

test("durations are so long ago, ISO times are themselves, and the future ends now", () => {
  const hour_us = 3_600_000_000;
  const now_us = now_ms * 1_000;
  expect(readBackfillOptions(whole, settings, now_ms)).toMatchObject({
    exchange: { exchange: "kraken" },
    native_symbol: "BTC/USD",
    from_timestamp: now_us - 2 * hour_us,
    to_timestamp: now_us,
  });
  const iso = { ...whole, from: "2026-11-23T10:00:00Z", to: "2027-01-01" };
  expect(readBackfillOptions(iso, settings, now_ms)).toMatchObject({
    from_timestamp: now_us - 2 * hour_us,
    to_timestamp: now_us,
  });
});

test("a registered exchange needs not be switched on", () => {
  const options = readBackfillOptions({ ...whole, exchange: "coinbase" }, settings, now_ms);
  expect(options.exchange.exchange).toBe("coinbase");
});

test.each([
  [{ ...whole, exchange: "nowhere" }, '--exchange is "nowhere": it must be one of binance'],
  [{ ...whole, symbol: undefined }, "--symbol is missing"],
  [{ ...whole, from: "yesterday" }, '--from is "yesterday": it must be an ISO 8601 time'],
  [{ ...whole, from: "now", to: "1h" }, "an import ends later than it begins"],
  [{ ...whole, from: "2027-01-01", to: "2027-01-02" }, "it must be a time in the past"],
])("%o is refused", (flags, sentence) => {
  const read = () => readBackfillOptions(flags, settings, now_ms);
  expect(read).toThrow(UsageError);
  expect(read).toThrow(sentence);
});
