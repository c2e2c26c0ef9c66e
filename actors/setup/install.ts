/**
 * How each step makes its product. Whatever can be made beside its place is made in `.setup/tmp`
 * and moved there whole; the Python environment cannot (its scripts hold its path), so it is made
 * in place and begun anew when its stamp is missing.
 *
 * @module
 */

import { existsSync, globSync } from "node:fs";
import { copyFile, cp, mkdir, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FailureError } from "../settings/exit.ts";
import { type ChildOutcome, runChild } from "./child.ts";
import { failureSentence } from "./failure.ts";
import type { Place } from "./stamps.ts";
import {
  dependency_plugin,
  kafka_client_package,
  type PythonStepName,
  requirementsOf,
  type StepName,
  steps,
  uv_version,
} from "./steps.ts";
import { askNode, findPython, requireCompiler, which } from "./tools.ts";

/** What a step's installer works with. */
interface Work extends Place {
  readonly name: StepName;
  readonly signal: AbortSignal;
}

type Command = readonly [string, ...string[]];

/** The longest that one program of set-up may take: PySpark on a line of 3 Mbit/s fits. */
const program_ms_max = 30 * 60_000;

/** The longest that looking for a prebuilt Kafka client may take. */
const prebuilt_ms_max = 3 * 60_000;

/**
 * Makes a step's product, without its stamp.
 *
 * @throws {FailureError} with the sentence that says what went wrong.
 */
export async function install(name: StepName, place: Place, signal: AbortSignal): Promise<void> {
  const work: Work = { ...place, environment: cleanEnvironment(place), name, signal };
  await rm(logOf(work), { force: true });
  switch (name) {
    case "packages":
      return run(work, [process.execPath, "install", "--frozen-lockfile"]);
    case "kafka_client":
      return installKafkaClient(work);
    case "kafka_broker":
      return installJars(work, { pom: "actors/broker/pom.xml", folder: ".setup/kafka" });
    case "spark_jars":
      return installJars(work, { pom: "spark/pom.xml", folder: ".setup/spark" });
    case "python":
      return installPython(work);
    case "duckdb":
      await installRequirements(work, name);
      return copyExtensions(work);
    case "pyspark":
    case "notebooks":
    case "test_tools":
      return installRequirements(work, name);
    case "spark_classes":
      return run(work, [
        join(work.root, ".setup/python/bin/python"),
        "-B",
        join(work.root, "spark/jobs/class_archive.py"),
        join(work.root, ".setup/spark"),
      ]);
    case "apicurio":
      return installJars(work, {
        pom: "tests/actors/registry/pom.xml",
        folder: ".setup/apicurio",
        goal: "unpack-dependencies",
      });
    default:
      name satisfies never;
  }
}

/** The folder in which everything unfinished stands, relative to the checkout. */
export const temporary_folder = ".setup/tmp";

/** The folder of the logs, one for each step, relative to the checkout. */
export const log_folder = ".setup/logs";

/**
 * The environment of set-up's programs: temporary files stand in the checkout, nothing of this
 * Python or of a surrounding build leaks in. MAKEFLAGS and JOBS break the order of the Kafka
 * client's build.
 */
function cleanEnvironment({ root, environment }: Place): Place["environment"] {
  const kept = { ...environment };
  for (const name of ["MAKEFLAGS", "JOBS", "VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH"]) {
    delete kept[name];
  }
  const temporary = join(root, temporary_folder);
  return {
    ...kept,
    TMPDIR: temporary,
    BUN_TMPDIR: temporary,
    // A JVM would otherwise leave its counters in the machine's own temporary folder.
    MAVEN_OPTS: `${kept.MAVEN_OPTS ?? ""} -XX:-UsePerfData -Djava.io.tmpdir=${temporary}`.trim(),
  };
}

function logOf({ root, name }: Work): string {
  return join(root, log_folder, `${name}.log`);
}

async function run(work: Work, command: Command): Promise<void> {
  const outcome = await tryRun(work, command, program_ms_max);
  if (outcome.exit_code !== 0) throw failureOf(work, outcome);
}

function tryRun(work: Work, command: Command, timeout_ms: number): Promise<ChildOutcome> {
  const { root, environment, signal } = work;
  return runChild(command, { cwd: root, environment, log: logOf(work), timeout_ms, signal });
}

function failureOf({ name }: Work, { tail, is_timed_out }: ChildOutcome): FailureError {
  const { title } = steps[name];
  const log = `${log_folder}/${name}.log`;
  return new FailureError(failureSentence({ title, tail, log, is_timed_out }));
}

/** An empty folder in `.setup/tmp`, for one step. */
async function emptyFolder({ root, name }: Work): Promise<string> {
  const folder = join(root, temporary_folder, name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return folder;
}

/** Puts a finished folder in the place of an older one. */
async function moveInto(folder: string, place: string): Promise<void> {
  await rm(place, { recursive: true, force: true });
  await mkdir(dirname(place), { recursive: true });
  await rename(folder, place);
}

async function installJars(
  work: Work,
  options: {
    readonly pom: string;
    readonly folder: string;
    /** Of the dependency plugin; it takes the jars as they are, where it is not given. */
    readonly goal?: "unpack-dependencies";
  },
): Promise<void> {
  const { pom, folder, goal = "copy-dependencies" } = options;
  const temporary = await emptyFolder(work);
  await run(work, [
    "mvn",
    "--batch-mode",
    "--no-transfer-progress",
    `--file=${join(work.root, pom)}`,
    `${dependency_plugin}:${goal}`,
    "-DincludeScope=runtime",
    `-DoutputDirectory=${temporary}`,
    // Where it notes what it has unpacked, else beside the pom.
    `-DmarkersDirectory=${join(temporary, "markers")}`,
  ]);
  await moveInto(temporary, join(work.root, folder));
}

async function installPython(work: Work): Promise<void> {
  const folder = join(work.root, ".setup/python");
  await rm(folder, { recursive: true, force: true });
  await run(work, [await findPython(work.environment), "-m", "venv", folder]);
  const python = join(folder, "bin/python");
  await run(work, [python, "-m", "pip", "install", "--no-input", `uv==${uv_version}`]);
}

/**
 * Installs a requirements file. Everything in it is laid anew, because an installation that was
 * killed looks like a finished one to the installer.
 */
async function installRequirements(work: Work, name: PythonStepName): Promise<void> {
  const bin = join(work.root, ".setup/python/bin");
  const requirements = requirementsOf(name);
  if (!existsSync(join(work.root, requirements))) {
    throw new FailureError(`${requirements} is missing: the checkout is not complete`);
  }
  await run(work, [
    join(bin, "uv"),
    "pip",
    "install",
    "--reinstall",
    `--python=${join(bin, "python")}`,
    `--requirement=${join(work.root, requirements)}`,
  ]);
}

/** Takes DuckDB's extensions out of their wheels, so that DuckDB can load them by a fixed path. */
async function copyExtensions({ root }: Work): Promise<void> {
  const folder = join(root, ".setup/duckdb");
  await mkdir(folder, { recursive: true });
  for (const name of ["avro", "iceberg"]) {
    const file = `${name}.duckdb_extension`;
    const pattern = `lib/python3*/site-packages/duckdb_extension_${name}/**/${file}`;
    const [found] = globSync(pattern, { cwd: join(root, ".setup/python") });
    if (found === undefined) {
      throw new FailureError(`DuckDB's ${name} extension is not in its wheel: see ${log_folder}`);
    }
    await copyFile(join(root, ".setup/python", found), join(folder, `${file}.part`));
    await rename(join(folder, `${file}.part`), join(folder, file));
  }
}

/**
 * Makes the Kafka client's native part: the prebuilt one where the platform has one that can be
 * reached, else compiled. Only the binary and its libraries are kept, a hundredth of the build.
 */
async function installKafkaClient(work: Work): Promise<void> {
  const source = join(work.root, kafka_client_package);
  const temporary = await emptyFolder(work);
  const build = join(temporary, "package");
  await cp(source, build, { recursive: true, filter: (path) => path !== join(source, "build") });

  const here = { ...work, environment: await buildEnvironment(work) };
  const preGyp = join(work.root, "node_modules/@mapbox/node-pre-gyp/bin/node-pre-gyp");
  const command: Command = ["node", preGyp, "install", `--directory=${build}`];
  const prebuilt = await tryRun(here, command, prebuilt_ms_max);
  work.signal.throwIfAborted();
  if (prebuilt.exit_code !== 0) {
    requireCompiler(work.environment);
    await run(here, [...command, "--build-from-source"]);
  }

  const product = join(temporary, "build");
  await takeBinaries(join(build, "build"), product);
  const [binary] = globSync(join(product, "Release/*.node"));
  if (binary === undefined) throw failureOf(work, prebuilt);
  await strip(work, product);
  await run(work, ["node", "-e", `require(${JSON.stringify(binary)})`]);
  await moveInto(product, join(source, "build"));
  await rm(temporary, { recursive: true, force: true });
}

async function buildEnvironment({ root, environment }: Work): Promise<Place["environment"]> {
  const { headers } = await askNode(environment);
  const bin = join(root, "node_modules/.bin");
  return {
    ...environment,
    // The build would otherwise fetch the sources of OpenSSL and others.
    CKJS_LINKING: "dynamic",
    PATH: `${bin}:${environment.PATH ?? ""}`,
    // A person's own setting may name the headers of another version of Node.
    npm_config_nodedir: headers ?? undefined,
    npm_config_devdir: join(root, temporary_folder, "node-gyp"),
  };
}

/** Copies the binary and its shared libraries, under the names by which they are loaded. */
async function takeBinaries(from: string, to: string): Promise<void> {
  const wanted = { Release: /\.node$/, deps: /^librdkafka.*(\.so\.\d+|\.dylib)$/ };
  for (const [folder, pattern] of Object.entries(wanted)) {
    if (!existsSync(join(from, folder))) continue;
    await mkdir(join(to, folder), { recursive: true });
    for (const name of await readdir(join(from, folder))) {
      if (pattern.test(name)) await copyFile(join(from, folder, name), join(to, folder, name));
    }
  }
}

/** Takes the debug symbols out, four fifths of the size, where the tool for it is there. */
async function strip(work: Work, product: string): Promise<void> {
  if (process.platform !== "linux" || which(work.environment, "strip") === null) return;
  const files = globSync(join(product, "{Release,deps}/*"));
  await run(work, ["strip", "--strip-unneeded", ...files]);
}
