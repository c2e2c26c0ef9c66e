/**
 * Goal: set-up makes what is missing once, resumes, never leaves half a product, and says in one
 * sentence what it could not do.
 * Method: the real set-up in temporary checkouts, with small scripts as the machine's tools: a
 * `java` with a version and an `mvn` that writes jars and counts its runs.
 */

import { afterAll, expect, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { FailureError } from "../../../actors/settings/exit.ts";
import type { Progress } from "../../../actors/setup/progress.ts";
import { setUp } from "../../../actors/setup/set_up.ts";
import { isDone, writeStamp } from "../../../actors/setup/stamps.ts";
import { kafka_client_package } from "../../../actors/setup/steps.ts";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const java = `echo 'openjdk version "17.0.15"' >&2`;
const mvn = `
echo run >> "$0.runs"
for argument; do case $argument in -DoutputDirectory=*) out=\${argument#*=};; esac; done
: > "$out/a.jar"
`;

test("setUp() makes a step once, with a line at its start and its end", async () => {
  const place = checkout({ java, mvn });
  const { progress, lines } = listen();
  await setUp(["kafka_broker"], { ...place, progress });
  expect(readdirSync(join(place.root, ".setup/kafka")).sort()).toEqual(["a.jar", "stamp.json"]);
  expect(lines[0]).toBe("started kafka_broker");
  expect(lines[1]).toBe("done kafka_broker");
  expect(lines[2]).toStartWith("everything is there after ");

  await setUp(["kafka_broker"], { ...place, progress });
  expect(lines.length).toBe(3);
  expect(place.runs("mvn")).toBe(1);
  expect(existsSync(join(place.root, ".setup/tmp"))).toBe(false);
});

test("setUp() makes a step again when its inputs change or its product is gone", async () => {
  const place = checkout({ java, mvn });
  await quietly(place);
  appendFileSync(join(place.root, "actors/broker/pom.xml"), "<!-- newer -->");
  await quietly(place);
  expect(place.runs("mvn")).toBe(2);
  rmSync(join(place.root, ".setup/kafka"), { recursive: true });
  await quietly(place);
  expect(place.runs("mvn")).toBe(3);
});

test("a step that fails leaves the older product, and the next set-up goes on", async () => {
  const place = checkout({ java, mvn });
  await quietly(place);
  appendFileSync(join(place.root, "actors/broker/pom.xml"), "<!-- newer -->");
  place.tool("mvn", `${mvn} echo '[ERROR] Could not transfer artifact x'; exit 1`);
  await expect(quietly(place)).rejects.toThrow(
    "Set-up could not fetch Kafka broker's jars: check the network and run the same command again " +
      "(.setup/logs/kafka_broker.log)",
  );
  expect(existsSync(join(place.root, ".setup/kafka/a.jar"))).toBe(true);
  expect(readFileSync(join(place.root, ".setup/logs/kafka_broker.log"), "utf8")).toContain("ERROR");

  place.tool("mvn", mvn);
  await quietly(place);
  expect(place.runs("mvn")).toBe(3);
});

test("two set-ups at once do the work once", async () => {
  const place = checkout({ java, mvn });
  await Promise.all([quietly(place), quietly(place)]);
  expect(place.runs("mvn")).toBe(1);
});

test.each([
  ["no Java", { mvn }, "Set-up needs Java 17 or newer, found none"],
  [
    "an old Java",
    { mvn, java: `echo 'java version "1.8.0_402"' >&2` },
    "Set-up needs Java 17 or newer, found 8.0",
  ],
  ["no Maven", { java }, "Set-up needs Maven, found none"],
])("%s is told before anything is made", async (_, tools, sentence) => {
  const place = checkout(tools);
  const { progress, lines } = listen();
  const failed = setUp(["kafka_broker"], { ...place, progress });
  await expect(failed).rejects.toThrow(sentence);
  await expect(failed).rejects.toBeInstanceOf(FailureError);
  expect(lines).toEqual([]);
});

test.each([
  ["no Python", {}, "Set-up needs Python 3.10 or newer, found none"],
  ["an old Python", { python3: "echo Python 3.9.2" }, "found 3.9.2"],
  [
    "a Python without venv",
    { "python3.12": "test $1 = --version && echo Python 3.12.1" },
    "Set-up needs Python's venv module, which ",
  ],
])("%s is told", async (_, tools, sentence) => {
  const place = checkout(tools);
  const { progress } = listen();
  await expect(setUp(["python"], { ...place, progress })).rejects.toThrow(sentence);
});

test("a Node that is Bun in disguise, or too old, is told", async () => {
  const { progress } = listen();
  const bun = checkout({ node: "printf '24.3.0\\n137\\n1.4.5\\n/x/bin/bun\\n'" });
  await expect(setUp(["kafka_client"], { ...bun, progress })).rejects.toThrow(
    "Set-up needs Node.js 20 or newer, found none",
  );
  const old = checkout({ node: "printf '18.1.0\\n108\\n\\n/x/bin/node\\n'" });
  await expect(setUp(["kafka_client"], { ...old, progress })).rejects.toThrow("found 18.1.0");
});

test("the Kafka client is done only for the Node that it was built for", async () => {
  const place = checkout({ node: "printf '20.1.0\\n115\\n\\n/x/bin/node\\n'" });
  const binary = `${kafka_client_package}/build/Release/confluent-kafka-javascript.node`;
  place.file(binary, "");
  expect(await isDone("kafka_client", place)).toBe(false);
  await writeStamp("kafka_client", place);
  expect(await isDone("kafka_client", place)).toBe(true);

  place.tool("node", "printf '22.1.0\\n127\\n\\n/x/bin/node\\n'");
  expect(await isDone("kafka_client", place)).toBe(false);
  place.tool("node", "printf '20.9.0\\n115\\n\\n/x/bin/node\\n'");
  expect(await isDone("kafka_client", place)).toBe(true);
  rmSync(join(place.root, binary));
  expect(await isDone("kafka_client", place)).toBe(false);
});

test("a damaged stamp is no stamp", async () => {
  const place = checkout({ java, mvn });
  await quietly(place);
  for (const text of ["", "{", "null", "{}", '{"fingerprint":1,"node":null}']) {
    place.file(".setup/kafka/stamp.json", text);
    expect(await isDone("kafka_broker", place)).toBe(false);
  }
});

/** A checkout that holds what set-up reads, with these scripts as its only tools beside coreutils. */
function checkout(tools: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), "k2-setup-"));
  folders.push(folder);
  const root = join(folder, "checkout");
  function file(path: string, text: string): void {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  function tool(name: string, script: string): void {
    const path = join(folder, "bin", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
  }
  function runs(name: string): number {
    return readFileSync(join(folder, "bin", `${name}.runs`), "utf8").split("\n").length - 1;
  }
  file("actors/broker/pom.xml", "<project/>");
  file(`${kafka_client_package}/package.json`, "{}");
  for (const [name, script] of Object.entries(tools)) tool(name, script);
  return { root, environment: { PATH: join(folder, "bin") }, file, tool, runs };
}

function quietly(place: ReturnType<typeof checkout>): Promise<unknown> {
  return setUp(["kafka_broker"], { ...place, progress: listen().progress });
}

function listen() {
  const lines: string[] = [];
  const progress: Progress = {
    started: (name) => lines.push(`started ${name}`),
    done: (name) => lines.push(`done ${name}`),
    failed: (name) => lines.push(`failed ${name}`),
    stopped: (name) => lines.push(`stopped ${name}`),
    note: (text) => lines.push(text),
    tick: () => {},
  };
  return { progress, lines };
}
