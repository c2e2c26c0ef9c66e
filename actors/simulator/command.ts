/**
 * `simulate`: the exchange simulator alone, and as the port behind `start --simulate`. Once it
 * listens it prints the settings that point K2 at it; it ends on SIGINT, SIGTERM, and, as a port,
 * when its stdin ends.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { exit_codes, FailureError, reasonOf, UsageError } from "../settings/exit.ts";
import { type Simulator, type SimulatorOptions, startSimulator } from "./server.ts";

/** What of an invocation the command needs. */
interface SimulateInvocation {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const hostname = "127.0.0.1";
const default_symbols = {
  binance: "BTCUSDT,ETHUSDT",
  kraken: "BTC/USD,ETH/USD",
  coinbase: "BTC-USD,ETH-USD",
} as const;
/** Trades of each symbol in a flood whose size is not given. */
const flood_trades = 100_000;
const flood_trades_max = 5_000_000;

/**
 * Runs the simulator until it is told to end.
 *
 * Flags `rate` (trades/s over the configured symbols), `seed` (whole number, default 1), `faults`
 * (a file of faults, one JSON object a line, each with `at_s` since the start where it is not to
 * begin at once), `relay` (so that frames can be cut in their middle; on by itself where the file
 * asks for it) and `flood` (alone, or with the trades of each symbol).
 * Environment: `K2_SIMULATOR_PORT` (default: a free port), `K2_SIMULATOR_OUTPUT=json`,
 * `K2_END_WITH_STDIN=1`, and `K2_EXCHANGES`, `K2_<EXCHANGE>_SYMBOLS` for the rate's division.
 *
 * @returns The exit code, 0, once it was told to end and has ended.
 * @throws {UsageError} for a wrong flag or setting.
 * @throws {FailureError} if it cannot listen.
 */
export async function run(invocation: SimulateInvocation): Promise<number> {
  const { environment } = invocation;
  const simulator = startOrSay({ ...optionsOf(invocation), ...faultsOf(invocation) });
  process.stdout.write(readyText(simulator.port, environment.K2_SIMULATOR_OUTPUT));
  await untilTold(environment.K2_END_WITH_STDIN);
  await simulator.stop();
  return exit_codes.done;
}

function startOrSay(options: SimulatorOptions): Simulator {
  try {
    return startSimulator(options);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message, { cause: error });
    throw new FailureError(
      `Cannot listen on ${hostname}:${options.port} (${reasonOf(error)}): end what uses the ` +
        "port, or set K2_SIMULATOR_PORT to another.",
      { cause: error },
    );
  }
}

/** What the command prints once it listens. */
export function readyText(port: number, format: string | undefined): string {
  if (format === "json") return `${JSON.stringify({ type: "ready", port })}\n`;
  return (
    `K2_BINANCE_WS_URL=ws://${hostname}:${port}\n` +
    `K2_BINANCE_REST_URL=http://${hostname}:${port}\n` +
    `K2_KRAKEN_WS_URL=ws://${hostname}:${port}/v2\n` +
    `K2_KRAKEN_REST_URL=http://${hostname}:${port}\n` +
    `K2_COINBASE_WS_URL=ws://${hostname}:${port}\n` +
    `K2_COINBASE_REST_URL=http://${hostname}:${port}\n`
  );
}

/**
 * The simulator's options from flags and settings.
 *
 * @throws {UsageError} if one of them is wrong.
 */
export function optionsOf({ flags, environment }: SimulateInvocation): SimulatorOptions {
  const rate = numberOf(flags.rate);
  if (rate !== undefined && !(rate > 0)) {
    throw new UsageError(
      `--rate must be a number of trades per second above 0: current value is ${flags.rate}`,
    );
  }
  const seed = numberOf(flags.seed) ?? 1;
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new UsageError(`--seed must be a whole number from 0: current value is ${flags.seed}`);
  const port = numberOf(environment.K2_SIMULATOR_PORT) ?? 0;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new UsageError(
      "K2_SIMULATOR_PORT must be a port from 0 (a free one) to 65535: " +
        `current value is ${environment.K2_SIMULATOR_PORT}`,
    );
  }
  const exchanges = listOf(environment.K2_EXCHANGES ?? "binance,kraken");
  const native_symbols: Record<string, readonly string[]> = {};
  for (const [exchange, symbols] of Object.entries(default_symbols)) {
    if (!exchanges.includes(exchange)) continue;
    native_symbols[exchange] = listOf(
      environment[`K2_${exchange.toUpperCase()}_SYMBOLS`] ?? symbols,
    );
  }
  const options = { port, hostname, rate, seed, native_symbols };
  return { ...options, ...(flags.relay === true ? { relay: true } : {}), ...floodOf(flags.flood) };
}

/**
 * The faults of the file that `--faults` names.
 *
 * @throws {UsageError} if it cannot be read or a line is not JSON.
 */
export function faultsOf({ flags }: SimulateInvocation): Pick<SimulatorOptions, "faults"> {
  const { faults: path } = flags;
  if (path === undefined) return {};
  if (typeof path !== "string" || path === "")
    throw new UsageError(`--faults must be a file: current value is ${path}`);
  const faults = linesOf(path).flatMap((line, index): unknown[] => {
    if (line.trim() === "") return [];
    try {
      return [JSON.parse(line)];
    } catch (error) {
      throw new UsageError(`${path} must hold one JSON object a line: line ${index + 1} is not`, {
        cause: error,
      });
    }
  });
  return { faults };
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch (error) {
    throw new UsageError(`Cannot read the faults in ${path} (${reasonOf(error)})`, {
      cause: error,
    });
  }
}

/** A flood of the usual size for the bare flag, of the given one for a number. */
function floodOf(value: unknown): Pick<SimulatorOptions, "flood"> {
  if (value === undefined || value === false) return {};
  const trades_per_symbol = value === true ? flood_trades : (numberOf(value) ?? flood_trades);
  const is_allowed =
    Number.isInteger(trades_per_symbol) &&
    trades_per_symbol > 0 &&
    trades_per_symbol <= flood_trades_max;
  if (!is_allowed) {
    throw new UsageError(
      `--flood must be a whole number of trades from 1 to ${flood_trades_max}: ` +
        `current value is ${value}`,
    );
  }
  return { flood: { trades_per_symbol } };
}

function listOf(text: string): string[] {
  return text.split(",").flatMap((name) => name.trim() || []);
}

/** A flag's number; undefined if it was not given, NaN if it is none. */
function numberOf(value: unknown): number | undefined {
  if (value === undefined || value === "") return undefined;
  if (typeof value === "number") return value;
  return typeof value === "string" && value.trim() !== "" ? Number(value) : Number.NaN;
}

/** Resolves on SIGINT or SIGTERM, and, for a port, when stdin ends. */
function untilTold(end_with_stdin: string | undefined): Promise<void> {
  return new Promise((resolve) => {
    // The handlers stay: the same signal arrives twice under `bun run`, and must not kill the end.
    process.on("SIGINT", () => resolve());
    process.on("SIGTERM", () => resolve());
    if (end_with_stdin === "1") {
      process.stdin.on("end", () => resolve());
      process.stdin.on("close", () => resolve());
      process.stdin.resume();
    }
  });
}
