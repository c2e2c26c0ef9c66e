/**
 * What must hold, whatever fails: the ledger hears of every trade that a normalizer emits, of every
 * event that is told, of every record that comes to stand in Kafka and of every acknowledgement,
 * compares them with one another and with what the exchange itself knows, and says at once what
 * does not hold.
 *
 * - No trade stands in Kafka that the exchange has not, digit by digit.
 * - The records of a key first appear in Kafka in the order in which they were emitted, restarts
 *   included, and no process emits a trade twice.
 * - What is acknowledged stands in Kafka.
 * - What is confirmed stands in Kafka, or in a gap that Kafka knows to be open, or was never to be
 *   had.
 * - A gap is opened after its grace, and its end is told after its trades are taken; absent is only
 *   what the exchange never had.
 * - In the end every trade since the coverage stands in Kafka, and every gap is closed.
 *
 * @module
 */

import type { FeedEvent, Trade } from "../../actors/messages.ts";
import { plainText } from "../../actors/simulator/digits.ts";
import type { Market } from "../../actors/simulator/trade.ts";
import { decodeEvent, decodeTrade, events_topic, type IdRange } from "../../schemas/mod.ts";
import type { KafkaRecord } from "./simulated_kafka.ts";
import type { World } from "./world.ts";

/** A gap as Kafka has been told of it. */
interface ToldGap extends IdRange {
  is_open: boolean;
}

/** What is known of one symbol. */
interface Account {
  readonly exchange: string;
  readonly native_symbol: string;
  readonly market: Market;
  /** By emission: its place in the order of all; below zero once it stands in Kafka. */
  readonly emissions: Map<string, number>;
  /** What this process has emitted, and when. */
  readonly emitted: Map<number, number>;
  /** Since when this process can know that ids up to one exist; both ascending. */
  readonly known: { readonly id: number; readonly at_us: number }[];
  readonly in_kafka: Set<number>;
  /** Refused by the broker for good: a dead letter stands for them. */
  readonly refused: Set<number>;
  /** Told to be never had, or no longer to be had. */
  absent: readonly IdRange[];
  unfillable: readonly IdRange[];
  readonly gaps: Map<string, ToldGap>;
  /** Events by their place among all emissions; below zero once they stand in Kafka. */
  readonly events: Map<string, number>;
  last_event: number;
  /** What earlier processes could know: gaps from there open at once after a restart. */
  restored_id: number;
  /** Emission of the newest first appearance in Kafka. */
  last_emission: number;
  /** The earliest coverage that Kafka knows. */
  coverage_id: number | null;
  confirmed_id: number;
}

/** The ledger of a run. */
export class Ledger {
  readonly #world: World;
  readonly #gap_grace_us: number;
  readonly #isNoteLost: () => boolean;
  readonly #isLost: (exchange: string, timestamp: number) => boolean;
  readonly #accounts = new Map<string, Account>();
  #emissions = 0;
  #trades = 0;
  constructor(
    world: World,
    options: {
      readonly gap_grace_ms: number;
      /** Whether what was told may be forgotten, as the disk refused to note it. */
      readonly isNoteLost: () => boolean;
      /** Whether an exchange could no longer give what was traded at a time. */
      readonly isLost: (exchange: string, timestamp: number) => boolean;
      readonly symbols: readonly Pick<Account, "exchange" | "native_symbol" | "market">[];
    },
  ) {
    this.#world = world;
    this.#isNoteLost = options.isNoteLost;
    this.#isLost = options.isLost;
    this.#gap_grace_us = options.gap_grace_ms * 1_000;
    for (const symbol of options.symbols) {
      this.#accounts.set(`${symbol.exchange}:${symbol.native_symbol}`, {
        ...symbol,
        emissions: new Map(),
        emitted: new Map(),
        known: [],
        in_kafka: new Set(),
        refused: new Set(),
        absent: [],
        unfillable: [],
        gaps: new Map(),
        events: new Map(),
        last_event: 0,
        restored_id: -1,
        last_emission: 0,
        coverage_id: null,
        confirmed_id: -1,
      });
    }
  }

  /** Trades that stand in Kafka, each once. */
  get trades(): number {
    return this.#trades;
  }

  /** A process begins: it knows what the disk knows, and has what is spilled there. */
  processBegan(spilled: readonly KafkaRecord[]): void {
    for (const account of this.#accounts.values()) {
      account.emitted.clear();
      account.restored_id = Math.max(account.restored_id, account.known.at(-1)?.id ?? -1);
      account.known.length = 0;
    }
    for (const { topic, value } of spilled) {
      if (!topic.includes(".trades.")) continue;
      const trade = decodeTrade(value);
      this.#accountOf(trade).emitted.set(Number(trade.trade_id), this.#world.now_us);
    }
  }

  /** A normalizer has given a trade to the outbox. */
  emitted(trade: Trade): void {
    const account = this.#accountOf(trade);
    const id = Number(trade.trade_id);
    if (account.emitted.has(id)) {
      this.#world.violate(`${trade.message_id} was emitted twice by one process`);
    }
    account.emitted.set(id, this.#world.now_us);
    this.#noteKnown(account, id - 1);
    this.#emissions += 1;
    account.emissions.set(emissionOf(trade), this.#emissions);
  }

  /** The exchange has said which trade is its newest. */
  heard(of: { readonly exchange: string; readonly native_symbol: string }, id: number): void {
    this.#noteKnown(this.#accountOf(of), id);
  }

  /** An event was given to the outbox. */
  told(event: FeedEvent): void {
    if (event.native_symbol === null) return;
    const account = this.#accountOf(event);
    const { from_id, through_id, to_id } = event;
    const identity = eventIdentity(event);
    this.#emissions += 1;
    if (!account.events.has(identity)) account.events.set(identity, this.#emissions);
    const what = event.event === "confirmed" ? `..${through_id}` : `${from_id}..${to_id}`;
    this.#world.note(`told: ${event.event} ${event.exchange}:${event.native_symbol} ${what}`);
    if (from_id === null || to_id === null) return;
    if (event.event === "gap_opened") this.#checkGrace(account, event);
    else if (isEndOfGap(event)) this.#checkEnd(account, event);
  }

  /** A record has come to stand in Kafka. */
  recorded({ key, topic, value }: KafkaRecord): void {
    if (topic === events_topic) this.#eventRecorded(decodeEvent(value));
    else if (topic.includes(".trades.")) this.#tradeRecorded(decodeTrade(value), key);
  }

  /** The outbox was told that the broker has a record. */
  acknowledged(topic: string, value: Buffer): void {
    if (!topic.includes(".trades.")) return;
    const trade = decodeTrade(value);
    if (this.#accountOf(trade).in_kafka.has(Number(trade.trade_id))) return;
    this.#world.violate(`${trade.message_id} is acknowledged and not in Kafka`);
  }

  /** The broker has refused a record for good: its dead letter will stand for it. */
  refused({ topic, value }: KafkaRecord): void {
    if (topic === events_topic) this.#eventRecorded(decodeEvent(value));
    if (!topic.includes(".trades.")) return;
    const trade = decodeTrade(value);
    this.#accountOf(trade).refused.add(Number(trade.trade_id));
  }

  /** The newest trade of each symbol now: what has to be in Kafka in the end. */
  ends(): ReadonlyMap<string, number> {
    const { now_us } = this.#world;
    return new Map(
      [...this.#accounts].map(([name, { market }]) => [
        name,
        market.instrument.first_trade_id + market.indexAt(now_us) - 1,
      ]),
    );
  }

  /** What is still to come before all is well, as one sentence; null where nothing is. */
  outstanding(ends: ReadonlyMap<string, number>): string | null {
    for (const [name, account] of this.#accounts) {
      const through_id = ends.get(name) ?? 0;
      if (account.coverage_id === null) return `Kafka knows no coverage of ${name}`;
      const missing = this.#missing(account, { from_id: account.coverage_id, to_id: through_id });
      if (missing !== null) return `${name}:${missing} is not in Kafka`;
      for (const [gap_id, { is_open }] of account.gaps) {
        if (is_open && !this.#isNoteLost()) return `Kafka does not know the end of gap ${gap_id}`;
      }
      if (account.confirmed_id < through_id) return `${name} is not confirmed to ${through_id}`;
    }
    return null;
  }

  #noteKnown({ known }: Account, id: number): void {
    if (id > (known.at(-1)?.id ?? -1)) known.push({ id, at_us: this.#world.now_us });
  }

  #accountOf(of: { readonly exchange: string; readonly native_symbol: string | null }): Account {
    const account = this.#accounts.get(`${of.exchange}:${of.native_symbol}`);
    if (account === undefined) throw new Error(`Nobody asked for ${of.native_symbol}`);
    return account;
  }

  #tradeRecorded(trade: ReturnType<typeof decodeTrade>, key: string): void {
    const account = this.#accountOf(trade);
    const { message_id } = trade;
    if (key !== `${trade.exchange}:${trade.native_symbol}`) {
      this.#world.violate(`${message_id} stands under the key ${key}`);
    }
    const wrong = this.#differenceOf(account, trade);
    if (wrong !== null) this.#world.violate(`${message_id} ${wrong}`);
    const emission = account.emissions.get(emissionOf(trade));
    if (emission === undefined) {
      this.#world.violate(`${message_id} stands in Kafka and nobody emitted it`);
      return;
    }
    account.emissions.set(emissionOf(trade), -Math.abs(emission));
    if (emission > 0) {
      if (emission < account.last_emission) {
        this.#world.violate(`${message_id} stands in Kafka behind what was emitted after it`);
      }
      account.last_emission = emission;
    }
    const id = Number(trade.trade_id);
    if (!account.in_kafka.has(id)) this.#trades += 1;
    account.in_kafka.add(id);
  }

  /** How a trade differs from the exchange's own; null where it does not. */
  #differenceOf({ market }: Account, trade: ReturnType<typeof decodeTrade>): string | null {
    const index = Number(trade.trade_id) - market.instrument.first_trade_id;
    const [own] = index < 0 ? [] : market.tradesIn(index, index + 1);
    if (own === undefined) return "stands in Kafka and the exchange has no such trade";
    const { price, quantity, side, timestamp } = trade;
    const told = `${side} ${price} ${quantity}`;
    const true_ = `${own.side} ${digitsOf(own.price)} ${digitsOf(own.quantity)}`;
    if (told !== true_) return `is ${told} in Kafka and ${true_} at the exchange`;
    const off_us = Math.abs(timestamp - own.timestamp);
    return off_us > 1 ? `is ${off_us} us off the exchange's time` : null;
  }

  #eventRecorded(event: FeedEvent): void {
    if (event.native_symbol === null) return;
    const account = this.#accountOf(event);
    if (!this.#isFirstAppearance(account, event)) return;
    const { from_id, to_id, gap_id } = event;
    if (event.event === "coverage" && from_id !== null) {
      this.#moveCoverage(account, from_id);
    } else if (event.event === "confirmed") {
      this.#checkConfirmed(account, event.through_id ?? -1);
    } else if (gap_id !== null && from_id !== null && to_id !== null) {
      const is_open = !isEndOfGap(event);
      account.gaps.set(gap_id, { from_id, to_id, is_open });
      account.absent = [...account.absent, ...(event.absent ?? [])];
      account.unfillable = [...account.unfillable, ...(event.unfillable ?? [])];
    }
  }

  /** What is sent again after a crash of the port says nothing new. */
  #isFirstAppearance(account: Account, event: FeedEvent): boolean {
    const identity = eventIdentity(event);
    const emission = account.events.get(identity);
    if (emission === undefined) {
      this.#world.violate(`${event.event} of ${event.native_symbol} stands in Kafka untold`);
      return false;
    }
    if (emission < 0) return false;
    account.events.set(identity, -emission);
    if (emission < account.last_event) {
      this.#world.violate(`${event.event} of ${event.native_symbol} stands behind a later event`);
    }
    account.last_event = emission;
    return true;
  }

  /** The coverage is one range with known gaps: it may grow, and not shrink. */
  #moveCoverage(account: Account, from_id: number): void {
    const { coverage_id, native_symbol } = account;
    if (coverage_id !== null && from_id > coverage_id && !this.#isNoteLost()) {
      this.#world.violate(
        `the coverage of ${native_symbol} is told from ${from_id}, and was from ${coverage_id}`,
      );
    }
    account.coverage_id = from_id;
  }

  #checkConfirmed(account: Account, through_id: number): void {
    const from_id = account.coverage_id;
    account.confirmed_id = Math.max(account.confirmed_id, through_id);
    if (from_id === null) return;
    const open = [...account.gaps.values()].filter(({ is_open }) => is_open);
    for (let id = from_id; id <= through_id; id += 1) {
      if (account.in_kafka.has(id) || isWithin(open, id) || isExcused(account, id)) continue;
      this.#world.violate(
        `${account.native_symbol} is confirmed through ${through_id}, and ${id} is neither in ` +
          "Kafka nor in an open gap",
      );
      return;
    }
  }

  /** What came after a gap's ids is known for as long as the grace at the least. */
  #checkGrace(account: Account, { from_id, found_by, gap_id, to_id }: FeedEvent): void {
    if (from_id === null || to_id === null || found_by === "import") return;
    if (from_id <= account.restored_id + 1) return;
    const known = account.known.find(({ id }) => id >= to_id);
    const before = [...account.emitted].filter(([id]) => id < from_id).map(([, at_us]) => at_us);
    if (known === undefined) return;
    // What an earlier process has had stands before everything.
    const before_us = account.restored_id < 0 ? Math.min(...before) : known.at_us;
    const known_us = this.#world.now_us - Math.max(known.at_us, before_us);
    if (known_us < this.#gap_grace_us) {
      this.#world.violate(`gap ${gap_id} was opened ${known_us} us after it could be known`);
    }
  }

  /** Whatever a gap was, at its end all of it is emitted, absent or no longer to be had. */
  #checkEnd(account: Account, event: FeedEvent): void {
    const { absent, from_id, gap_id, reason, to_id, unfillable } = event;
    if (from_id === null || to_id === null || reason?.startsWith("merged") === true) return;
    for (const range of absent ?? []) {
      const from = range.from_id - account.market.instrument.first_trade_id;
      const to = range.to_id - account.market.instrument.first_trade_id + 1;
      const [had] = account.market.tradesIn(Math.max(0, from), to);
      if (had !== undefined) {
        this.#world.violate(`${had.trade_id} of gap ${gap_id} is told absent, and is not`);
      }
    }
    for (const { from_id: first, to_id: last } of unfillable ?? []) {
      const lost = account.market.tradesIn(
        first - account.market.instrument.first_trade_id,
        last - account.market.instrument.first_trade_id + 1,
      );
      const found = lost.find((trade) => !this.#isLost(account.exchange, trade.timestamp));
      if (found === undefined) continue;
      this.#world.violate(`${found.trade_id} of gap ${gap_id} is told unfillable, and is not`);
    }
    for (let id = from_id; id <= to_id; id += 1) {
      const is_taken = account.emitted.has(id) || account.in_kafka.has(id);
      if (is_taken || account.refused.has(id)) continue;
      if (isWithin(absent ?? [], id) || isWithin(unfillable ?? [], id)) continue;
      this.#world.violate(`the end of gap ${gap_id} is told, and ${id} is not taken`);
      return;
    }
  }

  /** The first id of a range that should be in Kafka and is not. */
  #missing(account: Account, range: IdRange): number | null {
    const { first_trade_id } = account.market.instrument;
    for (let id = range.from_id; id <= range.to_id; id += 1) {
      if (account.in_kafka.has(id) || isExcused(account, id)) continue;
      const index = id - first_trade_id;
      // What the exchange has skipped nobody can have.
      if (account.market.tradesIn(index, index + 1).length > 0) return id;
    }
    return null;
  }
}

function emissionOf({
  connection_id,
  frame_sequence,
  trade_id,
}: Pick<Trade, "connection_id" | "frame_sequence" | "trade_id">): string {
  return `${trade_id} ${connection_id} ${frame_sequence}`;
}

function eventIdentity(event: FeedEvent): string {
  const { from_id, native_symbol, remaining, through_id, timestamp, to_id } = event;
  const left = remaining === null ? "" : remaining.map((one) => `${one.from_id}-${one.to_id}`);
  return [event.event, native_symbol, timestamp, from_id, to_id, through_id, left].join(" ");
}

function isEndOfGap({ event }: FeedEvent): boolean {
  return event === "gap_filled" || event === "gap_absent" || event === "gap_unfillable";
}

function isExcused({ absent, refused, unfillable }: Account, id: number): boolean {
  return refused.has(id) || isWithin(absent, id) || isWithin(unfillable, id);
}

function isWithin(ranges: readonly IdRange[], id: number): boolean {
  return ranges.some(({ from_id, to_id }) => id >= from_id && id <= to_id);
}

/** A decimal as Kafka's reader writes it: plain, without trailing zeros. */
function digitsOf(text: string): string {
  const plain = plainText(text);
  return plain.includes(".") ? plain.replace(/\.?0+$/, "") : plain;
}
