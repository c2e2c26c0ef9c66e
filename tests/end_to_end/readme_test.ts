/**
 * Goal: whoever copies a command from the README finds that it does what the README says.
 * Method: every line of every shell block is run as it stands, in a temporary data directory; a
 * line without a test, or a test without a line, fails. Only `run test` is not run: it runs this.
 */

import { afterAll, expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { readStatus } from "../../actors/status/status_command.ts";
import { environmentOf, eventually, temporaryDataDirectory } from "./platform.ts";

const root = resolve(import.meta.dir, "../..");
const readme = await Bun.file(join(root, "README.md")).text();
const commands = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = ""]) =>
  block.split("\n").filter((line) => line !== ""),
);
const simulated = temporaryDataDirectory();
const live = temporaryDataDirectory();
const status_port = String(await freePort());
const environment = environmentOf(simulated.path, { K2_STATUS_PORT: status_port });
const running: Running[] = [];
const test_ms = 600_000;

interface Running {
  text(): string;
  stdout(): string;
  signal(signal: NodeJS.Signals): void;
  /** Ends it and all that it has started. */
  endGroup(): void;
  readonly exited: Promise<number>;
}

afterAll(() => {
  for (const { endGroup } of running) endGroup();
  simulated[Symbol.dispose]();
  live[Symbol.dispose]();
});

/** What each command has to show. In the README's order, which is also the tests' order. */
const expectations: Readonly<Record<string, (command: string) => Promise<void>>> = {
  "npx --yes bun@1.4.5 run start --simulate": async (command) => {
    const platform = launch(command, environment);
    await eventually("a bar of both exchanges in Gold", () =>
      ["binance", "kraken"].every((exchange) =>
        platform.text().includes(`${exchange} has its first bar in Gold`),
      )
        ? true
        : undefined,
    );
  },
  "npx --yes bun@1.4.5 run test": async (command) => {
    const ci = await Bun.file(join(root, ".ci/run")).text();
    expect(ci.trimEnd().endsWith(command)).toBe(true);
  },
  "K2_DATA_DIR=.k2-live bun run start": async (command) => {
    const [, words = ""] = command.split("K2_DATA_DIR=.k2-live ");
    const platform = launch(words, environmentOf(live.path));
    await eventually("word of both exchanges", () =>
      ["binance", "kraken"].every((exchange) =>
        new RegExp(
          `Cannot reach ${exchange} at .*: .*; retrying\\. .*bun run start --simulate|${exchange} connection \\d+ streams`,
        ).test(platform.text()),
      )
        ? true
        : undefined,
    );
    platform.signal("SIGINT");
    expect(await platform.exited).toBe(0);
    expect(platform.text()).toContain("Drained in");
  },
  "bun run status": async (command) => {
    expect(await outputOf(command)).toContain("producer");
  },
  [queryCommand()]: async (command) => {
    const table = await outputOf(command);
    expect(table).toContain("trade_count");
    expect(table).toMatch(/binance|kraken/);
  },
  "bun run validate": async (command) => {
    expect(await outputOf(command)).toContain("passed");
  },
  "bun run backfill --exchange binance --symbol BTCUSDT --from 10m --to now": async (command) => {
    const backfill = launch(command, environment);
    expect([await backfill.exited, backfill.stdout()]).toEqual([0, ""]);
    expect(backfill.text()).toContain("backfill binance BTCUSDT: done in ");
  },
  "bun run maintain": async (command) => {
    expect(await outputOf(command)).toMatch(/gold\.trades +[1-9]/);
  },
  "bun run notebook": async (command) => {
    const jupyter = launch(command, { ...environment, BROWSER: "true" });
    await eventually("Jupyter's address", () =>
      /http:\/\/(127\.0\.0\.1|localhost):\d+/.test(jupyter.text()) ? true : undefined,
    );
    jupyter.signal("SIGTERM");
    await jupyter.exited;
  },
  "bun run simulate": async (command) => {
    const simulator = launch(command, environment);
    await eventually("the settings", () =>
      simulator.stdout().includes("K2_KRAKEN_REST_URL=") ? true : undefined,
    );
    simulator.signal("SIGTERM");
    expect(await simulator.exited).toBe(0);
  },
  "bun run symbols --exchange kraken": async (command) => {
    expect(await outputOf(command)).toContain("BTC/USD");
  },
  "bun run record --seconds 5": async (command) => {
    const frames = (await outputOf(command, await simulatorSettings())).trimEnd().split("\n");
    const heard = frames
      .map((line) => JSON.parse(line))
      .filter((it) => it.direction === "RECEIVED");
    expect(new Set(heard.map(({ exchange }) => exchange))).toEqual(new Set(["binance", "kraken"]));
    // What follows needs no platform, only the machine.
    for (const { endGroup } of running) endGroup();
  },
  "bun run normalize tests/fixtures/recorded_frames.ndjson": async (command) => {
    const [first = ""] = (await outputOf(command)).split("\n");
    expect(JSON.parse(first)).toMatchObject({ exchange: "binance", price: "64522.19000000" });
  },
  "bun run bench normalize": async (command) => {
    expect(await outputOf(command)).toMatch(/floor_ratio=\d+(\.\d+)?\n$/);
  },
  "bun run simulate-faults --seeds 100": async (command) => {
    expect(await outputOf(command)).toMatch(
      /(^|\n)seeds=100 failed=0 virtual_s=\d+ seconds=\d+(\.\d+)?\n$/,
    );
  },
  "bun run check": async (command) => {
    expect(await outputOf(command)).toMatch(/\n?[1-9]\d* passed, 0 failed\n$/);
  },
};

test("every command of the README is tested, and no other", () => {
  expect(commands).toEqual(Object.keys(expectations));
});

for (const command of commands) {
  test(command, () => expectations[command]?.(command) ?? Promise.reject(command), test_ms);
}

function queryCommand(): string {
  return commands.find((command) => command.startsWith("bun run query ")) ?? "bun run query";
}

/** Starts a command by the shell, as a person does. */
function launch(command: string, variables: Readonly<Record<string, string>>): Running {
  const child = Bun.spawn(["sh", "-c", `exec ${command}`], {
    cwd: root,
    env: { ...variables },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    // A group of its own: npx ends without what it has started.
    detached: true,
  });
  let stdout = "";
  let text = "";
  async function read(stream: ReadableStream<Uint8Array>, take: (chunk: string) => void) {
    const decoder = new TextDecoder();
    for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
  }
  void read(child.stdout, (chunk) => {
    stdout += chunk;
    text += chunk;
  });
  void read(child.stderr, (chunk) => {
    text += chunk;
  });
  const launched: Running = {
    text: () => text,
    stdout: () => stdout,
    signal: (signal) => child.kill(signal),
    endGroup: () => endGroup(child.pid),
    exited: child.exited,
  };
  running.push(launched);
  return launched;
}

/** Ends a command and all that it has started; most have ended by then. */
function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing is left of it.
  }
}

/** Runs a command to its end, which has to be a good one, and gives its stdout. */
async function outputOf(
  command: string,
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  const ended = launch(command, { ...environment, ...more });
  const code = await ended.exited;
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${ended.text()}`);
  return ended.stdout();
}

/** Settings that point at the simulator of the platform that runs. */
async function simulatorSettings(): Promise<Readonly<Record<string, string>>> {
  const { tree } = await readStatus(`http://127.0.0.1:${status_port}/status`);
  const host = `127.0.0.1:${tree.children.find(({ id }) => id === "simulator")?.figures.port}`;
  return {
    K2_BINANCE_WS_URL: `ws://${host}`,
    K2_BINANCE_REST_URL: `http://${host}`,
    K2_KRAKEN_WS_URL: `ws://${host}/v2`,
    K2_KRAKEN_REST_URL: `http://${host}`,
  };
}

async function freePort(): Promise<number> {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port } = server;
  await server.stop(true);
  return port ?? 0;
}
