/**
 * Goal: frames of sessions that take turns come out session by session, each complete and in its
 * order, and what does not fit leaves no trace.
 * Method: random turns, written into a packet, read record by record by avsc.
 */

import { expect, test } from "bun:test";
import { createFrameSource, FrameWriter } from "../../../actors/producer/frame_writer.ts";
import { decodeFrameBatch, readSchemaId } from "../../../schemas/mod.ts";
import { createRandom } from "../../schemas/random.ts";
import { frameOf } from "./records.ts";

function sourceOf(name: string) {
  return createFrameSource({ exchange: "kraken", connection_id: name, url: `wss://${name}` }, 3);
}

/** Everything in the writer, by connection. */
function take(writer: FrameWriter) {
  const { count, bytes } = writer;
  const packet = Buffer.alloc(bytes);
  writer.moveTo(packet, 0);
  const taken = new Map<string, number[]>();
  let offset = 0;
  for (let record = 0; record < count; record += 1) {
    expect(packet[offset]).toBe(3);
    const key_end = offset + 3 + packet.readUInt16LE(offset + 1);
    const end = key_end + 4 + packet.readUInt32LE(key_end);
    const value = packet.subarray(key_end + 4, end);
    const { connection_id, url, exchange, frames } = decodeFrameBatch(value);
    expect(packet.subarray(offset + 3, key_end).toString()).toBe(connection_id);
    expect([exchange, url, readSchemaId(value)]).toEqual(["kraken", `wss://${connection_id}`, 9]);
    for (const { frame_sequence, frame } of frames) {
      expect(Buffer.from(frame).toString()).toBe(`{"frame":${frame_sequence}}`);
    }
    const sequences = frames.map(({ frame_sequence }) => frame_sequence);
    expect(taken.has(connection_id)).toBe(false);
    taken.set(connection_id, sequences);
    offset = end;
  }
  expect(offset).toBe(packet.length);
  expect([writer.count, writer.bytes]).toEqual([0, 0]);
  return taken;
}

test("moveTo() gives each session one record with all its frames, again and again", () => {
  const random = createRandom(5);
  const writer = new FrameWriter(2 ** 16);
  const sources = ["one", "two", "three"].map(sourceOf);
  for (let round = 0; round < 100; round += 1) {
    const wanted = new Map<string, number[]>();
    const count = Math.floor(random() * 60);
    let source = sources[0]!;
    for (let index = 0; index < count; index += 1) {
      if (random() < 0.4) source = sources[Math.floor(random() * 3)]!;
      expect(writer.add(source, 9, frameOf(index), 2 ** 16)).toBe(true);
      const { connection_id } = source.session;
      wanted.set(connection_id, [...(wanted.get(connection_id) ?? []), index]);
    }
    expect([...take(writer)]).toEqual([...wanted]);
  }
});

test("a frame that does not fit leaves no trace, and fits exactly where it must", () => {
  for (const frames of [1, 2]) {
    const measure = new FrameWriter(4_096);
    const measured = sourceOf("one");
    for (let index = 0; index < frames; index += 1) measure.add(measured, 9, frameOf(index), 4_096);
    const bytes_max = measure.bytes;
    const writer = new FrameWriter(4_096);
    const source = sourceOf("one");
    for (let index = 1; index < frames; index += 1) writer.add(source, 9, frameOf(0), 4_096);
    const before = [writer.count, writer.bytes, source.pending_bytes];
    const last = frameOf(frames - 1);
    expect(writer.add(source, 9, last, bytes_max - 1)).toBe(false);
    expect(new FrameWriter(20).add(sourceOf("other"), 9, last, 4_096)).toBe(false);
    expect([writer.count, writer.bytes, source.pending_bytes]).toEqual(before);
    expect(writer.add(source, 9, last, bytes_max)).toBe(true);
    expect(writer.bytes).toBe(bytes_max);
  }
});

test("a frame that cannot be encoded leaves no trace", () => {
  const writer = new FrameWriter(4_096);
  const wrong = { ...frameOf(1), received_monotonic_ns: 0.5 };
  expect(() => writer.add(sourceOf("one"), 9, wrong, 4_096)).toThrow(RangeError);
  expect([writer.count, writer.bytes]).toEqual([0, 0]);
});

test("a batch holds the frames of at most 1,000 sessions", () => {
  const writer = new FrameWriter(2 ** 20);
  const added = Array.from({ length: 1_001 }, (_, index) =>
    writer.add(sourceOf(`s${index}`), 9, frameOf(index), 2 ** 20),
  );
  expect(added.lastIndexOf(true)).toBe(999);
  expect(take(writer).size).toBe(1_000);
});

test("a session's next record carries the schema id of its time", () => {
  const writer = new FrameWriter(4_096);
  const source = sourceOf("one");
  writer.add(source, 8, frameOf(1), 4_096);
  writer.moveTo(Buffer.alloc(writer.bytes), 0);
  writer.add(source, 9, frameOf(2), 4_096);
  expect([...take(writer)]).toEqual([["one", [2]]]);
});
