/**
 * Where an outbox's records go: the topics by the index that packets carry, the registry's ids of
 * their schemas, and what each exchange's trades are encoded and keyed with.
 *
 * @module
 */

import {
  createTradeEncoder,
  dead_letters_topic,
  events_topic,
  framesTopic,
  recordKey,
  type TradeEncoder,
  tradesTopic,
} from "../../schemas/mod.ts";
import { kindOf, type RecordKind } from "./origin.ts";

/** Where one exchange's trades and frames go. */
export interface Destination {
  readonly exchange: string;
  readonly trades_index: number;
  readonly frames_index: number;
  /** Null until schema ids are known. */
  readonly encoder: TradeEncoder | null;
  /** By native symbol. */
  readonly keys: Map<string, Buffer>;
}

const keys_kept_max = 8_192;

/** The topics of an outbox, and how records get there. */
export class Destinations {
  readonly topics: readonly string[];
  readonly events_index: number;
  readonly dead_letters_index: number;
  readonly #by_exchange = new Map<string, Destination>();
  /** By topic index; empty until they are known. */
  #schema_ids: readonly (number | undefined)[] = [];

  /**
   * @param exchanges Those whose records are taken.
   * @param adopt Gives the topics that are wanted their indices, among others perhaps.
   */
  constructor(
    exchanges: readonly string[],
    adopt: (wanted: readonly string[]) => readonly string[],
  ) {
    this.topics = adopt([
      ...exchanges.map(tradesTopic),
      ...exchanges.map(framesTopic),
      events_topic,
      dead_letters_topic,
    ]);
    this.events_index = this.topics.indexOf(events_topic);
    this.dead_letters_index = this.topics.indexOf(dead_letters_topic);
    for (const exchange of exchanges) {
      this.#by_exchange.set(exchange, {
        exchange,
        trades_index: this.topics.indexOf(tradesTopic(exchange)),
        frames_index: this.topics.indexOf(framesTopic(exchange)),
        encoder: null,
        keys: new Map(),
      });
    }
  }

  /**
   * Takes the registry's ids of the schemas.
   *
   * @param ids By topic. Topics of which only spilled records are left need none.
   * @throws {Error} where another topic has none.
   */
  setSchemaIds(ids: Readonly<Record<string, number>>): void {
    const used = [...this.#by_exchange.values()];
    const needed = used.flatMap(({ trades_index, frames_index }) => [trades_index, frames_index]);
    for (const index of [...needed, this.events_index, this.dead_letters_index]) {
      const topic = this.topics[index] ?? "";
      if (ids[topic] === undefined) throw new Error(`Cannot set schema ids: ${topic} has none`);
    }
    this.#schema_ids = this.topics.map((topic) => ids[topic]);
    for (const destination of used) {
      const encoder = createTradeEncoder(this.schemaId(destination.trades_index));
      this.#by_exchange.set(destination.exchange, { ...destination, encoder });
    }
  }

  /**
   * The destination of an exchange.
   *
   * @throws {Error} where it has none.
   */
  of(exchange: string): Destination {
    const destination = this.#by_exchange.get(exchange);
    if (destination === undefined) throw this.#unprepared(exchange);
    return destination;
  }

  /**
   * What an exchange's trades are encoded with.
   *
   * @throws {Error} where it is not known yet.
   */
  encoderOf({ encoder, exchange }: Destination): TradeEncoder {
    if (encoder === null) throw this.#unprepared(exchange);
    return encoder;
  }

  /**
   * The registry's id of a topic's schema.
   *
   * @throws {Error} where it is not known yet.
   */
  schemaId(topic_index: number): number {
    const id = this.#schema_ids[topic_index];
    if (id === undefined) throw this.#unprepared(this.topics[topic_index] ?? "an unknown topic");
    return id;
  }

  /** What the records of a topic are. */
  kindOf(topic_index: number): RecordKind {
    return kindOf(this.topics[topic_index] ?? dead_letters_topic);
  }

  #unprepared(destination: string): Error {
    const why = this.#schema_ids.length === 0 ? "schema ids are not known yet" : "it has no topic";
    return new Error(`Cannot take a record for ${destination}: ${why}`);
  }
}

/** The key of a symbol's trades, made once. */
export function keyOf({ exchange, keys }: Destination, native_symbol: string): Buffer {
  const kept = keys.get(native_symbol);
  if (kept !== undefined) return kept;
  if (keys.size >= keys_kept_max) keys.clear();
  const key = Buffer.from(recordKey(exchange, native_symbol));
  keys.set(native_symbol, key);
  return key;
}
