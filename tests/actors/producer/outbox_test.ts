/**
 * Goal: whatever happens to the port, every record has exactly one outcome, the accounts agree at
 * every instant, and the order per key is the order in which records came.
 * Method: long random histories of records, acknowledgements, refusals, crashes and waiting,
 * against a broker that remembers what it took; then the single rules, one by one.
 */

import { expect, test } from "bun:test";
import type { Trade } from "../../../actors/messages.ts";
import { type Batch, type BatchRecord, readRecord } from "../../../actors/producer/batch.ts";
import { Outbox, type OutboxOptions, type Refusal } from "../../../actors/producer/outbox.ts";
import {
  dead_letters_topic,
  decodeDeadLetter,
  decodeEvent,
  decodeFrameBatch,
  decodeTrade,
  events_topic,
} from "../../../schemas/mod.ts";
import { createRandom } from "../../schemas/random.ts";
import { eventOf, frameOf, tradeOf } from "./records.ts";

const exchanges = ["binance", "kraken"];

function createOutbox(options: Partial<OutboxOptions> = {}) {
  const time = { now_ms: 0 };
  const outbox = new Outbox({
    exchanges,
    flush_count: 5,
    flush_ms: 10,
    buffer_bytes_max: 2 ** 20,
    window_bytes_max: 2 ** 23,
    now_ms: () => time.now_ms,
    now_us: () => 1_787_746_341_000_000,
    ...options,
  });
  outbox.setSchemaIds(Object.fromEntries(outbox.topics.map((topic, index) => [topic, index + 1])));
  return { outbox, time };
}

/** A port that keeps the frames it is given until it is told what to do with them. */
function attach(outbox: Outbox, onSent: (batch: Batch) => void = () => {}) {
  const batches: Batch[] = [];
  const attachment = outbox.attach({
    send: (packet) => {
      const id = packet.readUIntLE(4, 6);
      const count = packet.readUInt16LE(10);
      const label = { id, position: 0, outcome: "acknowledged" } as const;
      const received_us = new Float64Array();
      const batch = { ...label, count, packet, received_us, is_continuation: false };
      batches.push(batch);
      onSent(batch);
    },
  });
  return { batches, attachment };
}

function recordsOf(batch: Batch): readonly BatchRecord[] {
  return Array.from({ length: batch.count }, (_, index) => readRecord(batch, index));
}

function letterOf(text: string) {
  return {
    exchange: "kraken",
    native_symbol: null,
    connection_id: "c",
    frame_sequence: 1,
    ingestion_timestamp: 1,
    reason: "not_json",
    payload: Buffer.from(text),
    topic: null,
  };
}

/** A record of any kind as the names of what it holds: one name each, several for frames. */
function namesOf(topic: string, value: Uint8Array): readonly string[] {
  if (topic === dead_letters_topic) {
    const letter = decodeDeadLetter(value);
    return letter.topic === null
      ? [`letter ${letter.frame_sequence}`]
      : namesOf(letter.topic, letter.payload);
  }
  if (topic === events_topic) {
    const { exchange, native_symbol, through_id } = decodeEvent(value);
    return [`event ${exchange}:${native_symbol} ${through_id}`];
  }
  if (topic.startsWith("market.crypto.frames.")) {
    const { connection_id, frames } = decodeFrameBatch(value);
    return frames.map(({ frame_sequence }) => `frame ${connection_id} ${frame_sequence}`);
  }
  const { exchange, native_symbol, trade_id } = decodeTrade(value);
  return [`trade ${exchange}:${native_symbol} ${trade_id}`];
}

/** What a broker took, by kind and key, in order, and what came to it as refused elsewhere. */
class Ledger {
  readonly taken = new Map<string, number[]>();
  readonly refused = new Set<string>();

  take(outbox: Outbox, { topic_index, value }: BatchRecord): void {
    const topic = outbox.topics[topic_index]!;
    for (const name of namesOf(topic, value)) {
      if (topic === dead_letters_topic) {
        this.refused.add(name);
        continue;
      }
      const at = name.lastIndexOf(" ");
      const ids = this.taken.get(name.slice(0, at)) ?? [];
      ids.push(Number(name.slice(at + 1)));
      this.taken.set(name.slice(0, at), ids);
    }
  }
}

/** Every eleventh trade and event, and the frames that begin with an eleventh. */
function isRefused(name: string): boolean {
  return !name.startsWith("letter") && Number(name.slice(name.lastIndexOf(" "))) % 11 === 0;
}

/** Small, so that bytes close batches as often as counts do. */
const batch_bytes_max = 1_200;

/** One random history; throws where a rule is broken. */
function runHistory(seed: number) {
  const random = createRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const { outbox, time } = createOutbox({
    flush_count: 1 + below(6),
    window_batches_max: 1 + below(4),
    batch_bytes_max,
  });
  const ledger = new Ledger();
  const next = new Map<string, number>();
  const logs = new Map(
    ["one", "two"].map((connection_id) => [
      connection_id,
      outbox.openFrames({ exchange: exchanges[0]!, connection_id, url: "wss://x" }),
    ]),
  );
  let port: ReturnType<typeof attach> | null = null;
  const frames_sent = new Set<string>();
  const numberOf = (name: string) => {
    const number = next.get(name) ?? 1;
    next.set(name, number + 1);
    return number;
  };
  // The broker takes the records of each key in order, and may have taken some of a batch when the
  // port dies: then they come again.
  const deliver = (batch: Batch, is_whole: boolean): Refusal[] => {
    const refusals: Refusal[] = [];
    const records = recordsOf(batch);
    const count = is_whole ? records.length : below(records.length + 1);
    records.slice(0, count).forEach((record, index) => {
      const topic = outbox.topics[record.topic_index]!;
      const [first = ""] = namesOf(topic, record.value);
      if (topic !== dead_letters_topic && isRefused(first)) {
        refusals.push({ index, reason: "record_too_large" });
      } else {
        ledger.take(outbox, record);
      }
    });
    return refusals;
  };
  // A trade's frame has gone in an earlier batch or precedes it in its own.
  const expectGoodOrder = (batch: Batch) => {
    if (batch.count > 1) expect(batch.packet.length).toBeLessThanOrEqual(batch_bytes_max);
    for (const { topic_index, value } of recordsOf(batch)) {
      const topic = outbox.topics[topic_index]!;
      for (const name of namesOf(topic, value)) {
        if (topic === dead_letters_topic) continue;
        if (name.startsWith("frame")) frames_sent.add(name);
        if (!name.startsWith("trade")) continue;
        const { connection_id, frame_sequence } = decodeTrade(value);
        expect(frames_sent.has(`frame ${connection_id} ${frame_sequence}`)).toBe(true);
      }
    }
  };
  const addFrame = (connection_id: string) => {
    const sequence = numberOf(`frame ${connection_id}`);
    const text = "x".repeat(below(30) === 0 ? 2_000 : below(80));
    logs.get(connection_id)!.add(frameOf(sequence, text));
    return sequence;
  };
  const steps = [
    () => {
      const connection_id = ["one", "two"][below(2)]!;
      const frame_sequence = addFrame(connection_id);
      for (let count = below(3); count > 0; count -= 1) {
        const exchange = exchanges[below(2)]!;
        const symbol = ["A", "B"][below(2)]!;
        const id = numberOf(`trade ${exchange}:${symbol}`);
        outbox.addTrade({ ...tradeOf(exchange, symbol, id), connection_id, frame_sequence });
      }
    },
    () => {
      if (below(4) > 0) return;
      const number = numberOf("letter");
      outbox.addDeadLetter({ ...letterOf("{".repeat(below(2_500))), frame_sequence: number });
    },
    () => {
      const batch = port?.batches.shift();
      if (batch !== undefined) port!.attachment.acknowledge(batch.id, deliver(batch, true));
    },
    () => {
      if (below(5) > 0) return;
      const batch = port?.batches[0];
      if (batch !== undefined) deliver(batch, false);
      port?.attachment.detach();
      port = null;
    },
    () => {
      if (port !== null) return;
      port = attach(outbox, expectGoodOrder);
    },
    () => {
      time.now_ms += below(below(10) === 0 ? 300 : 8);
      outbox.closeAged();
    },
    () => {
      if (below(4) > 0) return;
      outbox.addEvent(eventOf("kraken", "A", numberOf("event kraken:A")));
    },
  ];
  const step = () => {
    steps[below(steps.length)]!();
    outbox.check();
    const figures = outbox.figures();
    const parts = ["acknowledged_total", "in_flight", "buffered", "dead_lettered_total"] as const;
    const total = parts.reduce((sum, part) => sum + Number(figures[part]), 0);
    expect(total).toBe(Number(figures.received_total));
  };
  for (let count = 0; count < 300; count += 1) step();
  outbox.closeAll();
  for (let count = 0; count < 10_000 && !outbox.is_empty; count += 1) {
    port ??= attach(outbox, expectGoodOrder);
    steps[2]!();
    outbox.check();
  }
  return { outbox, ledger, next };
}

test("everything has one outcome and keys keep their order, over 150 random histories", () => {
  for (let seed = 1; seed <= 150; seed += 1) {
    const { outbox, ledger, next } = runHistory(seed);
    const where = `seed ${seed}`;
    expect([where, outbox.is_empty]).toEqual([where, true]);
    expect([where, outbox.settled_through]).toEqual([where, outbox.mark()]);
    expect([where, outbox.figures().discarded_total]).toEqual([where, 0]);
    for (const [name, end] of next) {
      const all = Array.from({ length: end - 1 }, (_, index) => index + 1);
      const refused = all.filter((id) => ledger.refused.has(`${name} ${id}`));
      // A record may come again after a crash; what counts is when it came first.
      const first = [...new Set(ledger.taken.get(name) ?? [])];
      expect([where, name, first]).toEqual([
        where,
        name,
        all.filter((id) => !refused.includes(id)),
      ]);
      // Frames are refused with all others of their record; single records by themselves.
      if (name === "letter") expect([where, refused]).toEqual([where, all]);
      else if (!name.startsWith("frame")) {
        expect([where, name, refused]).toEqual([where, name, all.filter((id) => id % 11 === 0)]);
      }
    }
  }
});

/** One random history of marks: acknowledgements in any order, refusals, detachments. */
function runMarks(seed: number, refused_share: number): void {
  const random = createRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const { outbox, time } = createOutbox({ flush_count: 1 + below(5), batch_bytes_max: 1_200 });
  const log = outbox.openFrames({ exchange: "kraken", connection_id: "one", url: "wss://x" });
  const taken: string[] = [];
  const settled = new Set<string>();
  const marks: { readonly position: number; readonly count: number }[] = [];
  let port: ReturnType<typeof attach> | null = null;
  const acknowledge = () => {
    const [batch] = port?.batches.splice(below(port.batches.length), 1) ?? [];
    if (batch === undefined) return;
    const refusals: Refusal[] = [];
    recordsOf(batch).forEach(({ topic_index, value }, index) => {
      const topic = outbox.topics[topic_index]!;
      const is_refused = random() < refused_share;
      if (is_refused) refusals.push({ index, reason: "record_too_large" });
      // Nobody takes a dead letter that is refused, so that it is settled either way.
      if (is_refused && topic !== dead_letters_topic) return;
      for (const name of namesOf(topic, value)) settled.add(name);
    });
    port!.attachment.acknowledge(batch.id, refusals);
  };
  const steps = [
    () => {
      const number = taken.length;
      const kind = below(5);
      if (kind === 0) outbox.addEvent(eventOf("kraken", "A", number));
      else if (kind === 1) outbox.addDeadLetter({ ...letterOf("{"), frame_sequence: number });
      else if (kind === 2) outbox.addTrade(tradeOf("kraken", "A", number));
      else log.add(frameOf(number, "x".repeat(below(20) === 0 ? 2_000 : 10)));
      const names = [`event kraken:A ${number}`, `letter ${number}`, `trade kraken:A ${number}`];
      taken.push(names[kind] ?? `frame one ${number}`);
    },
    () => marks.push({ position: outbox.mark(), count: taken.length }),
    acknowledge,
    acknowledge,
    () => {
      if (below(8) > 0) return;
      port?.attachment.detach();
      port = null;
    },
    () => {
      port ??= attach(outbox);
    },
    () => {
      time.now_ms += below(100);
      outbox.closeAged();
    },
  ];
  const expectMarks = () => {
    const through = outbox.settled_through;
    for (const { position, count } of marks) {
      const is_settled = taken.slice(0, count).every((name) => settled.has(name));
      if (refused_share === 0) expect([seed, through >= position]).toEqual([seed, is_settled]);
      else if (through >= position) expect([seed, is_settled]).toEqual([seed, true]);
    }
  };
  for (let count = 0; count < 250; count += 1) {
    steps[below(steps.length)]!();
    expectMarks();
  }
  outbox.closeAll();
  for (let count = 0; count < 10_000 && !outbox.is_empty; count += 1) {
    port ??= attach(outbox);
    acknowledge();
    expectMarks();
  }
  expect([seed, outbox.settled_through]).toEqual([seed, outbox.mark()]);
}

test("a mark is settled exactly when everything before it is, over 100 random histories", () => {
  for (let seed = 1; seed <= 100; seed += 1) runMarks(seed, 0);
});

test("a mark is never settled before a refused record's dead letter is, and in the end it is", () => {
  for (let seed = 1; seed <= 100; seed += 1) runMarks(seed, 0.2);
});

test("a refused record's dead letter holds its mark back, and no later one than its own", () => {
  const { outbox } = createOutbox();
  const { batches, attachment } = attach(outbox);
  expect([outbox.mark(), outbox.settled_through]).toEqual([0, 0]);
  add(outbox, 5);
  const mark = outbox.mark();
  attachment.acknowledge(batches[0]!.id, [{ index: 2, reason: "record_too_large" }]);
  expect(outbox.settled_through).toBeLessThan(mark);
  add(outbox, 5, 6);
  const later = outbox.mark();
  attachment.acknowledge(batches[2]!.id, []);
  expect(outbox.settled_through).toBeLessThan(mark);
  attachment.acknowledge(batches[1]!.id, []);
  expect(outbox.settled_through).toBe(later);
});

function add(outbox: Outbox, count: number, from = 1): void {
  for (let id = from; id < from + count; id += 1) outbox.addTrade(tradeOf("kraken", "A", id));
}

test("a batch is closed by count, at once", () => {
  const { outbox } = createOutbox();
  const { batches } = attach(outbox);
  add(outbox, 12);
  expect(batches.map(({ count }) => count)).toEqual([5, 5]);
});

test("a batch is closed by age, and not before", () => {
  const { outbox, time } = createOutbox();
  const { batches } = attach(outbox);
  add(outbox, 1);
  time.now_ms = 9;
  expect(outbox.closeAged()).toBe(1);
  expect(batches.length).toBe(0);
  time.now_ms = 10;
  expect(outbox.closeAged()).toBe(null);
  expect(batches.length).toBe(1);
});

test("a batch is closed by bytes, and a record larger than any batch goes alone", () => {
  const { outbox } = createOutbox({ batch_bytes_max: 400, flush_count: 100 });
  const { batches } = attach(outbox);
  add(outbox, 4);
  expect(batches.map(({ count }) => count)).toEqual([2]);
  const large = { ...tradeOf("kraken", "A", 5), vendor_data: { text: "x".repeat(100_000) } };
  outbox.addTrade(large);
  outbox.addDeadLetter(letterOf("y".repeat(5 * 2 ** 20)));
  expect(batches.map(({ count }) => count)).toEqual([2, 2, 1, 1]);
  expect(decodeTrade(readRecord(batches[2]!, 0).value)).toEqual(large);
  expect(decodeDeadLetter(readRecord(batches[3]!, 0).value).payload.length).toBe(4 * 2 ** 20);
  outbox.check();
});

test("the window bounds what is in flight, and an old batch fills on while there is no room", () => {
  const { outbox, time } = createOutbox({ window_batches_max: 2 });
  const { batches, attachment } = attach(outbox);
  add(outbox, 13);
  time.now_ms = 100;
  outbox.closeAged();
  expect(outbox.figures()).toMatchObject({ in_flight: 10, buffered: 3 });
  add(outbox, 1, 14);
  attachment.acknowledge(batches[0]!.id, []);
  expect(batches.map(({ count }) => count)).toEqual([5, 5, 4]);
});

test("the window also counts bytes, but lets one batch of any size pass", () => {
  const { outbox } = createOutbox({ window_bytes_max: 10 });
  const { batches } = attach(outbox);
  add(outbox, 10);
  expect(batches.length).toBe(1);
});

test("without a port records wait, and the next port gets them in order", () => {
  const { outbox, time } = createOutbox();
  add(outbox, 7);
  time.now_ms = 50;
  outbox.closeAged();
  expect(outbox.figures()).toMatchObject({ buffered: 7, in_flight: 0, acknowledging: false });
  const first = attach(outbox);
  expect(first.batches.map(({ count }) => count)).toEqual([5, 2]);
  const second = attach(outbox);
  expect(second.batches.map(({ id }) => id)).toEqual(first.batches.map(({ id }) => id));
});

test("a port that was replaced has no say any more", () => {
  const { outbox } = createOutbox();
  const first = attach(outbox);
  add(outbox, 5);
  attach(outbox);
  first.attachment.acknowledge(first.batches[0]!.id, []);
  first.attachment.detach();
  expect(outbox.figures()).toMatchObject({ in_flight: 5, acknowledged_total: 0 });
});

test("an acknowledgement of what was never sent is a broken assumption", () => {
  const { outbox } = createOutbox();
  const { attachment } = attach(outbox);
  expect(() => attachment.acknowledge(99, [])).toThrow(/batch 99/);
});

test("a refused record becomes a dead letter and its neighbors do not", () => {
  const { outbox } = createOutbox();
  const { batches, attachment } = attach(outbox);
  add(outbox, 5);
  attachment.acknowledge(batches[0]!.id, [{ index: 2, reason: "record_too_large" }]);
  expect(outbox.figures()).toMatchObject({ acknowledged_total: 4, dead_lettered_total: 0 });
  const letter = decodeDeadLetter(readRecord(batches[1]!, 0).value);
  const { payload, ...rest } = letter;
  expect(rest).toEqual({
    exchange: "kraken",
    native_symbol: "A",
    connection_id: "test-0",
    frame_sequence: 3,
    ingestion_timestamp: 1_787_746_340_000_503,
    reason: "record_too_large",
    topic: "market.crypto.trades.kraken",
  });
  expect(decodeTrade(payload).trade_id).toBe("3");
  attachment.acknowledge(batches[1]!.id, []);
  expect(outbox.figures()).toMatchObject({
    received_total: 5,
    acknowledged_total: 4,
    dead_lettered_total: 1,
    discarded_total: 0,
  });
});

test("a refused dead letter is discarded, and counted", () => {
  const { outbox } = createOutbox({ flush_count: 1 });
  const { batches, attachment } = attach(outbox);
  outbox.addDeadLetter(letterOf("{"));
  attachment.acknowledge(batches[0]!.id, [{ index: 0, reason: "record_too_large" }]);
  expect(outbox.figures()).toMatchObject({ dead_lettered_total: 1, discarded_total: 1 });
  expect(outbox.is_empty).toBe(true);
});

test("a dead letter's symbol may be anything, and its neighbors stay readable", () => {
  const { outbox } = createOutbox({ flush_count: 2 });
  const { batches } = attach(outbox);
  outbox.addDeadLetter({ ...letterOf("{"), native_symbol: `\ud800${"A".repeat(70_000)}` });
  outbox.addDeadLetter(letterOf("}"));
  const [batch] = batches;
  const letters = [0, 1].map((index) => decodeDeadLetter(readRecord(batch!, index).value));
  expect(letters[0]?.native_symbol).toBe(`\ufffd${"A".repeat(127)}`);
  expect(Buffer.from(letters[1]!.payload).toString()).toBe("}");
});

test("pressure rises at three quarters, falls at half, and the bound is a bound", () => {
  const { outbox } = createOutbox({ buffer_bytes_max: 20_000, window_batches_max: 1_000 });
  const heard: string[] = [];
  outbox.onPressure({ full: () => heard.push("full"), relieved: () => heard.push("relieved") });
  let id = 0;
  expect(() => {
    for (; id < 1_000; id += 1) add(outbox, 1, id);
  }).toThrow(/at most 20000 bytes/);
  expect(heard).toEqual(["full"]);
  expect(outbox.figures()).toMatchObject({
    is_full: true,
    received_total: id,
    overflowed_total: 1,
  });
  expect(Number(outbox.figures().buffered_bytes)).toBeLessThan(20_500);
  const { batches, attachment } = attach(outbox);
  for (const batch of [...batches]) attachment.acknowledge(batch.id, []);
  expect(heard).toEqual(["full", "relieved"]);
  outbox.check();
});

test("a trade that cannot be encoded costs nothing but itself", () => {
  const { outbox } = createOutbox();
  const bad: Trade = { ...tradeOf("kraken", "A", 1), price: "1e9" };
  expect(() => outbox.addTrade(bad)).toThrow(RangeError);
  expect(outbox.figures()).toMatchObject({ received_total: 0, buffered: 0 });
  outbox.check();
});

test("records are refused before schema ids are known, and for an exchange without topic", () => {
  const options = { exchanges, flush_count: 1, flush_ms: 1, buffer_bytes_max: 1_000 };
  const outbox = new Outbox({ ...options, now_ms: () => 0, now_us: () => 0 });
  expect(() => add(outbox, 1)).toThrow(/schema ids are not known yet/);
  expect(() => outbox.addDeadLetter(letterOf("{"))).toThrow(/schema ids are not known yet/);
  expect(() => outbox.setSchemaIds({})).toThrow(/has none/);
  const { outbox: prepared } = createOutbox();
  expect(() => prepared.addTrade(tradeOf("nowhere", "A", 1))).toThrow(/it has no topic/);
});

test("latency counts what was pushed, from received to acknowledged", () => {
  const { outbox } = createOutbox({ flush_count: 2 });
  const { batches, attachment } = attach(outbox);
  outbox.addTrade(tradeOf("kraken", "A", 0));
  outbox.addTrade({ ...tradeOf("kraken", "A", 1), source: "BACKFILL", ingestion_timestamp: 1 });
  attachment.acknowledge(batches[0]!.id, []);
  const { latency_p50_ms, latency_p99_ms, last_acknowledged_at } = outbox.figures();
  expect(Number(latency_p50_ms)).toBeCloseTo(1_000, -2);
  expect(latency_p99_ms).toBe(latency_p50_ms!);
  expect(last_acknowledged_at).toBe("2026-08-26T12:12:21.000Z");
});

test("a record that is refused twice is a broken assumption", () => {
  const { outbox } = createOutbox();
  const { attachment, batches } = attach(outbox);
  add(outbox, 5);
  const refusal = { index: 0, reason: "record_invalid" };
  expect(() => attachment.acknowledge(batches[0]!.id, [refusal, refusal])).toThrow(/twice/);
  outbox.check();
});

/** The frames of one session of Kraken. */
function logOf(outbox: Outbox, connection_id = "test-0") {
  return outbox.openFrames({ exchange: "kraken", connection_id, url: "wss://x" });
}

function topicsOf(outbox: Outbox, batch: Batch | undefined): readonly string[] {
  return batch === undefined
    ? []
    : recordsOf(batch).map(({ topic_index }) => outbox.topics[topic_index]!.slice(14));
}

test("frames of all sessions go before the trades of the same batch", () => {
  const { outbox, time } = createOutbox();
  const { batches } = attach(outbox);
  const [one, two] = [logOf(outbox, "one"), logOf(outbox, "two")];
  one.add(frameOf(1));
  add(outbox, 1);
  two.add(frameOf(2, "ä"));
  one.add({ ...frameOf(3), frame: new Uint8Array([0, 255]), kind: "PAGE", request: "GET /x" });
  outbox.addEvent(eventOf("kraken", "A", 1));
  time.now_ms = 10;
  outbox.closeAged();
  const [batch] = batches;
  const topics = ["frames.kraken", "frames.kraken", "trades.kraken", "events"];
  expect(topicsOf(outbox, batch)).toEqual(topics);
  const records = recordsOf(batch!);
  expect(records.map(({ key }) => key.toString())).toEqual(["one", "two", "kraken:A", "kraken:A"]);
  expect(decodeFrameBatch(records[0]!.value)).toEqual({
    exchange: "kraken",
    connection_id: "one",
    url: "wss://x",
    frames: [
      { ...frameOf(1), frame: Buffer.from('{"frame":1}') },
      { ...frameOf(3), kind: "PAGE", request: "GET /x", frame: Buffer.from([0, 255]) },
    ],
  });
  expect(decodeEvent(records[3]!.value)).toEqual(eventOf("kraken", "A", 1));
  expect(outbox.figures()).toMatchObject({ received_total: 4, in_flight: 4, frames_total: 3 });
});

test("frames alone wait longer, and no longer once there is a trade", () => {
  const { outbox, time } = createOutbox();
  const { batches } = attach(outbox);
  const rests: number[] = [];
  const nothing = { attached: () => {}, detached: () => {}, emptied: () => {} };
  outbox.listen({ ...nothing, opened: (rest_ms) => rests.push(rest_ms) });
  const log = logOf(outbox);
  log.add(frameOf(1));
  time.now_ms = 100;
  log.add(frameOf(2));
  expect(outbox.closeAged()).toBe(150);
  expect(outbox.is_empty).toBe(false);
  expect(outbox.figures()).toMatchObject({ received_total: 0, buffered: 0 });
  time.now_ms = 250;
  expect(outbox.closeAged()).toBe(null);
  log.add(frameOf(3));
  add(outbox, 1);
  log.add(frameOf(4));
  expect(outbox.closeAged()).toBe(10);
  time.now_ms = 260;
  outbox.closeAged();
  expect(batches.map(({ count }) => count)).toEqual([1, 2]);
  expect(rests).toEqual([250, 250, 10]);
});

test("a batch of frames is closed by bytes, and a frame larger than any batch goes alone", () => {
  const { outbox } = createOutbox({
    batch_bytes_max: 1_000,
    buffer_bytes_max: 2 ** 25,
    flush_count: 100,
    window_bytes_max: 2 ** 25,
  });
  const { batches } = attach(outbox);
  const log = logOf(outbox);
  for (let index = 0; index < 12; index += 1) log.add(frameOf(index, "x".repeat(100)));
  log.add(frameOf(12, "€".repeat(3 * 2 ** 20)));
  add(outbox, 1);
  outbox.closeAll();
  const packets = batches.map(({ packet }) => packet.length);
  expect(packets.filter((bytes) => bytes > 1_000).length).toBe(1);
  const frames = batches
    .flatMap((batch) => recordsOf(batch))
    .filter(({ topic_index }) => outbox.topics[topic_index]!.includes("frames"))
    .flatMap(({ value }) => decodeFrameBatch(value).frames);
  expect(frames.map(({ frame_sequence }) => frame_sequence)).toEqual([...Array(13).keys()]);
  expect(frames.at(-1)?.frame.length).toBe(9 * 2 ** 20);
  expect(topicsOf(outbox, batches.at(-1))).toEqual(["trades.kraken"]);
  expect(outbox.figures()).toMatchObject({ frames_total: 13, received_total: batches.length });
  outbox.check();
});

test("refused frames and events become dead letters that say where they came from", () => {
  const { outbox } = createOutbox({ buffer_bytes_max: 2 ** 25, window_bytes_max: 2 ** 25 });
  const { batches, attachment } = attach(outbox);
  logOf(outbox, "c").add(frameOf(7, "x".repeat(5 * 2 ** 20)));
  outbox.addEvent(eventOf("kraken", "A", 3));
  outbox.closeAll();
  const reason = "record_too_large";
  for (const { id } of [...batches]) attachment.acknowledge(id, [{ index: 0, reason }]);
  const [frames, event] = batches
    .slice(2)
    .map((batch) => decodeDeadLetter(readRecord(batch, 0).value));
  expect(frames).toMatchObject({
    exchange: "kraken",
    native_symbol: null,
    connection_id: "c",
    frame_sequence: 7,
    reason,
    topic: "market.crypto.frames.kraken",
  });
  expect(frames?.payload.length).toBe(4 * 2 ** 20);
  expect(event).toMatchObject({ native_symbol: "A", reason, topic: "market.crypto.events" });
  expect(decodeEvent(event!.payload)).toEqual(eventOf("kraken", "A", 3));
  for (const { id } of batches.slice(2)) attachment.acknowledge(id, []);
  expect(outbox.figures()).toMatchObject({ dead_lettered_total: 2, acknowledged_total: 0 });
  outbox.check();
});

test("frames count as held bytes, and are refused beyond the bound", () => {
  const { outbox } = createOutbox({ buffer_bytes_max: 20_000, batch_bytes_max: 2_000 });
  const heard: string[] = [];
  outbox.onPressure({ full: () => heard.push("full"), relieved: () => heard.push("relieved") });
  const log = logOf(outbox);
  expect(() => {
    for (let index = 0; index < 1_000; index += 1) log.add(frameOf(index, "x".repeat(100)));
  }).toThrow(/at most 20000 bytes/);
  expect(heard).toEqual(["full"]);
  expect(Number(outbox.figures().buffered_bytes)).toBeLessThan(20_500);
});

test("frames and events are refused where they have nowhere to go", () => {
  const options = { exchanges, flush_count: 1, flush_ms: 1, buffer_bytes_max: 1_000 };
  const outbox = new Outbox({ ...options, now_ms: () => 0, now_us: () => 0 });
  expect(() => outbox.addEvent(eventOf("kraken", "A", 1))).toThrow(/not known yet/);
  expect(() => logOf(outbox).add(frameOf(1))).toThrow(/not known yet/);
  const session = { exchange: "nowhere", connection_id: "c", url: "" };
  expect(() => createOutbox().outbox.openFrames(session)).toThrow(/it has no topic/);
});

test("an event of no symbol has its exchange's key", () => {
  const { outbox } = createOutbox({ flush_count: 1 });
  const { batches } = attach(outbox);
  outbox.addEvent({ ...eventOf("kraken", "A", 1), event: "session_opened", native_symbol: null });
  expect(readRecord(batches[0]!, 0).key.toString()).toBe("kraken:");
});

test("events are taken beyond the bound, within a reserve: they say what is lost", () => {
  const { outbox } = createOutbox({ buffer_bytes_max: 20_000 });
  let id = 0;
  expect(() => {
    for (; id < 1_000; id += 1) add(outbox, 1, id);
  }).toThrow(/at most 20000 bytes/);
  outbox.addEvent(eventOf("kraken", "A", 1));
  expect(outbox.figures()).toMatchObject({ received_total: id + 1 });
  let taken = 1;
  expect(() => {
    for (; taken < 100_000; taken += 1) outbox.addEvent(eventOf("kraken", "A", taken));
  }).toThrow(/at most 20000 bytes/);
  expect(taken).toBeGreaterThan(1_000);
  outbox.check();
});
