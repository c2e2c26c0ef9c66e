/**
 * `record [--exchanges …] [--symbols …] [--seconds n] [--output FILE]`: every frame of the
 * exchanges' sockets as NDJSON, as `normalize` reads it, over connections of its own and without a
 * broker.
 *
 * Memory is bounded by `K2_BUFFER_BYTES_MAX`: where the output does not keep up, the sockets are
 * closed on purpose, which the log says, and opened again when it does. A reader that goes away
 * (`| head`) ends it quietly.
 *
 * @module
 */

import { close, open } from "node:fs";
import { promisify } from "node:util";
import { FrameLineWriter } from "../actors/normalizer/frame_line_writer.ts";
import { PipeClosedError, TextOutput } from "../actors/normalizer/text_output.ts";
import { Pressure } from "../actors/producer/pressure.ts";
import { exit_codes, FailureError, reasonOf, UsageError } from "../actors/settings/exit.ts";
import type { Flags, Run } from "../actors/settings/invocation.ts";
import { createLog, type Log } from "../actors/settings/log.ts";
import { readSeconds } from "../actors/settings/seconds.ts";
import type { Settings } from "../actors/settings/settings.ts";
import { hostEffects } from "./host_effects.ts";
import { plantRecordTree } from "./record_tree.ts";
import { readStartOptions } from "./start_options.ts";
import { startTree } from "./supervisor.ts";

const openFile = promisify(open);
const closeFile = promisify(close);
/** Signals that follow one another within this time are one: `bun run` repeats the group's. */
const repeated_signal_ms = 1_000;

/** One recording, as it was asked for. */
interface Recording {
  readonly settings: Settings;
  /** Null: until a signal. */
  readonly seconds: number | null;
  /** Null: stdout. */
  readonly output: string | null;
}

/** Records until a signal, or for the given time; the last line on stderr counts. */
export const run: Run = async ({ flags, settings }) => {
  const started_ms = performance.now();
  const recording = readRecording(flags, settings);
  const fd = recording.output === null ? process.stdout.fd : await openOutput(recording.output);
  try {
    const { frames, bytes, has_received } = await record(recording, fd);
    const seconds = ((performance.now() - started_ms) / 1_000).toFixed(3);
    process.stderr.write(`frames=${frames} bytes=${bytes} seconds=${seconds}\n`);
    if (!has_received) throw new FailureError(nothingReceived(recording.settings));
  } finally {
    if (recording.output !== null) await closeFile(fd);
  }
  return exit_codes.done;
};

/**
 * What the flags ask for.
 *
 * @throws {UsageError} naming the flag, its value and what is allowed.
 */
function readRecording(flags: Flags, settings: Settings): Recording {
  const { exchanges, symbols, output } = flags;
  if (typeof output === "boolean" || output === "") {
    throw new UsageError("--output needs the name of a file");
  }
  return {
    settings: readStartOptions({ exchanges, symbols }, settings).settings,
    seconds: readSeconds(flags),
    output: output ?? null,
  };
}

function nothingReceived({ exchanges }: Settings): string {
  const urls = exchanges.map(({ exchange, ws_url }) => `${exchange} (${ws_url})`).join(", ");
  return `No frame came from ${urls}: check the network and K2_<EXCHANGE>_WS_URL`;
}

async function openOutput(path: string): Promise<number> {
  try {
    return await openFile(path, "w");
  } catch (error) {
    throw new FailureError(`Cannot write "${path}": ${reasonOf(error)}`, { cause: error });
  }
}

async function record({ settings, seconds, output }: Recording, fd: number) {
  const log = createLog({
    format: "text",
    write: (line) => process.stderr.write(line),
    now_ms: Date.now,
  });
  const { buffer_bytes_max } = settings;
  const pressure = new Pressure({ buffer_bytes_max, disk_free_min: 0 });
  const writer = new FrameLineWriter({
    write: writeTo(fd),
    waiting_max: settings.buffer_bytes_max,
    onWaiting: (characters) => pressure.update(characters),
  });
  let has_received = false;
  const controller = new AbortController();
  const parts = {
    settings,
    log,
    // What the frames mean is for `normalize` to say.
    sink: {
      openFrames(session) {
        const frames = writer.openFrames(session);
        return {
          add(entry) {
            has_received ||= entry.direction === "RECEIVED";
            frames.add(entry);
          },
          close: () => frames.close(),
        };
      },
      addEvent: ignore,
      addDeadLetter: ignore,
    },
    onPressure: (listener) => pressure.listen(listener),
    effects: hostEffects(settings.data_dir),
    signal: controller.signal,
  } satisfies Parameters<typeof plantRecordTree>[0];
  const tree = startTree(plantRecordTree(parts), {
    now_ms: Date.now,
    signal: controller.signal,
    notify: ({ path, reason, verdict }) => {
      if (verdict !== "stopped") log.warn(`${path} ended: ${reason}`);
    },
  });
  try {
    const reason = await Promise.race([tree.gave_up, writer.failed, untilTold(seconds, log)]);
    if (reason !== null) throw new FailureError(`Cannot record any more: ${reason}`);
    await tree.stop();
    await writer.drain();
  } catch (error) {
    if (!(error instanceof PipeClosedError)) throw explained(error, output);
    // Who reads has seen enough, be it only what was sent.
    has_received = true;
  } finally {
    controller.abort();
  }
  return { ...writer.counts, has_received };
}

function writeTo(fd: number): (lines: string) => Promise<void> {
  const output = new TextOutput(fd);
  return async (lines) => {
    await output.addLine(lines.slice(0, -1));
    await output.flush();
  };
}

function explained(error: unknown, output: string | null): FailureError {
  if (error instanceof FailureError) return error;
  const where = output === null ? "stdout" : `"${output}"`;
  return new FailureError(`Cannot write ${where}: ${reasonOf(error)}`, { cause: error });
}

/** Resolves with null at the first signal or after the time; a second signal ends at once. */
function untilTold(seconds: number | null, log: Log): Promise<null> {
  const { promise, resolve } = Promise.withResolvers<null>();
  let first_ms: number | null = null;
  function take(signal: string): void {
    const now_ms = performance.now();
    first_ms ??= now_ms;
    resolve(null);
    if (now_ms - first_ms <= repeated_signal_ms) return;
    log.warn(`Ended at once by a second ${signal}: what waited for the output is lost`);
    process.exit(exit_codes.failed);
  }
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => take(signal));
  if (seconds !== null) setTimeout(resolve, seconds * 1_000, null);
  return promise;
}

function ignore(): void {}
