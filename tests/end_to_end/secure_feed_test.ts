/**
 * Goal: with a cluster and a registry that ask who we are, the feed runs and no secret is seen
 * anywhere; a registry that is away stops no feed that runs, and is waited for by one that starts;
 * one that refuses a schema ends the start at once, with its words.
 * Method: K2 as a process, with a secret in every setting that takes one, against a real broker with
 * TLS and SASL and a registry with TLS and a login; then everything that K2 shows is searched.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chooseFreePort } from "../../actors/port/free_port.ts";
import { answerRequest } from "../../actors/registry/routes.ts";
import { SchemaStore } from "../../actors/registry/store.ts";
import { tradesTopic } from "../../schemas/mod.ts";
import { temporaryFolder } from "../actors/producer/rig.ts";
import { startSecureBroker } from "../actors/producer/secure_broker.ts";
import type { Certified } from "../certificates.ts";
import { startSimulator } from "./ledger.ts";
import {
  allNodes,
  environmentOf,
  eventually,
  type Platform,
  run,
  startPlatform,
} from "./platform.ts";

const folder = temporaryFolder();
const test_ms = 180_000;
/** All of them contain this, so that one search finds any. */
const mark = "not-to-be-seen";
const secrets = {
  sasl_password: `sasl-${mark}`,
  key_password: `key-${mark}`,
  client_secret: `client-${mark}`,
  registry_password: `registry-${mark}`,
  status_token: `status-${mark}`,
  rest_password: `rest-${mark}`,
  catalog_password: `catalog-${mark}`,
};
const broker_user = { name: "k2-user", password: secrets.sasl_password };

let broker: Awaited<ReturnType<typeof startSecureBroker>>;
let simulator: Awaited<ReturnType<typeof startSimulator>>;
let certified: Certified;
let registry_port: number;
let settings: Record<string, string>;

beforeAll(async () => {
  broker = await startSecureBroker(join(folder.path, "kafka"), broker_user);
  certified = broker.authority.certify("registry");
  registry_port = await chooseFreePort();
  const chosen = { K2_EXCHANGES: "kraken", K2_KRAKEN_SYMBOLS: "BTC/USD" };
  simulator = await startSimulator(["--rate", "50"], environmentOf(folder.path, chosen));
  settings = { ...chosen, ...secretSettings(new URL(simulator.url).host) };
}, 180_000);

afterAll(async () => {
  await simulator?.[Symbol.asyncDispose]();
  await broker?.[Symbol.asyncDispose]();
  folder.remove();
}, 60_000);

function secretSettings(simulator_host: string): Record<string, string> {
  const { certificate_path, key_path } = broker.authority.certify("client");
  const encrypted_path = `${key_path}.encrypted`;
  const encryption = ["-topk8", "-v2", "aes256", "-passout", `pass:${secrets.key_password}`];
  Bun.spawnSync(["openssl", "pkcs8", ...encryption, "-in", key_path, "-out", encrypted_path]);
  return {
    K2_KRAKEN_WS_URL: `ws://${simulator_host}/v2`,
    K2_KRAKEN_REST_URL: `http://me:${secrets.rest_password}@${simulator_host}`,
    K2_KAFKA_BROKERS: broker.sasl,
    K2_KAFKA_SECURITY_PROTOCOL: "sasl_ssl",
    K2_KAFKA_SSL_CA_LOCATION: broker.authority.authority_path,
    K2_KAFKA_SSL_CERTIFICATE_LOCATION: certificate_path,
    K2_KAFKA_SSL_KEY_LOCATION: encrypted_path,
    K2_KAFKA_SSL_KEY_PASSWORD: secrets.key_password,
    K2_KAFKA_SASL_MECHANISM: "SCRAM-SHA-512",
    K2_KAFKA_SASL_USERNAME: broker_user.name,
    K2_KAFKA_SASL_PASSWORD: secrets.sasl_password,
    K2_KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET: secrets.client_secret,
    K2_SCHEMA_REGISTRY_URL: `https://127.0.0.1:${registry_port}`,
    K2_SCHEMA_REGISTRY_CA_LOCATION: broker.authority.authority_path,
    K2_SCHEMA_REGISTRY_USERNAME: "me",
    K2_SCHEMA_REGISTRY_PASSWORD: secrets.registry_password,
    K2_STATUS_TOKEN: secrets.status_token,
    K2_CATALOG_URI: `jdbc:postgresql://db/k2?user=me&password=${secrets.catalog_password}`,
  };
}

/** A registry with TLS and a login, over a store of its own. */
function startRegistry(database: string) {
  const store = new SchemaStore(join(folder.path, database));
  const expected = `Basic ${btoa(`me:${secrets.registry_password}`)}`;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: registry_port,
    tls: { cert: certified.certificate, key: certified.key },
    fetch: (request) =>
      request.headers.get("authorization") === expected
        ? answerRequest(store, request)
        : Response.json({ error_code: 40101, message: "Unauthorized" }, { status: 401 }),
  });
  return {
    store,
    async [Symbol.asyncDispose]() {
      await server.stop(true);
      store.close();
    },
  };
}

function environment(name: string, more: Readonly<Record<string, string>> = {}) {
  return environmentOf(join(folder.path, name), { ...settings, ...more });
}

/** Waits until so many more records are acknowledged. */
async function acknowledged(platform: Platform, more: number): Promise<void> {
  const path = "k2/platform/work/feed/producer/producer";
  const total = async () => Number((await platform.node(path)).figures.acknowledged_total ?? 0);
  const wanted = (await total()) + more;
  const isEnough = async () => ((await total()) >= wanted ? true : undefined);
  await eventually(`${more} more acknowledgements`, isEnough, 60_000).catch(async (error) => {
    const { figures } = await platform.node(path);
    throw new Error(`${error}: ${JSON.stringify(figures)}\n${platform.log()}`);
  });
}

/** Every process below one, with what anybody of the machine may read of it. */
function processesBelow(pid: number): { readonly pid: number; readonly shown: string }[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const stat = readProc(name, "stat");
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
  }
  const below = [...parents].filter(([, parent]) => parent === pid).map(([child]) => child);
  return below.flatMap((child) => [
    { pid: child, shown: readProc(child, "cmdline") + readProc(child, "environ") },
    ...processesBelow(child),
  ]);
}

function readProc(pid: number | string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

/** The files of a data directory that hold a secret. */
function filesWithSecrets(data_dir: string): string[] {
  const files = readdirSync(data_dir, { recursive: true, withFileTypes: true });
  return files
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath, file.name))
    .filter((path) => readFileSync(path).includes(mark));
}

test(
  "a start waits for the registry, the feed outlives it, and nothing shows a secret",
  async () => {
    await using platform = await startFeed(["--role", "feed"], environment("feed"));
    await eventually("the registry to be missed", () =>
      /The schema registry at https:\S+ cannot be reached.*trying again/.test(platform.log())
        ? true
        : undefined,
    );
    const { figures } = await platform.node("k2/platform/infrastructure/topics");
    expect(String(figures.reason)).toContain("cannot be reached");

    {
      await using _ = startRegistry("registry.db");
      await acknowledged(platform, 50);
      const shown = await Promise.all(
        ["/", "/status", "/metrics", "/readyz", "/livez"].map(async (path) => {
          const response = await fetch(platform.url(path));
          return (await response.text()) + JSON.stringify([...response.headers]);
        }),
      );
      expect(shown.join("").length).toBeGreaterThan(1_000);
      expect(shown.join("")).not.toContain(mark);
      const processes = processesBelow(platform.pid);
      expect(processes.map((process) => process.shown).join()).toContain("kafka_port.cjs");
      expect(processes.filter(({ shown }) => shown.includes(mark))).toEqual([]);
    }

    // The registry is away again.
    await acknowledged(platform, 100);
    const nodes = allNodes(await platform.tree());
    expect(nodes.filter(({ restarts }) => restarts.total > 0)).toEqual([]);
    expect(await platform.stop("SIGTERM")).toBe(0);
    expect(platform.log()).toContain("Drained");
    expect(platform.log()).not.toContain(mark);
    expect(filesWithSecrets(platform.data_dir)).toEqual([]);
  },
  test_ms,
);

test(
  "a wrong password is told in JSON without it, and tried again",
  async () => {
    const wrong = { K2_KAFKA_SASL_PASSWORD: `wrong-${mark}` };
    await using platform = await startFeed(
      ["--role", "feed", "--log", "json"],
      environment("wrong", wrong),
    );
    const node = await eventually("two attempts", async () => {
      const node = await platform.node("k2/platform/infrastructure/topics");
      return Number(node.figures.attempts) >= 2 ? node : undefined;
    });
    const words = "Kafka does not let us in: SASL authentication error: Authentication failed";
    expect(String(node.figures.reason)).toStartWith(words);
    expect(JSON.stringify(node)).not.toContain(mark);
    expect(await platform.stop("SIGTERM")).toBe(0);
    const lines = platform.log().trim().split("\n");
    expect(lines.filter((line) => JSON.parse(line).message.startsWith(words))).toHaveLength(1);
    expect(platform.log()).not.toContain(mark);
  },
  test_ms,
);

test(
  "a schema that the registry refuses ends the start at once, with its words last",
  async () => {
    await using registry = startRegistry("other.db");
    const subject = `${tradesTopic("kraken")}-value`;
    registry.store.register(subject, '{"type":"string"}');
    const started_ms = performance.now();
    const { exit_code, stdout, stderr } = await run(
      ["start", "--role", "feed"],
      environment("refused"),
    );
    expect(exit_code).toBe(1);
    expect(stdout).toBe("");
    const last = stderr.trimEnd().split("\n").at(-1);
    expect(last).toContain("K2 gave up: ");
    expect(last).toContain(`refuses the schema of ${subject}: Schema being registered is incompat`);
    expect(last).toEndWith("(HTTP 409)");
    expect(stderr).not.toContain("starting it again");
    expect(stderr).not.toContain(mark);
    expect(performance.now() - started_ms).toBeLessThan(30_000);
  },
  test_ms,
);

/** A platform that is killed where the test ends before it. */
async function startFeed(argv: readonly string[], chosen: Readonly<Record<string, string>>) {
  const platform = await startPlatform(argv, chosen);
  return {
    ...platform,
    async [Symbol.asyncDispose]() {
      await platform.stop("SIGKILL");
    },
  };
}
