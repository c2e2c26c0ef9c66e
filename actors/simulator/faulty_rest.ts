/**
 * An exchange's REST with its faults, and the judge of its clients: the honest answer is asked for
 * and then refused, cut or emptied. A refusal that names a time holds for every request until
 * then, and whoever asks before breaks a rule.
 *
 * @module
 */

import type { RestAnswer, RestRequest, RestSubject, SimulatedExchange } from "./exchange.ts";
import type { FaultPlan } from "./fault_plan.ts";
import { type Fault, numberIn, textIn } from "./faults.ts";
import { Refusals } from "./rules.ts";

const json = { "content-type": "application/json" } as const;

/** REST of one exchange as its clients meet it. */
export class FaultyRest {
  readonly #exchange: SimulatedExchange;
  readonly #plan: FaultPlan;
  readonly #unknown = new Refusals();
  #refused_until_us = 0;
  /** What every request is answered until then; null: what it would be answered anyway. */
  #refusal: RestAnswer | null = null;

  constructor(exchange: SimulatedExchange, plan: FaultPlan) {
    this.#exchange = exchange;
    this.#plan = plan;
  }

  /** The answer, or undefined if the path is not of this exchange. */
  answer(request: RestRequest): RestAnswer | undefined {
    const { exchange } = this.#exchange;
    const { now_us } = request;
    const subject = this.#exchange.subjectOf(request);
    if (subject === undefined) return undefined;
    const broken: string[] = [];
    const is_early = now_us < this.#refused_until_us;
    if (is_early) broken.push(`${exchange}.rest_during_refusal`);
    const answer =
      (is_early ? this.#refusal : null) ?? this.#refused(subject, now_us) ?? this.#given(request);
    if (!is_early) this.#noteRefusal(answer, now_us);
    const { kind, asked, native_symbol } = subject;
    const is_unknown = kind === "trades" && asked !== null && native_symbol === null;
    if (is_unknown && this.#unknown.isRepeated(asked, now_us))
      broken.push(`${exchange}.unknown_symbol_again`);
    return { ...answer, broken: [...broken, ...(answer.broken ?? [])] };
  }

  /** The answer of a refusal that is due. */
  #refused(subject: RestSubject, now_us: number): RestAnswer | undefined {
    if (this.#plan.is_idle) return undefined;
    const fault = this.#plan.take("rest_refused", this.#targetOf(subject), (one) => {
      const requests = textIn(one, "requests");
      return requests === "all" || requests === subject.kind;
    });
    if (fault === undefined) return undefined;
    const answer = refusalOf(fault, { exchange: this.#exchange.exchange, now_us });
    const retry_after_s = numberIn(fault, "retry_after_s");
    if (retry_after_s > 0) {
      this.#refusal = answer;
      this.#refused_until_us = now_us + retry_after_s * 1_000_000;
    }
    return answer;
  }

  /** The honest answer, or what faults leave of it. */
  #given(request: RestRequest): RestAnswer {
    const subject = this.#exchange.subjectOf(request);
    const answer = this.#exchange.rest(
      subject?.kind === "time" ? this.#onItsClock(request) : request,
    );
    if (this.#plan.is_idle || subject?.kind !== "trades" || answer.status !== 200) return answer;
    const target = this.#targetOf(subject);
    if (this.#plan.take("rest_empty", target) !== undefined)
      return { ...answer, body: withoutTrades(answer.body, request) };
    if (this.#plan.take("rest_truncated", target) !== undefined)
      return { ...answer, body: answer.body.slice(0, Math.floor(answer.body.length / 2)) };
    return answer;
  }

  /** The same request as an exchange hears it whose clock is wrong. */
  #onItsClock(request: RestRequest): RestRequest {
    const off = this.#plan.holds("clock_offset", { exchange: this.#exchange.exchange });
    if (off === undefined) return request;
    return { ...request, now_us: request.now_us + numberIn(off.fault, "offset_s") * 1_000_000 };
  }

  /** The honest exchange's own refusals name a time too. */
  #noteRefusal({ status, headers }: RestAnswer, now_us: number): void {
    const seconds = Number(headers["retry-after"] ?? 0);
    if (status < 400 || seconds === 0 || this.#refused_until_us > now_us) return;
    this.#refused_until_us = now_us + seconds * 1_000_000;
    this.#refusal = null;
  }

  #targetOf({ native_symbol }: RestSubject) {
    const { exchange } = this.#exchange;
    return native_symbol === null ? { exchange } : { exchange, native_symbol };
  }
}

/** A refusal in the exchange's own words, or in those that the fault gives. */
function refusalOf(
  fault: Fault,
  options: { readonly exchange: string; readonly now_us: number },
): RestAnswer {
  const { exchange, now_us } = options;
  const status = numberIn(fault, "status");
  const retry_after_s = numberIn(fault, "retry_after_s");
  const text = textIn(fault, "error");
  if (exchange === "kraken" && status === 200) {
    const until_s = Math.ceil(now_us / 1_000_000) + retry_after_s;
    const error = text === "EService:Throttled" ? `${text}: ${until_s}` : text;
    const body = JSON.stringify({ error: [error === "" ? "EAPI:Rate limit exceeded" : error] });
    return { status, headers: json, body };
  }
  const headers = { ...json, ...(retry_after_s > 0 ? { "retry-after": `${retry_after_s}` } : {}) };
  const reason = text === "" ? (status >= 500 ? "Service unavailable" : "Too many requests") : text;
  switch (exchange) {
    case "binance":
      return { status, headers, body: JSON.stringify({ code: -1003, msg: reason }) };
    case "kraken":
      return { status, headers, body: JSON.stringify({ error: [reason] }) };
    default:
      return { status, headers, body: JSON.stringify({ message: reason }) };
  }
}

/** The page without its trades; Kraken's cursor stays where the client was. */
function withoutTrades(body: string, { query }: RestRequest): string {
  if (body.startsWith("[")) return "[]";
  return body.replace(/:\[\[.*\]\],"last":"\d+"/s, `:[],"last":"${query.get("since") ?? "0"}"`);
}
