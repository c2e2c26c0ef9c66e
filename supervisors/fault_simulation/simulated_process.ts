/**
 * One process of K2 in the simulated world: the very tree of the feed, with the world's effects in
 * the place of the host's. When it dies, everything in its memory is gone; what it had ordered does
 * not happen, and the next process begins with what the disk holds.
 *
 * @module
 */

import type { OpenedSocket } from "../../actors/connection/receiver.ts";
import type { Continuity } from "../../actors/continuity/continuity.ts";
import type { FeedEvent, Trade } from "../../actors/messages.ts";
import type { Port } from "../../actors/port/port.ts";
import { recordsOf } from "../../actors/producer/batch.ts";
import type { Transport } from "../../actors/producer/dispatch.ts";
import { type Attachment, Outbox, type OutboxOptions } from "../../actors/producer/outbox.ts";
import type { SpillStore } from "../../actors/producer/spill.ts";
import { keepBudgets } from "../../actors/rest/kept_budgets.ts";
import { reasonOf } from "../../actors/settings/exit.ts";
import type { Log } from "../../actors/settings/log.ts";
import type { Settings } from "../../actors/settings/settings.ts";
import type { Effects } from "../effects.ts";
import { monotonicMs } from "../effects.ts";
import { type FeedMemory, type FeedStores, openFeedMemory } from "../feed_memory.ts";
import { feed } from "../feed_tree.ts";
import { part_intensity } from "../ground.ts";
import { startTree, type Tree } from "../supervisor.ts";
import { outboxOptions } from "../tree.ts";
import { CrashPoints, type Death, type Hits, ProcessDead } from "./crash_points.ts";
import type { Ledger } from "./ledger.ts";
import type { Random } from "./random.ts";
import {
  budgetRowsIn,
  continuityStoreIn,
  instrumentCacheIn,
  type SimulatedDisk,
  spillStoreIn,
} from "./simulated_disk.ts";
import type { SimulatedExchanges } from "./simulated_exchanges.ts";
import type { KafkaRecord, SimulatedKafka } from "./simulated_kafka.ts";
import type { Life, World } from "./world.ts";

/** What surrounds a process. */
export interface Surroundings {
  readonly world: World;
  readonly random: Random;
  readonly settings: Settings;
  readonly outbox: Pick<OutboxOptions, "memory_bytes_max" | "window_batches_max">;
  /** How far back the first process wants the trades; 0: not at all. */
  readonly since_s: number;
  /** How wrong our wall clock is, microseconds. */
  readonly clockOffsetUs: () => number;
  readonly exchanges: SimulatedExchanges;
  readonly kafka: SimulatedKafka;
  readonly disk: SimulatedDisk;
  readonly ledger: Ledger;
  readonly hits: () => Hits;
  readonly tamper: Tampering;
}

/**
 * Bugs that are planted to show that they are found: each changes what a process is handed, and
 * none is in the code that runs.
 */
export interface Tampering {
  readonly outbox?: (outbox: Outbox) => void;
  readonly stores?: (stores: FeedStores) => FeedStores;
  readonly memory?: (memory: FeedMemory) => void;
  readonly effects?: (effects: Effects) => Effects;
  readonly settings?: (settings: Settings) => Settings;
}

/** How a process ended. */
export type ProcessEnd = Death | "stopped" | "gave_up" | "escaped";

const cluster = { brokers: "simulated:9092", properties: {} } as const;
const safe = { can_throw: false } as const;
const risky = { can_throw: true } as const;

/** An outbox whose doings the ledger hears of. */
class WatchedOutbox extends Outbox {
  readonly #life: Life;
  readonly #ledger: Ledger;
  readonly #world: World;

  constructor(
    options: OutboxOptions,
    watch: { readonly ledger: Ledger; readonly world: World; readonly life: Life },
  ) {
    super(options);
    this.#ledger = watch.ledger;
    this.#world = watch.world;
    this.#life = watch.life;
  }

  override addTrade(trade: Trade): void {
    this.#watched(
      () => super.addTrade(trade),
      () => this.#ledger.emitted(trade),
    );
  }

  override addEvent(event: FeedEvent): void {
    this.#watched(
      () => super.addEvent(event),
      () => this.#ledger.told(event),
    );
  }

  /** What a process died of taking may be on disk already. */
  #watched(take: () => void, note: () => void): void {
    const was_alive = this.#life.is_alive;
    try {
      take();
    } catch (error) {
      if (error instanceof ProcessDead && was_alive) note();
      throw error;
    }
    if (was_alive) note();
  }

  override attach(transport: Transport): Attachment {
    const sent = new Map<number, Buffer>();
    const attachment = super.attach({
      send: (packet) => {
        const id = packet.readUIntLE(4, 6);
        if (sent.has(id)) this.#world.violate(`batch ${id} was sent twice to one process`);
        sent.set(id, packet);
        transport.send(packet);
      },
    });
    return {
      detach: () => attachment.detach(),
      acknowledge: (batch_id, refusals) => {
        const packet = sent.get(batch_id);
        if (packet === undefined) this.#world.violate(`batch ${batch_id} was never sent`);
        else this.#acknowledged(packet, new Set(refusals.map(({ index }) => index)));
        attachment.acknowledge(batch_id, refusals);
      },
    };
  }

  #acknowledged(packet: Buffer, refused: ReadonlySet<number>): void {
    let index = 0;
    for (const { topic_index, value } of recordsOf(packet)) {
      const topic = this.topics[topic_index] ?? "";
      if (!refused.has(index)) this.#ledger.acknowledged(topic, value);
      index += 1;
    }
  }
}

/** One process, from its start. */
export class SimulatedProcess implements Life {
  readonly outbox: Outbox;
  readonly memory: FeedMemory;
  readonly tree: Tree;
  readonly #surroundings: Surroundings;
  readonly #started_us: number;
  readonly #controller = new AbortController();
  readonly #points: CrashPoints;
  readonly #onEnd: (end: ProcessEnd) => void;
  #is_alive = true;

  /**
   * @param number Of the run's processes, from 1.
   * @param onEnd Told once, at its end.
   * @throws whatever a process of these surroundings cannot begin with.
   */
  constructor(surroundings: Surroundings, number: number, onEnd: (end: ProcessEnd) => void) {
    this.#surroundings = surroundings;
    this.#onEnd = onEnd;
    const { hits, ledger, random, tamper, world } = surroundings;
    this.#started_us = world.now_us;
    ledger.processBegan(spilledRecords(surroundings.disk));
    this.#points = new CrashPoints({
      random: random.fork(`process ${number}`),
      hits,
      note: (line) => world.note(line),
      isAlive: () => this.#is_alive,
      die: (death) => this.die(death),
    });
    const settings = tamper.settings?.(surroundings.settings) ?? surroundings.settings;
    const honest = this.#effects(number);
    const effects = tamper.effects?.(honest) ?? honest;
    // What outlives the actors takes no part in their crashes.
    const steady = { ...effects, ...this.#clocks(safe) };
    const stores = this.#openStores(steady);
    const handed = tamper.stores?.(stores) ?? stores;
    this.outbox = this.#makeOutbox(settings, steady, handed.spill);
    this.memory = this.#openMemory(settings, steady, handed);
    if (number === 1) this.#wantSince();
    this.tree = this.#plant(settings, effects);
  }

  get is_alive(): boolean {
    return this.#is_alive;
  }

  /** Ends it at once, whatever it is doing. */
  die(end: ProcessEnd): void {
    if (!this.#is_alive) return;
    this.#is_alive = false;
    this.#surroundings.world.note(`process: ${end}`);
    this.#onEnd(end);
  }

  /** Asks it to drain and end. */
  stop(): void {
    this.#surroundings.world.note("process: drains");
    this.tree.stop().then(() => {
      if (!this.#is_alive) return;
      this.#keepOnDisk();
      this.memory.close();
      this.#controller.abort();
      this.die("stopped");
    });
  }

  /** As the platform does: what Kafka has not acknowledged goes to the next start. */
  #keepOnDisk(): void {
    try {
      this.outbox.check();
      if (!this.outbox.is_empty) this.outbox.storeAll();
    } catch (error) {
      this.#note(`process: ${reasonOf(error)}`);
    }
  }

  #makeOutbox(settings: Settings, effects: Effects, spill: SpillStore | null): Outbox {
    const { ledger, tamper, world } = this.#surroundings;
    const outbox = new WatchedOutbox(
      {
        ...outboxOptions(settings, effects, spill),
        ...this.#surroundings.outbox,
        batch_bytes_max,
      },
      { ledger, world, life: this },
    );
    outbox.setSchemaIds(Object.fromEntries(outbox.topics.map((topic) => [topic, 1])));
    tamper.outbox?.(outbox);
    return outbox;
  }

  #openMemory(settings: Settings, effects: Effects, stores: FeedStores): FeedMemory {
    const { tamper } = this.#surroundings;
    const memory = openFeedMemory({
      settings,
      exchanges: settings.exchanges,
      feeding: "live",
      sink: this.outbox,
      log: this.#log(),
      stores,
      effects,
    });
    for (const { continuities } of memory.exchanges) {
      for (const continuity of continuities.values()) this.#listenTo(continuity);
    }
    tamper.memory?.(memory);
    return memory;
  }

  /** Asks for what was traded before the start. */
  #wantSince(): void {
    const { since_s, world } = this.#surroundings;
    if (since_s === 0) return;
    const to_timestamp = world.now_us;
    const range = { from_timestamp: to_timestamp - Math.floor(since_s * 1e6), to_timestamp };
    for (const { continuities } of this.memory.exchanges) {
      for (const continuity of continuities.values()) continuity.addImport(range);
    }
  }

  /** What an exchange says of its newest trade is no trade, and yet it is known. */
  #listenTo(continuity: Continuity): void {
    const { ledger } = this.#surroundings;
    const confirm = continuity.confirmThrough.bind(continuity);
    continuity.confirmThrough = (progress) => {
      ledger.heard(continuity, progress.trade_id);
      confirm(progress);
    };
  }

  #plant(settings: Settings, effects: Effects): Tree {
    const { world } = this.#surroundings;
    const { signal } = this.#controller;
    const now_ms = () => world.now_us / 1_000;
    const branch = feed(
      {
        simulate: null,
        settings,
        log: this.#log(),
        outbox: this.outbox,
        feeding: "live",
        effects,
        signal,
        cluster,
      },
      this.memory,
    );
    const root = { id: "k2", strategy: "one_for_one", ...part_intensity } as const;
    const tree = startTree(
      { ...root, children: [branch] },
      {
        clock: this.#clock(),
        now_ms,
        signal,
        notify: ({ path, reason, verdict }) => this.#note(`${path} ${verdict}: ${reason}`),
      },
    );
    tree.gave_up.then((reason) => {
      if (!this.#is_alive) return;
      world.note(`process: ${reason}`);
      // Nothing that the world does may be more than a restart can heal.
      if (reason.includes("cannot go on")) world.violate(reason);
      this.#keepOnDisk();
      this.die("gave_up");
    });
    return tree;
  }

  /** The timers of the tree's machines. */
  #clock() {
    const { world } = this.#surroundings;
    const timers = new Map<number, () => void>();
    let last_id = 0;
    return {
      setTimeout: (happen: (...parameters: unknown[]) => void, delay_ms: number) => {
        last_id += 1;
        const id = last_id;
        timers.set(
          id,
          world.after(timerUs(delay_ms), this, () => {
            timers.delete(id);
            happen();
          }),
        );
        return id;
      },
      clearTimeout: (id: number) => {
        timers.get(id)?.();
        timers.delete(id);
      },
    };
  }

  #log(): Log {
    const note = (level: string) => (message: string) => this.#note(`${level}: ${message}`);
    return { info: note("info"), warn: note("warn"), error: note("error") };
  }

  /** The dead say nothing. */
  #note(line: string): void {
    if (this.#is_alive) this.#surroundings.world.note(line);
  }

  #openStores(effects: Effects): FeedStores {
    const { disk } = this.#surroundings;
    const points = this.#points;
    const store = continuityStoreIn(disk);
    const rows = budgetRowsIn(disk);
    const spill = spillStoreIn(disk.spill);
    const clocks = { now_ms: () => monotonicMs(effects), wall_ms: () => effects.now_us() / 1_000 };
    return {
      continuity: {
        readStates: () => points.call("disk.readStates", safe, () => store.readStates()),
        note: (event) => points.call("disk.note", safe, () => store.note(event)),
        get noted_through() {
          return store.noted_through;
        },
        writeStates: (states, through) =>
          points.call("disk.writeStates", risky, () => store.writeStates(states, through)),
        close: () => store.close(),
      },
      spill: {
        found: spill.found,
        damaged: spill.damaged,
        adoptTopics: (wanted) => spill.adoptTopics(wanted),
        append: (entries) => points.call("disk.spill", risky, () => spill.append(entries)),
        read: (id) => points.call("disk.unspill", safe, () => spill.read(id)),
        remove: (id) => points.call("disk.removeSpilled", risky, () => spill.remove(id)),
        sync: () => points.call("disk.syncSpill", risky, () => spill.sync()),
        close: () => spill.close(),
      },
      budgets: keepBudgets(
        {
          read: (exchange, name) =>
            points.call("disk.readBudget", safe, () => rows.read(exchange, name)),
          write: (exchange, name, row) =>
            points.call("disk.writeBudget", safe, () => rows.write(exchange, name, row)),
          close: () => rows.close(),
        },
        clocks,
        this.#log(),
      ),
    };
  }

  #effects(number: number): Effects {
    const { disk, exchanges, kafka, random, world } = this.#surroundings;
    const points = this.#points;
    const chance = random.fork(`chance ${number}`);
    const lists = instrumentCacheIn(disk.lists);
    let ids = 0;
    return {
      openSocket: (url, handlers) =>
        points.call("socket.open", risky, () =>
          this.#socket(exchanges.openSocket(this, url, handlers)),
        ),
      getPage: async (url, request = {}) =>
        await points.call("rest.get", risky, () => exchanges.getPage(this, url, request)),
      spawn: (spec) => points.call("port.spawn", risky, () => this.#port(kafka.spawn(this, spec))),
      instrument_cache: {
        read: async (exchange) =>
          await points.call("disk.readList", safe, () => lists.read(exchange)),
        write: async (exchange, cached) =>
          await points.call("disk.writeList", risky, () => lists.write(exchange, cached)),
      },
      freeBytes: () => points.call("disk.free", risky, () => disk.freeBytes()),
      after: (delay_ms, happen) => {
        try {
          return points.call("clock.after", safe, () =>
            world.after(timerUs(delay_ms), this, happen),
          );
        } catch {
          // A timer of the dead: nobody may be there who could catch anything.
          return () => {};
        }
      },
      random: () => chance.next(),
      uniqueId: () => {
        ids += 1;
        return `${number}.${ids}`;
      },
      ...this.#clocks(risky),
    };
  }

  #clocks(failing: { readonly can_throw: boolean }): Pick<Effects, "now_us" | "monotonic_ns"> {
    const { clockOffsetUs, world } = this.#surroundings;
    const points = this.#points;
    return {
      now_us: () => points.call("clock.now", failing, () => world.now_us + clockOffsetUs()),
      monotonic_ns: () =>
        points.call("clock.monotonic", failing, () => (world.now_us - this.#started_us) * 1_000),
    };
  }

  #socket(socket: OpenedSocket): OpenedSocket {
    const points = this.#points;
    return {
      send: (text) => points.call("socket.send", risky, () => socket.send(text)),
      close: () => socket.close(),
    };
  }

  #port(port: Port): Port {
    const points = this.#points;
    return {
      pid: port.pid,
      write: (chunk) => points.call("port.write", risky, () => port.write(chunk)),
      end: () => points.call("port.end", safe, () => port.end()),
      kill: () => port.kill(),
    };
  }
}

function spilledRecords({ spill }: SimulatedDisk): readonly KafkaRecord[] {
  const { found, ...store } = spillStoreIn(spill);
  const topics = store.adoptTopics([]);
  return found.flatMap(({ id }) =>
    [...recordsOf(store.read(id))].map(({ key, topic_index, value }) => ({
      topic: topics[topic_index] ?? "",
      key: key.toString(),
      value,
    })),
  );
}

/** A host's timers take a millisecond at the least. */
function timerUs(delay_ms: number): number {
  return Math.max(1, delay_ms) * 1_000;
}

/** Small, as a run's batches are: a process begins with two such buffers. */
const batch_bytes_max = 64 * 2 ** 10;
