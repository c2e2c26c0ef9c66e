/**
 * All simulated exchanges without a server, in virtual time: sockets and REST are asked directly,
 * as the server asks them, and what they said is kept.
 *
 * @module
 */

import type { Outgoing, RestAnswer } from "../../../actors/simulator/exchange.ts";
import { createExchanges } from "../../../actors/simulator/exchanges.ts";
import { FaultyConversation } from "../../../actors/simulator/faulty_conversation.ts";
import { FaultyRest } from "../../../actors/simulator/faulty_rest.ts";
import { listTrades } from "../../../actors/simulator/list.ts";
import { readTapes } from "../../../actors/simulator/tape_files.ts";
import { epoch_us } from "../../../actors/simulator/trade.ts";
import { wires } from "../../../actors/simulator/wire.ts";

/** One microsecond second. */
export const second_us = 1_000_000;

const tapes = readTapes();
const paths: Readonly<Record<string, string>> = {
  binance: "/stream?timeUnit=MICROSECOND",
  kraken: "/v2",
  coinbase: "/",
};

/** One listed trade. */
export interface Listed {
  readonly trade_id: string;
  readonly price: string;
  readonly quantity: string;
  readonly side: string;
  readonly timestamp: number;
}

/** Exchanges, a clock, and whatever a test wants of them. */
export class FaultRig {
  now_us = epoch_us + 20 * 86_400 * second_us;
  readonly made: ReturnType<typeof createExchanges>;

  constructor(options: { readonly rate?: number; readonly flood?: number } = {}) {
    const { rate, flood } = options;
    this.made = createExchanges({
      tapes,
      seed: 1,
      rate,
      native_symbols: {
        binance: ["BTCUSDT", "ETHUSDT"],
        kraken: ["BTC/USD", "ETH/USD"],
        coinbase: ["BTC-USD", "ETH-USD"],
      },
      started_us: this.now_us,
      flood: flood === undefined ? null : { trades_per_symbol: flood },
    });
  }

  plan(...faults: unknown[]): void {
    this.made.plan.add(faults, this.now_us);
  }

  clear(): void {
    this.made.plan.clear(this.now_us);
  }

  socket(exchange: string): RigSocket {
    return new RigSocket(this, exchange);
  }

  exchange(name: string) {
    return this.made.exchanges.find((one) => one.exchange === name)!;
  }

  rest(exchange: string): (path: string) => RestAnswer {
    const faulty = new FaultyRest(this.exchange(exchange), this.made.plan);
    return (path) => {
      const { pathname, searchParams } = new URL(path, "http://127.0.0.1");
      this.made.plan.advance(this.now_us);
      return faulty.answer({
        path: pathname,
        query: searchParams,
        headers: new Headers(),
        now_us: this.now_us,
      })!;
    };
  }

  list(exchange: string, symbol: string, more = ""): Listed[] {
    const query = new URLSearchParams(`exchange=${exchange}&symbol=${symbol}&${more}`);
    const request = { path: "", query, headers: new Headers(), now_us: this.now_us };
    const { body } = listTrades(this.made.exchanges, request);
    return body
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  }
}

/** One client. */
export class RigSocket {
  readonly #rig: FaultRig;
  readonly #exchange: string;
  readonly #conversation: FaultyConversation;
  frames: string[] = [];
  broken: string[] = [];
  last: Outgoing = { frames: [] };

  constructor(rig: FaultRig, exchange: string) {
    this.#rig = rig;
    this.#exchange = exchange;
    const found = rig.exchange(exchange);
    const url = new URL(paths[exchange]!, "ws://127.0.0.1");
    this.#conversation = new FaultyConversation({
      honest: found.converse(url, 1n << 63n)!,
      exchange: found,
      histories: rig.made.histories.get(exchange)!,
      wire: wires[exchange]!,
      plan: rig.made.plan,
    });
    this.#keep(this.#conversation.open(rig.now_us));
  }

  say(message: unknown): readonly string[] {
    return this.#keep(this.#conversation.receive(JSON.stringify(message), this.#rig.now_us));
  }

  pong(payload: string): Outgoing {
    this.#keep(this.#conversation.pong(payload, this.#rig.now_us));
    return this.last;
  }

  pinged(): Outgoing {
    this.#keep(this.#conversation.pinged(this.#rig.now_us));
    return this.last;
  }

  /** Asks for symbols in the exchange's own way. */
  subscribe(...symbols: string[]): readonly string[] {
    return this.say(this.#request("subscribe", symbols));
  }

  unsubscribe(...symbols: string[]): readonly string[] {
    return this.say(this.#request("unsubscribe", symbols));
  }

  /** Lets time pass in steps, and keeps what comes. */
  run(seconds: number, step_s = 0.1): readonly string[] {
    const before = this.frames.length;
    const steps = Math.round(seconds / step_s);
    for (let step = 0; step < steps; step += 1) {
      this.#rig.now_us += step_s * second_us;
      this.tick();
    }
    return this.frames.slice(before);
  }

  tick(): readonly string[] {
    this.#rig.made.plan.advance(this.#rig.now_us);
    return this.#keep(this.#conversation.tick(this.#rig.now_us));
  }

  /** Ids of all trades of a symbol that came in updates, in order. */
  ids(symbol: string, frames: readonly string[] = this.frames): number[] {
    const wire = wires[this.#exchange]!;
    return frames
      .filter((frame) => !frame.includes(`"snapshot"`) && !frame.includes(`"last_match"`))
      .flatMap((frame) => wire.readTrades(frame)?.items ?? [])
      .filter((item) => item.native_symbol === symbol)
      .map((item) => item.trade_id);
  }

  #keep(out: Outgoing): readonly string[] {
    this.last = out;
    this.frames.push(...out.frames);
    this.broken.push(...(out.broken ?? []));
    return out.frames;
  }

  #request(kind: "subscribe" | "unsubscribe", symbols: readonly string[]): unknown {
    switch (this.#exchange) {
      case "binance":
        return {
          method: kind.toUpperCase(),
          params: symbols.map((symbol) => `${symbol.toLowerCase()}@trade`),
          id: 1,
        };
      case "kraken":
        return { method: kind, params: { channel: "trade", symbol: symbols }, req_id: 1 };
      default:
        return { type: kind, product_ids: symbols, channels: ["matches", "heartbeat"] };
    }
  }
}
