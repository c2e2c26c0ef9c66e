/**
 * Which faults are due now. Occurrences are taken one by one by whoever makes them happen, states
 * are asked for, changes of the trades' history are done when they begin. Told the time, never
 * touching a clock, so that a script of faults is the same in every run.
 *
 * @module
 */

import { type Fault, type FaultName, type KnownSymbols, numberIn, readFault } from "./faults.ts";
import type { HistoryMarket } from "./history.ts";

/** Scheduled and active ones together. */
const faults_max = 1_000;
/** All that one simulator is ever asked for: what they did to the trades is remembered for good. */
const faults_in_life_max = 10_000;

/** Each exchange's markets. */
export type Histories = ReadonlyMap<string, ReadonlyMap<string, HistoryMarket>>;

/** A fault and how far it has come. */
export interface PlannedFault {
  /** Counts from 1 over all faults of this simulator. */
  readonly id: number;
  readonly fault: Fault;
  readonly from_us: number;
  /** `Infinity` where nothing but a clearing ends it. */
  readonly until_us: number;
  /** Occurrences left. */
  left: number;
  has_begun: boolean;
}

/** Of whom a fault is asked. */
export interface Target {
  readonly exchange: string;
  readonly native_symbol?: string;
}

/** All faults of one simulator. */
export class FaultPlan {
  readonly #histories: Histories;
  readonly #known: KnownSymbols;
  readonly #started_us: number;
  #planned: PlannedFault[] = [];
  #last_id = 0;
  /** The time it was last told. */
  now_us: number;

  constructor(options: { readonly histories: Histories; readonly started_us: number }) {
    this.#histories = options.histories;
    this.#started_us = options.started_us;
    this.now_us = options.started_us;
    this.#known = new Map(
      [...options.histories].map(([exchange, markets]) => [exchange, new Set(markets.keys())]),
    );
  }

  /** Whether nothing is planned at all: the way of almost every frame. */
  get is_idle(): boolean {
    return this.#planned.length === 0;
  }

  /**
   * Plans faults, all of them or none; `at_s` counts from the simulator's start.
   *
   * @throws {RangeError} with one sentence if one of them is wrong, or there are too many.
   */
  add(values: readonly unknown[], now_us: number): readonly PlannedFault[] {
    this.advance(now_us);
    const faults = values.map((value) => readFault(value, this.#known));
    if (this.#planned.length + faults.length > faults_max)
      throw new RangeError(`Cannot plan more than ${faults_max} faults: clear them first`);
    if (this.#last_id + faults.length > faults_in_life_max)
      throw new RangeError(`Cannot plan more than ${faults_in_life_max} faults: start anew`);
    const planned = faults.map((fault) => {
      this.#last_id += 1;
      const { at_s, count } = fault;
      const from_us = at_s === null ? now_us : this.#started_us + at_s * 1_000_000;
      const until_us = from_us + durationOf(fault) * 1_000_000;
      return { id: this.#last_id, fault, from_us, until_us, left: count, has_begun: false };
    });
    this.#planned.push(...planned);
    this.advance(now_us);
    return planned;
  }

  /** Time has passed: some faults begin, some are over. */
  advance(now_us: number): void {
    this.now_us = now_us;
    for (const markets of this.#histories.values()) {
      for (const market of markets.values()) market.now_us = now_us;
    }
    if (this.#planned.length === 0) return;
    for (const planned of this.#planned) {
      if (planned.has_begun || planned.from_us > now_us) continue;
      planned.has_begun = true;
      this.#begin(planned);
    }
    this.#planned = this.#planned.filter((planned) => !isOver(planned, now_us));
  }

  /** Ends every fault. What has been done to the history of trades stays. */
  clear(now_us: number): void {
    this.advance(now_us);
    this.#planned = [];
    for (const markets of this.#histories.values()) {
      for (const market of markets.values()) {
        market.resume(now_us);
        market.showAll(now_us);
      }
    }
  }

  /** One occurrence of a fault, which is thereby used up; undefined if none is due. */
  take(
    name: FaultName,
    target: Target,
    isWanted: (fault: Fault) => boolean = isAny,
  ): Fault | undefined {
    for (const planned of this.#planned) {
      const { fault, left, has_begun } = planned;
      if (!has_begun || left === 0 || fault.name !== name) continue;
      if (!isMeant(fault, target) || !isWanted(fault)) continue;
      planned.left -= 1;
      return fault;
    }
    return undefined;
  }

  /** A state that holds now; undefined if it does not. */
  holds(name: FaultName, target: Target): PlannedFault | undefined {
    return this.#planned.find(
      ({ fault, has_begun }) => has_begun && fault.name === name && isMeant(fault, target),
    );
  }

  /** As `/simulator/faults` lists them: what is planned or not yet over. */
  list(): readonly Record<string, unknown>[] {
    return this.#planned.map(({ id, fault, from_us, until_us, left, has_begun }) => ({
      id,
      fault: fault.name,
      exchange: fault.exchange,
      native_symbol: fault.native_symbol,
      ...fault.parameters,
      ...(fault.kind === "occurrence" ? { left } : {}),
      state: has_begun ? "active" : "scheduled",
      from_us,
      until_us: Number.isFinite(until_us) ? until_us : null,
    }));
  }

  /** Does to the histories what a fault says of them. */
  #begin({ fault, from_us, until_us }: PlannedFault): void {
    for (const market of this.#marketsOf(fault)) {
      switch (fault.name) {
        case "halted":
          market.halt(from_us, until_us);
          break;
        case "absent_ids":
          market.skip(numberIn(fault, "trades"), from_us);
          break;
        case "extreme_digits":
          market.makeExtreme(numberIn(fault, "trades"), from_us);
          break;
        case "drop_trades": {
          const share = numberIn(fault, "share");
          market.hide({ count: numberIn(fault, "trades"), share, now_us: from_us });
          break;
        }
        default:
          return;
      }
    }
  }

  *#marketsOf({ exchange, native_symbol }: Fault): Generator<HistoryMarket> {
    for (const [name, markets] of this.#histories) {
      if (exchange !== null && exchange !== name) continue;
      for (const [symbol, market] of markets) {
        if (native_symbol === null || native_symbol === symbol) yield market;
      }
    }
  }
}

/** A shutdown is over when the sockets are closed. */
function durationOf(fault: Fault): number {
  if (fault.name !== "server_shutdown" && fault.name !== "maintenance") return fault.for_s;
  return numberIn(fault, "after_s") + 1;
}

function isOver({ fault, has_begun, left, until_us }: PlannedFault, now_us: number): boolean {
  switch (fault.kind) {
    case "occurrence":
      return left === 0;
    case "state":
      return until_us <= now_us;
    case "change":
      return has_begun;
    default:
      return fault.kind satisfies never;
  }
}

function isMeant(fault: Fault, { exchange, native_symbol }: Target): boolean {
  if (fault.exchange !== null && fault.exchange !== exchange) return false;
  return fault.native_symbol === null || fault.native_symbol === native_symbol;
}

function isAny(): boolean {
  return true;
}
