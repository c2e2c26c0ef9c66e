/**
 * A conversation with its exchange's faults: the honest one is asked, and what it says is held
 * back, changed, or cut. Requests are changed before the honest one hears them, trades after it
 * has told them. Without planned faults everything passes as it is.
 *
 * @module
 */

import { type Conversation, type Outgoing, type SimulatedExchange, silence } from "./exchange.ts";
import type { FaultPlan, PlannedFault } from "./fault_plan.ts";
import { type Fault, numberIn, textIn } from "./faults.ts";
import type { HistoryMarket } from "./history.ts";
import { refusalText } from "./refusal_texts.ts";
import {
  frameOf,
  spoiltItem,
  type Wire,
  type WireItem,
  type WireTrades,
  withShiftedTimes,
  withUnknownField,
} from "./wire.ts";

/** Held trades leave after this even where not enough of them came together. */
const held_us_max = 5_000_000;

/** Wrong pings that are remembered. */
const pings_max = 16;

/** Trades of one socket that wait for further ones before they leave in another form. */
interface Held {
  readonly fault: Fault;
  readonly wanted: number;
  readonly since_us: number;
  readonly items: { readonly item: WireItem; readonly around: WireTrades }[];
}

/** What makes a conversation faulty. */
export interface FaultyOptions {
  readonly honest: Conversation;
  readonly exchange: SimulatedExchange;
  readonly histories: ReadonlyMap<string, HistoryMarket>;
  readonly wire: Wire;
  readonly plan: FaultPlan;
}

/** One client's socket at an exchange that may misbehave. */
export class FaultyConversation implements Conversation {
  readonly #honest: Conversation;
  readonly #exchange: SimulatedExchange;
  readonly #histories: ReadonlyMap<string, HistoryMarket>;
  readonly #wire: Wire;
  readonly #plan: FaultPlan;
  /** Symbols that this socket has asked for; those among them that are acknowledged and silent. */
  readonly #asked = new Set<string>();
  readonly #silent = new Set<string>();
  /** Pings as a wrong clock has written them, to the right ones. */
  readonly #pings = new Map<string, string>();
  #held: Held | null = null;
  #opened_us = 0;
  #closes_us: number | null = null;
  #is_dead = false;
  #cuts_next = false;

  constructor({ honest, exchange, histories, wire, plan }: FaultyOptions) {
    this.#honest = honest;
    this.#exchange = exchange;
    this.#histories = histories;
    this.#wire = wire;
    this.#plan = plan;
  }

  open(now_us: number): Outgoing {
    this.#opened_us = now_us;
    return this.#shaped(this.#honest.open(now_us), now_us);
  }

  receive(text: string, now_us: number): Outgoing {
    if (this.#is_dead) return silence;
    const { passed, frames, broken } = this.#heard(text, now_us);
    const answer = passed === undefined ? silence : this.#honest.receive(passed, now_us);
    const shaped = this.#shaped(answer, now_us);
    return {
      ...shaped,
      frames: [...shaped.frames, ...frames],
      broken: [...broken, ...(shaped.broken ?? [])],
    };
  }

  pinged(now_us: number): Outgoing {
    return this.#is_dead ? silence : this.#honest.pinged(now_us);
  }

  pong(payload: string, now_us: number): Outgoing {
    if (this.#is_dead) return silence;
    return this.#honest.pong(this.#pings.get(payload) ?? payload, now_us);
  }

  tick(now_us: number): Outgoing {
    if (this.#is_dead) return silence;
    const end = this.#ended(now_us);
    if (end !== undefined) return end;
    const out = this.#withItsPing(this.#shaped(this.#honest.tick(now_us), now_us));
    const announced = this.#announced(now_us);
    const held = this.#held;
    const overdue = held !== null && now_us - held.since_us >= held_us_max ? this.#release() : [];
    if (announced.length + overdue.length === 0) return out;
    return { ...out, frames: [...out.frames, ...overdue, ...announced] };
  }

  shutdown(now_us: number): Outgoing {
    return this.#is_dead
      ? { frames: [], close: { code: 1006, reason: "" } }
      : this.#honest.shutdown(now_us);
  }

  /** How wrong the exchange's clock is. */
  get #offset_us(): number {
    const off = this.#plan.holds("clock_offset", this.#target);
    return off === undefined ? 0 : numberIn(off.fault, "offset_s") * 1_000_000;
  }

  /** A ping tells the milliseconds of the exchange's clock. */
  #withItsPing(out: Outgoing): Outgoing {
    const offset_us = this.#offset_us;
    if (out.ping === undefined || offset_us === 0) return out;
    const ping = String(Number(out.ping) + Math.round(offset_us / 1_000));
    const [oldest] = this.#pings.keys();
    if (this.#pings.size >= pings_max && oldest !== undefined) this.#pings.delete(oldest);
    this.#pings.set(ping, out.ping);
    return { ...out, ping };
  }

  get #target() {
    return { exchange: this.#exchange.exchange };
  }

  /** What the honest exchange is to hear of a message, and what faults answer to the rest. */
  #heard(
    text: string,
    now_us: number,
  ): { passed: string | undefined; frames: readonly string[]; broken: readonly string[] } {
    const request = this.#wire.readRequest(text);
    if (request === undefined) return { passed: text, frames: [], broken: [] };
    const { exchange } = this.#exchange;
    const unheard = new Set<string>();
    const frames: string[] = [];
    const broken: string[] = [];
    for (const native_symbol of request.native_symbols) {
      const target = { exchange, native_symbol };
      if (request.kind === "subscribe") this.#asked.add(native_symbol);
      else this.#asked.delete(native_symbol);
      if (request.kind === "subscribe" && exchange === "kraken" && this.#silent.has(native_symbol))
        continue;
      this.#silent.delete(native_symbol);
      if (request.kind === "unsubscribe" || this.#plan.is_idle) continue;
      if (this.#plan.take("subscription_ignored", target) !== undefined) {
        unheard.add(native_symbol);
        continue;
      }
      const refused = this.#plan.take("subscription_refused", target);
      if (refused !== undefined) {
        unheard.add(native_symbol);
        const { request_id } = request;
        frames.push(refusalText(refused, { exchange, native_symbol, request_id, now_us }));
        const is_final = refused.parameters.terminal === true;
        if (is_final && this.#exchange.refusals.isRepeated(native_symbol, now_us))
          broken.push(`${exchange}.unknown_symbol_again`);
        continue;
      }
      if (this.#plan.take("silent_subscription", target, isForNew) !== undefined)
        this.#silent.add(native_symbol);
    }
    for (const symbol of unheard) this.#asked.delete(symbol);
    if (unheard.size === 0) return { passed: text, frames, broken };
    // Binance and Coinbase refuse the whole request, each with one answer.
    const is_whole = frames.length > 0 && exchange !== "kraken";
    if (is_whole) return { passed: undefined, frames: frames.slice(0, 1), broken };
    return { passed: request.without(unheard), frames, broken };
  }

  /** How the socket ends in this tick, if it does. */
  #ended(now_us: number): Outgoing | undefined {
    if (this.#closes_us !== null && now_us >= this.#closes_us)
      return this.#die({ frames: [], close: { code: 1001, reason: "Going away" } });
    if (this.#plan.is_idle) return undefined;
    if (this.#plan.take("half_open", this.#target) !== undefined)
      return this.#die({ frames: [], is_frozen: true });
    const close = this.#plan.take("close", this.#target);
    if (close !== undefined) {
      const code = numberIn(close, "code");
      return this.#die({ frames: [], close: { code, reason: textIn(close, "reason") } });
    }
    this.#cuts_next ||= this.#plan.take("cut_in_frame", this.#target) !== undefined;
    return undefined;
  }

  #die(out: Outgoing): Outgoing {
    this.#is_dead = true;
    return out;
  }

  /** The announcement of a shutdown that begins now; symbols that are to fall silent do so. */
  #announced(now_us: number): readonly string[] {
    if (this.#plan.is_idle) return [];
    const { exchange } = this.#exchange;
    for (const native_symbol of this.#asked) {
      const target = { exchange, native_symbol };
      if (this.#silent.has(native_symbol)) continue;
      if (this.#plan.take("silent_subscription", target, isForExisting) !== undefined)
        this.#silent.add(native_symbol);
    }
    const end = this.#shutdownOf("server_shutdown") ?? this.#shutdownOf("maintenance");
    if (end === undefined || this.#closes_us !== null) return [];
    this.#closes_us = end.from_us + numberIn(end.fault, "after_s") * 1_000_000;
    return this.#honest.shutdown(now_us).frames;
  }

  /** A shutdown that this socket is old enough to be hit by. */
  #shutdownOf(name: "server_shutdown" | "maintenance"): PlannedFault | undefined {
    const planned = this.#plan.holds(name, this.#target);
    return planned !== undefined && planned.from_us >= this.#opened_us ? planned : undefined;
  }

  /** What leaves of what the honest exchange says. */
  #shaped(out: Outgoing, now_us: number): Outgoing {
    const is_plain = this.#silent.size === 0 && this.#held === null && !this.#cuts_next;
    if (this.#plan.is_idle && is_plain && !this.#hidesTrades()) return out;
    const frames: string[] = [];
    for (const frame of out.frames) {
      const trades = this.#wire.readTrades(frame);
      if (trades === undefined) {
        const told = withShiftedTimes(frame, this.#offset_us);
        frames.push(this.#knowsMore("") ? withUnknownField(told) : told);
        continue;
      }
      for (const shaped of this.#shapedTrades(trades, now_us)) {
        if (this.#cuts_next) return this.#die({ frames, cut_frame: shaped });
        frames.push(shaped);
      }
    }
    return { ...out, frames };
  }

  #hidesTrades(): boolean {
    for (const market of this.#histories.values()) if (market.hides) return true;
    return false;
  }

  #knowsMore(native_symbol: string): boolean {
    return this.#plan.holds("unknown_fields", { ...this.#target, native_symbol }) !== undefined;
  }

  #shapedTrades(trades: WireTrades, now_us: number): readonly string[] {
    const is_snapshot = trades.head.includes(`"snapshot"`);
    const frames: string[] = [];
    let passing: WireItem[] = [];
    for (const item of trades.items) {
      if (this.#isKept(item)) continue;
      const told = this.#knowsMore(item.native_symbol)
        ? { ...item, text: withUnknownField(item.text) }
        : item;
      if (!is_snapshot && this.#isHeld({ item: told, around: trades }, now_us)) {
        const released = this.#releaseIfFull();
        if (released.length === 0) continue;
        frames.push(...framesOf(passing, trades), ...released);
        passing = [];
        continue;
      }
      passing.push(told);
      if (this.#plan.take("duplicate_trades", this.#targetOf(item)) !== undefined)
        passing.push(told);
    }
    frames.push(...framesOf(passing, trades));
    return frames;
  }

  #targetOf({ native_symbol }: WireItem) {
    return { exchange: this.#exchange.exchange, native_symbol };
  }

  /** Whether this socket never hears of a trade. */
  #isKept({ native_symbol, trade_id }: WireItem): boolean {
    if (this.#silent.has(native_symbol)) return true;
    const market = this.#histories.get(native_symbol);
    if (market === undefined) return false;
    if (market.isHidden(trade_id)) return true;
    const target = { exchange: this.#exchange.exchange, native_symbol };
    const is_thinned = this.#plan.holds("first_of_timestamp", target) !== undefined;
    return is_thinned && !market.isFirstOfTimestamp(trade_id);
  }

  /** Takes a trade out of the stream if some are being held or are to be held from now on. */
  #isHeld(entry: Held["items"][number], now_us: number): boolean {
    const target = this.#targetOf(entry.item);
    if (this.#held === null) {
      const fault =
        this.#plan.take("out_of_order", target) ??
        this.#plan.take("batch", target) ??
        this.#plan.take("spoilt_item", target);
      if (fault === undefined) return false;
      // Only Kraken's frames have neighbors that a spoilt item could harm.
      const is_single = fault.name === "spoilt_item" && target.exchange !== "kraken";
      const wanted = is_single ? 1 : numberIn(fault, "trades");
      this.#held = { fault, wanted, since_us: now_us, items: [] };
    }
    const { fault, items } = this.#held;
    if (fault.native_symbol !== null && fault.native_symbol !== entry.item.native_symbol)
      return false;
    items.push(entry);
    return true;
  }

  #releaseIfFull(): readonly string[] {
    if (this.#held === null || this.#held.items.length < this.#held.wanted) return [];
    return this.#release();
  }

  /** The held trades in the form that their fault gives them. */
  #release(): readonly string[] {
    const held = this.#held;
    this.#held = null;
    if (held === null) return [];
    const { fault, items } = held;
    if (fault.name === "out_of_order")
      return items.reverse().map(({ item, around }) => frameOf([item], around));
    const [first] = items;
    if (first === undefined) return [];
    const texts = items.map(({ item }) => item);
    if (fault.name === "batch") return [frameOf(texts, first.around)];
    const field = this.#wire.fields[textIn(fault, "field")] ?? "";
    const middle = Math.floor(texts.length / 2);
    const spoilt = texts.map((item, at) => (at === middle ? spoiltItem(item, field) : item));
    return [frameOf(spoilt, first.around)];
  }
}

/** Frames of one trade stay so; a frame of several keeps them together. */
function framesOf(items: readonly WireItem[], around: WireTrades): readonly string[] {
  if (items.length === 0) return [];
  if (around.tail === "]}") return [frameOf(items, around)];
  return items.map((item) => frameOf([item], around));
}

function isForNew(fault: Fault): boolean {
  return fault.parameters.existing !== true;
}

function isForExisting(fault: Fault): boolean {
  return fault.parameters.existing === true;
}
