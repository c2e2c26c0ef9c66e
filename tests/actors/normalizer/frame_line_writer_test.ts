/**
 * Goal: every frame that is taken becomes a line, in order, whatever the output's pace; an output
 * that is too slow or broken is told, and memory is bounded.
 * Method: an output that the test lets go on, write by write.
 */

import { expect, test } from "bun:test";
import { readFrameLine } from "../../../actors/normalizer/frame_line.ts";
import { FrameLineWriter } from "../../../actors/normalizer/frame_line_writer.ts";

const session = { exchange: "kraken", connection_id: "kraken-1", url: "wss://host/v2" };

function entryOf(frame_sequence: number, frame: string | Uint8Array = "{}") {
  return {
    frame_sequence,
    direction: "RECEIVED" as const,
    kind: "MESSAGE" as const,
    request: null,
    received_us: 1_787_746_340_684_123,
    received_monotonic_ns: 17,
    frame,
  };
}

/** An output whose writes end when the test says so. */
function createOutput(waiting_max = 10_000) {
  const written: string[] = [];
  const waiting: number[] = [];
  const turns: PromiseWithResolvers<void>[] = [];
  const writer = new FrameLineWriter({
    waiting_max,
    onWaiting: (characters) => waiting.push(characters),
    async write(lines) {
      const turn = Promise.withResolvers<void>();
      turns.push(turn);
      await turn.promise;
      written.push(lines);
    },
  });
  async function nextTurn(index: number) {
    while (turns[index] === undefined) await Promise.resolve();
    return turns[index];
  }
  return { writer, written, waiting, nextTurn };
}

test("frames that come together are one write, and what comes meanwhile is the next", async () => {
  const { writer, written, waiting, nextTurn } = createOutput();
  const frames = writer.openFrames(session);
  frames.add(entryOf(0));
  frames.add(entryOf(1));
  const first = await nextTurn(0);
  frames.add(entryOf(2));
  first.resolve();
  (await nextTurn(1)).resolve();
  frames.close();
  await writer.drain();
  const sequences = written.map((lines) =>
    lines
      .trimEnd()
      .split("\n")
      .map((line) => {
        const reading = readFrameLine(line);
        return reading.kind === "frame" ? reading.frame_sequence : null;
      }),
  );
  expect(sequences).toEqual([[0, 1], [2]]);
  expect(writer.counts).toEqual({ frames: 3, bytes: written.join("").length });
  expect(Math.max(...waiting)).toBe(written.join("").length);
  expect(waiting.at(-1)).toBe(0);
});

test("counts bytes, not characters", async () => {
  const { writer, written, nextTurn } = createOutput();
  writer.openFrames(session).add(entryOf(0, '"€"'));
  (await nextTurn(0)).resolve();
  await writer.drain();
  expect(writer.counts.bytes).toBe(Buffer.byteLength(written.join("")));
  expect(writer.counts.bytes).toBeGreaterThan(written.join("").length);
});

test("frames beyond the bound are refused, those before it are still written", async () => {
  const { writer, written, nextTurn } = createOutput(100);
  const frames = writer.openFrames(session);
  frames.add(entryOf(0));
  expect(() => frames.add(entryOf(1))).toThrow("at most 100 may");
  (await nextTurn(0)).resolve();
  await writer.drain();
  frames.add(entryOf(2));
  (await nextTurn(1)).resolve();
  await writer.drain();
  expect(written).toHaveLength(2);
  expect(writer.counts.frames).toBe(2);
});

test("an output that fails is told at once, and by drain()", async () => {
  const { writer, nextTurn } = createOutput();
  writer.openFrames(session).add(entryOf(0));
  (await nextTurn(0)).reject(new Error("no space left"));
  expect(writer.failed).rejects.toThrow("no space left");
  expect(writer.drain()).rejects.toThrow("no space left");
});

test("drain() of nothing resolves at once", async () => {
  await createOutput().writer.drain();
});
