/**
 * Which trades of one symbol are taken, which are missing, and what is known of the missing ones.
 * Everything about ids is decided here. One value per symbol, made in `supervisors/tree.ts`, which
 * outlives every incarnation and is shared by normalizer, backfiller and the `continuity` actor.
 *
 * Pure: clocks and the way of events are handed in. A trade whose id is the next one costs a
 * comparison and an addition. What is missing is bounded: beyond 10,000 ranges the two nearest
 * become one, so that known trades between them are fetched again, which Gold does not mind.
 *
 * @module
 */

import { feedEvent } from "../../schemas/mod.ts";
import { defineFigures, isoTimeOrNull } from "../figures.ts";
import type { FeedEvent, Figures } from "../messages.ts";
import { type Gap, Gaps, times } from "./gaps.ts";
import { countIds, holds, type IdRange } from "./id_ranges.ts";
import {
  type FoundBy,
  type GapState,
  no_head,
  type SymbolState,
  type TimeRange,
} from "./symbol_state.ts";

export type { IdRange } from "./id_ranges.ts";
export type { FoundBy, GapState, SymbolState, TimeRange } from "./symbol_state.ts";

/**
 * What to do with a trade. Only `new` and `unsequenced` ones are sent; `unsequenced` is an id that
 * cannot be in the order of the others: it is sent, and has no part in continuity. One above 2^53-1
 * is, which no exchange has, and one wildly far from all others, until a second one is near it.
 */
export type Verdict = "new" | "duplicate" | "before_coverage" | "unsequenced";

/** A gap that was told of and is not closed. Times in microseconds since 1970. */
export interface OpenGap extends IdRange, TimeRange {
  /** `<exchange>:<native_symbol>:<from_id>`. */
  readonly gap_id: string;
  readonly found_by: FoundBy;
  readonly opened_us: number;
  /** Ids still missing, ascending. */
  readonly remaining: readonly IdRange[];
  readonly is_imported: boolean;
}

/** What a REST page proves beside the trades that it holds. */
export interface PageEvidence {
  /** Ids of one symbol, ascending. */
  readonly ids: readonly number[];
  /** A trade known to exist with which the page was asked to begin; null where there is none. */
  readonly after_id: number | null;
  /** Items that could not be read: the page then proves nothing. */
  readonly has_rejects: boolean;
}

/** Where the outbox stands. */
export interface Positions {
  /** A position that covers every record taken so far. */
  mark(): number;
  /** Every record up to this position is acknowledged, or never will be. */
  readonly settled_through: number;
}

/** A symbol, its rules, its clocks, and what was stored of it. */
export interface ContinuityOptions {
  readonly exchange: string;
  readonly native_symbol: string;
  /** Whether a jump of ids proves a gap. */
  readonly are_ids_dense: boolean;
  /** How long a missing id may still come by itself. */
  readonly gap_grace_ms: number;
  /** A gap's end is told only once the broker has its trades. */
  readonly positions: Positions;
  /** Takes an event. Where it throws, the same is told again with the next `openOverdue`. */
  readonly emit: (event: FeedEvent) => void;
  /** Wall clock, microseconds since 1970. */
  readonly now_us: () => number;
  /** Monotonic clock, milliseconds. */
  readonly now_ms: () => number;
  readonly restored: SymbolState | null;
}

/** A gap of which nothing is missing. */
interface EndedGap {
  readonly gap: Gap;
  readonly merged_into: string | null;
  /** Of the outbox: what filled the gap stands before it. */
  readonly position: number;
}

/** Ids this far before the coverage are out of order at a start; those further back are history. */
const out_of_order_ids_max = 1_000;
/**
 * Further apart no two trades of a symbol are, however long nobody looked: the longest histories
 * have some ten billion. A single id beyond, taken for the newest, would end all confirmations.
 */
export const leap_ids_max = 100_000_000_000;
const missing_ranges_max = 10_000;
/** What remains of an open gap is told at most this often. */
const told_ms_min = 5_000;
const imports_max = 1_000;
/** Ends that wait for the broker; beyond, the oldest is told although its trades may be missing. */
const ends_waiting_max = 10_000;
/** Before anything of the coverage is told. */
const untold = -1;
const unfillable_reason = "the exchange no longer gives these trades";

/** The continuity of one symbol. */
export class Continuity {
  readonly exchange: string;
  readonly native_symbol: string;
  /** Counts and times for the status tree, each worked out when it is read. */
  readonly figures: Figures;
  readonly #options: ContinuityOptions;
  readonly #gaps = new Gaps();
  /** Open gaps of which less remains than was told. */
  readonly #changed = new Set<Gap>();
  /** Gaps of which nothing is missing, and whose end is not told yet. */
  #ended: EndedGap[] = [];
  #imports: readonly TimeRange[] = [];
  #from_id = 0;
  #from_timestamp = 0;
  /** The coverage that was told; it follows once nothing untold is missing behind it. */
  #told_from_id = untold;
  #head_id = no_head;
  #head_timestamp = 0;
  #confirmed_timestamp = 0;
  /** The last id wildly far ahead; a trade near it says that it was right. */
  #far_id: number | null = null;
  /** Whether a trade came otherwise than by an import. */
  #was_live = false;
  /** Whether what follows the head lies between an import of an earlier process and now. */
  #is_after_import = false;
  #revision = 0;
  /** The id that was read last: what is judged is observed next, and reading it costs the most. */
  #read_text = "";
  #read_id = 0;
  #duplicates = 0;
  #before_coverage = 0;
  #unsequenced = 0;

  constructor(options: ContinuityOptions) {
    this.#options = options;
    this.exchange = options.exchange;
    this.native_symbol = options.native_symbol;
    if (options.restored !== null) this.#restore(options.restored);
    this.figures = this.#makeFigures();
  }

  /** What to do with a trade. Changes nothing. */
  judge(trade_id: string): Verdict {
    const id = Number(trade_id);
    this.#read_text = trade_id;
    this.#read_id = id;
    if (id === this.#head_id + 1) return "new";
    return this.#judgeOutOfOrder(id);
  }

  /** Counts a trade that is not sent because of what it was judged. */
  dismiss(verdict: Verdict): void {
    if (verdict === "duplicate") this.#duplicates += 1;
    if (verdict === "before_coverage") this.#before_coverage += 1;
  }

  /** A trade is taken: call it after the sink has it. */
  observe(trade: { readonly trade_id: string; readonly timestamp: number }): void {
    const { trade_id } = trade;
    const id = trade_id === this.#read_text ? this.#read_id : Number(trade_id);
    if (id === this.#head_id + 1) {
      this.#head_id = id;
      this.#head_timestamp = trade.timestamp;
      this.#revision += 1;
      return;
    }
    this.#observeOutOfOrder(id, trade.timestamp);
  }

  /**
   * The symbol's trades come by themselves now. What a jump skipped before that, from an import to
   * here, nobody has asked for.
   */
  goLive(): void {
    if (this.#was_live) return;
    this.#was_live = true;
    this.#is_after_import = false;
    if (this.#head_id !== no_head) this.#revision += 1;
  }

  /** Whether trades ever came by themselves; false where all of them were imported. */
  get was_live(): boolean {
    return this.#was_live;
  }

  /** Opens gaps whose grace is over, and tells what has become of others. */
  openOverdue(): void {
    const now_ms = this.#options.now_ms();
    const overdue_ms = now_ms - this.#options.gap_grace_ms;
    if (this.#gaps.firstWithinGrace(this.#from_id) !== null) {
      for (const gap of this.#gaps.all()) {
        if (gap.opened_us !== null || gap.found_ms > overdue_ms) continue;
        // Whoever cannot take one event takes none of the others either.
        if (!this.#open(gap)) return;
      }
    }
    this.#tellWaiting();
  }

  /**
   * Takes what a REST page proves. Ids between its first and last that it does not hold are absent;
   * ids from a trade known to exist up to a first one that comes later are unfillable, once two
   * pages at least 10 s apart say so. Ids that it holds stay missing until they are taken.
   */
  settlePage({ ids, after_id, has_rejects }: PageEvidence): void {
    const first = ids[0];
    if (has_rejects || first === undefined) return;
    const changed = new Set(this.#gaps.settleAbsent(ids));
    if (after_id !== null && first <= after_id) this.#gaps.forgetLate(after_id + 1);
    if (after_id !== null && first > after_id + 1 && this.#isKnown(after_id)) {
      const late = { from_id: after_id + 1, to_id: first - 1 };
      for (const gap of this.#gaps.settleLate(late, this.#options.now_ms())) changed.add(gap);
    }
    for (const gap of changed) this.#diminished(gap);
    this.#boundRanges();
  }

  /**
   * Begins the coverage earlier: opens the gap from this trade, itself included, to the known
   * coverage. Of no effect where the coverage begins there or earlier.
   */
  extendBack(first: { readonly trade_id: number; readonly timestamp: number }): void {
    if (this.#head_id === no_head) {
      this.#begin(first.trade_id, first.timestamp);
      this.#head_id = first.trade_id - 1;
      this.#tellCoverage();
      return;
    }
    if (first.trade_id >= this.#from_id) return;
    // The coverage is one range with known gaps only: what is untold behind it is told now.
    for (const gap of this.#gaps.all()) {
      if (gap.opened_us === null && gap.to_id < this.#told_from_id) this.#open(gap);
    }
    const before = { from_id: first.trade_id, to_id: this.#from_id - 1 };
    const gap = this.#find(before, times(first.timestamp, this.#from_timestamp), "import");
    this.#from_id = first.trade_id;
    this.#from_timestamp = first.timestamp;
    this.#open(gap);
    this.#boundRanges();
    this.#tellWaiting();
  }

  /**
   * There was no trade after this one up to that time, by a heartbeat or a probe. Counts only where
   * this is the head and nothing is within the grace. A trade beyond the head is one that is
   * missing: without this, a lost one would go unnoticed until the next trade. It has no neighbor
   * after it yet, so that its gap reaches to the time at which it was heard of.
   */
  confirmThrough(progress: { readonly trade_id: number; readonly timestamp: number }): void {
    const { trade_id, timestamp } = progress;
    if (this.#head_id === no_head || !Number.isSafeInteger(trade_id)) return;
    // Only trades prove a leap as far as that.
    if (trade_id - this.#head_id > leap_ids_max) return;
    if (trade_id > this.#head_id) {
      const unseen = { from_id: this.#head_id + 1, to_id: trade_id };
      const heard_us = Math.max(timestamp, this.#options.now_us());
      this.#find(unseen, times(this.#head_timestamp, heard_us), this.#foundByJump());
      this.goLive();
      this.#head_id = trade_id;
      this.#head_timestamp = Math.max(this.#head_timestamp, timestamp);
      this.#boundRanges();
      return;
    }
    if (trade_id < this.#head_id || this.#withinGrace() !== null) return;
    if (timestamp <= this.#confirmed_timestamp) return;
    this.#confirmed_timestamp = timestamp;
    this.#revision += 1;
  }

  /**
   * Remembers a stretch of history that is to be fetched, also over a restart. One within another
   * is not one more, so that a start that is tried again and again does not heap them up.
   *
   * @throws {RangeError} where a thousand of them wait.
   */
  addImport(range: TimeRange): void {
    if (this.#imports.some((other) => includes(other, range))) return;
    const others = this.#imports.filter((other) => !includes(range, other));
    if (others.length >= imports_max) {
      throw new RangeError(
        `Cannot import more of ${this.exchange} ${this.native_symbol}: ` +
          `${imports_max} imports are waiting`,
      );
    }
    this.#imports = [...others, range];
    this.#revision += 1;
  }

  /** Forgets an import that is done. */
  removeImport(range: TimeRange): void {
    this.#imports = this.#imports.filter((other) => !isSameTime(other, range));
    this.#revision += 1;
  }

  /** Stretches of history that are to be fetched. */
  get imports(): readonly TimeRange[] {
    return this.#imports;
  }

  /** The first trade that counts, and its exchange time; null before there is one. */
  get coverage(): { readonly from_id: number; readonly from_timestamp: number } | null {
    if (this.#head_id === no_head) return null;
    return { from_id: this.#from_id, from_timestamp: this.#from_timestamp };
  }

  /** The newest trade; null before there is one. */
  get head(): { readonly trade_id: number; readonly timestamp: number } | null {
    if (this.#head_id < this.#from_id) return null;
    return { trade_id: this.#head_id, timestamp: this.#head_timestamp };
  }

  /** Goes up whenever what `state` returns changes. */
  get revision(): number {
    return this.#revision;
  }

  /** Gaps that are told of and not closed, newest first. */
  openGaps(): readonly OpenGap[] {
    return this.#gaps
      .all()
      .reverse()
      .flatMap((gap) => {
        const { from_id, to_id, from_timestamp, to_timestamp, found_by, opened_us } = gap;
        if (opened_us === null) return [];
        return {
          gap_id: this.#idOf(gap),
          from_id,
          to_id,
          from_timestamp,
          to_timestamp,
          found_by,
          opened_us,
          remaining: this.#gaps.remaining(gap),
          is_imported: found_by === "import",
        };
      });
  }

  /**
   * Up to which trade and exchange time every id is taken or in an open gap; null where no trade is
   * taken. Trades of exactly that time may still come.
   */
  confirmable(): { readonly through_id: number; readonly through_timestamp: number } | null {
    if (this.#head_id < this.#from_id) return null;
    const gap = this.#withinGrace();
    const through_id = gap === null ? this.#head_id : gap.from_id - 1;
    const timestamp = gap === null ? this.#head_timestamp : gap.from_timestamp;
    return { through_id, through_timestamp: Math.max(timestamp, this.#confirmed_timestamp) };
  }

  /** What is to be stored; null where nothing is known: neither a trade nor an import. */
  state(): SymbolState | null {
    if (this.#head_id === no_head && this.#revision === 0) return null;
    return {
      exchange: this.exchange,
      native_symbol: this.native_symbol,
      from_id: this.#from_id,
      from_timestamp: this.#from_timestamp,
      told_from_id: this.#told_from_id,
      head_id: this.#head_id,
      head_timestamp: this.#head_timestamp,
      confirmed_timestamp: this.#confirmed_timestamp,
      gaps: [...this.#ended.map(({ gap }) => gap), ...this.#gaps.all()].map((gap) =>
        this.#stateOf(gap),
      ),
      imports: this.#imports,
      ...(this.#was_live ? {} : { was_live: false as const }),
    };
  }

  #judgeOutOfOrder(id: number): Verdict {
    if (id > Number.MAX_SAFE_INTEGER) return "unsequenced";
    if (this.#head_id === no_head) return "new";
    if (id - this.#head_id > leap_ids_max) return this.#judgeFar(id);
    if (id > this.#head_id) return "new";
    if (id < this.#from_id) {
      if (this.#from_id - id > leap_ids_max) return "unsequenced";
      return this.#from_id - id <= out_of_order_ids_max ? "new" : "before_coverage";
    }
    return this.#gaps.has(id) ? "new" : "duplicate";
  }

  #judgeFar(id: number): Verdict {
    if (id === this.#far_id) return "duplicate";
    const is_near = this.#far_id !== null && Math.abs(id - this.#far_id) <= leap_ids_max;
    return is_near ? "new" : "unsequenced";
  }

  #observeOutOfOrder(id: number, timestamp: number): void {
    if (this.#judgeOutOfOrder(id) === "unsequenced") {
      this.#unsequenced += 1;
      if (id > this.#head_id) this.#far_id = id;
      return;
    }
    this.#revision += 1;
    if (this.#head_id === no_head) {
      this.#begin(id, timestamp);
      this.#tellCoverage();
    } else if (id > this.#head_id) {
      this.#leap(id, timestamp);
    } else if (id < this.#from_id) {
      if (this.#from_id - id <= out_of_order_ids_max) this.#precede(id, timestamp);
    } else {
      const gap = this.#gaps.take(id, timestamp);
      if (gap !== null && gap.opened_us !== null) this.#diminished(gap);
    }
    this.#boundRanges();
  }

  #begin(id: number, timestamp: number): void {
    this.#revision += 1;
    this.#from_id = id;
    this.#from_timestamp = timestamp;
    this.#head_id = id;
    this.#head_timestamp = timestamp;
  }

  /** A trade beyond the next one. */
  #leap(id: number, timestamp: number): void {
    const jumped = { from_id: this.#head_id + 1, to_id: id - 1 };
    this.#find(jumped, times(this.#head_timestamp, timestamp), this.#foundByJump());
    this.#head_id = id;
    this.#head_timestamp = timestamp;
  }

  /** A trade from before the coverage: ids came out of order at a start. */
  #precede(id: number, timestamp: number): void {
    const skipped = { from_id: id + 1, to_id: this.#from_id - 1 };
    if (skipped.from_id <= skipped.to_id) {
      this.#find(skipped, times(timestamp, this.#from_timestamp), this.#foundByJump());
    }
    this.#from_id = id;
    this.#from_timestamp = timestamp;
  }

  #foundByJump(): FoundBy {
    if (this.#is_after_import) return "import";
    return this.#options.are_ids_dense ? "jump" : "suspected_jump";
  }

  /** Ids are missing: their grace begins. */
  #find(range: IdRange, time: TimeRange, found_by: FoundBy): Gap {
    const found_ms = this.#options.now_ms();
    const gap: Gap = {
      ...range,
      ...time,
      found_by,
      found_ms,
      opened_us: null,
      told_ms: found_ms,
      range_count: 1,
      absent: [],
      unfillable: [],
      late_page: null,
    };
    this.#revision += 1;
    this.#gaps.add(gap);
    return gap;
  }

  /** Opens a gap, unless that cannot be told now: then it waits for the next look. */
  #open(gap: Gap): boolean {
    if (!this.#tellOpened(gap)) return false;
    gap.opened_us = this.#options.now_us();
    this.#revision += 1;
    return true;
  }

  /** Fewer ids of an open gap are missing: tells of it later, or of its end where none is. */
  #diminished(gap: Gap): void {
    this.#revision += 1;
    if (gap.range_count > 0) {
      this.#changed.add(gap);
      return;
    }
    this.#changed.delete(gap);
    this.#end(gap, null);
    this.#tellWaiting();
  }

  /** Nothing of a gap is missing: its end is told once the broker has what filled it. */
  #end(gap: Gap, merged_into: string | null): void {
    this.#ended.push({ gap, merged_into, position: this.#options.positions.mark() });
  }

  #boundRanges(): void {
    if (this.#gaps.length <= missing_ranges_max) return;
    while (this.#gaps.length > missing_ranges_max) {
      const { kept, ended } = this.#gaps.mergeNearest();
      this.#revision += 1;
      const was_opened = ended !== null && ended.opened_us !== null;
      if (kept.opened_us === null && !was_opened) continue;
      kept.opened_us ??= this.#options.now_us();
      this.#changed.add(kept);
      if (ended === null) continue;
      // The larger one is told first, so that what is missing is told at every instant.
      kept.told_ms = Number.NEGATIVE_INFINITY;
      this.#changed.delete(ended);
      if (was_opened) this.#end(ended, this.#idOf(kept));
    }
    this.#tellWaiting();
  }

  /** Whether a trade is known to exist: taken, and neither missing nor proven absent. */
  #isKnown(id: number): boolean {
    if (id < this.#from_id || id > this.#head_id || this.#gaps.has(id)) return false;
    return !this.#gaps.all().some(({ absent }) => holds(absent, id));
  }

  /** The first gap within its grace that the told coverage includes. */
  #withinGrace(): Gap | null {
    return this.#gaps.firstWithinGrace(this.#told_from_id);
  }

  /** Tells what could not be told before, or not so soon. */
  #tellWaiting(): void {
    const now_ms = this.#options.now_ms();
    for (const gap of this.#changed) {
      if (now_ms - gap.told_ms >= told_ms_min && !this.#tellOpened(gap)) return;
    }
    const { settled_through } = this.#options.positions;
    for (let end = this.#ended[0]; end !== undefined; end = this.#ended[0]) {
      const is_settled = end.position <= settled_through;
      if (!is_settled && this.#ended.length <= ends_waiting_max) break;
      if (!this.#tellEnded(end.gap, end.merged_into)) return;
      this.#ended.shift();
      this.#revision += 1;
    }
    this.#tellCoverage();
  }

  /** Tells where the coverage begins, unless something untold is missing in what it adds. */
  #tellCoverage(): void {
    if (this.#head_id === no_head || this.#from_id === this.#told_from_id) return;
    const gap = this.#gaps.firstWithinGrace(this.#from_id);
    if (gap !== null && gap.from_id < this.#told_from_id) return;
    const from = { from_id: this.#from_id, from_timestamp: this.#from_timestamp };
    if (!this.#tell("coverage", from)) return;
    this.#told_from_id = this.#from_id;
    this.#revision += 1;
  }

  #tellOpened(gap: Gap): boolean {
    if (!this.#tell("gap_opened", this.#fieldsOf(gap))) return false;
    gap.told_ms = this.#options.now_ms();
    this.#changed.delete(gap);
    return true;
  }

  #tellEnded(gap: Gap, merged_into: string | null): boolean {
    const fields = this.#fieldsOf(gap);
    const reason = merged_into === null ? null : `merged into ${merged_into}`;
    if (gap.unfillable.length > 0) {
      return this.#tell("gap_unfillable", { ...fields, reason: reason ?? unfillable_reason });
    }
    const is_absent = countIds(gap.absent) === countIds([gap]);
    return this.#tell(is_absent ? "gap_absent" : "gap_filled", { ...fields, reason });
  }

  #fieldsOf(gap: Gap): Partial<FeedEvent> {
    const { from_id, to_id, from_timestamp, to_timestamp, found_by, absent, unfillable } = gap;
    return {
      gap_id: this.#idOf(gap),
      from_id,
      to_id,
      from_timestamp,
      to_timestamp,
      found_by,
      remaining: this.#gaps.remaining(gap),
      absent,
      unfillable,
    };
  }

  /** Emits an event; false where nobody can take one now. */
  #tell(event: FeedEvent["event"], fields: Partial<FeedEvent>): boolean {
    const { emit, exchange, native_symbol, now_us } = this.#options;
    try {
      emit(feedEvent({ event, exchange, native_symbol, timestamp: now_us(), ...fields }));
      return true;
    } catch {
      return false;
    }
  }

  #idOf(gap: Gap): string {
    return `${this.exchange}:${this.native_symbol}:${gap.from_id}`;
  }

  #restore(state: SymbolState): void {
    this.#from_id = state.from_id;
    this.#from_timestamp = state.from_timestamp;
    this.#told_from_id = state.told_from_id ?? state.from_id;
    this.#head_id = state.head_id;
    this.#head_timestamp = state.head_timestamp;
    this.#confirmed_timestamp = state.confirmed_timestamp;
    this.#imports = state.imports;
    this.#was_live = state.was_live !== false;
    this.#is_after_import = !this.#was_live && this.head !== null;
    for (const stored of state.gaps) this.#restoreGap(stored);
  }

  #restoreGap({ remaining, is_told, ...stored }: GapState): void {
    // What was within its grace then has had its time: it opens with the next look.
    const long_ago = Number.NEGATIVE_INFINITY;
    const fresh = { found_ms: long_ago, told_ms: long_ago, range_count: 0, late_page: null };
    if (stored.opened_us === null) {
      for (const range of remaining) this.#gaps.add({ ...stored, ...range, ...fresh });
      return;
    }
    const gap = { ...stored, ...fresh };
    // The state was stored once the broker had everything up to it.
    if (remaining.length === 0) this.#ended.push({ gap, merged_into: null, position: 0 });
    else this.#gaps.add(gap, remaining);
    if (is_told === false) this.#changed.add(gap);
  }

  #stateOf(gap: Gap): GapState {
    const state = this.#gaps.stateOf(gap);
    const is_due = this.#changed.has(gap) && gap.told_ms === Number.NEGATIVE_INFINITY;
    return is_due ? { ...state, is_told: false } : state;
  }

  #makeFigures(): Figures {
    const oldestOpen = () => this.openGaps().at(-1)?.from_timestamp ?? null;
    const firstMissing = () => this.#gaps.all()[0]?.from_id ?? this.#head_id + 1;
    const missing = () => this.#gaps.all().flatMap((gap) => this.#gaps.remaining(gap));
    const figures: Figures = {};
    defineFigures(figures, {
      duplicates_total: () => this.#duplicates,
      before_coverage_total: () => this.#before_coverage,
      unsequenced_total: () => this.#unsequenced,
      from_id: () => this.coverage?.from_id ?? null,
      contiguous_id: () => (this.head === null ? null : firstMissing() - 1),
      through_id: () => this.confirmable()?.through_id ?? null,
      through_at: () => isoTimeOrNull(this.confirmable()?.through_timestamp ?? null),
      gaps_open: () => this.openGaps().length,
      ids_missing: () => countIds(missing()),
      oldest_gap_at: () => isoTimeOrNull(oldestOpen()),
      imports: () => this.#imports.length,
    });
    return figures;
  }
}

function includes(one: TimeRange, other: TimeRange): boolean {
  return one.from_timestamp <= other.from_timestamp && other.to_timestamp <= one.to_timestamp;
}

function isSameTime(one: TimeRange, other: TimeRange): boolean {
  return one.from_timestamp === other.from_timestamp && one.to_timestamp === other.to_timestamp;
}
