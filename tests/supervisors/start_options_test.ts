/**
 * Goal: flags of `start` win over settings, and a wrong one is told with what is allowed.
 * Method: the pure reader, with settings from an empty environment.
 */

import { expect, test } from "bun:test";
import { exchanges } from "../../actors/exchanges/mod.ts";
import { readSettings } from "../../actors/settings/settings.ts";
import { commandNamed } from "../../supervisors/commands.ts";
import { readStartOptions } from "../../supervisors/start_options.ts";

const settings = readSettings({}, exchanges);

test("without flags the settings stand, for live trades and all roles", () => {
  const options = readStartOptions({}, settings);
  expect(options).toMatchObject({ role: "all", simulate: null, log_format: "text" });
  expect(options.settings.exchanges.map(({ exchange }) => exchange)).toEqual(["binance", "kraken"]);
});

test("--exchanges and --symbols choose what runs", () => {
  const chosen = readStartOptions({ symbols: "kraken:BTC/USD,kraken:DOGE/USD" }, settings);
  expect(chosen.settings.exchanges).toEqual([
    expect.objectContaining({ exchange: "kraken", native_symbols: ["BTC/USD", "DOGE/USD"] }),
  ]);
  const one = readStartOptions({ exchanges: "binance" }, settings);
  expect(one.settings.exchanges.map(({ exchange }) => exchange)).toEqual(["binance"]);
});

test("--simulate takes a rate and a seed", () => {
  const options = readStartOptions({ simulate: true, rate: "500", seed: "7" }, settings);
  expect(options.simulate).toEqual({ rate: 500, seed: 7 });
});

test.each([
  [{ role: "half" }, '--role is "half": it must be one of all, feed, lake'],
  [{ log: "xml" }, '--log is "xml": it must be one of text, json'],
  [{ simulate: true, rate: "0" }, '--rate is "0": it must be an integer from 1 to 1000000'],
  [{ simulate: true, rate: "1e3" }, '--rate is "1e3"'],
  [{ rate: "5" }, "--rate and --seed belong to the simulator"],
  [{ role: "feed" }, "--role feed needs K2_KAFKA_BROKERS and K2_SCHEMA_REGISTRY_URL"],
  [{ exchanges: "nasdaq" }, '--exchanges is "nasdaq": it must be a list of binance, '],
  [{ symbols: "BTCUSDT" }, '--symbols has "BTCUSDT": it must be <exchange>:<native symbol>'],
  [{ symbols: "binance:" }, '--symbols has "binance:"'],
  [{ exchanges: "kraken", symbols: "binance:BTCUSDT" }, "the exchange being one of kraken"],
])("%p is refused", (flags, message) => {
  expect(() => readStartOptions(flags, settings)).toThrow(message);
});

test("a first start begins in the past where it is asked to", () => {
  expect(readStartOptions({ since: "2h" }, settings).since).toEqual({ kind: "ago", ms: 7_200_000 });
  const at = readStartOptions({ since: "2026-11-23T10:00:00Z" }, settings).since;
  expect(at).toEqual({ kind: "at", ms: Date.parse("2026-11-23T10:00:00Z") });
  expect(readStartOptions({}, settings).since).toBeNull();
  expect(() => readStartOptions({ since: "soon" }, settings)).toThrow('--since is "soon"');
});

test("--exchanges takes every registered exchange, switched on or not", () => {
  const { settings: chosen } = readStartOptions({ exchanges: "coinbase" }, settings);
  expect(chosen.exchanges.map(({ exchange }) => exchange)).toEqual(["coinbase"]);
});

test("start refuses a beginning in the future before anything is set up", () => {
  const flags = { since: "2999-01-01" };
  const invocation = { flags, settings, positionals: [], environment: {}, root: "" };
  expect(() => commandNamed("start")?.check?.(invocation)).toThrow(
    '--since is "2999-01-01": it must be a time in the past',
  );
});

test("a loss is accepted only where it is asked for, by whoever runs a lake", () => {
  expect(readStartOptions({}, settings).accept_lost_offsets).toBe(false);
  const flags = { "accept-lost-offsets": true };
  expect(readStartOptions(flags, settings).accept_lost_offsets).toBe(true);
  const shared = readSettings(
    { K2_KAFKA_BROKERS: "kafka:9092", K2_SCHEMA_REGISTRY_URL: "http://registry:8081" },
    exchanges,
  );
  expect(() => readStartOptions({ ...flags, role: "feed" }, shared)).toThrow(
    "--accept-lost-offsets belongs to the lake",
  );
});
