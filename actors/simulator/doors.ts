/**
 * What happens at the exchanges' doors, apart from any server: a socket is admitted or refused, a
 * request is answered, and the book of rules learns of both. The server (`server.ts`) and the
 * deterministic simulation of the feed stand behind the same doors.
 *
 * @module
 */

import type { Conversation, RestAnswer, RestRequest, SimulatedExchange } from "./exchange.ts";
import type { Exchanges } from "./exchanges.ts";
import { numberIn } from "./faults.ts";
import { FaultyConversation } from "./faulty_conversation.ts";
import { FaultyRest } from "./faulty_rest.ts";
import { RuleBook } from "./rules.ts";
import { wires } from "./wire.ts";

/** What became of a client that asked for a socket. */
export type Admission =
  | {
      readonly kind: "admitted";
      readonly exchange: string;
      readonly conversation: Conversation;
    }
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly body: string;
      /** Seconds to wait, where the exchange names them. */
      readonly retry_after_s: number | null;
    };

/** The doors of all exchanges. */
export class Doors {
  readonly rules: RuleBook;
  readonly #exchanges: Exchanges;
  readonly #rests: readonly FaultyRest[];
  /** Until when an exchange that refused an upgrade does not want to be asked again. */
  readonly #refused_until_us = new Map<string, number>();

  constructor(exchanges: Exchanges, rules: RuleBook = new RuleBook()) {
    this.rules = rules;
    this.#exchanges = exchanges;
    this.#rests = exchanges.exchanges.map((one) => new FaultyRest(one, exchanges.plan));
  }

  /**
   * A client asks for a socket; undefined where no exchange knows the address.
   *
   * @param asked.connection_id An unsigned 64-bit number.
   */
  admit(
    url: URL,
    asked: { readonly connection_id: bigint; readonly now_us: number },
  ): Admission | undefined {
    const { histories, plan } = this.#exchanges;
    for (const exchange of this.#exchanges.exchanges) {
      const honest = exchange.converse(url, asked.connection_id);
      if (honest === undefined) continue;
      const refusal = this.#refusal(exchange, asked.now_us);
      if (refusal !== null) return refusal;
      const name = exchange.exchange;
      const markets = histories.get(name);
      const wire = wires[name];
      if (markets === undefined || wire === undefined)
        throw new Error(`Cannot converse as ${name} has no markets or no wire`);
      const faulty = { honest, exchange, histories: markets, wire, plan };
      return { kind: "admitted", exchange: name, conversation: new FaultyConversation(faulty) };
    }
    return undefined;
  }

  /** The answer to a request, or undefined where its path is of no exchange. */
  answer(request: RestRequest): RestAnswer | undefined {
    for (const [index, faulty] of this.#rests.entries()) {
      const found = faulty.answer(request);
      if (found === undefined) continue;
      const name = this.#exchanges.exchanges[index]?.exchange;
      this.rules.see(`${name}.requests`);
      if (found.weight !== undefined) this.rules.see(`${name}.weight`, found.weight);
      this.rules.judge(found.broken, request.now_us);
      return found;
    }
    return undefined;
  }

  /** How an exchange keeps a client out, if it does. */
  #refusal(
    { exchange, attempts }: SimulatedExchange,
    now_us: number,
  ): Extract<Admission, { kind: "refused" }> | null {
    const { plan } = this.#exchanges;
    plan.advance(now_us);
    this.rules.see(`${exchange}.connection_attempts`);
    const until_us = this.#refused_until_us.get(exchange) ?? 0;
    if (now_us < until_us)
      this.rules.judge([`${exchange}.connection_attempt_during_refusal`], now_us);
    if (attempts.exceeds(now_us)) {
      this.rules.judge([`${exchange}.connection_attempts`], now_us);
      const body = "Too many connection attempts";
      return { kind: "refused", status: 429, body, retry_after_s: null };
    }
    const fault = plan.take("refuse_upgrade", { exchange });
    if (fault === undefined) return null;
    const seconds = numberIn(fault, "retry_after_s");
    const retry_after_s = seconds > 0 ? seconds : null;
    if (retry_after_s !== null)
      this.#refused_until_us.set(exchange, now_us + retry_after_s * 1_000_000);
    return { kind: "refused", status: numberIn(fault, "status"), body: "Refused", retry_after_s };
  }
}
