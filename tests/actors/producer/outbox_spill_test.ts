/**
 * Goal: with Kafka away records wait in memory, then on disk, then nobody may bring more; whatever
 * dies in between, each arrives, in order, and the accounts hold at every instant.
 * Method: the real outbox over the real file; random arrivals, acknowledgements, deaths of the port
 * and of the process, and refusals of the disk from a seed, against a list of what was added.
 */

import { afterAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { recordsOf } from "../../../actors/producer/batch.ts";
import { type Attachment, Outbox, type OutboxOptions } from "../../../actors/producer/outbox.ts";
import type { SpillStore } from "../../../actors/producer/spill.ts";
import { openSpillStore } from "../../../actors/producer/spill_store.ts";
import { FatalError } from "../../../actors/settings/exit.ts";
import {
  decodeDeadLetter,
  decodeFrameBatch,
  decodeTrade,
  framesTopic,
} from "../../../schemas/mod.ts";
import { frameOf, tradeOf } from "./records.ts";
import { temporaryFolder } from "./rig.ts";
import { openRefusingSpill, spillPaths } from "./spill_rig.ts";

const folder = temporaryFolder();
afterAll(folder.remove);
const newPath = spillPaths(folder.path);

function createOutbox(spill: SpillStore | null, options: Partial<OutboxOptions> = {}): Outbox {
  const outbox = new Outbox({
    exchanges: ["binance", "kraken"],
    flush_count: 4,
    flush_ms: 0,
    buffer_bytes_max: 40_000,
    spill,
    spill_bytes_max: 1_000_000,
    now_ms: () => 0,
    now_us: () => 0,
    ...options,
  });
  outbox.setSchemaIds(Object.fromEntries(outbox.topics.map((topic, index) => [topic, index + 1])));
  return outbox;
}

function add(outbox: Outbox, from: number, to: number): void {
  for (let id = from; id <= to; id += 1) outbox.addTrade(tradeOf("kraken", "BTC/USD", id));
}

/** A port and a broker: what was sent, batch by batch, until it is acknowledged. */
function attach(outbox: Outbox) {
  const sent: { readonly id: number; readonly trade_ids: number[] }[] = [];
  const attachment: Attachment = outbox.attach({
    send(packet) {
      const trade_ids = [...recordsOf(packet)].map(({ value }) =>
        Number(decodeTrade(value).trade_id),
      );
      sent.push({ id: packet.readUIntLE(4, 6), trade_ids });
    },
  });
  return { sent, attachment };
}

/** Acknowledges everything, also what is sent because of it; returns the trades' ids. */
function acknowledgeAll({ sent, attachment }: ReturnType<typeof attach>): number[] {
  const ids: number[] = [];
  for (let batch = sent.shift(); batch !== undefined; batch = sent.shift()) {
    ids.push(...batch.trade_ids);
    attachment.acknowledge(batch.id, []);
  }
  return ids;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

test("records wait in memory up to half its bound, then on disk, and go in order", () => {
  const path = newPath();
  const spill = openSpillStore(path);
  const outbox = createOutbox(spill);
  add(outbox, 1, 40);
  expect(outbox.figures()).toMatchObject({ spilled: 0, buffered: 40, is_full: false });
  expect(existsSync(path)).toBe(false);
  add(outbox, 41, 1_000);
  const figures = outbox.figures();
  expect(Number(figures.spilled)).toBeGreaterThan(900);
  expect(Number(figures.buffered_bytes)).toBeLessThan(20_000);
  expect(figures).toMatchObject({ received_total: 1_000, is_full: false, spill_error: null });
  outbox.check();
  const port = attach(outbox);
  expect(acknowledgeAll(port)).toEqual(range(1, 1_000));
  expect(outbox.figures()).toMatchObject({
    spilled: 0,
    spilled_bytes: 0,
    acknowledged_total: 1_000,
  });
  expect(outbox.is_empty).toBe(true);
  outbox.tend(0);
  expect(existsSync(path)).toBe(false);
  add(outbox, 1_001, 1_004);
  expect(acknowledgeAll(port)).toEqual(range(1_001, 1_004));
  expect(existsSync(path)).toBe(false);
});

test("the next process sends what is on disk first, and settles nothing before it", () => {
  const path = newPath();
  const first = openSpillStore(path);
  add(createOutbox(first), 1, 400);
  first.close();
  const spill = openSpillStore(path);
  const left = spill.found.reduce((sum, { count }) => sum + count, 0);
  expect(left).toBeGreaterThan(300);
  const outbox = createOutbox(spill);
  expect(outbox.figures()).toMatchObject({ received_total: left, spilled: left });
  add(outbox, 401, 404);
  outbox.check();
  const mark = outbox.mark();
  const port = attach(outbox);
  expect(outbox.settled_through).toBe(0);
  const ids = acknowledgeAll(port);
  expect(ids).toEqual(range(401 - left, 404));
  expect(outbox.settled_through).toBe(mark);
  outbox.check();
  spill.close();
});

test("no trade is on disk without its frame", () => {
  const path = newPath();
  const first = openSpillStore(path);
  const outbox = createOutbox(first);
  const log = outbox.openFrames({ exchange: "kraken", connection_id: "test-0", url: "wss://x" });
  let id = 0;
  for (let frame_sequence = 1; frame_sequence <= 200; frame_sequence += 1) {
    log.add(frameOf(frame_sequence));
    for (let count = 0; count < 3 + (frame_sequence % 5); count += 1) {
      id += 1;
      outbox.addTrade({ ...tradeOf("kraken", "BTC/USD", id), frame_sequence });
    }
  }
  first.close();
  const spill = openSpillStore(path);
  const frames = new Set<number>();
  const trades: number[] = [];
  for (const { id: batch_id } of spill.found) {
    for (const { topic_index, value } of recordsOf(spill.read(batch_id))) {
      if (outbox.topics[topic_index] === framesTopic("kraken")) {
        for (const frame of decodeFrameBatch(value).frames) frames.add(frame.frame_sequence);
      } else {
        trades.push(decodeTrade(value).frame_sequence);
      }
    }
  }
  spill.close();
  expect(trades.length).toBeGreaterThan(500);
  expect(trades.filter((frame_sequence) => !frames.has(frame_sequence))).toEqual([]);
});

test("what is on disk keeps its topics when the next process has other exchanges", () => {
  const path = newPath();
  const first = openSpillStore(path);
  add(createOutbox(first), 1, 200);
  first.close();
  const spill = openSpillStore(path);
  const outbox = createOutbox(spill, { exchanges: ["coinbase"] });
  outbox.setSchemaIds({
    "market.crypto.trades.coinbase": 1,
    "market.crypto.frames.coinbase": 2,
    "market.crypto.events": 3,
    "market.crypto.dead_letters": 4,
  });
  outbox.addTrade(tradeOf("coinbase", "BTC-USD", 1));
  outbox.closeAll();
  const topics = new Set<string | undefined>();
  const attachment = outbox.attach({
    send(packet) {
      for (const { topic_index, value } of recordsOf(packet)) {
        expect(outbox.topics[topic_index]).toContain(decodeTrade(value).exchange);
        topics.add(outbox.topics[topic_index]);
      }
      const id = packet.readUIntLE(4, 6);
      queueMicrotask(() => attachment.acknowledge(id, []));
    },
  });
  expect([...topics]).toContain("market.crypto.trades.kraken");
  spill.close();
});

test("a full spill fills memory, which asks for no more; room on disk relieves both", () => {
  const spill = openSpillStore(newPath());
  const outbox = createOutbox(spill, { spill_bytes_max: 60_000 });
  const heard: string[] = [];
  outbox.onPressure({
    full: (reason) => heard.push(reason),
    relieved: () => heard.push("relieved"),
  });
  let id = 1;
  for (; !outbox.is_full; id += 1) add(outbox, id, id);
  expect(heard).toEqual(["the buffers are full"]);
  expect(outbox.figures()).toMatchObject({ spill_error: "the spill is full" });
  expect(Number(outbox.figures().spilled_bytes)).toBeLessThanOrEqual(60_000);
  expect(Number(outbox.figures().buffered_bytes)).toBeLessThan(40_000);
  expect(acknowledgeAll(attach(outbox))).toEqual(range(1, id - 1));
  expect(heard).toEqual(["the buffers are full", "relieved"]);
  expect(outbox.spill_error).toBeNull();
  outbox.check();
});

test("a disk that refuses stops nothing until memory is full, and order is kept throughout", () => {
  const { spill, disk } = openRefusingSpill(newPath());
  const outbox = createOutbox(spill);
  add(outbox, 1, 100);
  disk.refuses_writes = true;
  add(outbox, 101, 140);
  expect(outbox.spill_error).toBe("database or disk is full");
  expect(outbox.is_full).toBe(false);
  outbox.check();
  disk.refuses_writes = false;
  add(outbox, 141, 144);
  expect(outbox.spill_error).toBeNull();
  disk.refuses_removals = true;
  const port = attach(outbox);
  expect(acknowledgeAll(port)).toEqual(range(1, 144));
  expect(Number(outbox.figures().spilled_bytes)).toBeGreaterThan(0);
  disk.refuses_removals = false;
  outbox.tend(0);
  expect(outbox.figures()).toMatchObject({ spilled_bytes: 0, spill_error: null });
  outbox.check();
});

test("nothing goes to a disk that is nearly full, and listeners hear why", () => {
  const { spill, disk } = openRefusingSpill(newPath());
  const outbox = createOutbox(spill, { disk_free_min: 1_000 });
  const heard: string[] = [];
  outbox.onPressure({
    full: (reason) => heard.push(reason),
    relieved: () => heard.push("relieved"),
  });
  outbox.tend(999);
  expect(heard).toEqual(["the disk is nearly full"]);
  add(outbox, 1, 110);
  expect(disk.writes).toBe(0);
  expect(outbox.figures().pressure_reason).toBe("the disk is nearly full");
  outbox.tend(10_000);
  expect(disk.writes).toBeGreaterThan(0);
  expect(heard).toEqual(["the disk is nearly full", "relieved"]);
});

test("storeAll() leaves everything to the next process, what the port had included", () => {
  const path = newPath();
  const first = openSpillStore(path);
  const outbox = createOutbox(first);
  const { sent } = attach(outbox);
  add(outbox, 1, 103);
  expect(sent.length).toBeGreaterThan(1);
  expect(outbox.storeAll()).toBe(true);
  expect(outbox.storeAll()).toBe(true);
  outbox.check();
  first.close();
  const spill = openSpillStore(path);
  expect(acknowledgeAll(attach(createOutbox(spill)))).toEqual(range(1, 103));
  spill.close();
  expect(createOutbox(null).storeAll()).toBe(true);
  const without = createOutbox(null);
  add(without, 1, 1);
  expect(without.storeAll()).toBe(false);
  const unused = newPath();
  const forbidden = createOutbox(openSpillStore(unused), { spill_bytes_max: 0 });
  add(forbidden, 1, 100);
  expect(forbidden.storeAll()).toBe(false);
  expect(existsSync(unused)).toBe(false);
});

test("a refused record of a spilled batch becomes a dead letter, behind what waits", () => {
  const spill = openSpillStore(newPath());
  const outbox = createOutbox(spill);
  add(outbox, 1, 200);
  const letters: string[] = [];
  const queue: (() => void)[] = [];
  const attachment = outbox.attach({
    send(packet) {
      const [first] = recordsOf(packet);
      const is_letter = outbox.topics[first?.topic_index ?? -1] === "market.crypto.dead_letters";
      const id = packet.readUIntLE(4, 6);
      if (is_letter && first) letters.push(decodeDeadLetter(first.value).reason);
      const refusals = id === 30 ? [{ index: 1, reason: "record_too_large" }] : [];
      queue.push(() => attachment.acknowledge(id, refusals));
    },
  });
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) next();
  expect(letters).toEqual(["record_too_large"]);
  expect(outbox.figures()).toMatchObject({ acknowledged_total: 199, dead_lettered_total: 1 });
  expect(outbox.is_empty).toBe(true);
  outbox.check();
});

test("a disk that does not give back what it took ends the process", () => {
  const { spill } = openRefusingSpill(newPath());
  const outbox = createOutbox({
    ...spill,
    read: () => {
      throw new Error("input/output error");
    },
  });
  add(outbox, 1, 200);
  expect(() => acknowledgeAll(attach(outbox))).toThrow(FatalError);
});

test("60 random lives of an outbox end with every record once in order, save what died", () => {
  let spilled = 0;
  let deaths = 0;
  for (let seed = 1; seed <= 60; seed += 1) {
    const life = new RandomLife(seed);
    life.run();
    spilled += life.spilled;
    deaths += life.deaths;
  }
  expect(spilled).toBeGreaterThan(100);
  expect(deaths).toBeGreaterThan(50);
});

/** One random history of an outbox, its port, its disk and its process. */
class RandomLife {
  readonly #random: () => number;
  readonly #seed: number;
  readonly #path = newPath();
  #opened = openRefusingSpill(this.#path);
  #outbox = createOutbox(this.#opened.spill);
  #port: ReturnType<typeof attach> | null = null;
  #next = 1;
  readonly #added: number[] = [];
  readonly #arrived: number[] = [];
  readonly #lost = new Set<number>();
  spilled = 0;
  deaths = 0;

  constructor(seed: number) {
    this.#seed = seed;
    let state = seed;
    this.#random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
  }

  run(): void {
    for (let step = 0; step < 60; step += 1) {
      this.#step();
      this.#outbox.check();
      if (Number(this.#outbox.figures().spilled) > 0) this.spilled += 1;
    }
    this.#opened.disk.refuses_writes = false;
    this.#opened.disk.refuses_removals = false;
    this.#port ??= attach(this.#outbox);
    this.#outbox.closeAll();
    this.#acknowledge(Number.POSITIVE_INFINITY);
    this.#outbox.check();
    const { is_empty } = this.#outbox;
    expect({ seed: this.#seed, is_empty }).toEqual({ seed: this.#seed, is_empty: true });
    const first_times = [...new Set(this.#arrived)];
    const wanted = this.#added.filter((id) => !this.#lost.has(id));
    expect({ seed: this.#seed, ids: first_times }).toEqual({ seed: this.#seed, ids: wanted });
    this.#opened.spill.close();
  }

  #step(): void {
    const dice = this.#random();
    if (dice < 0.5) this.#add(1 + Math.floor(this.#random() * 30));
    else if (dice < 0.7) this.#acknowledge(Math.floor(this.#random() * 8));
    else if (dice < 0.76) this.#port ??= attach(this.#outbox);
    else if (dice < 0.82) this.#endPort();
    else if (dice < 0.86) this.#opened.disk.refuses_writes = this.#random() < 0.4;
    else if (dice < 0.9) this.#opened.disk.refuses_removals = this.#random() < 0.4;
    else if (dice < 0.95) this.#outbox.tend(Number.POSITIVE_INFINITY);
    else this.#restart();
  }

  #add(count: number): void {
    for (let added = 0; added < count && !this.#outbox.is_full; added += 1) {
      add(this.#outbox, this.#next, this.#next);
      this.#added.push(this.#next);
      this.#next += 1;
    }
  }

  #acknowledge(count: number): void {
    const { sent, attachment } = this.#port ?? { sent: [], attachment: null };
    for (let taken = 0; taken < count; taken += 1) {
      const batch = sent.shift();
      if (batch === undefined) return;
      this.#arrived.push(...batch.trade_ids);
      attachment?.acknowledge(batch.id, []);
    }
  }

  /** The port dies; of what it had, the broker may have some without anybody's knowing. */
  #endPort(): void {
    const { sent = [], attachment } = this.#port ?? {};
    const reached = Math.floor(this.#random() * (sent.length + 1));
    for (const { trade_ids } of sent.slice(0, reached)) this.#arrived.push(...trade_ids);
    attachment?.detach();
    this.#port = null;
  }

  /** The process dies, or ends after a drain that stored everything. */
  #restart(): void {
    this.deaths += 1;
    const is_stored = this.#random() < 0.5 && this.#outbox.storeAll();
    this.#endPort();
    this.#opened.spill.close();
    this.#opened = openRefusingSpill(this.#path);
    const kept = new Set(this.#idsOnDisk());
    const arrived = new Set(this.#arrived);
    for (const id of this.#added) {
      if (arrived.has(id) || kept.has(id) || this.#lost.has(id)) continue;
      expect({ seed: this.#seed, is_stored }).toEqual({ seed: this.#seed, is_stored: false });
      this.#lost.add(id);
    }
    this.#outbox = createOutbox(this.#opened.spill);
  }

  #idsOnDisk(): number[] {
    const { spill } = this.#opened;
    return spill.found.flatMap(({ id }) =>
      [...recordsOf(spill.read(id))].map(({ value }) => Number(decodeTrade(value).trade_id)),
    );
  }
}
