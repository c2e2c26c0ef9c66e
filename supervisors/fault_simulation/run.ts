/**
 * One run of the deterministic simulation: the world of a seed, with one process of K2 after the
 * other in it. Things go wrong for a while, then nothing does any more, and all has to become well;
 * at last the process is asked to stop, and has to drain.
 *
 * @module
 */

import type { StatusNode } from "../../actors/status/node.ts";
import { CallFailed, type Hits, ProcessDead, unhurt } from "./crash_points.ts";
import { Ledger } from "./ledger.ts";
import { Random } from "./random.ts";
import { type Scenario, type Spell, scenarioOf } from "./scenario.ts";
import { SimulatedDisk } from "./simulated_disk.ts";
import { SimulatedExchanges } from "./simulated_exchanges.ts";
import { SimulatedKafka } from "./simulated_kafka.ts";
import { type ProcessEnd, SimulatedProcess, type Tampering } from "./simulated_process.ts";
import { everlasting, World } from "./world.ts";

/** What came of a run. */
export interface RunResult {
  readonly seed: number;
  /** What did not hold; null where all did. */
  readonly violation: string | null;
  readonly virtual_s: number;
  /** Processes that the run has seen, and trades that stand in Kafka. */
  readonly processes: number;
  readonly trades: number;
  readonly history: readonly string[];
}

/** How long it may take until all is well after the last fault: the longest pauses are minutes. */
const healing_s_max = 1_200;
const drain_s_max = 30;
/** The last batch that a spill takes may reach beyond its bound; a drain asks for no bound. */
const spill_slack_bytes = 2 ** 22;
const gaps_max = 1_000;
const look_ms = 1_000;
/** What was hit last may end a process a little later. */
const aftermath_s = 5;
/** A machine that lost its power is not there at once: longer than most budgets' windows. */
const reboot_s = [60, 120] as const;
/** Processes that begin and die again and again would make a run endless. */
const processes_max = 200;

/** Runs the world of a seed. */
export function runSeed(seed: number, tamper: Tampering = {}): RunResult {
  return new Run(scenarioOf(seed), tamper).run();
}

/** A run under way. */
class Run {
  readonly #scenario: Scenario;
  readonly #tamper: Tampering;
  readonly #world: World;
  readonly #random: Random;
  readonly #exchanges: SimulatedExchanges;
  readonly #kafka: SimulatedKafka;
  readonly #disk: SimulatedDisk;
  readonly #ledger: Ledger;
  #hits: Hits;
  #process: SimulatedProcess | null = null;
  #processes = 0;
  #last_end: ProcessEnd | null = null;
  #healed_us = Number.POSITIVE_INFINITY;
  #is_over = false;

  constructor(scenario: Scenario, tamper: Tampering) {
    this.#scenario = scenario;
    this.#tamper = tamper;
    const { exchange_faults, kafka, network, rate, seed, settings } = scenario;
    this.#random = new Random(seed).fork("run");
    this.#hits = scenario.hits;
    const world = new World(scenario.started_us);
    this.#world = world;
    const native_symbols = Object.fromEntries(
      settings.exchanges.map((one) => [one.exchange, one.native_symbols]),
    );
    this.#exchanges = new SimulatedExchanges(world, {
      random: this.#random.fork("network"),
      network,
      seed,
      rate,
      native_symbols,
      faults: exchange_faults,
      onBroken: (rule) => this.#ruleBroken(rule),
    });
    this.#disk = new SimulatedDisk(world, this.#random.fork("disk"));
    const ledger = new Ledger(world, {
      gap_grace_ms: settings.gap_grace_ms,
      isNoteLost: () => this.#disk.has_refused_note,
      isLost: (exchange, timestamp) => this.#isLost(exchange, timestamp),
      symbols: settings.exchanges.flatMap(({ exchange, native_symbols }) =>
        native_symbols.map((native_symbol) => ({
          exchange,
          native_symbol,
          market: this.#exchanges.market(exchange, native_symbol),
        })),
      ),
    });
    this.#ledger = ledger;
    this.#kafka = new SimulatedKafka(world, {
      random: this.#random.fork("kafka"),
      conditions: kafka,
      onRecord: (record) => ledger.recorded(record),
      onRefused: (record) => ledger.refused(record),
    });
  }

  run(): RunResult {
    const { faults_s } = this.#scenario;
    const world = this.#world;
    this.#plan();
    this.#begin();
    this.#lookLater();
    this.#go(faults_s, () => false);
    this.#heal();
    this.#goUntilWell();
    this.#goUntilDrained();
    this.#is_over = true;
    this.#process?.die("kill");
    const { seed } = this.#scenario;
    return {
      seed,
      violation: world.violation,
      virtual_s: world.seconds,
      processes: this.#processes,
      trades: this.#ledger.trades,
      history: world.history,
    };
  }

  /** Orders what the scenario has planned. */
  #plan(): void {
    const { full_disks, low_disks, outages, stops_s } = this.#scenario;
    const at = ({ at_s }: Pick<Spell, "at_s">, happen: () => void) =>
      this.#world.after(at_s * 1e6, everlasting, happen);
    for (const outage of outages) at(outage, () => this.#kafka.goAway(outage.for_s * 1_000));
    for (const spell of full_disks) {
      at(spell, () => this.#fillDisk());
      at({ at_s: spell.at_s + spell.for_s }, () => this.#emptyDisk());
    }
    for (const spell of low_disks) {
      at(spell, () => this.#drainDisk());
      at({ at_s: spell.at_s + spell.for_s }, () => this.#emptyDisk());
    }
    for (const at_s of stops_s) at({ at_s }, () => this.#process?.stop());
  }

  /** Looks at what has a bound, and at the accounts. */
  #lookLater(): void {
    this.#world.after(look_ms * 1_000, everlasting, () => {
      if (this.#process !== null) this.#look(this.#process);
      this.#lookLater();
    });
  }

  #look({ outbox, memory }: SimulatedProcess): void {
    const { settings } = this.#scenario;
    try {
      outbox.check();
    } catch (error) {
      this.#world.violate(textOf(error));
    }
    const { buffered_bytes = 0, spilled_bytes = 0 } = outbox.figures();
    const bounds = [
      ["the outbox's bytes", Number(buffered_bytes), settings.buffer_bytes_max],
      ["the spill's bytes", Number(spilled_bytes), settings.spill_bytes_max + spill_slack_bytes],
    ] as const;
    for (const [what, value, bound] of bounds) {
      if (value > bound) this.#world.violate(`${what} are ${value}, and at most ${bound}`);
    }
    for (const { continuities } of memory.exchanges) {
      for (const { native_symbol, figures } of continuities.values()) {
        const gaps = Number(figures.gaps_open);
        if (gaps > gaps_max) this.#world.violate(`${native_symbol} has ${gaps} open gaps`);
      }
    }
  }

  /** A rule of an exchange was broken, for which one is banned. */
  #ruleBroken(rule: string): void {
    if (this.#disk.has_refused_budget) return;
    // Who dies before it hears of a refusal, or never hears of it, cannot keep to it.
    const { unanswered_request_share, unanswered_share } = this.#scenario.network;
    const is_unheard = this.#processes > 1 || unanswered_request_share + unanswered_share > 0;
    if (rule.endsWith("_during_refusal") && is_unheard) return;
    // An exchange that ignores or refuses what it is asked for holds that nothing was asked.
    const is_misheard = this.#scenario.exchange_faults.some(({ fault }) =>
      ["subscription_ignored", "subscription_refused"].includes(fault),
    );
    if (rule === "coinbase.subscribe_late" && is_misheard) return;
    this.#world.violate(`the exchange's rule ${rule} is broken`);
  }

  #fillDisk(): void {
    if (this.#world.now_us >= this.#healed_us) return;
    this.#world.note("disk: full");
    this.#disk.is_full = true;
  }

  #drainDisk(): void {
    if (this.#world.now_us >= this.#healed_us) return;
    this.#world.note("disk: little is free");
    this.#disk.is_low = true;
  }

  #emptyDisk(): void {
    if (this.#disk.is_full || this.#disk.is_low) this.#world.note("disk: has room again");
    this.#disk.is_low = false;
    this.#disk.is_full = false;
  }

  /** Starts a process. */
  #begin(): void {
    this.#processes += 1;
    if (this.#processes > processes_max) this.#hits = unhurt;
    this.#world.note(`process ${this.#processes}: starts`);
    const { outbox, settings } = this.#scenario;
    const surroundings = {
      world: this.#world,
      random: this.#random,
      settings,
      outbox,
      exchanges: this.#exchanges,
      kafka: this.#kafka,
      disk: this.#disk,
      ledger: this.#ledger,
      hits: () => this.#hits,
      tamper: this.#tamper,
    };
    const number = this.#processes;
    try {
      this.#process = new SimulatedProcess(surroundings, number, (end) => this.#ended(end));
    } catch (error) {
      if (error instanceof ProcessDead) return;
      this.#world.violate(`process ${number} could not start: ${textOf(error)}`);
    }
  }

  /** A process has ended: the next one follows, unless all is over. */
  #ended(end: ProcessEnd): void {
    this.#process = null;
    this.#last_end = end;
    if (this.#is_over) return;
    if (this.#isHealed() && end !== "stopped")
      this.#world.violate(`the process ended (${end}) although nothing fails`);
    if (end === "power_cut") this.#disk.cutPower();
    const wait_s = this.#random.between(
      ...(end === "power_cut" ? reboot_s : this.#scenario.restart_s),
    );
    this.#world.after(wait_s * 1e6, everlasting, () => this.#begin());
  }

  #go(seconds: number, isOver: () => boolean): void {
    this.#world.run({
      at_us: this.#world.now_us + Math.ceil(seconds * 1e6),
      isOver,
      onEscape: (error) => this.#escaped(error),
    });
  }

  /** What escapes every actor ends a process, as it does in operation. */
  #escaped(error: unknown): void {
    if (error instanceof ProcessDead) return;
    if (error instanceof CallFailed) {
      this.#world.note(`process: what nobody caught: ${error.message}`);
      this.#process?.die("escaped");
    } else {
      this.#world.violate(`nobody caught ${textOf(error)}`);
    }
  }

  /** From now on nothing goes wrong. */
  #heal(): void {
    this.#world.note("nothing goes wrong any more");
    this.#hits = unhurt;
    this.#exchanges.heal();
    this.#kafka.heal();
    this.#emptyDisk();
    this.#healed_us = this.#world.now_us;
  }

  /** Whether faults are over for so long that none of their consequences is under way. */
  #isHealed(): boolean {
    return this.#world.now_us > this.#healed_us + aftermath_s * 1e6;
  }

  #goUntilWell(): void {
    const world = this.#world;
    const ends = this.#ledger.ends();
    const deadline_s = world.seconds + healing_s_max;
    let outstanding: string | null = "nothing was looked at";
    while (outstanding !== null && world.violation === null) {
      if (world.seconds > deadline_s) {
        world.violate(`${healing_s_max} s after the last fault: ${outstanding}`);
        return;
      }
      this.#go(look_ms / 1_000, () => false);
      outstanding = this.#outstanding(ends);
    }
  }

  #outstanding(ends: ReadonlyMap<string, number>): string | null {
    if (this.#process === null) return "no process runs";
    const down = firstDown(this.#process.tree.node());
    if (down !== null) return `${down.path} is ${down.state}`;
    return this.#ledger.outstanding(ends);
  }

  #goUntilDrained(): void {
    const process = this.#process;
    if (process === null || this.#world.violation !== null) return;
    this.#is_over = true;
    process.stop();
    this.#go(drain_s_max, () => !process.is_alive);
    if (this.#world.violation !== null) return;
    if (process.is_alive || this.#last_end !== "stopped") {
      this.#world.violate(`the process has not stopped within ${drain_s_max} s`);
    } else if (!process.outbox.is_empty && !process.outbox.storeAll()) {
      this.#world.violate("the process has stopped and left records in its memory");
    }
  }

  /** Whether an exchange's REST could at some time no longer give what was traded then. */
  #isLost(exchange: string, timestamp: number): boolean {
    return this.#scenario.exchange_faults.some((fault) => {
      if (fault.fault !== "rest_history" || fault.exchange !== exchange) return false;
      const until_s = fault.at_s + Number(fault.for_s) - Number(fault.older_s);
      return timestamp <= this.#world.started_us + until_s * 1e6;
    });
  }
}

/** The first part of a tree that does not serve. */
function firstDown(node: StatusNode): StatusNode | null {
  for (const child of node.children) {
    const down = firstDown(child);
    if (down !== null) return down;
  }
  const is_down = ["failed", "pending", "starting", "stopped", "stopping", "finished"];
  return is_down.includes(node.state) ? node : null;
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
