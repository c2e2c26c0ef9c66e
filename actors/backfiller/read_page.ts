/**
 * One page of trades: asked for, kept verbatim, read. Pages are kept before anyone reads them, so
 * that the lake can be rebuilt from what really came; what nobody can read becomes a dead letter,
 * but once only, because a gap's page is asked for again until the gap is filled.
 *
 * @module
 */

import type { ExchangeAdapter, Page, Reject } from "../exchanges/adapter.ts";
import type { DeadLetter, FrameLog, RecordSink, WireTrade } from "../messages.ts";
import { retryAfterMs } from "../rest/backoff.ts";
import type { Budget } from "../rest/budget.ts";
import type { AskExchange, GateAnswer } from "../rest/gate.ts";
import type { RestAnswer } from "../rest/get_page.ts";
import type { InstrumentList } from "../rest/instrument_list.ts";
import { readRefusal } from "../rest/refusal.ts";
import { sortedTrades } from "./page_trades.ts";
import { type Failure, passing } from "./retries.ts";

/** When and as which frame of the session a page came. */
export interface Arrival {
  readonly frame_sequence: number;
  readonly received_us: number;
}

/** What became of a page. */
export type PageOutcome =
  | {
      readonly kind: "trades";
      /** Of the symbol that was asked for, ascending by id. */
      readonly trades: readonly WireTrade[];
      /** The page held what could not be read: it proves nothing beside its trades. */
      readonly has_rejects: boolean;
      readonly cursor: string | null;
      readonly arrival: Arrival;
      /** Monotonic clock when it was asked for, nanoseconds. */
      readonly requested_ns: number;
    }
  /** The budget had no room after all: no failure. */
  | { readonly kind: "postponed" }
  /** `concerns`: the exchange as a whole, the symbol, or only this page. */
  | {
      readonly kind: "failed";
      readonly concerns: "exchange" | "symbol" | "page";
      readonly failure: Failure;
    };

/** What reading pages needs of the world and of one session. */
export interface PageReader {
  readonly adapter: ExchangeAdapter;
  readonly ask: AskExchange;
  readonly budget: Budget;
  readonly instruments: InstrumentList;
  readonly frames: FrameLog;
  readonly connection_id: string;
  readonly sink: Pick<RecordSink, "addDeadLetter">;
  readonly figures: { pages_total: number; dead_letters_total: number };
  readonly rejected: RejectedItems;
  readonly now_us: () => number;
  readonly monotonic_ns: () => number;
}

/** What was asked of an exchange. */
interface PageQuestion {
  readonly url: string;
  readonly native_symbol: string;
  readonly signal: AbortSignal;
}

const rejected_items_max = 10_000;

/** Remembers which items were dead-lettered; beyond 10,000 the oldest are forgotten. */
export class RejectedItems {
  readonly #hashes = new Set<string>();

  /** Whether the item is met for the first time. */
  add(item: string): boolean {
    const hash = Bun.hash(item).toString(36);
    if (this.#hashes.has(hash)) return false;
    this.#hashes.add(hash);
    if (this.#hashes.size > rejected_items_max) {
      const [oldest] = this.#hashes;
      if (oldest !== undefined) this.#hashes.delete(oldest);
    }
    return true;
  }
}

/** Asks for one page and reads it. Throws only what is a fault of code. */
export async function readPage(reader: PageReader, question: PageQuestion): Promise<PageOutcome> {
  const { adapter, ask, monotonic_ns } = reader;
  const { signal, url } = question;
  const requested_ns = monotonic_ns();
  const answer = await ask(url, { weight: adapter.rest.page_weight, signal });
  if (signal.aborted) return pageFailed("given up on our side");
  if (answer.kind === "postponed") return { kind: "postponed" };
  if (answer.kind === "text") return readText(reader, question, { answer, requested_ns });
  return failedOutcome(reader, url, answer);
}

function readText(
  reader: PageReader,
  { native_symbol, url }: PageQuestion,
  came: { readonly answer: Extract<RestAnswer, { kind: "text" }>; readonly requested_ns: number },
): PageOutcome {
  const { adapter, figures, frames, instruments, monotonic_ns, now_us } = reader;
  const { answer, requested_ns } = came;
  const request = `GET ${url}`;
  const arrival: Arrival = { frame_sequence: figures.pages_total, received_us: now_us() };
  figures.pages_total += 1;
  frames.add({
    ...arrival,
    direction: "RECEIVED",
    kind: "PAGE",
    request,
    received_monotonic_ns: monotonic_ns(),
    frame: answer.bytes,
  });
  const page = adapter.parsePage(answer.text, request, instruments.all());
  if (page.kind === "refused") return refusedOutcome(reader, page);
  if (page.kind === "unreadable") {
    const { reason } = page;
    deadLetter(reader, arrival, { reason, item: answer.text, native_symbol });
    return pageFailed(`a page cannot be read (${reason})`);
  }
  for (const reject of page.rejects) deadLetter(reader, arrival, reject);
  const { has_strays, trades } = sortedTrades(page.trades, native_symbol);
  const has_rejects = has_strays || page.rejects.length > 0;
  return { kind: "trades", trades, has_rejects, cursor: page.cursor, arrival, requested_ns };
}

function deadLetter(reader: PageReader, arrival: Arrival, reject: Reject): void {
  const { adapter, connection_id, figures, rejected, sink } = reader;
  const { item, native_symbol, reason } = reject;
  if (!rejected.add(`${native_symbol} ${item}`)) return;
  figures.dead_letters_total += 1;
  sink.addDeadLetter({
    exchange: adapter.exchange,
    native_symbol,
    connection_id,
    frame_sequence: arrival.frame_sequence,
    ingestion_timestamp: arrival.received_us,
    reason,
    payload: Buffer.from(item),
    topic: null,
  } satisfies DeadLetter);
}

function pageFailed(reason: string): PageOutcome {
  return { kind: "failed", concerns: "page", failure: passing(reason) };
}

/** The exchange's own refusal: a terminal one is about what was asked, others about its state. */
function refusedOutcome(
  { budget, now_us }: PageReader,
  { is_terminal, reason, retry_at_ms }: Extract<Page, { kind: "refused" }>,
): PageOutcome {
  const retry_after_ms = retry_at_ms === null ? null : Math.max(0, retry_at_ms - now_us() / 1_000);
  // Whoever else asks the exchange keeps to it, and the next process does.
  if (retry_after_ms !== null) budget.blockFor(retry_after_ms);
  const failure = { reason, is_terminal, retry_after_ms };
  return { kind: "failed", concerns: is_terminal ? "symbol" : "exchange", failure };
}

/** A failed request, or another status than 200; some exchanges say in its body what is wrong. */
function failedOutcome(
  reader: PageReader,
  url: string,
  answer: Extract<GateAnswer, { kind: "failed" | "refused" }>,
): PageOutcome {
  if (answer.kind === "failed") {
    return { kind: "failed", concerns: "exchange", failure: passing(answer.reason) };
  }
  const { adapter, instruments, now_us } = reader;
  const page = adapter.parsePage(answer.text, `GET ${url}`, instruments.all());
  if (page.kind === "refused" && page.is_terminal) return refusedOutcome(reader, page);
  const setting = `K2_${adapter.exchange.toUpperCase()}_REST_URL`;
  const { is_terminal, reason } = readRefusal(answer.status, setting);
  const said = page.kind === "refused" ? `${reason} (${page.reason})` : reason;
  const retry_after_ms = retryAfterMs(answer.retry_after, now_us() / 1_000);
  const failure = { reason: said, is_terminal, retry_after_ms };
  return { kind: "failed", concerns: "exchange", failure };
}
