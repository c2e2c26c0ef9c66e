/**
 * Every setting, read once from the environment (Bun reads `.env` itself) and validated before
 * anything starts: a wrong value stops the start with its name, its value and what is allowed.
 * `.env.example` lists them all; a test holds that list and this file together.
 *
 * @module
 */

import { resolve } from "node:path";
import { UsageError } from "./exit.ts";
import { readKafkaSecurity } from "./kafka_security.ts";
import { type Environment, readers, wrong } from "./readers.ts";

/** Which part of the platform a process runs: exchanges to Kafka, Kafka to Gold, or both. */
export type Role = "all" | "feed" | "lake";

/** What settings need to know of a registered exchange: its defaults. */
export interface ExchangeDefaults {
  readonly exchange: string;
  readonly native_symbols_default: readonly string[];
  readonly ws_url_default: string;
  readonly rest_url_default: string;
}

/** One exchange as the user wants it. */
export interface ExchangeSettings {
  readonly exchange: string;
  readonly native_symbols: readonly string[];
  readonly ws_url: string;
  readonly rest_url: string;
}

interface KafkaSettings {
  /** `host:port,…` of another cluster; null runs the embedded broker. */
  readonly brokers: string | null;
  /** Fixed loopback ports of the embedded broker; null takes free ones at the first start. */
  readonly port: number | null;
  readonly controller_port: number | null;
  /** librdkafka's properties of security, see `kafka_security.ts`. Secret. */
  readonly properties: Readonly<Record<string, string>>;
  readonly trades_partitions: number;
  readonly replication_factor: number;
  readonly retention_ms: number;
  readonly retention_bytes: number;
}

/** Who we are to a schema registry. */
export interface RegistryLogin {
  readonly username: string;
  readonly password: string;
}

/** Whole days that rows are kept, 0 for ever. */
interface RetentionSettings {
  /** All tables of Bronze. */
  readonly bronze_days: number;
  /** `silver.frames`. */
  readonly frames_days: number;
  /** `silver.trades` and `silver.quarantine`; the other tables of Silver are current state. */
  readonly silver_days: number;
  readonly gold_days: number;
}

/** Every setting, validated and with its default filled in. */
export interface Settings {
  readonly data_dir: string;
  /** Those that `K2_EXCHANGES` names, in its order. */
  readonly exchanges: readonly ExchangeSettings[];
  /** Every registered one, named or not. */
  readonly registered_exchanges: readonly ExchangeSettings[];
  readonly kafka: KafkaSettings;
  /** Another registry's base URL, without credentials; null runs the embedded one. */
  readonly schema_registry_url: string | null;
  /** Secret. */
  readonly schema_registry_login: RegistryLogin | null;
  /** A file of the authorities that its certificate is checked against; null: the usual ones. */
  readonly schema_registry_ca_location: string | null;
  readonly registry_port: number | null;
  readonly spark_master: string | null;
  readonly spark_driver_memory: string;
  /** Options of its JVM besides K2's own, separated by spaces. */
  readonly spark_driver_java_options: string;
  readonly catalog_uri: string | null;
  readonly warehouse: string | null;
  readonly trigger_seconds: number;
  /** Between two runs of maintenance; 0: only by command. */
  readonly maintenance_minutes: number;
  readonly snapshot_hours_min: number;
  /** Between two runs of the checks; 0: only by command. */
  readonly validation_minutes: number;
  readonly retention: RetentionSettings;
  readonly flush_count: number;
  readonly flush_ms: number;
  readonly buffer_bytes_max: number;
  /** Most bytes of records that wait on disk while Kafka is away; 0: none do. */
  readonly spill_bytes_max: number;
  readonly disk_free_min: number;
  /** How long ids may be missing before they are a gap: some trades come late. */
  readonly gap_grace_ms: number;
  /** Older gaps are filled only on request. */
  readonly backfill_hours_max: number;
  readonly status_host: string;
  readonly status_port: number;
  readonly status_token: string | null;
  readonly simulator_port: number | null;
}

/** A quarter of the buffer is for what comes after sockets are told to stop: a page of trades. */
const buffer_bytes_min = 8 * 2 ** 20;

/**
 * Reads and validates every setting.
 *
 * @throws {UsageError} naming the variable, its value and what is allowed.
 */
export function readSettings(
  environment: Environment,
  registered: readonly ExchangeDefaults[],
): Settings {
  const read = readers(environment);
  const registered_exchanges = registered.map((defaults) => readExchange(environment, defaults));
  return {
    data_dir: resolve(read.text("K2_DATA_DIR") ?? ".k2"),
    exchanges: readNamedExchanges(environment, registered_exchanges),
    registered_exchanges,
    kafka: readKafka(environment),
    ...readRegistry(environment),
    registry_port: read.port("K2_REGISTRY_PORT"),
    spark_master: read.text("K2_SPARK_MASTER"),
    spark_driver_memory: read.matching("K2_SPARK_DRIVER_MEMORY", /^\d+[mg]$/, "such as 1g") ?? "1g",
    spark_driver_java_options: read.text("K2_SPARK_DRIVER_JAVA_OPTIONS") ?? "",
    catalog_uri: read.text("K2_CATALOG_URI"),
    warehouse: read.text("K2_WAREHOUSE"),
    trigger_seconds: read.integer("K2_TRIGGER_SECONDS", { min: 1, max: 3600 }) ?? 2,
    maintenance_minutes: read.integer("K2_MAINTENANCE_MINUTES", { min: 0, max: 1440 }) ?? 5,
    snapshot_hours_min: read.integer("K2_SNAPSHOT_HOURS_MIN", { min: 1, max: 8760 }) ?? 1,
    validation_minutes: read.integer("K2_VALIDATION_MINUTES", { min: 0, max: 1440 }) ?? 10,
    retention: readRetention(environment),
    flush_count: read.integer("K2_FLUSH_COUNT", { min: 1, max: 10_000 }) ?? 500,
    flush_ms: read.integer("K2_FLUSH_MS", { min: 0, max: 10_000 }) ?? 2,
    buffer_bytes_max: read.bytes("K2_BUFFER_BYTES_MAX", buffer_bytes_min) ?? 64 * 2 ** 20,
    spill_bytes_max: read.bytes("K2_SPILL_BYTES_MAX", 0) ?? 4 * 2 ** 30,
    disk_free_min: read.bytes("K2_DISK_FREE_MIN", 0) ?? 2 * 2 ** 30,
    gap_grace_ms: read.integer("K2_GAP_GRACE_MS", { min: 0, max: 600_000 }) ?? 1_000,
    backfill_hours_max: read.integer("K2_BACKFILL_HOURS_MAX", { min: 0, max: 87_600 }) ?? 24,
    status_host: read.text("K2_STATUS_HOST") ?? "127.0.0.1",
    status_port: read.integer("K2_STATUS_PORT", { min: 0, max: 65_535 }) ?? 8900,
    status_token: read.text("K2_STATUS_TOKEN"),
    simulator_port: read.port("K2_SIMULATOR_PORT"),
  };
}

function readRetention(environment: Environment): RetentionSettings {
  const read = readers(environment);
  const days = { min: 0, max: 36_500 };
  return {
    bronze_days: read.integer("K2_RETENTION_BRONZE_DAYS", days) ?? 7,
    frames_days: read.integer("K2_RETENTION_FRAMES_DAYS", days) ?? 3,
    silver_days: read.integer("K2_RETENTION_SILVER_DAYS", days) ?? 30,
    gold_days: read.integer("K2_RETENTION_GOLD_DAYS", days) ?? 0,
  };
}

function readNamedExchanges(
  environment: Environment,
  registered: readonly ExchangeSettings[],
): readonly ExchangeSettings[] {
  const names = readers(environment).list("K2_EXCHANGES") ?? ["binance", "kraken"];
  return names.map((name) => {
    const named = registered.find(({ exchange }) => exchange === name);
    if (named !== undefined) return named;
    const allowed = registered.map(({ exchange }) => exchange).join(", ");
    throw wrong("K2_EXCHANGES", names.join(","), `a list of ${allowed}`);
  });
}

function readExchange(environment: Environment, defaults: ExchangeDefaults): ExchangeSettings {
  const read = readers(environment);
  const { exchange, native_symbols_default, ws_url_default, rest_url_default } = defaults;
  const prefix = `K2_${exchange.toUpperCase()}`;
  const ws_url = read.url(`${prefix}_WS_URL`, ["ws:", "wss:"]) ?? ws_url_default;
  const rest_url = read.url(`${prefix}_REST_URL`, ["http:", "https:"]) ?? rest_url_default;
  return {
    exchange,
    native_symbols: read.list(`${prefix}_SYMBOLS`) ?? native_symbols_default,
    ws_url: withoutSlash(ws_url),
    rest_url: withoutSlash(rest_url),
  };
}

function readKafka(environment: Environment): KafkaSettings {
  const read = readers(environment);
  const hosts = "host:port, comma separated";
  const brokers = read.matching("K2_KAFKA_BROKERS", /^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$/, hosts);
  const properties = readKafkaSecurity(environment);
  if (brokers === null && Object.keys(properties).length > 0) {
    throw new UsageError(
      "K2_KAFKA_SECURITY_PROTOCOL and its like are for another cluster: " +
        "K2_KAFKA_BROKERS must name it",
    );
  }
  return {
    brokers,
    port: read.port("K2_KAFKA_PORT"),
    controller_port: read.port("K2_KAFKA_CONTROLLER_PORT"),
    properties,
    trades_partitions: read.integer("K2_KAFKA_TRADES_PARTITIONS", { min: 1, max: 1024 }) ?? 3,
    replication_factor: read.integer("K2_KAFKA_REPLICATION_FACTOR", { min: 1, max: 9 }) ?? 1,
    retention_ms: (read.integer("K2_KAFKA_RETENTION_HOURS", { min: 1, max: 8760 }) ?? 24) * 3.6e6,
    retention_bytes: read.bytes("K2_KAFKA_RETENTION_BYTES", 1 << 20) ?? 4 * 2 ** 30,
  };
}

/** Credentials may stand in the URL too; from here on they are apart from it. */
function readRegistry(environment: Environment) {
  const read = readers(environment);
  const name = "K2_SCHEMA_REGISTRY_URL";
  const value = read.url(name, ["http:", "https:"]);
  const url = value === null ? null : new URL(value);
  const schema_registry_ca_location = read.text("K2_SCHEMA_REGISTRY_CA_LOCATION");
  if (schema_registry_ca_location !== null && url?.protocol !== "https:") {
    throw new UsageError(`K2_SCHEMA_REGISTRY_CA_LOCATION is set: ${name} must begin with https://`);
  }
  const username = read.text("K2_SCHEMA_REGISTRY_USERNAME") ?? decoded(name, url?.username);
  const password = read.text("K2_SCHEMA_REGISTRY_PASSWORD") ?? decoded(name, url?.password);
  if ((username === null) !== (password === null)) {
    throw new UsageError(
      "K2_SCHEMA_REGISTRY_USERNAME and K2_SCHEMA_REGISTRY_PASSWORD belong together: " +
        "set both or none",
    );
  }
  return {
    schema_registry_url: url === null ? null : withoutSlash(url.origin + url.pathname),
    schema_registry_login: username === null || password === null ? null : { username, password },
    schema_registry_ca_location,
  };
}

/** A part of a URL, where "%40" stands for "@"; null where it is missing or empty. */
function decoded(name: string, part: string | undefined): string | null {
  if (part === undefined || part === "") return null;
  try {
    return decodeURIComponent(part);
  } catch {
    throw new UsageError(`${name} has credentials that are not well encoded: "%" must be "%25"`);
  }
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}
