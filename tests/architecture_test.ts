/**
 * Goal: the arrows and limits that ARCHITECTURE.md and the style promise stay true.
 * Method: read every source file as text - imports with `import type` included, because a type is a
 * dependency too - and compare with the tables below. A new folder, impure file or entry is added
 * to its table on purpose, or a test here fails.
 */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, dirname, extname, join, normalize } from "node:path";
import { Glob } from "bun";
import { commands } from "../supervisors/commands.ts";

const root = join(import.meta.dir, "..");
const source_folders = "{actors,supervisors,schemas}";
const all_files = list(`${source_folders}/**/*`);
const sources = all_files.filter((file) => /\.(ts|cjs)$/.test(file));
const texts = new Map(all_files.concat("main.ts").map((file) => [file, read(file)]));

/** What every folder of actors may import beside its own: actors never import one another. */
const shared = ["actors", "actors/settings", "schemas"];

/** Folder of actors -> what else it may import. */
const further: Readonly<Record<string, readonly string[]>> = {
  "actors/rest": ["actors/exchanges"],
  "actors/connection": ["actors/exchanges", "actors/rest"],
  "actors/continuity": ["actors/exchanges"],
  "actors/normalizer": ["actors/exchanges", "actors/continuity"],
  "actors/backfiller": ["actors/exchanges", "actors/rest", "actors/continuity"],
  "actors/producer": ["actors/port"],
  "actors/broker": ["actors/port"],
  "actors/spark": ["actors/port"],
  "actors/validator": ["actors/port"],
  "actors/simulator": ["actors/port"],
  // Whether the holder of a data directory's lock still lives is a question about a process.
  "actors/settings": ["actors/port"],
  // It measures the very code of the live path, from the frame to the encoded record.
  "actors/bench": [
    "actors/exchanges",
    "actors/rest",
    "actors/connection",
    "actors/continuity",
    "actors/normalizer",
    "actors/producer",
    "actors/port",
    "actors/broker",
    "actors/registry",
    "actors/status",
    "actors/validator",
  ],
};

/** Impure files and what each touches; every other file must be free of all of it. */
const impure: Readonly<Record<string, string>> = {
  "actors/bench/bench_command.ts": "reads frames from a file, prints",
  "actors/bench/bench_log.ts": "clock, prints",
  "actors/bench/feed_bench.ts": "clock, prints",
  "actors/bench/feed_source.ts": "a process",
  "actors/bench/feed_turn.ts": "CPU time",
  "actors/bench/floor_feed.ts": "timers",
  "actors/bench/kafka.ts": "files, randomness, signals",
  "actors/bench/kafka_floor.cjs": "Kafka, in Node",
  "actors/bench/kafka_floor.ts": "a process",
  "actors/bench/lake_backlog.ts": "clock, files, timers",
  "actors/bench/lake_bench.ts": "prints",
  "actors/bench/checks_bench.ts": "clock, files, memory, prints",
  "actors/bench/lake_live.ts": "clock, files",
  "actors/bench/platform_run.ts": "a process, HTTP, timers",
  "actors/bench/live_feed.ts": "clock, randomness",
  "actors/bench/measure.ts": "clock, memory",
  "actors/bench/producer_bench.ts": "clock, memory, timers, prints",
  "actors/bench/watch.ts": "clock, memory",
  "actors/broker/broker.ts": "a process and its files",
  "actors/continuity/continuity_store.ts": "a database file",
  "actors/exchanges/instrument_cache.ts": "files",
  "actors/connection/socket.ts": "a WebSocket, the clock",
  "actors/normalizer/normalize_command.ts": "reads frames, prints",
  "actors/normalizer/text_output.ts": "files",
  "actors/port/free_port.ts": "sockets",
  "actors/port/leftovers.ts": "files, processes",
  "actors/port/port.ts": "a process",
  "actors/port/process.ts": "processes",
  "actors/port/timers.ts": "timers",
  "actors/producer/kafka_admin.cjs": "Kafka, in Node",
  "actors/producer/kafka_login.cjs": "HTTP, files, timers, in Node",
  "actors/producer/kafka_port.cjs": "Kafka, in Node",
  "actors/producer/spill_store.ts": "a database file",
  "actors/registry/registry.ts": "an HTTP server",
  "actors/registry/store.ts": "a database file",
  "actors/settings/clock.ts": "clock",
  "actors/settings/data_directory.ts": "files",
  "actors/settings/pem_file.ts": "files",
  "actors/rest/budget_store.ts": "a database file",
  "actors/rest/get_page.ts": "HTTP",
  "actors/rest/symbols_command.ts": "clock, prints",
  "actors/setup/child.ts": "processes",
  "actors/setup/install.ts": "files, processes",
  "actors/setup/lock.ts": "a lock file",
  "actors/setup/set_up.ts": "files, clock, signals",
  "actors/setup/stamps.ts": "files",
  "actors/setup/suite_run.ts": "files, prints",
  "actors/setup/test_command.ts": "finds test files, prints",
  "actors/setup/test_long_command.ts": "reads what was measured, prints",
  "actors/setup/tools.ts": "programs on PATH",
  "actors/simulator/command.ts": "prints, signals, reads faults",
  "actors/simulator/relay.ts": "sockets, timers",
  "actors/simulator/server.ts": "a server, the clock",
  "actors/simulator/simulator_port.ts": "a process",
  "actors/simulator/tape_files.ts": "files",
  "actors/spark/driver_port.ts": "a process and its files",
  "actors/spark/spark.ts": "files",
  "actors/status/server.ts": "an HTTP server",
  "actors/status/status_command.ts": "HTTP, prints",
  "actors/validator/checks.ts": "files, clock",
  "actors/validator/lake.ts": "files, the catalog's database",
  "actors/validator/notebook_command.ts": "a process, files",
  "actors/validator/output.ts": "files",
  "actors/validator/query.ts": "DuckDB",
  "actors/validator/query_command.ts": "prints",
  "actors/validator/validate_command.ts": "clock, prints",
  "actors/validator/validator.ts": "a process",
  "actors/validator/values.ts": "DuckDB's types",
  "supervisors/backfill_command.ts": "clock, prints",
  "supervisors/commands.ts": "the clock",
  "supervisors/fault_simulation/command.ts": "clock, prints",
  "supervisors/host_effects.ts": "hands sockets, processes, clocks and randomness to the actors",
  "supervisors/maintain_command.ts": "files, prints, signals",
  "supervisors/platform.ts": "the whole process",
  "supervisors/record_command.ts": "files, prints, signals",
  "supervisors/replay_command.ts": "clock, prints",
  "supervisors/running_platform.ts": "HTTP",
  "supervisors/start_command.ts": "clock, timers, prints",
};

/** What a pure file may not touch: clock, randomness, timers, network, disk, processes. */
const touches: readonly RegExp[] = [
  /\bDate\.now\b/,
  /\bnew Date\(\)/,
  /\bperformance\.(now|timeOrigin)\b/,
  /\bMath\.random\b/,
  /\brandom(UUID|Bytes|Int)\b/,
  /\bset(Timeout|Interval|Immediate)\(/,
  /(?<![.\w])fetch\(/,
  /\bnew WebSocket\b/,
  /from "(node:)?(fs|fs\/promises|child_process|net|http|https|dns|os|worker_threads)"/,
  /from "(bun|bun:sqlite|ws|@duckdb\/node-api)"/,
  /\bBun\.(?!hash|YAML|TOML|deepEquals|inspect|stringWidth|escapeHTML)\w+/,
  /\bprocess\.(env|argv|pid|std(in|out|err)|on|once|off|kill|exit|exitCode|execPath|cwd)\b/,
  /\bprocess\.(memoryUsage|cpuUsage|hrtime|uptime|nextTick)\b/,
  /\brequire\(/,
  /\bconsole\./,
];

/** Files that nothing imports because a person, a program or a server reads them. */
const entries: readonly RegExp[] = [
  /^actors\/[a-z]+\/.*SOURCE\.md$/,
  /\.d\.ts$/,
  /^actors\/status\/(prometheus_rules\.yaml|grafana_dashboard\.json)$/,
];

test("imports follow the allowed direction", () => {
  const violations = sources.flatMap((file) =>
    importsOf(file)
      .filter((target) => !mayImport(dirname(file), dirname(target)))
      .map((target) => `${file} imports ${target}`),
  );
  expect(violations).toEqual([]);
});

test("only main.ts and tests import from supervisors, and nothing imports main.ts", () => {
  const violations = sources
    .filter((file) => !file.startsWith("supervisors/"))
    .filter((file) => importsOf(file).some((target) => /^(supervisors\/|main\.ts)/.test(target)));
  expect(violations).toEqual([]);
});

test("one file opens WebSockets", () => {
  const clients = sources.filter((file) => /\bnew (WebSocket|WS)\(|from "ws"/.test(textOf(file)));
  expect(clients).toEqual(["actors/connection/socket.ts"]);
});

test("only port programs and the bench's floor load the Kafka client, and only Node runs them", () => {
  const loaders = sources.filter((file) =>
    /(from|require\(|import\() *"@(confluentinc|platformatic)\//.test(textOf(file)),
  );
  expect(loaders.length).toBeGreaterThan(0);
  for (const file of loaders) expect(file).toMatch(/^actors\/(producer|bench)\/\w+\.cjs$/);
});

test("the simulator shares nothing with what it tests", () => {
  const shares = sources
    .filter((file) => file.startsWith("actors/simulator/"))
    .filter((file) => importsOf(file).some((target) => target.startsWith("actors/exchanges/")));
  expect(shares).toEqual([]);
});

test("no pure file touches clock, randomness, timers, network, disk or processes", () => {
  const violations = sources
    .filter((file) => impure[file] === undefined)
    .flatMap((file) => touchesOf(file).map((found) => `${file} touches ${found}`));
  expect(violations).toEqual([]);
});

test("every file that is listed as impure exists and touches something", () => {
  const idle = Object.keys(impure).filter(
    (file) => !sources.includes(file) || touchesOf(file).length === 0,
  );
  expect(idle).toEqual([]);
});

test("every file is reached from main.ts", () => {
  const reached = reachable(["main.ts"]);
  const dead = all_files.filter(
    (file) => !reached.has(file) && !entries.some((entry) => entry.test(file)),
  );
  expect(dead).toEqual([]);
});

test("lines have at most 100 columns", () => {
  const long = sources.flatMap((file) =>
    textOf(file)
      .split("\n")
      .flatMap((line, index) => (line.length > 100 ? [`${file}:${index + 1}`] : [])),
  );
  expect(long).toEqual([]);
});

test("functions have at most 70 lines", () => {
  const long = sources.flatMap((file) =>
    functionsOf(textOf(file))
      .filter(({ lines }) => lines > 70)
      .map(({ name, lines }) => `${file} ${name}: ${lines} lines`),
  );
  expect(long).toEqual([]);
});

test("no top-level arrow functions but the runs of commands, and no types switched off", () => {
  const violations = sources.flatMap((file) =>
    codeOf(file)
      .split("\n")
      .filter(
        (line) =>
          /^(export )?const \w+(: (?!Run\b)[^=]+)? = (async )?(\([^)]*\)|\w+)(: [^=]+)? =>/.test(
            line,
          ) ||
          /(: any\b|\bas any\b|<any>|@ts-(ignore|expect-error|nocheck)|biome-ignore)/.test(line),
      )
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(violations).toEqual([]);
});

test("every file opens with what it is", () => {
  const silent = sources.filter(
    (file) => !/^(#!.*\n)?("use strict";\n)?\n*\/\*\*(\n \*)? \S/.test(textOf(file)),
  );
  expect(silent).toEqual([]);
});

test("every exported thing has a doc", () => {
  const undocumented = sources.flatMap((file) =>
    exportsOf(textOf(file))
      .filter(({ doc }) => doc === "" || doc.includes("@module"))
      .map(({ line }) => `${file}: ${line}`),
  );
  expect(undocumented).toEqual([]);
});

test("no file is left to do, or names somebody's home", () => {
  const violations = sources.filter((file) =>
    /\b(TODO|FIXME|XXX|HACK)\b|\/(root|home)\//.test(textOf(file)),
  );
  expect(violations).toEqual([]);
});

test("file names are snake_case and say what is in them", () => {
  const odd = all_files.filter((file) => {
    const name = basename(file).split(".")[0]!;
    const is_snake = /^[a-z0-9_]+$/.test(name) || entries.some((entry) => entry.test(file));
    return !is_snake || /^(utils?|helpers?|common|managers?|services?)$/.test(name);
  });
  expect(odd).toEqual([]);
});

test("every script of package.json is a command, and calls main.ts with its own name", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const names = commands.map(({ name }) => name);
  for (const [name, script] of Object.entries(scripts)) {
    expect(names).toContain(name);
    expect(script).toBe(`bun main.ts ${name}`);
  }
});

test("every command in README.md exists", () => {
  const names = commands.map(({ name }) => name);
  const readme = read("README.md");
  const used = [...readme.matchAll(/\bbun(?:@[\d.]+)? run ([a-z][a-z:-]*)/g)].map(
    ([, name]) => name!,
  );
  expect(used).toContain("start");
  expect(used).toContain("test");
  expect(used.filter((name) => !names.includes(name))).toEqual([]);
});

function list(pattern: string): string[] {
  const files = [...new Glob(pattern).scanSync({ cwd: root, onlyFiles: true })];
  return files.filter((file) => !/__pycache__|\.ipynb_checkpoints/.test(file)).sort();
}

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

function textOf(file: string): string {
  return texts.get(file) ?? "";
}

/** A file's text without comments, so that a word in a sentence is not taken for code. */
function codeOf(file: string): string {
  return textOf(file)
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/(?<![:"'`\w])\/\/.*$/gm, "");
}

/** Relative imports of a file, static, type-only and dynamic, as paths from the checkout. */
function importsOf(file: string): string[] {
  const code = textOf(file);
  const paths = [
    ...code.matchAll(/^(?:import|export|\})[^"\n]*? from "(\.[^"]+)"/gm),
    ...code.matchAll(/\b(?:import|require)\("(\.[^"]+)"\)/g),
  ];
  return paths.map(([, path]) => normalize(join(dirname(file), path!)));
}

function mayImport(from: string, to: string): boolean {
  // The package's own file at the top says the version.
  if (from === to || to === ".") return true;
  if (from === "supervisors") {
    // A command loads its code: the simulation stands on the tree, and nothing stands on it.
    return to.startsWith("actors") || to === "schemas" || to === "supervisors/fault_simulation";
  }
  if (from === "supervisors/fault_simulation") {
    return to.startsWith("actors") || to === "schemas" || to === "supervisors";
  }
  if (from === "actors") return to === "schemas";
  if (!from.startsWith("actors/")) return false;
  const folder = from.split("/").slice(0, 2).join("/");
  const target = to.split("/").slice(0, 2).join("/");
  return folder === target || [...shared, ...(further[folder] ?? [])].includes(target);
}

function touchesOf(file: string): string[] {
  const code = codeOf(file).replace(/^import type .*$/gm, "");
  return touches.flatMap((pattern) => pattern.exec(code)?.[0] ?? []);
}

/**
 * What is reached from the roots: by import, or by being named in a text of a reached file, which
 * is how programs, queries, schemas and pages are loaded. A file in a folder of data is reached with
 * the folder.
 */
function reachable(roots: readonly string[]): Set<string> {
  const reached = new Set<string>();
  const queue = [...roots];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    const code = codeOf(file);
    queue.push(...importsOf(file).filter((target) => texts.has(target)));
    queue.push(...all_files.filter((other) => isNamed(other, code)));
  }
  return reached;
}

function isNamed(file: string, code: string): boolean {
  const name = basename(file);
  if (extname(file) === ".ts")
    return new RegExp(`["'/]${name}["']`).test(code) && !code.includes(`from "./${name}"`);
  return code.includes(name) || code.includes(`${basename(dirname(file))}/`);
}

/** Exports but those passed on from another file, each with the doc comment directly above it. */
function exportsOf(text: string): { readonly doc: string; readonly line: string }[] {
  const found = text.matchAll(
    /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?^(export (?!(?:type )?[{*]).*)$/gm,
  );
  return [...found].map(([, doc = "", line = ""]) => ({ doc, line }));
}

/** Functions by their first line, to the line that closes them at the same indentation. */
function functionsOf(text: string): { readonly name: string; readonly lines: number }[] {
  const lines = text.split("\n");
  return lines.flatMap((line, index) => {
    const match = /^(\s*)(?:export )?(?:async )?function\*? (\w+)/.exec(line);
    if (match === null) return [];
    const close = lines.indexOf(`${match[1]}}`, index);
    return [{ name: match[2]!, lines: close - index + 1 }];
  });
}
