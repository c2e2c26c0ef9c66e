/**
 * Every command as data: its usage, its flags, what has to be set up for it, and which module does
 * it. Modules are loaded only after set-up, because on a fresh machine their packages are not there
 * yet; this file and all it imports use nothing that has to be installed.
 *
 * @module
 */

import { inUse, lockHolder, readStamp } from "../actors/settings/data_directory.ts";
import type { Flags, Invocation, Run } from "../actors/settings/invocation.ts";
import type { Settings } from "../actors/settings/settings.ts";
import type { StepName } from "../actors/setup/steps.ts";
import { javaClientOptions } from "../actors/spark/kafka_options.ts";
import { purposeOf, readStartOptions } from "./start_options.ts";

/** One command: how it is called, what it needs, and where its code is. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The full text of `--help`. */
  readonly usage: string;
  readonly options: Readonly<Record<string, { readonly type: "string" | "boolean" }>>;
  readonly positionals_max: number;
  /** Refuses wrong use before set-up begins: throws a UsageError. */
  check?(invocation: Invocation): void;
  /** Which set-up products this call needs. */
  setup(flags: Flags, settings: Settings): readonly StepName[];
  load(): Promise<{ readonly run: Run }>;
}

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;

const start: Command = {
  name: "start",
  summary: "run the platform",
  usage: `bun run start [--simulate [--rate n] [--seed n]] [--role all|feed|lake]
  [--exchanges binance,kraken] [--symbols binance:BTCUSDT,kraken:BTC/USD] [--log text|json]

Sets up what is missing, then runs the platform until SIGINT or SIGTERM, which drain it.
  --simulate    take trades from the built-in exchange simulator; needs no network
  --rate n      simulator: n trades/s over all symbols, instead of the recorded rhythm
  --seed n      simulator: the seed of generated trades (default 1)
  --role        feed: exchanges to Kafka; lake: Kafka to Gold; all (default): both.
                feed and lake need K2_KAFKA_BROKERS and K2_SCHEMA_REGISTRY_URL
  --exchanges   which exchanges, instead of K2_EXCHANGES
  --symbols     which markets, instead of K2_<EXCHANGE>_SYMBOLS
  --log         log lines as text (default) or JSON, on stderr`,
  options: {
    simulate: flag,
    rate: text,
    seed: text,
    role: text,
    exchanges: text,
    symbols: text,
    log: text,
  },
  positionals_max: 0,
  check: checkStart,
  setup: stepsOfStart,
  load: () => import("./start_command.ts"),
};

const simulate: Command = {
  name: "simulate",
  summary: "run the exchange simulator alone",
  usage: `bun run simulate [--rate n] [--seed n]

Serves both exchanges' WebSocket and REST protocols on one loopback port (K2_SIMULATOR_PORT, else
a free one) and prints the settings that point K2 at it.
  --rate n   n generated trades/s over all symbols, instead of the recorded rhythm
  --seed n   the seed of generated trades (default 1)`,
  options: { rate: text, seed: text },
  positionals_max: 0,
  setup: () => [],
  load: () => import("../actors/simulator/command.ts"),
};

const status: Command = {
  name: "status",
  summary: "show the supervision tree of a running platform",
  usage: `bun run status

Prints the supervision tree and its figures as a table.`,
  options: {},
  positionals_max: 0,
  setup: () => [],
  load: () => import("../actors/status/status_command.ts"),
};

const symbols: Command = {
  name: "symbols",
  summary: "list the instruments of an exchange",
  usage: `bun run symbols --exchange X [--format table|json]

Prints the exchange's own instrument list.`,
  options: { exchange: text, format: text },
  positionals_max: 0,
  setup: () => ["packages"],
  load: () => import("../actors/connection/symbols_command.ts"),
};

const validate: Command = {
  name: "validate",
  summary: "check the lake with DuckDB",
  usage: `bun run validate [--since 2h|all] [--format table|json]

Recomputes and reconciles Bronze, Silver and Gold with DuckDB. Exits 1 when a check is violated.
  --since    all (default), or a duration such as 30m, 2h or 7d: what is looked at begins with the
             UTC day in which it began
  --format   table (default) or json`,
  options: { since: text, format: text },
  positionals_max: 0,
  setup: () => ["packages", "duckdb"],
  load: () => import("../actors/validator/validate_command.ts"),
};

const query: Command = {
  name: "query",
  summary: "ask the lake in SQL",
  usage: `bun run query "<sql>" [--format table|json|csv|parquet] [--output FILE] [--as-of TIME]

Runs one read-only statement over the lake's tables by name: gold.ohlcv, gold.trades,
silver.trades, silver.quarantine, bronze.trades, … ("offset" is a word of SQL: quote it)
  --format   table (default), json, csv, or parquet (with --output)
  --output   write to a file instead of stdout
  --as-of    the tables as they were at an ISO 8601 time`,
  options: { format: text, output: text, "as-of": text },
  positionals_max: 1,
  setup: () => ["packages", "duckdb"],
  load: () => import("../actors/validator/query_command.ts"),
};

const normalize: Command = {
  name: "normalize",
  summary: "turn recorded frames into trades",
  usage: `bun run normalize [FILE] [--rejects FILE]

Reads frames as NDJSON lines {"exchange", "received_us", "frame"} from FILE or stdin and writes one
JSON line per trade to stdout.
  --rejects FILE   one line per unreadable frame or item`,
  options: { rejects: text },
  positionals_max: 1,
  setup: () => ["packages"],
  load: () => import("../actors/normalizer/normalize_command.ts"),
};

const notebook: Command = {
  name: "notebook",
  summary: "open the notebooks",
  usage: `bun run notebook [--no-browser]

Opens spark/notebooks in Jupyter, reading the lake in K2_DATA_DIR.`,
  options: { "no-browser": flag },
  positionals_max: 0,
  setup: () => ["packages", "duckdb", "notebooks"],
  load: () => import("../actors/validator/notebook_command.ts"),
};

const bench: Command = {
  name: "bench",
  summary: "measure a stretch of the platform",
  usage: `bun run bench normalize [--frames FILE] [--to trade|record] [--count n]

Measures raw frames to trades (or encoded records) against JSON.parse of the same frames (and avsc
encoding of the same trades) in the same run; several runs, the median is printed.
  --frames FILE   one raw frame a line; without it they are generated from a seed
  --to            trade (default) or record
  --count n       how many frames to generate`,
  options: { frames: text, to: text, count: text },
  positionals_max: 1,
  setup: () => ["packages"],
  load: () => import("../actors/bench/bench_command.ts"),
};

const check: Command = {
  name: "check",
  summary: "run the static checks",
  usage: `bun run check

Biome, tsc and ruff over the repository. The last line is "N passed, N failed".`,
  options: {},
  positionals_max: 0,
  // It sets up for itself: what is missing is then a failed suite and not a failed start.
  setup: () => [],
  load: () => import("../actors/setup/check_command.ts"),
};

const test: Command = {
  name: "test",
  summary: "run the tests",
  usage: `bun run test [FILTER…]

Static checks, unit tests, Python's tests, and the end-to-end test with the real broker, port,
Spark and DuckDB. The last line is "N passed, N failed".`,
  options: {},
  positionals_max: 20,
  setup: () => [],
  load: () => import("../actors/setup/test_command.ts"),
};

const test_long: Command = {
  ...test,
  name: "test:long",
  summary: "run the long tests",
  usage: `bun run test:long [FILTER…]

Ten minutes under load with kills in between. The last line is "N passed, N failed".`,
  load: () => import("../actors/setup/test_long_command.ts"),
};

const setup: Command = {
  name: "setup",
  summary: "set up everything and end",
  usage: `bun main.ts setup [STEP…]

Installs and builds all that any command needs, or only the named steps. Every command does this
for itself; this one serves images and caches.`,
  options: {},
  positionals_max: 20,
  setup: () => [],
  load: () => import("../actors/setup/setup_command.ts"),
};

/** Every command, in the order of the list that `bun main.ts --help` prints. */
export const commands: readonly Command[] = [
  start,
  simulate,
  status,
  symbols,
  validate,
  query,
  normalize,
  notebook,
  bench,
  check,
  test,
  test_long,
  setup,
];

/** The command of this name, or undefined. */
export function commandNamed(name: string | undefined): Command | undefined {
  return commands.find((command) => command.name === name);
}

/** A wrong flag, or a data directory of another kind or in use, is told before set-up. */
function checkStart({ flags, settings }: Invocation): void {
  const options = readStartOptions(flags, settings);
  const { data_dir } = settings;
  const holder = lockHolder(data_dir);
  if (holder !== null) throw inUse(data_dir, holder.pid);
  readStamp(data_dir, purposeOf(options));
  if (options.role !== "feed") javaClientOptions(settings.kafka.properties);
}

function stepsOfStart(flags: Flags, settings: Settings): readonly StepName[] {
  const steps: StepName[] = ["packages", "kafka_client"];
  if (settings.kafka.brokers === null) steps.push("kafka_broker");
  if (flags.role !== "feed") steps.push("spark_jars", "pyspark", "duckdb");
  return steps;
}
