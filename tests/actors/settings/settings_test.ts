/**
 * Goal: every setting has the documented default, and a wrong one is refused by its name, its value
 * and what is allowed.
 * Method: environments as plain objects. `.env.example` is read as Bun would read it with every line
 * switched on, and must give exactly the defaults; a recording environment finds every name read.
 */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { exchanges } from "../../../actors/exchanges/mod.ts";
import { UsageError } from "../../../actors/settings/exit.ts";
import { readSettings } from "../../../actors/settings/settings.ts";

const example = readExample();

test(".env.example lists every variable that is read, and no other", () => {
  const names = new Set<string>();
  const recording = new Proxy<Record<string, string | undefined>>(
    {},
    {
      get(_, name) {
        names.add(String(name));
        return undefined;
      },
    },
  );
  readSettings(recording, exchanges);
  expect(Object.keys(example).sort()).toEqual([...names].sort());
});

test("the values in .env.example are the defaults", () => {
  expect(readSettings(example, exchanges)).toEqual(readSettings({}, exchanges));
});

test("the defaults are those of the interface", () => {
  expect(readSettings({}, exchanges)).toMatchObject({
    data_dir: resolve(".k2"),
    kafka: { brokers: null, trades_partitions: 3, retention_ms: 86_400_000 },
    schema_registry_url: null,
    spark_master: null,
    spark_driver_java_options: "",
    trigger_seconds: 2,
    maintenance_minutes: 5,
    validation_minutes: 10,
    snapshot_hours_min: 1,
    retention: { bronze_days: 7, frames_days: 3, silver_days: 30, gold_days: 0 },
    flush_count: 500,
    flush_ms: 2,
    buffer_bytes_max: 67_108_864,
    disk_free_min: 2_147_483_648,
    status_host: "127.0.0.1",
    status_port: 8900,
  });
  const { exchanges: read } = readSettings({}, exchanges);
  expect(read.map(({ exchange, native_symbols }) => [exchange, native_symbols])).toEqual([
    ["binance", ["BTCUSDT", "ETHUSDT"]],
    ["kraken", ["BTC/USD", "ETH/USD"]],
  ]);
});

test("values are read as they are written", () => {
  const settings = readSettings(
    {
      K2_EXCHANGES: " kraken ",
      K2_KRAKEN_SYMBOLS: "BTC/USD, SOL/EUR",
      K2_KRAKEN_WS_URL: "ws://127.0.0.1:9000/v2/",
      K2_KAFKA_BROKERS: "a:9092,b.example:9093",
      K2_SCHEMA_REGISTRY_URL: "https://me:p%40ss@registry.example/base/",
      K2_BUFFER_BYTES_MAX: "16 MiB",
      K2_STATUS_PORT: "0",
      K2_TRIGGER_SECONDS: "",
    },
    exchanges,
  );
  expect(settings.exchanges).toMatchObject([
    {
      exchange: "kraken",
      native_symbols: ["BTC/USD", "SOL/EUR"],
      ws_url: "ws://127.0.0.1:9000/v2",
    },
  ]);
  expect(settings.kafka.brokers).toBe("a:9092,b.example:9093");
  expect(settings.schema_registry_url).toBe("https://registry.example/base");
  expect(settings.schema_registry_login).toEqual({ username: "me", password: "p@ss" });
  expect(settings.buffer_bytes_max).toBe(16 * 2 ** 20);
  expect(settings.status_port).toBe(0);
  expect(settings.trigger_seconds).toBe(2);
});

test.each([
  ["K2_EXCHANGES", "binance,nowhere", "a list of "],
  ["K2_EXCHANGES", "binance,binance", "without empty or repeated items"],
  ["K2_BINANCE_SYMBOLS", "BTCUSDT,,ETHUSDT", "without empty or repeated items"],
  ["K2_BINANCE_WS_URL", "https://example.test", "ws:// or wss://"],
  ["K2_KRAKEN_REST_URL", "nonsense", "http:// or https://"],
  ["K2_KAFKA_BROKERS", "localhost", "host:port"],
  ["K2_KAFKA_PORT", "0", "an integer from 1 to 65535"],
  ["K2_STATUS_PORT", "65536", "an integer from 0 to 65535"],
  ["K2_FLUSH_COUNT", "1e3", "an integer from 1 to 10000"],
  ["K2_FLUSH_MS", "-1", "an integer from 0 to 10000"],
  ["K2_MAINTENANCE_MINUTES", "-1", "an integer from 0 to 1440"],
  ["K2_VALIDATION_MINUTES", "1441", "an integer from 0 to 1440"],
  ["K2_SNAPSHOT_HOURS_MIN", "0", "an integer from 1 to 8760"],
  ["K2_RETENTION_BRONZE_DAYS", "1.5", "an integer from 0 to 36500"],
  ["K2_RETENTION_FRAMES_DAYS", "week", "an integer from 0 to 36500"],
  ["K2_RETENTION_SILVER_DAYS", "36501", "an integer from 0 to 36500"],
  ["K2_RETENTION_GOLD_DAYS", "ever", "an integer from 0 to 36500"],
  ["K2_TRIGGER_SECONDS", "0", "an integer from 1 to 3600"],
  ["K2_BUFFER_BYTES_MAX", "64 MB", "KiB, MiB or GiB"],
  ["K2_BUFFER_BYTES_MAX", "1", "at least 8388608"],
  ["K2_SPARK_DRIVER_MEMORY", "lots", "such as 1g"],
])("%s=%s is refused", (name, value, allowed) => {
  const read = () => readSettings({ [name]: value }, exchanges);
  expect(read).toThrow(UsageError);
  expect(read).toThrow(`${name} is "${value}": it must be `);
  expect(read).toThrow(allowed);
});

test("a registry's login may stand in settings of its own", () => {
  const url = { K2_SCHEMA_REGISTRY_URL: "https://other:one@registry.example" };
  const username = { K2_SCHEMA_REGISTRY_USERNAME: "me" };
  const login = { ...username, K2_SCHEMA_REGISTRY_PASSWORD: "p:a@ss" };
  expect(readSettings({ ...url, ...login }, exchanges).schema_registry_login).toEqual({
    username: "me",
    password: "p:a@ss",
  });
  expect(() => readSettings(username, exchanges)).toThrow(
    "K2_SCHEMA_REGISTRY_USERNAME and K2_SCHEMA_REGISTRY_PASSWORD belong together",
  );
  const plain = { K2_SCHEMA_REGISTRY_URL: "http://r", K2_SCHEMA_REGISTRY_CA_LOCATION: "/ca" };
  expect(() => readSettings(plain, exchanges)).toThrow("must begin with https://");
});

test("security is for a cluster that is named", () => {
  expect(() => readSettings({ K2_KAFKA_SECURITY_PROTOCOL: "ssl" }, exchanges)).toThrow(
    "K2_KAFKA_BROKERS must name it",
  );
});

test.each([
  ["K2_SCHEMA_REGISTRY_URL", "ftp://me:hidden@registry.example", "ftp://…@registry.example"],
  ["K2_SCHEMA_REGISTRY_URL", "me:hidden@registry.example", "…@registry.example"],
  ["K2_SCHEMA_REGISTRY_URL", "https://me:hid/den@registry.example", "https://…@registry.example"],
  ["K2_KAFKA_BROKERS", "sasl_ssl://me:hidden@broker:9092", "sasl_ssl://…@broker:9092"],
  ["K2_KRAKEN_WS_URL", "https://me:hidden@proxy", "https://…@proxy"],
])("%s=%s is refused without its credentials", (name, value, shown) => {
  const read = () => readSettings({ [name]: value }, exchanges);
  expect(read).toThrow(UsageError);
  expect(read).toThrow(`${name} is "${shown}": it must be `);
});

test("credentials in a URL that are not well encoded are refused, and not shown", () => {
  const value = "https://me:hidden%zz@registry.example";
  const read = () => readSettings({ K2_SCHEMA_REGISTRY_URL: value }, exchanges);
  expect(read).toThrow("K2_SCHEMA_REGISTRY_URL has credentials that are not well encoded");
  expect(read).not.toThrow("hidden");
});

/** Every assignment of the file, switched on. */
function readExample(): Readonly<Record<string, string>> {
  const text = readFileSync(join(import.meta.dir, "../../../.env.example"), "utf8");
  return Object.fromEntries(
    [...text.matchAll(/^#(K2_\w+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]),
  );
}
