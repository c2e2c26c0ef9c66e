/**
 * A Kafka broker and the port's process in front of it, in virtual time: the process speaks the
 * protocol of `kafka_port.cjs`, keeps the order within each key, and delivers what it was given
 * after a while. The broker can be away or slow, and refuses some records for good; the process
 * can crash at any moment, with records delivered whose acknowledgement nobody hears.
 *
 * @module
 */

import type { Port, PortExit, PortSpec } from "../../actors/port/port.ts";
import { recordsOf } from "../../actors/producer/batch.ts";
import type { Random } from "./random.ts";
import { everlasting, type Life, type World } from "./world.ts";

/** A record as it stands in Kafka. */
export interface KafkaRecord {
  readonly topic: string;
  readonly key: string;
  readonly value: Buffer;
}

/** How broker and port are. */
export interface KafkaConditions {
  /** From a record's sending to its standing in Kafka, and from there to its acknowledgement. */
  readonly delivery_ms: readonly [number, number];
  readonly acknowledgement_ms: readonly [number, number];
  /** Of batches whose acknowledgement is slow, up to `slow_ms`. */
  readonly slow_share: number;
  readonly slow_ms: number;
  /** How often the process crashes by itself. */
  readonly crashes_per_s: number;
  /** How often it is stuck: it reads nothing and says nothing any more. */
  readonly stuck_per_s: number;
  /** Of records that are refused for good; the same ones always. */
  readonly refused_share: number;
}

const start_ms = [40, 250] as const;
/** Where the broker is away: how long a connecting process waits. What it is given waits on. */
const connect_ms_max = 10_000;
const heartbeat_ms = 3_000;
/** What is on its way to the broker when its process dies may still arrive. */
const on_the_wire_ms_max = 20;
const end_ms_max = 10_000;
const code_retry = 75;

/** The broker. */
export class SimulatedKafka {
  readonly #world: World;
  readonly #random: Random;
  readonly #onRecord: (record: KafkaRecord) => void;
  readonly #onRefused: (record: KafkaRecord) => void;
  readonly #refused = new Set<string>();
  #conditions: KafkaConditions;
  #is_away = false;
  #is_healed = false;
  #processes = 0;
  /** Who waits for the broker. */
  #waiting: (() => void)[] = [];

  constructor(
    world: World,
    options: {
      readonly random: Random;
      readonly conditions: KafkaConditions;
      readonly onRecord: (record: KafkaRecord) => void;
      readonly onRefused: (record: KafkaRecord) => void;
    },
  ) {
    this.#world = world;
    this.#random = options.random;
    this.#conditions = options.conditions;
    this.#onRecord = options.onRecord;
    this.#onRefused = options.onRefused;
  }

  get conditions(): KafkaConditions {
    return this.#conditions;
  }

  get is_away(): boolean {
    return this.#is_away;
  }

  /** Whether nothing goes wrong by itself any more. */
  get is_healed(): boolean {
    return this.#is_healed;
  }

  /** The broker goes, for so long. */
  goAway(for_ms: number): void {
    if (this.#is_away) return;
    this.#is_away = true;
    this.#world.note(`kafka: away for ${Math.round(for_ms)} ms`);
    this.#world.after(for_ms * 1_000, everlasting, () => this.comeBack());
  }

  /** The broker is back. */
  comeBack(): void {
    if (!this.#is_away) return;
    this.#is_away = false;
    this.#world.note("kafka: back");
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const goOn of waiting) goOn();
  }

  /** From now on nothing goes wrong by itself. What was refused once stays refused. */
  heal(): void {
    this.comeBack();
    this.#is_healed = true;
    const { acknowledgement_ms, delivery_ms } = this.#conditions;
    const perfect = {
      slow_share: 0,
      slow_ms: 0,
      crashes_per_s: 0,
      stuck_per_s: 0,
      refused_share: 0,
    };
    this.#conditions = { acknowledgement_ms, delivery_ms, ...perfect };
  }

  /** Starts a port's process that belongs to whoever lives that life. */
  spawn(life: Life, spec: PortSpec): Port {
    this.#processes += 1;
    const options = { life, spec, random: this.#random, pid: 1_000 + this.#processes };
    return new SimulatedPort(this.#world, this, options);
  }

  /** Calls once the broker is there. */
  whenThere(goOn: () => void): void {
    if (this.#is_away) this.#waiting.push(goOn);
    else goOn();
  }

  /** Takes a record; the reason where it is refused for good. */
  take(record: KafkaRecord): string | null {
    const { topic, value } = record;
    // A dead letter is taken: what becomes of a refused one is told nowhere.
    if (!topic.endsWith("dead_letters")) {
      const name = Bun.hash(value).toString(36);
      if (this.#random.chance(this.#conditions.refused_share)) this.#refused.add(name);
      if (this.#refused.has(name)) {
        this.#onRefused(record);
        return "record_too_large";
      }
    }
    this.#onRecord(record);
    return null;
  }
}

/** One batch that the process holds. */
interface Held {
  readonly id: number;
  readonly count: number;
  /** Refusals so far, as the protocol writes them. */
  readonly refusals: string[];
  left: number;
}

/** The port's process. */
class SimulatedPort implements Port, Life {
  readonly pid: number;
  readonly #world: World;
  readonly #kafka: SimulatedKafka;
  readonly #spec: PortSpec;
  readonly #owner: Life;
  readonly #random: Random;
  /** By topic and key: when the last record sent arrives; nothing overtakes. */
  readonly #lanes = new Map<string, number>();
  readonly #packets: Buffer[] = [];
  #topics: readonly string[] | null = null;
  #is_connected = false;
  #is_ending = false;
  #is_stuck = false;
  #has_exited = false;
  #held = 0;
  /** Until when records that are on the wire still arrive, once the process is dead. */
  #wire_until_us = Number.POSITIVE_INFINITY;

  constructor(
    world: World,
    kafka: SimulatedKafka,
    options: {
      readonly life: Life;
      readonly spec: PortSpec;
      readonly random: Random;
      readonly pid: number;
    },
  ) {
    this.#world = world;
    this.#kafka = kafka;
    this.#spec = options.spec;
    this.#owner = options.life;
    this.#random = options.random;
    this.pid = options.pid;
    world.note(`port ${this.pid}: starts`);
    options.spec.signal.addEventListener("abort", () => this.kill(), { once: true });
    world.after(this.#random.between(...start_ms) * 1_000, this, () => this.#connect());
    const { crashes_per_s, stuck_per_s } = kafka.conditions;
    this.#mishap(crashes_per_s, () => this.#exit({ code: null, signal: "SIGSEGV" }));
    this.#mishap(stuck_per_s, () => {
      world.note(`port ${this.pid}: is stuck`);
      this.#is_stuck = true;
    });
    this.#beat();
  }

  /** Its stdin ends with its owner: a process whose owner is dead ends too. */
  get is_alive(): boolean {
    if (!this.#has_exited && !this.#owner.is_alive) this.#die();
    return !this.#has_exited;
  }

  write(chunk: Uint8Array | string): boolean {
    if (this.#has_exited || this.#is_ending) return false;
    if (typeof chunk === "string") {
      const config: { readonly topics: readonly string[] } = JSON.parse(chunk);
      this.#topics = config.topics;
      return true;
    }
    // A pipe copies: the writer may use its bytes again only once the process has read them.
    this.#packets.push(Buffer.from(chunk));
    if (this.#is_connected && !this.#is_stuck) this.#produce();
    return true;
  }

  end(): void {
    if (this.#has_exited || this.#is_ending || this.#is_stuck) return;
    this.#is_ending = true;
    if (!this.#is_connected) this.#exit({ code: 0, signal: null });
    else this.#world.after(end_ms_max * 1_000, this, () => this.#exit({ code: 1, signal: null }));
    this.#endIfSettled();
  }

  kill(): void {
    this.#exit({ code: null, signal: "SIGKILL" });
  }

  #connect(): void {
    const fail = this.#world.after(connect_ms_max * 1_000, this, () =>
      this.#fail("-195 no broker answers"),
    );
    this.#kafka.whenThere(() => {
      if (!this.is_alive || this.#topics === null) return;
      fail();
      this.#is_connected = true;
      this.#say("R");
      this.#produce();
    });
  }

  /** Something that happens so often, as long as things go wrong. */
  #mishap(per_s: number, happen: () => void): void {
    if (per_s === 0) return;
    const delay_s = -Math.log(1 - this.#random.next()) / per_s;
    this.#world.after(delay_s * 1e6, this, () => {
      if (!this.#kafka.is_healed) happen();
    });
  }

  #beat(): void {
    this.#world.after(heartbeat_ms * 1_000, this, () => {
      this.#say("H");
      this.#beat();
    });
  }

  /** Sends what was written, each key's records in order. */
  #produce(): void {
    for (let packet = this.#packets.shift(); packet !== undefined; packet = this.#packets.shift()) {
      const count = packet.readUInt16LE(10);
      const held: Held = { id: packet.readUIntLE(4, 6), count, refusals: [], left: count };
      this.#held += 1;
      let index = 0;
      for (const { topic_index, key, value } of recordsOf(packet)) {
        const topic = this.#topics?.[topic_index] ?? "";
        this.#send(held, index, { topic, key: key.toString(), value });
        index += 1;
      }
    }
  }

  #send(held: Held, index: number, record: KafkaRecord): void {
    const lane = `${record.topic} ${record.key}`;
    const { now_us } = this.#world;
    const delay_us = this.#random.between(...this.#kafka.conditions.delivery_ms) * 1_000;
    const at_us = Math.max(this.#lanes.get(lane) ?? 0, now_us + delay_us);
    this.#lanes.set(lane, at_us);
    this.#world.after(at_us - now_us, everlasting, () => this.#arrive(held, index, record));
  }

  /** A record is at the broker's door, which may be shut. */
  #arrive(held: Held, index: number, record: KafkaRecord): void {
    if (!this.is_alive && this.#world.now_us > this.#wire_until_us) return;
    if (this.#kafka.is_away) {
      if (!this.is_alive) return;
      this.#kafka.whenThere(() => {
        if (this.is_alive) this.#deliver(held, index, record);
      });
    } else {
      this.#deliver(held, index, record);
    }
  }

  #deliver(held: Held, index: number, record: KafkaRecord): void {
    const refusal = this.#kafka.take(record);
    if (refusal !== null) held.refusals.push(`${index}:${refusal}`);
    held.left -= 1;
    if (held.left > 0) return;
    const { acknowledgement_ms, slow_ms, slow_share } = this.#kafka.conditions;
    const usual_ms = this.#random.between(...acknowledgement_ms);
    const slow = this.#random.chance(slow_share) ? this.#random.between(0, slow_ms) : 0;
    this.#world.after((usual_ms + slow) * 1_000, this, () => {
      const refusals = held.refusals.length === 0 ? "" : ` ${held.refusals.join(",")}`;
      this.#held -= 1;
      this.#say(`A ${held.id}${refusals}`);
      this.#endIfSettled();
    });
  }

  #endIfSettled(): void {
    if (this.#is_ending && this.#held === 0) this.#exit({ code: 0, signal: null });
  }

  #fail(failure: string): void {
    if (!this.is_alive) return;
    this.#say(`F ${failure}`);
    this.#exit({ code: code_retry, signal: null });
  }

  #say(line: string): void {
    if (this.is_alive && !this.#is_stuck) this.#spec.onLine(line);
  }

  #die(): void {
    this.#has_exited = true;
    this.#wire_until_us = this.#world.now_us + this.#random.between(0, on_the_wire_ms_max) * 1_000;
  }

  #exit({ code, signal }: Pick<PortExit, "code" | "signal">): void {
    if (!this.is_alive) return;
    this.#die();
    const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
    this.#world.note(`port ${this.pid}: ${how}`);
    // The owner hears of it in a later turn of its loop.
    this.#world.after(1_000, this.#owner, () =>
      this.#spec.onExit({ code, signal, reason: `${this.#spec.name} ${how}` }),
    );
  }
}
