/**
 * Asks the machine which tools it has. Whether a tool is there costs a look along PATH and is
 * asked at every start; its version costs a process and is asked only when something is made.
 *
 * @module
 */

import { readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { FailureError } from "../settings/exit.ts";
import type { ToolName } from "./steps.ts";
import {
  compilerSentence,
  isAtLeast,
  parseVersion,
  python_names,
  tool_requirements,
  toolSentence,
  venvSentence,
} from "./tool_versions.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The Node.js in use. */
interface NodeTool {
  readonly path: string;
  /** Number of its binary interface (`process.versions.modules`). */
  readonly abi: string;
  /** The folder whose `include/node` holds its own headers, or null where they are not there. */
  readonly headers: string | null;
}

/** A binary smaller than this is a version manager's shim, which may start any version. */
const node_bytes_min = 1 << 20;

/** Path of a program on PATH, or null. */
export function which(environment: Environment, name: string): string | null {
  return Bun.which(name, { PATH: environment.PATH ?? "" });
}

/** @throws {FailureError} naming the first tool that is not on PATH. */
export function requireOnPath(environment: Environment, names: readonly ToolName[]): void {
  for (const name of names) {
    if (which(environment, name) === null) throw new FailureError(toolSentence(name, null));
  }
}

/**
 * Checks the versions of the tools.
 *
 * @throws {FailureError} naming the first tool that is missing or too old.
 */
export async function requireVersions(
  environment: Environment,
  names: readonly ToolName[],
): Promise<void> {
  for (const name of names) {
    if (name === "node") await askNode(environment);
    else if (name === "python3") await findPython(environment);
    else await requireVersion(environment, name);
  }
}

/**
 * The Node.js on PATH.
 *
 * @throws {FailureError} where there is none or it is too old. Bun, where it stands in for a
 *   missing `node`, does not count: the Kafka client needs V8.
 */
export async function askNode(environment: Environment): Promise<NodeTool> {
  const { node, modules, bun, path } = parseNode(
    await output(environment, [
      "node",
      "-p",
      "const v = process.versions; [v.node, v.modules, v.bun ?? '', process.execPath].join('\\n')",
    ]),
  );
  const version = parseVersion(node);
  if (bun !== "" || version === null) throw new FailureError(toolSentence("node", null));
  if (!isAtLeast(version, tool_requirements.node.version_min)) {
    throw new FailureError(toolSentence("node", version));
  }
  const prefix = dirname(dirname(path));
  return { path, abi: modules, headers: hasHeaders(prefix, version[0] ?? 0) ? prefix : null };
}

/**
 * What tells this `node` file from another one without starting it: path, size and time.
 *
 * @returns null where only starting it would tell.
 */
export function nodeFile(environment: Environment): string | null {
  const path = which(environment, "node");
  if (path === null) return null;
  const { size, mtimeMs } = statSync(path);
  return size < node_bytes_min ? null : `${realpathSync(path)}:${size}:${Math.trunc(mtimeMs)}`;
}

/**
 * Path of a Python that can make an environment.
 *
 * @throws {FailureError} where there is none, it is too old, or it lacks venv.
 */
export async function findPython(environment: Environment): Promise<string> {
  let too_old: readonly number[] | null = null;
  let without_venv: string | null = null;
  for (const name of python_names) {
    const path = which(environment, name);
    if (path === null) continue;
    const version = parseVersion(await output(environment, [path, "--version"]));
    if (version === null) continue;
    if (!isAtLeast(version, tool_requirements.python3.version_min)) {
      too_old ??= version;
      continue;
    }
    const answer = await output(environment, [path, "-c", "import venv, ensurepip; print('ok')"]);
    if (answer.includes("ok")) return path;
    without_venv ??= path;
  }
  if (without_venv !== null) throw new FailureError(venvSentence(without_venv));
  throw new FailureError(toolSentence("python3", too_old));
}

/** @throws {FailureError} where no C++ compiler or no make is there. */
export function requireCompiler(environment: Environment): void {
  const compilers = ["g++", "c++", "clang++"];
  const has_compiler = compilers.some((name) => which(environment, name) !== null);
  const missing = [
    ...(has_compiler ? [] : ["g++"]),
    ...(which(environment, "make") === null ? ["make"] : []),
  ];
  if (missing.length > 0) throw new FailureError(compilerSentence(missing));
}

async function requireVersion(environment: Environment, name: ToolName): Promise<void> {
  requireOnPath(environment, [name]);
  const { version_min } = tool_requirements[name];
  if (version_min.length === 0) return;
  const version = parseVersion(await output(environment, [name, "-version"]));
  if (version === null || !isAtLeast(version, version_min)) {
    throw new FailureError(toolSentence(name, version));
  }
}

function parseNode(text: string) {
  const [node = "", modules = "", bun = "", path = ""] = text.split("\n");
  return { node, modules, bun, path };
}

/** Whether a prefix holds the headers of this major version: another one's would not fit. */
function hasHeaders(prefix: string, major: number): boolean {
  try {
    const header = readFileSync(join(prefix, "include/node/node_version.h"), "utf8");
    return new RegExp(`#define NODE_MAJOR_VERSION ${major}\\b`).test(header);
  } catch {
    return false;
  }
}

/** What a program prints on either stream; empty where it cannot be started. */
async function output(environment: Environment, command: readonly string[]): Promise<string> {
  const [name = "", ...args] = command;
  const path = which(environment, name);
  if (path === null) return "";
  const child = Bun.spawn([path, ...args], {
    env: { ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 30_000,
  });
  const texts = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return texts.join("").trim();
}
