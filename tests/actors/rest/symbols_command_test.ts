/**
 * Goal: `symbols` prints the exchange's own list, from the network or the cache, and says in one
 * sentence why where it cannot.
 * Method: a local server with Binance's form of the list, a temporary data directory, and the
 * command in a process of its own, because its result is what stands on stdout.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exchanges } from "../../../actors/exchanges/mod.ts";
import { run } from "../../../actors/rest/symbols_command.ts";
import { FailureError, UsageError } from "../../../actors/settings/exit.ts";
import type { Flags, Invocation } from "../../../actors/settings/invocation.ts";
import { readSettings } from "../../../actors/settings/settings.ts";

const list = {
  timezone: "UTC",
  symbols: [
    { symbol: "BTCUSDT", status: "TRADING", baseAsset: "BTC", quoteAsset: "USDT" },
    { symbol: "ETHBTC", status: "BREAK", baseAsset: "ETH", quoteAsset: "BTC" },
  ],
};
/** All that are registered: `binance, coinbase or kraken`. */
const any_exchange = exchanges
  .map(({ exchange }) => exchange)
  .join(", ")
  .replace(/, (?=\w+$)/, " or ");
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "k2-symbols-"));
});
afterAll(() => rm(folder, { recursive: true }));

function invocation(flags: Flags, environment: Record<string, string>): Invocation {
  const settings = readSettings(environment, exchanges);
  return { flags, positionals: [], settings, environment, root: process.cwd() };
}

async function runApart(flags: Flags, environment: Record<string, string>) {
  const program = `
    import { run } from "./actors/rest/symbols_command.ts";
    process.exit(await run(${JSON.stringify(invocation(flags, environment))}));
  `;
  const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, stdout, stderr };
}

test("the list is printed as a table or JSON, without network from the cache", async () => {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json(list) });
  const environment = {
    K2_DATA_DIR: join(folder, "cached"),
    // The exchange asked for need not be among those that run.
    K2_EXCHANGES: "kraken",
    K2_BINANCE_REST_URL: `http://127.0.0.1:${server.port}`,
  };
  const table = await runApart({ exchange: "binance" }, environment);
  expect(table).toEqual({
    code: 0,
    stdout: [
      "native_symbol  symbol    base_asset  quote_asset  status",
      "BTCUSDT        BTC/USDT  BTC         USDT         TRADING",
      "ETHBTC         ETH/BTC   ETH         BTC          BREAK",
      "",
    ].join("\n"),
    stderr: "",
  });
  await server.stop(true);
  const json = await runApart({ exchange: "binance", format: "json" }, environment);
  expect([json.code, json.stderr]).toEqual([0, ""]);
  expect(JSON.parse(json.stdout)[0]).toEqual({
    native_symbol: "BTCUSDT",
    symbol: "BTC/USDT",
    base_asset: "BTC",
    quote_asset: "USDT",
    status: "TRADING",
  });
});

test("without network and cache it fails with the reason", async () => {
  const environment = {
    K2_DATA_DIR: join(folder, "empty"),
    K2_KRAKEN_REST_URL: "http://127.0.0.1:1",
  };
  const error = await run(invocation({ exchange: "kraken" }, environment)).catch((it) => it);
  expect(error).toBeInstanceOf(FailureError);
  expect(error.message).toStartWith(
    "Cannot list the symbols of kraken from http://127.0.0.1:1: ECONNREFUSED",
  );
});

test.each([
  [{}, `--exchange must be ${any_exchange}`],
  [{ exchange: "mtgox" }, `--exchange is "mtgox": it must be ${any_exchange}`],
  [{ exchange: "kraken", format: "xml" }, '--format is "xml": it must be table or json'],
] satisfies [Flags, string][])("wrong use %j is refused by name", async (flags, message) => {
  const error = await run(invocation(flags, {})).catch((it) => it);
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe(message);
});
