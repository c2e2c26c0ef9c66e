/**
 * Lines of frames to trades and rejects, by the very code of the live feed: the exchange's adapter
 * and `normalize.ts`. Every symbol is taken; names are null where no instrument list is at hand.
 * Pure: files and streams are `normalize_command.ts`.
 *
 * @module
 */

import type { ExchangeAdapter, Frame, Page, Reject, RejectReason } from "../exchanges/mod.ts";
import type { Instrument, WireTrade } from "../messages.ts";
import { type FrameLine, type LineRejectReason, readFrameLine } from "./frame_line.ts";
import {
  type Names,
  type NormalizedTrade,
  namesOf,
  namesWithoutInstrument,
  normalizeTrade,
  type Receipt,
} from "./normalize.ts";

/** What one line gave. Neither trades nor rejects: a control message. */
export interface LineResult {
  readonly trades: readonly NormalizedTrade<string | null>[];
  readonly rejects: readonly LineReject[];
}

/** A line, frame or item that could not be read, with its own text. */
interface LineReject {
  readonly reason: RejectReason | LineRejectReason;
  readonly item: string;
}

/** An exchange whose lines can be read. */
interface KnownExchange {
  readonly adapter: ExchangeAdapter;
  /** Its cached instrument list; empty where there is none. */
  readonly instruments: readonly Instrument[];
}

const nothing: LineResult = { trades: [], rejects: [] };

/** Reads one line, `line` counting from 1. Never throws. */
export type NormalizeLine = (text: string, line: number) => LineResult;

/** Makes a reader of lines. It remembers the names of the markets that it has met. */
export function createLineNormalizer(exchanges: readonly KnownExchange[]): NormalizeLine {
  const readers = new Map(exchanges.map((known) => [known.adapter.exchange, createReader(known)]));
  return (text, line) => {
    const reading = readFrameLine(text);
    if (reading.kind === "unreadable") return rejected(reading.reason, text);
    const reader = readers.get(reading.exchange);
    if (reader === undefined) return rejected("exchange_unknown", text);
    return reading.direction === "SENT" ? nothing : reader(reading, line);
  };
}

function createReader({ adapter, instruments }: KnownExchange) {
  const names = new Map<string, Names<string | null>>(
    instruments.map((instrument) => [instrument.native_symbol, namesOf(instrument)]),
  );
  function namesFor(native_symbol: string): Names<string | null> {
    const known = names.get(native_symbol);
    if (known !== undefined) return known;
    const made = namesWithoutInstrument(adapter.exchange, native_symbol);
    names.set(native_symbol, made);
    return made;
  }
  return (frame: FrameLine, line: number): LineResult => {
    // No exchange sends binary messages: live, too, one becomes a dead letter.
    if (typeof frame.frame !== "string") return rejected("not_json", frame.frame.toBase64());
    const read = readFrame(adapter, { ...frame, frame: frame.frame }, instruments);
    if (read.kind === "unreadable") return rejected(read.reason, frame.frame);
    if (read.kind !== "trades") return nothing;
    const receipt: Receipt = {
      source: "source" in read ? read.source : "BACKFILL",
      connection_id: frame.connection_id,
      // Where a line does not number its frame, its own place in the file does.
      frame_sequence: frame.frame_sequence ?? line - 1,
      ingestion_timestamp: frame.received_us,
    };
    function normalized(trade: WireTrade): NormalizedTrade<string | null> {
      return normalizeTrade(trade, namesFor(trade.native_symbol), receipt);
    }
    return { trades: read.trades.map(normalized), rejects: read.rejects.map(withoutSymbol) };
  };
}

function readFrame(
  adapter: ExchangeAdapter,
  { frame, frame_kind, request }: FrameLine & { readonly frame: string },
  instruments: readonly Instrument[],
): Frame | Page {
  if (frame_kind === "PAGE") return adapter.parsePage(frame, request, instruments);
  return adapter.parse(frame);
}

function withoutSymbol({ reason, item }: Reject): LineReject {
  return { reason, item };
}

function rejected(reason: LineReject["reason"], item: string): LineResult {
  return { trades: [], rejects: [{ reason, item }] };
}
