/**
 * Goal: compose.yaml and the Dockerfile are whole and modest: valid, pinned, healthy, loopback only.
 * Method: the Compose specification's own schema, then what a schema cannot see, read from the file
 * with its anchors resolved. Nothing is started, so no Docker is needed.
 */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { exchanges } from "../actors/exchanges/mod.ts";
import { readSettings } from "../actors/settings/settings.ts";
import { isStepName } from "../actors/setup/steps.ts";

const root = join(import.meta.dir, "..");

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly stop_grace_period?: string;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const compose = Bun.YAML.parse(readFileSync(join(root, "compose.yaml"), "utf8")) as Compose;
const dockerfile = readFileSync(join(root, "Dockerfile"), "utf8");
const services = Object.entries(compose.services);

test("compose.yaml is valid by the Compose specification", () => {
  const checked = Bun.spawnSync([
    join(root, ".setup/python/bin/check-jsonschema"),
    "--builtin-schema",
    "vendor.compose-spec",
    join(root, "compose.yaml"),
  ]);
  expect(checked.stdout.toString() + checked.stderr.toString()).toStartWith("ok --");
  expect(checked.exitCode).toBe(0);
}, 60_000);

test("it has a broker, a registry, a feed and a lake", () => {
  expect(Object.keys(compose.services).sort()).toEqual(["broker", "feed", "lake", "registry"]);
});

test.each(services)("%s has a pinned image, a health check and no spare rights", (_, service) => {
  expect(service.image).toMatch(/^[a-z0-9/_-]+:\d+\.\d+\.\d+$/);
  expect(service.healthcheck?.test[0]).toBe("CMD");
  expect(service.cap_drop).toEqual(["ALL"]);
});

test.each(services)("what %s names exists: services, volumes, loopback ports", (_, service) => {
  for (const [name, { condition }] of Object.entries(service.depends_on ?? {})) {
    expect(compose.services[name]).toBeDefined();
    expect(condition).toBe("service_healthy");
  }
  for (const volume of service.volumes ?? []) {
    expect(Object.keys(compose.volumes)).toContain(volume.split(":")[0]!);
  }
  for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
});

test("no two services publish the same port or write the same volume", () => {
  const ports = services.flatMap(([, { ports = [] }]) => ports.map((port) => port.split(":")[1]));
  const volumes = services.flatMap(([, { volumes: used = [] }]) => used);
  expect(new Set(ports).size).toBe(ports.length);
  expect(new Set(volumes).size).toBe(volumes.length);
  expect(volumes.map((volume) => volume.split(":")[0]!).sort()).toEqual(
    Object.keys(compose.volumes).sort(),
  );
});

test.each(["feed", "lake"])("%s starts K2 in its role with settings that K2 accepts", (role) => {
  const service = compose.services[role]!;
  expect(service.command).toEqual(["start", "--role", role]);
  expect(service.read_only).toBe(true);
  expect(Number.parseInt(service.stop_grace_period!, 10)).toBeGreaterThan(30);
  const settings = readSettings(withDefaults(service.environment), exchanges);
  expect(settings.kafka.brokers).toBe("broker:9092");
  expect(settings.schema_registry_url).toBe("http://registry:8081");
  expect(settings.exchanges).toEqual(readSettings({}, exchanges).exchanges);
  expect(service.volumes).toEqual([`${role}_data:${settings.data_dir}`]);
  expect(service.ports![0]!.split(":")[2]).toBe(String(settings.status_port));
});

test("the Dockerfile pins its base and Bun, sets up known steps, and ends as an ordinary user", () => {
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base!);
  expect(bases.filter((base) => base.includes(":"))).toEqual(["node:22.22.2-bookworm-slim"]);
  expect(bases.filter((base) => !base.includes(":"))).toEqual(["base", "base"]);
  const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  expect(dockerfile).toContain(`install --global ${packageManager ?? `bun@${Bun.version}`}`);
  const [, steps = ""] = /main\.ts setup ([\w ]+)/.exec(dockerfile) ?? [];
  expect(
    steps
      .trim()
      .split(" ")
      .filter((name) => !isStepName(name)),
  ).toEqual([]);
  expect(dockerfile.match(/^USER .*$/gm)).toEqual(["USER node"]);
});

/** Resolves `${NAME:-default}` as Compose does where the variable is unset. */
function withDefaults(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      value.replace(/\$\{\w+:-([^}]*)\}/g, "$1"),
    ]),
  );
}
