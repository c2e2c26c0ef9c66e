/**
 * Runs K2's own commands as a user does, as processes, for the end-to-end and the long tests.
 *
 * @module
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { StatusDocument, StatusNode } from "../../actors/status/node.ts";

const root = resolve(import.meta.dir, "../..");

export interface Output {
  readonly exit_code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A data directory of its own, removed at the end. */
export function temporaryDataDirectory() {
  const base = mkdtempSync(join(tmpdir(), "k2-test-"));
  return {
    path: join(base, "data"),
    [Symbol.dispose]: () => rmSync(base, { recursive: true, force: true }),
  };
}

/** Compiles what runs for minutes only, as a test does, quickly instead of well. */
export const quick_java = "-XX:TieredStopAtLevel=1";

/** Settings of a test: nothing of the caller's `.env`, loopback ports of its own. */
export function environmentOf(
  data_dir: string,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !name.startsWith("K2_")) kept[name] = value;
  }
  return {
    ...kept,
    K2_DATA_DIR: data_dir,
    K2_STATUS_PORT: "0",
    K2_SPARK_DRIVER_JAVA_OPTIONS: quick_java,
    ...more,
  };
}

/** Runs one command to its end, without a person's own `.env`. */
export async function run(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  stdin = "",
): Promise<Output> {
  const child = Bun.spawn([process.execPath, "--no-env-file", "main.ts", ...argv], {
    cwd: root,
    env: { ...environment },
    stdin: new Blob([stdin]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, exit_code] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  return { exit_code, stdout, stderr };
}

/** Rows of a query over the lake, every value as the command prints it. */
export async function rowsOf(
  sql: string,
  environment: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>[]> {
  const { exit_code, stdout, stderr } = await run(["query", sql, "--format", "json"], environment);
  if (exit_code !== 0) throw new Error(`query ended with ${exit_code}: ${stderr}`);
  return JSON.parse(stdout);
}

/** Polls until the condition gives a value, and says what was waited for when it never does. */
export async function eventually<T>(
  what: string,
  condition: () => Promise<T | undefined> | T | undefined,
  timeout_ms = 240_000,
): Promise<T> {
  const deadline = performance.now() + timeout_ms;
  for (;;) {
    const value = await condition();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`Waited ${timeout_ms} ms for ${what}`);
    await Bun.sleep(250);
  }
}

export interface Platform {
  readonly pid: number;
  readonly data_dir: string;
  /** All that was written to stderr so far. */
  log(): string;
  url(path: string): string;
  tree(): Promise<StatusNode>;
  node(path: string): Promise<StatusNode>;
  /** Sends a signal and waits for the end. */
  stop(signal: NodeJS.Signals): Promise<number>;
  /** Waits for the end; all that was written is in the log then. */
  ended(): Promise<number>;
  /** As `kill -9`: a test that fails leaves nothing running. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts the platform and waits for its status server.
 *
 * @param shell Commands of bash that set limits on the process before it begins.
 */
export async function startPlatform(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  shell = "",
): Promise<Platform> {
  const command = [process.execPath, "--no-env-file", "main.ts", "start", ...argv];
  const limited = shell === "" ? [] : ["bash", "-c", `${shell}; exec "$@"`, "bash"];
  const child = Bun.spawn([...limited, ...command], {
    cwd: root,
    env: { ...environment },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  let log = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) log += decoder.decode(chunk, { stream: true });
  })();
  const base = await eventually(
    "the status page's address",
    () => {
      if (child.exitCode !== null) throw new Error(`start ended with ${child.exitCode}: ${log}`);
      return /http:\/\/127\.0\.0\.1:\d+/.exec(log)?.[0];
    },
    60_000,
  );
  async function tree(): Promise<StatusNode> {
    const response = await fetch(`${base}/status`);
    const { tree } = (await response.json()) as StatusDocument;
    return tree;
  }
  async function stop(signal: NodeJS.Signals): Promise<number> {
    child.kill(signal);
    return await ended();
  }
  async function ended(): Promise<number> {
    const code = await child.exited;
    await reading;
    return code;
  }
  return {
    pid: child.pid,
    data_dir: environment.K2_DATA_DIR ?? "",
    log: () => log,
    url: (path) => new URL(path, base).href,
    tree,
    node: async (path) => nodeAt(await tree(), path),
    stop,
    ended,
    [Symbol.asyncDispose]: async () => void (await stop("SIGKILL")),
  };
}

/** Commands an actor as a person does. */
export async function command(platform: Platform, path: string, verb: string): Promise<void> {
  const token = readFileSync(join(platform.data_dir, "status.token"), "utf8").trim();
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(platform.url(`/actors/${path}/${verb}`), {
    method: "POST",
    headers,
  });
  if (response.status !== 202) throw new Error(`${verb} ${path}: ${await response.text()}`);
}

/** The node at a path such as `k2/platform/infrastructure/broker`. */
export function nodeAt(tree: StatusNode, path: string): StatusNode {
  const [, ...ids] = path.split("/");
  let node = tree;
  for (const id of ids) {
    const child = node.children.find((candidate) => candidate.id === id);
    if (child === undefined) throw new Error(`There is no ${id} below ${node.path}`);
    node = child;
  }
  return node;
}

/** Every node of a tree. */
export function allNodes(tree: StatusNode): StatusNode[] {
  return [tree, ...tree.children.flatMap(allNodes)];
}
