/**
 * The exchange simulator as a supervised port, for `start --simulate`: K2's own command in a
 * process of its own, because it must not share the event loop it feeds. A restarted simulator
 * goes on where the clock is, so nothing has to be handed over.
 *
 * @module
 */

import { type EventObject, fromCallback } from "xstate";
import type { Incarnation, Stop } from "../messages.ts";
import { spawnPort } from "../port/port.ts";
import type { Log } from "../settings/log.ts";

/** What the simulator's process is started with. */
export interface SimulatorPortInput {
  readonly incarnation: Incarnation;
  readonly root: string;
  readonly data_dir: string;
  readonly port: number;
  /** Trades per second over all symbols; null plays the recorded rhythm. */
  readonly rate: number | null;
  readonly seed: number;
  /** Native symbols by exchange: the rate is divided over them. */
  readonly native_symbols: Readonly<Record<string, readonly string[]>>;
  readonly log: Log;
}

/** Runs the simulator, and is ready once it serves. Any end that was not asked for is a crash. */
export const simulatorPort = fromCallback<EventObject | Stop, SimulatorPortInput>(
  ({ input, receive }) => {
    const { incarnation, root, log } = input;
    const { report, signal } = incarnation;
    let is_stopping = false;
    report.state = "starting";
    const port = spawnPort({
      name: "simulator",
      command: [process.execPath, `${root}/main.ts`, "simulate", ...flagsOf(input)],
      data_dir: input.data_dir,
      working_directory: root,
      environment: environmentOf(input),
      signal,
      onLine: (line) => {
        if (!line.includes('"ready"')) return;
        report.state = "running";
        report.figures.port = input.port;
        incarnation.ready();
      },
      onErrorLine: (line) => log.info(`simulator: ${line}`),
      onExit: (exit) => {
        const is_normal = is_stopping && exit.code === 0;
        incarnation.exit(is_normal ? { kind: "normal" } : { kind: "crash", reason: exit.reason });
      },
    });
    report.pid = port.pid;
    receive((event) => {
      if (event.type !== "stop") return;
      is_stopping = true;
      port.end();
    });
  },
);

function flagsOf({ rate, seed }: SimulatorPortInput): readonly string[] {
  return ["--seed", String(seed), ...(rate === null ? [] : ["--rate", String(rate)])];
}

function environmentOf(input: SimulatorPortInput): Record<string, string> {
  const environment: Record<string, string> = {
    K2_SIMULATOR_PORT: String(input.port),
    K2_SIMULATOR_OUTPUT: "json",
    K2_END_WITH_STDIN: "1",
    K2_EXCHANGES: Object.keys(input.native_symbols).join(","),
  };
  for (const [exchange, symbols] of Object.entries(input.native_symbols)) {
    environment[`K2_${exchange.toUpperCase()}_SYMBOLS`] = symbols.join(",");
  }
  return environment;
}
