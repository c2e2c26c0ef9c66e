/**
 * Every command as data: its usage, its flags, what has to be set up for it, and which module does
 * it. Modules are loaded only after set-up, because on a fresh machine their packages are not there
 * yet; this file and all it imports use nothing that has to be installed.
 *
 * @module
 */

import { inUse, lockHolder, readStamp } from "../actors/settings/data_directory.ts";
import { UsageError } from "../actors/settings/exit.ts";
import type { Invocation, Run } from "../actors/settings/invocation.ts";
import { pem_properties, variableOf } from "../actors/settings/kafka_security.ts";
import { readPem } from "../actors/settings/pem_file.ts";
import type { Settings } from "../actors/settings/settings.ts";
import type { StepName } from "../actors/setup/steps.ts";
import { javaClientOptions } from "../actors/spark/kafka_options.ts";
import { readBackfillOptions } from "./backfill_options.ts";
import { readMaintainFormat } from "./maintain_options.ts";
import { readReplayOptions } from "./replay_options.ts";
import { purposeOf, readStartOptions, type StartOptions } from "./start_options.ts";

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
  setup(invocation: Invocation): readonly StepName[];
  load(): Promise<{ readonly run: Run }>;
}

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;

const start: Command = {
  name: "start",
  summary: "run the platform",
  usage: `bun run start [--simulate [--rate n] [--seed n]] [--role all|feed|lake]
  [--exchanges binance,kraken] [--symbols binance:BTCUSDT,kraken:BTC/USD] [--since 2h|ISO]
  [--accept-lost-offsets] [--log text|json]

Sets up what is missing, then runs the platform until SIGINT or SIGTERM, which drain it.
  --simulate    take trades from the built-in exchange simulator; needs no network
  --rate n      simulator: n trades/s over all symbols, instead of the recorded rhythm
  --seed n      simulator: the seed of generated trades (default 1)
  --role        feed: exchanges to Kafka; lake: Kafka to Gold; all (default): both.
                feed and lake need K2_KAFKA_BROKERS and K2_SCHEMA_REGISTRY_URL
  --exchanges   which exchanges, instead of K2_EXCHANGES
  --symbols     which markets, instead of K2_<EXCHANGE>_SYMBOLS
  --since       begin in the past: so long ago (2h), or at an ISO 8601 time; symbols whose trades
                begin later are filled over REST
  --accept-lost-offsets
                have the lake go on where Kafka has lost what it had not read yet; the loss is
                recorded as an event
  --log         log lines as text (default) or JSON, on stderr`,
  options: {
    simulate: flag,
    rate: text,
    seed: text,
    role: text,
    exchanges: text,
    symbols: text,
    since: text,
    "accept-lost-offsets": flag,
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
  usage: `bun run simulate [--rate n] [--seed n] [--faults FILE] [--relay] [--flood n]

Serves all exchanges' WebSocket and REST protocols on one loopback port (K2_SIMULATOR_PORT, else
a free one) and prints the settings that point K2 at it. Faults are asked for by a script or by
POST /simulator/faults; GET /simulator/rules tells which rules of an exchange a client has broken.
  --rate n       n generated trades/s over all symbols, instead of the recorded rhythm
  --seed n       the seed of generated trades (default 1)
  --faults FILE  a fault a line, {"fault": "close", "exchange": "kraken", "at_s": 30}; a wrong one
                 is refused with what is allowed
  --relay        so that a fault can cut a connection in the middle of a frame
  --flood n      n trades of each symbol at once to whoever subscribes, then silence`,
  options: { rate: text, seed: text, faults: text, relay: flag, flood: text },
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
  load: () => import("../actors/rest/symbols_command.ts"),
};

const validate: Command = {
  name: "validate",
  summary: "check the lake with DuckDB",
  usage: `bun run validate [--since 2h|all] [--format table|json]

Recomputes and reconciles Bronze, Silver and Gold with DuckDB, and finds every trade of Gold again
in the frames that the exchanges sent. Exits 1 when a check is violated.
  --since    all (default), or a duration such as 30m, 2h or 7d: what is looked at begins with the
             UTC hour in which it began
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

const record: Command = {
  name: "record",
  summary: "write the exchanges' frames to a file",
  usage: `bun run record [--exchanges binance,kraken] [--symbols binance:BTCUSDT,kraken:BTC/USD]
  [--seconds n] [--output FILE]

Writes every WebSocket message, received or sent, as an NDJSON line that normalize reads: over
connections of its own, without a broker, until SIGINT, SIGTERM or --seconds. A binary message
stands in "frame_base64" instead of "frame". An output that does not keep up closes the sockets,
which stderr says, and opens them again. stderr ends with frames=… bytes=… seconds=… Exits 1 where
nothing was received.
  --exchanges    which exchanges, instead of K2_EXCHANGES
  --symbols      which markets, instead of K2_<EXCHANGE>_SYMBOLS
  --seconds n    end after n seconds
  --output FILE  write to a file instead of stdout`,
  options: { exchanges: text, symbols: text, seconds: text, output: text },
  positionals_max: 0,
  setup: () => ["packages"],
  load: () => import("./record_command.ts"),
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

const backfill: Command = {
  name: "backfill",
  summary: "import a symbol's history over REST",
  usage: `bun run backfill --exchange X --symbol S --from T --to T
  [--simulate [--rate n] [--seed n]] [--log text|json]

Fetches every trade from --from to --to that is not held yet, by the path of the live feed. A
platform that runs on the data directory is asked to do it; without one, what is needed of it runs
until the import is done. Interrupted, the same command goes on with what is left. Exits 1 where
the exchange does not have all of it.
  --exchange   its name, as in K2_EXCHANGES
  --symbol     the exchange's own name of the market
  --from, --to an ISO 8601 time, a duration such as 2h for so long ago, or now
  --simulate   the data directory holds simulated trades (with the rate and seed of its start)
  --log        log lines as text (default) or JSON, on stderr`,
  options: {
    exchange: text,
    symbol: text,
    from: text,
    to: text,
    simulate: flag,
    rate: text,
    seed: text,
    log: text,
  },
  positionals_max: 0,
  check: checkBackfill,
  setup: ({ settings }) => feedSteps(settings),
  load: () => import("./backfill_command.ts"),
};

const maintain: Command = {
  name: "maintain",
  summary: "keep the lake in order, once",
  usage: `bun run maintain [--format table|json]

Deletes what is no longer kept, joins small files, lets go of old snapshots and of files that
nothing names, and prints every table before and after. A platform that runs on the data directory
is asked to do so much as it does at each of its own turns (K2_MAINTENANCE_MINUTES); without one,
Spark starts and does all that there is to do. Interrupted, the same command goes on.
  --format   table (default) or json`,
  options: { format: text },
  positionals_max: 0,
  check: ({ flags }) => void readMaintainFormat(flags),
  setup: ({ settings: { data_dir } }) =>
    lockHolder(data_dir) === null ? ["packages", "spark_classes"] : ["packages"],
  load: () => import("./maintain_command.ts"),
};

const replay: Command = {
  name: "replay",
  summary: "produce quarantined records again",
  usage: `bun run replay [--reason CODE] [--since 2h|ISO]

Produces quarantined records again to their own topics, once whatever made them invalid is mended.
Each is a new record with an outcome of its own; its row in silver.quarantine stays. What was
replayed already is left out. Goes to K2_KAFKA_BROKERS, or to the broker of the platform that runs
on the data directory. Prints a line for each reason, and replayed=… last.
  --reason CODE  only records with this reason in silver.quarantine
  --since        only records produced since then: so long ago (2h), or an ISO 8601 time`,
  options: { reason: text, since: text },
  positionals_max: 0,
  check: ({ flags }) => void readReplayOptions(flags, Date.now()),
  setup: () => ["packages", "duckdb", "kafka_client"],
  load: () => import("./replay_command.ts"),
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

const embedded_steps: readonly StepName[] = ["packages", "kafka_client", "kafka_broker"];

const bench: Command = {
  name: "bench",
  summary: "measure a stretch of the platform",
  usage: `bun run bench normalize [--frames FILE] [--to trade|record] [--count n]
bun run bench feed [--to trade|acknowledged] [--seconds n]
bun run bench producer [--to throughput|latency|outage|events] [--seconds n]
bun run bench lake [--to backlog|live] [--rows n] [--rate n] [--seconds n]
bun run bench checks [--rows n]

Each takes several turns in one run, its floor beside it, and prints the middle one. floor_ratio is
the floor's CPU time as a share of what the platform took for the same; NaN where there is none.

normalize: raw frames to trades (or encoded records), against JSON.parse of the same frames (and
avsc encoding of the same trades).
  --frames FILE   one raw frame a line; without it they are generated from a seed
  --count n       how many frames to generate
  --to            trade (default), record

feed: from the sockets that the settings name, else the simulator's flood, to trades, against
reading the same sockets with JSON.parse; or to records acknowledged by the embedded broker, against
the Kafka client alone, in Node, that sends the same feed's trades and frames from memory.
  --to            trade (default), acknowledged
  --seconds n     longest time of a turn (default 60); it ends when the sockets fall silent for 2 s.
                  lost: ids that were skipped and records not acknowledged; p50_ms, p99_ms: from
                  received to the trade, or to its acknowledgement

producer: from a trade to its acknowledgement by the embedded broker, through outbox and port.
  --to            throughput (default): records a second, against the Kafka client alone, in Node,
                  that sends the same bytes from memory; floor_ratio is of these rates, cpu_ratio
                  of CPU time. latency: from received to acknowledged at 1,000 and 20,000 trades
                  a second. outage: memory while the broker stands still and 20,000 trades a second
                  come; withheld: those that no buffer had room for; lost: taken and never
                  acknowledged. events: an event of the producer's machine against a message to a
                  callback
  --seconds n     throughput: of a turn (default 3); latency: of each pace (10); outage: how long
                  Kafka is away (60)

lake: from Kafka to Bronze, Silver and Gold.
  --to            backlog: rows a second of each stage, as a share of Spark reading the same topics
                  into a sink that keeps nothing; live: the whole platform with the simulator, how
                  fresh Gold is and whether its lag stays flat; both without it
  --rows n        of the backlog (default 200000)
  --rate n        trades a second, live (1000)
  --seconds n     how long it is measured, live, after two minutes to warm up (300)

checks: all checks, and a question about an hour, over a lake that the platform has filled with the
simulator's trades. checks_s: all but those that read frames, frames_s: those
  --rows n        trades in Gold, at least (1000000)`,
  options: { frames: text, to: text, count: text, seconds: text, rows: text, rate: text },
  positionals_max: 1,
  setup: ({ flags: { to }, positionals: [name] }) => {
    if (name === "checks") return [...embedded_steps, "spark_classes", "duckdb"];
    if (name === "lake") return [...embedded_steps, "spark_classes"];
    return to === "acknowledged" || (name === "producer" && to !== "events")
      ? embedded_steps
      : ["packages"];
  },
  load: () => import("../actors/bench/bench_command.ts"),
};

const simulate_faults: Command = {
  name: "simulate-faults",
  summary: "run the feed in virtual time, with everything failing",
  usage: `bun run simulate-faults [--seeds n | --seed n]

The deterministic simulation: the feed's machines run in virtual time against simulated exchanges,
a simulated Kafka and a simulated disk. Calls throw, processes are killed, the power is cut, the
broker and the disk fail; then nothing does, and all has to become well. What must hold is checked
all along. A seed that fails is printed with the end of its history; exit code 1.
  --seeds n   run the seeds from 1 to n, over all cores (default 1000); the last line is
              seeds=… failed=… virtual_s=… seconds=…
  --seed n    run one seed and print its whole history: the same in every run`,
  options: { seeds: text, seed: text },
  positionals_max: 0,
  setup: () => ["packages"],
  load: () => import("./fault_simulation/command.ts"),
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

Ten minutes under load with kills in between, a soak that watches the memory, and chaos: whatever
may die, hang, fill or go away, each by itself, with all of Kafka held against the list afterwards.
LOAD_RATE and LOAD_SECONDS, SOAK_RATE and SOAK_SECONDS, CHAOS_RATE and CHAOS_AWAY_SECONDS say how
much and how long. The last line is "N passed, N failed".`,
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
  record,
  normalize,
  backfill,
  replay,
  maintain,
  notebook,
  bench,
  simulate_faults,
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
  const { since } = options;
  if (since?.kind === "at" && since.ms > Date.now()) {
    throw new UsageError(`--since is "${flags.since}": it must be a time in the past`);
  }
  const holder = lockHolder(settings.data_dir);
  if (holder !== null) throw inUse(settings.data_dir, holder.pid);
  checkDirectory(options);
  checkPemFiles(settings);
  if (options.role !== "feed") javaClientOptions(settings.kafka.properties, readPem);
}

/** A file that is not there would only be missed once everything runs. */
function checkPemFiles({ kafka, schema_registry_ca_location: authority }: Settings): void {
  for (const name of pem_properties) {
    const path = kafka.properties[name];
    if (path !== undefined) readPem(variableOf(name), path);
  }
  if (authority !== null) readPem("K2_SCHEMA_REGISTRY_CA_LOCATION", authority);
}

/** A running platform is asked to do it, and knows what its data directory is for. */
function checkBackfill({ flags, settings }: Invocation): void {
  const { start } = readBackfillOptions(flags, settings, Date.now());
  checkPemFiles(settings);
  if (lockHolder(settings.data_dir) === null) checkDirectory(start);
}

function checkDirectory(options: StartOptions): void {
  readStamp(options.settings.data_dir, purposeOf(options));
}

function stepsOfStart({ flags, settings }: Invocation): readonly StepName[] {
  const steps = feedSteps(settings);
  return flags.role === "feed" ? steps : [...steps, "spark_classes", "duckdb"];
}

function feedSteps(settings: Settings): readonly StepName[] {
  const steps: readonly StepName[] = ["packages", "kafka_client"];
  return settings.kafka.brokers === null ? [...steps, "kafka_broker"] : steps;
}
