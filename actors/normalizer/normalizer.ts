/**
 * The normalizer of one symbol: an actor that is a plain call, because a trade must not cost a
 * machine's transition. It gives each trade that the symbol's continuity does not know to the sink
 * that it was handed, and waits for nothing. A trade that is known is counted and not sent again.
 *
 * A crash loses nothing: the inbox outlives the incarnation, and the next one first finishes the
 * message at which the last one died. The item that killed it is tried once more, then becomes a
 * dead letter, and its neighbors go on; its id stays missing, a gap like any other. An item that
 * the sink had taken is not sent again: only its observing is tried once more.
 *
 * @module
 */

import { fromCallback } from "xstate";
import type { Continuity } from "../continuity/continuity.ts";
import type {
  FrameTrades,
  Incarnation,
  Instrument,
  RecordSink,
  Stop,
  SymbolProgressed,
  WireTrade,
} from "../messages.ts";
import { attempts_max, type NormalizerInbox } from "./inbox.ts";
import { type Names, namesOf, normalizeTrade } from "./normalize.ts";

export { NormalizerInbox } from "./inbox.ts";

/** What the normalizer of one symbol needs. */
export interface NormalizerInput {
  readonly incarnation: Incarnation;
  readonly exchange: string;
  readonly native_symbol: string;
  /** The symbol's entry in the newest instrument list; no trade comes before there is one. */
  readonly instrument: () => Instrument | undefined;
  readonly sink: Pick<RecordSink, "addTrade" | "addDeadLetter">;
  readonly inbox: NormalizerInbox;
  /** The symbol's, shared with the backfiller; outlives every incarnation. */
  readonly continuity: Continuity;
}

/** Receives `FrameTrades` of its symbol, how far the exchange is with it, and `Stop`. */
export const normalizer = fromCallback<FrameTrades | SymbolProgressed | Stop, NormalizerInput>(
  ({ input, receive }) => {
    const { continuity, incarnation, inbox } = input;
    const { report } = incarnation;
    const names = createNames(input);

    function work(): void {
      const { message } = inbox;
      if (message === null) return;
      while (inbox.next < message.trades.length) {
        const trade = message.trades[inbox.next];
        if (trade !== undefined) workOnItem(input, names, message, trade);
        inbox.next += 1;
        inbox.attempts = 0;
        inbox.is_sent = false;
      }
      const last = message.trades.at(-1);
      inbox.message = null;
      inbox.next = 0;
      report.figures.trades_total = inbox.trades_total;
      report.figures.dead_lettered_total = inbox.dead_lettered_total;
      if (last === undefined) return;
      report.figures.last_trade_id = last.trade_id;
      report.figures.last_timestamp = last.timestamp;
    }

    receive((event) => {
      if (event.type === "stop") {
        // Every message is finished within its step: there is nothing to drain.
        incarnation.exit({ kind: "normal" });
        return;
      }
      if (event.type === "symbol_progressed") {
        const { timestamp } = event;
        continuity.confirmThrough({ trade_id: Number(event.trade_id), timestamp });
        return;
      }
      inbox.message = event;
      work();
    });
    // Read on demand: a trade must not pay for figures that nobody looks at.
    const shown = Object.getOwnPropertyDescriptors(continuity.figures);
    Object.defineProperties(report.figures, shown);
    work();
    report.state = "normalizing";
    incarnation.ready();
  },
);

function workOnItem(
  input: NormalizerInput,
  names: () => Names<string>,
  message: FrameTrades,
  trade: WireTrade,
): void {
  const { continuity, inbox, sink } = input;
  if (inbox.attempts >= attempts_max) {
    giveUp(input, message, trade);
    return;
  }
  // Counted before the work, so that the count survives what the work may do.
  inbox.attempts += 1;
  if (!inbox.is_sent) {
    const verdict = continuity.judge(trade.trade_id);
    if (verdict !== "new" && verdict !== "unsequenced") {
      continuity.dismiss(verdict);
      return;
    }
    sink.addTrade(normalizeTrade(trade, names(), message));
    inbox.is_sent = true;
    inbox.trades_total += 1;
  }
  continuity.observe(trade);
  if (message.source !== "BACKFILL") continuity.goLive();
}

/** Twice in vain. What was sent is no dead letter: its id stays missing and is fetched again. */
function giveUp(input: NormalizerInput, message: FrameTrades, trade: WireTrade): void {
  if (input.inbox.is_sent) return;
  deadLetter(input, message, trade);
  input.inbox.dead_lettered_total += 1;
}

function deadLetter(input: NormalizerInput, message: FrameTrades, trade: WireTrade): void {
  input.sink.addDeadLetter({
    exchange: input.exchange,
    native_symbol: input.native_symbol,
    connection_id: message.connection_id,
    frame_sequence: message.frame_sequence,
    ingestion_timestamp: message.ingestion_timestamp,
    reason: "normalizer_crashed",
    payload: Buffer.from(JSON.stringify(trade)),
    topic: null,
  });
}

/** The symbol's names, made anew only when the instrument list brings another entry. */
function createNames(input: NormalizerInput): () => Names<string> {
  let known: { readonly instrument: Instrument; readonly names: Names<string> } | undefined;
  return () => {
    // A refreshed list may lack a market for a while; base and quote of a market do not change.
    const instrument = input.instrument() ?? known?.instrument;
    if (instrument === undefined) {
      throw new Error(
        `Cannot normalize a trade of ${input.exchange} ${input.native_symbol}: ` +
          "its instrument is not known, and a connection waits until it is",
      );
    }
    if (known?.instrument !== instrument) known = { instrument, names: namesOf(instrument) };
    return known.names;
  };
}
