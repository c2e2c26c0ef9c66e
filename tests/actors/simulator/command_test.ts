/**
 * Goal: `simulate` says where it listens, refuses wrong flags in one sentence, and ends when told.
 * Method: the pure parts directly; the rest as a process of its own on a free port.
 */

import { expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { faultsOf, optionsOf, readyText, run } from "../../../actors/simulator/command.ts";

const program =
  `import { run } from "${import.meta.dir}/../../../actors/simulator/command.ts";\n` +
  "process.exit(await run({ flags: {}, environment: process.env }));\n";

function spawn(environment: Record<string, string>) {
  return Bun.spawn([process.execPath, "-e", program], {
    env: { ...process.env, K2_SIMULATOR_PORT: "0", ...environment },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
}

async function firstText(stream: ReadableStream<Uint8Array>): Promise<string> {
  for await (const chunk of stream) return new TextDecoder().decode(chunk);
  throw new Error("The simulator printed nothing");
}

test("readyText() is the environment to give K2, or one JSON line", () => {
  expect(readyText(5_000, undefined)).toBe(
    "K2_BINANCE_WS_URL=ws://127.0.0.1:5000\nK2_BINANCE_REST_URL=http://127.0.0.1:5000\n" +
      "K2_KRAKEN_WS_URL=ws://127.0.0.1:5000/v2\nK2_KRAKEN_REST_URL=http://127.0.0.1:5000\n" +
      "K2_COINBASE_WS_URL=ws://127.0.0.1:5000\nK2_COINBASE_REST_URL=http://127.0.0.1:5000\n",
  );
  expect(readyText(5_000, "json")).toBe(`{"type":"ready","port":5000}\n`);
});

test("optionsOf() reads flags and settings", () => {
  expect(optionsOf({ flags: {}, environment: {} })).toEqual({
    port: 0,
    hostname: "127.0.0.1",
    rate: undefined,
    seed: 1,
    native_symbols: { binance: ["BTCUSDT", "ETHUSDT"], kraken: ["BTC/USD", "ETH/USD"] },
  });
  expect(
    optionsOf({
      flags: { rate: "500", seed: 9 },
      environment: {
        K2_SIMULATOR_PORT: "8123",
        K2_EXCHANGES: "kraken",
        K2_KRAKEN_SYMBOLS: "BTC/USDT, SOL/USD",
      },
    }),
  ).toMatchObject({
    port: 8_123,
    rate: 500,
    seed: 9,
    native_symbols: { kraken: ["BTC/USDT", "SOL/USD"] },
  });
});

test("wrong flags and settings are refused with what is allowed", () => {
  for (const [flags, environment, sentence] of [
    [{ rate: "fast" }, {}, "--rate must be a number of trades per second above 0"],
    [{ rate: "0" }, {}, "--rate must be"],
    [{ rate: true }, {}, "--rate must be"],
    [{ seed: "1.5" }, {}, "--seed must be a whole number from 0: current value is 1.5"],
    [{ flood: "many" }, {}, "--flood must be a whole number of trades from 1"],
    [{ flood: "0" }, {}, "--flood must be"],
    [{}, { K2_SIMULATOR_PORT: "http" }, "K2_SIMULATOR_PORT must be a port"],
  ] as const) {
    expect(() => optionsOf({ flags, environment })).toThrow(sentence);
  }
});

test("a flood has its usual size or the one that is given; the relay is asked for", () => {
  const environment = {};
  expect(optionsOf({ flags: { flood: true }, environment }).flood).toEqual({
    trades_per_symbol: 100_000,
  });
  expect(optionsOf({ flags: { flood: "500", relay: true }, environment })).toMatchObject({
    flood: { trades_per_symbol: 500 },
    relay: true,
  });
});

test("a file of faults is read line by line, and a wrong one is refused with its line", async () => {
  const path = join(tmpdir(), `k2_faults_${crypto.randomUUID()}.ndjson`);
  const environment = {};
  await Bun.write(path, `{"fault":"half_open","at_s":5}\n\n{"fault":"halted"}\n`);
  expect(faultsOf({ flags: { faults: path }, environment })).toEqual({
    faults: [{ fault: "half_open", at_s: 5 }, { fault: "halted" }],
  });
  await Bun.write(path, `{"fault":"half_open"}\n{"fault"\n`);
  expect(() => faultsOf({ flags: { faults: path }, environment })).toThrow("line 2 is not");
  await Bun.write(path, `{"fault":"nothing"}\n`);
  await expect(run({ flags: { faults: path }, environment })).rejects.toThrow("fault must be one");
  await Bun.file(path).delete();
  expect(() => faultsOf({ flags: { faults: path }, environment })).toThrow(
    "Cannot read the faults",
  );
  expect(() => faultsOf({ flags: { faults: true }, environment })).toThrow(
    "--faults must be a file",
  );
  expect(faultsOf({ flags: {}, environment })).toEqual({});
});

test("a rate beyond the maximum is wrong use", async () => {
  await expect(run({ flags: { rate: "99999999" }, environment: {} })).rejects.toThrow(
    "Cannot simulate as rate must be above 0",
  );
});

test("a port in use is one sentence", async () => {
  const other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const environment = { K2_SIMULATOR_PORT: String(other.port) };
  await expect(run({ flags: {}, environment })).rejects.toThrow(
    `Cannot listen on 127.0.0.1:${other.port}`,
  );
  await other.stop(true);
});

test("it serves, and ends on SIGTERM with 0, although the signal comes twice", async () => {
  const simulator = spawn({ K2_SIMULATOR_OUTPUT: "json" });
  const { port } = JSON.parse(await firstText(simulator.stdout));
  const time = await fetch(`http://127.0.0.1:${port}/0/public/Time`);
  expect(time.status).toBe(200);
  simulator.kill("SIGTERM");
  simulator.kill("SIGTERM");
  expect(await simulator.exited).toBe(0);
});

test("as a port it ends when its stdin ends", async () => {
  const simulator = spawn({ K2_END_WITH_STDIN: "1" });
  expect(await firstText(simulator.stdout)).toStartWith("K2_BINANCE_WS_URL=ws://127.0.0.1:");
  await simulator.stdin.end();
  expect(await simulator.exited).toBe(0);
});
