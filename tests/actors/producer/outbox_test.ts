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
import { dead_letters_topic, decodeDeadLetter, decodeTrade } from "../../../schemas/mod.ts";
import { createRandom } from "../../schemas/random.ts";
import { tradeOf } from "./trades.ts";

const exchanges = ["binance", "kraken"];

function createOutbox(options: Partial<OutboxOptions> = {}) {
  const time = { now_ms: 0 };
  const outbox = new Outbox({
    exchanges,
    flush_count: 5,
    flush_ms: 10,
    buffer_bytes_max: 2 ** 20,
    now_ms: () => time.now_ms,
    now_us: () => 1_787_746_341_000_000,
    ...options,
  });
  outbox.setSchemaIds(Object.fromEntries(outbox.topics.map((topic, index) => [topic, index + 1])));
  return { outbox, time };
}

/** A port that keeps the frames it is given until it is told what to do with them. */
function attach(outbox: Outbox) {
  const batches: Batch[] = [];
  const attachment = outbox.attach({
    send: (frame) => {
      const id = frame.readUIntLE(4, 6);
      const count = frame.readUInt16LE(10);
      const received_us = new Float64Array();
      batches.push({ id, count, frame, outcome: "acknowledged", received_us });
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

/** What a broker took, by key, in order, and who was refused. */
class Ledger {
  readonly taken = new Map<string, number[]>();
  readonly refused = new Set<string>();
  letters = 0;

  take(outbox: Outbox, { topic_index, key, value }: BatchRecord): void {
    if (outbox.topics[topic_index] === dead_letters_topic) {
      this.letters += 1;
      const letter = decodeDeadLetter(value);
      if (letter.topic !== null) this.refused.add(decodeTrade(letter.payload).message_id);
      return;
    }
    const ids = this.taken.get(key.toString()) ?? [];
    ids.push(Number(decodeTrade(value).trade_id));
    this.taken.set(key.toString(), ids);
  }
}

/** One random history; throws where a rule is broken. */
function runHistory(seed: number) {
  const random = createRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const { outbox, time } = createOutbox({
    flush_count: 1 + below(6),
    window_batches_max: 1 + below(4),
    batch_bytes_max: 700,
  });
  const ledger = new Ledger();
  const next = new Map<string, number>();
  let port: ReturnType<typeof attach> | null = null;
  let trades = 0;
  let letters = 0;
  // The broker takes the records of each key in order, and may have taken some of a batch when the
  // port dies: then they come again.
  const deliver = (batch: Batch, is_whole: boolean): Refusal[] => {
    const refusals: Refusal[] = [];
    const records = recordsOf(batch);
    const count = is_whole ? records.length : below(records.length + 1);
    records.slice(0, count).forEach((record, index) => {
      const is_trade = outbox.topics[record.topic_index] !== dead_letters_topic;
      const id = is_trade ? Number(decodeTrade(record.value).trade_id) : -1;
      if (is_trade && id % 11 === 0) refusals.push({ index, reason: "record_too_large" });
      else ledger.take(outbox, record);
    });
    return refusals;
  };
  const steps = [
    () => {
      const exchange = exchanges[below(2)]!;
      const symbol = ["A", "B"][below(2)]!;
      const id = next.get(exchange + symbol) ?? 1;
      next.set(exchange + symbol, id + 1);
      outbox.addTrade(tradeOf(exchange, symbol, id));
      trades += 1;
    },
    () => {
      if (below(4) > 0) return;
      outbox.addDeadLetter(letterOf("{".repeat(below(1_500))));
      letters += 1;
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
      port ??= attach(outbox);
    },
    () => {
      time.now_ms += below(8);
      outbox.closeAged();
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
    port ??= attach(outbox);
    steps[2]!();
    outbox.check();
  }
  return { outbox, ledger, next, trades, letters };
}

test("every record has one outcome and keys keep their order, over 400 random histories", () => {
  for (let seed = 1; seed <= 400; seed += 1) {
    const { outbox, ledger, next, trades, letters } = runHistory(seed);
    const where = `seed ${seed}`;
    const figures = outbox.figures();
    expect([where, outbox.is_empty]).toEqual([where, true]);
    expect([where, figures.received_total]).toEqual([where, trades + letters]);
    expect([where, figures.dead_lettered_total]).toEqual([where, ledger.refused.size]);
    expect([where, figures.discarded_total]).toEqual([where, 0]);
    for (const [symbol, end] of next) {
      const key = `${symbol.slice(0, -1)}:${symbol.slice(-1)}`;
      // A record may come again after a crash; what counts is when it came first.
      const first = [...new Set(ledger.taken.get(key) ?? [])];
      const wanted = Array.from({ length: end - 1 }, (_, index) => index + 1);
      const accepted = wanted.filter((id) => id % 11 !== 0);
      expect([where, key, first]).toEqual([where, key, accepted]);
      for (const id of wanted.filter((id) => id % 11 === 0)) {
        expect(ledger.refused.has(`${key}:${id}`)).toBe(true);
      }
    }
  }
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
