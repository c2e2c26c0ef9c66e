/**
 * The Spark driver as a supervised port: one PySpark process with all streaming queries. Its
 * configuration, which may hold secrets, goes to it as the first line of stdin; what it reports
 * becomes figures on the status tree. It ends by itself when its stdin ends, and is killed here
 * when it is up but makes no progress.
 *
 * @module
 */

import { mkdirSync } from "node:fs";
import { type EventObject, fromCallback } from "xstate";
import type { Incarnation, Stop } from "../messages.ts";
import type { Port, PortExit } from "../port/port.ts";
import type { After } from "../port/timers.ts";
import type { Log } from "../settings/log.ts";
import { spawnDriver } from "./driver_port.ts";
import { retentionWarning } from "./lag.ts";
import type { MaintenanceDesk } from "./maintenance_desk.ts";
import { addMaintenance } from "./maintenance_report.ts";
import {
  addProgress,
  addStopped,
  forgetStopped,
  readSparkReport,
  type SparkReport,
} from "./report.ts";
import { Watchdog } from "./watchdog.ts";

/** The driver's configuration; the same names as in `spark/jobs`. */
export interface SparkConfig {
  readonly bootstrap_servers: string;
  /** Kafka client options of Java's kind (`security.protocol`, `sasl.jaas.config`). Secret. */
  readonly kafka_options: Readonly<Record<string, string>>;
  readonly trade_topics: readonly string[];
  readonly frame_topics: readonly string[];
  readonly event_topic: string;
  readonly dead_letter_topic: string;
  readonly schema_registry_url: string;
  readonly schema_registry_username: string | null;
  /** Secret. */
  readonly schema_registry_password: string | null;
  /** The authorities that its certificate is checked against, as PEM. */
  readonly schema_registry_ca: string | null;
  readonly catalog_uri: string;
  readonly warehouse: string;
  readonly checkpoint_dir: string;
  readonly temp_dir: string;
  readonly jars_dir: string;
  readonly master: string;
  readonly driver_memory: string;
  /** Options of the JVM besides the driver's own, separated by spaces. */
  readonly driver_java_options: string;
  readonly trigger_seconds: number;
  readonly max_offsets_per_trigger: number;
  /** `maintain`: keep the lake in order once, without any query, and end. */
  readonly mode: "stream" | "maintain";
  /** Between two runs of maintenance; 0: only when asked. */
  readonly maintenance_minutes: number;
  readonly snapshot_hours_min: number;
  /** Whole days that rows are kept, 0 for ever. */
  readonly retention_bronze_days: number;
  readonly retention_frames_days: number;
  readonly retention_silver_days: number;
  readonly retention_gold_days: number;
  /** Whether to go on without what Kafka has lost before it was read. */
  readonly accept_lost_offsets: boolean;
}

/** What the driver is started with. */
export interface SparkInput {
  readonly incarnation: Incarnation;
  /** The checkout, where `spark/jobs` and the Python environment stand. */
  readonly root: string;
  readonly data_dir: string;
  readonly config: SparkConfig;
  /** Where maintenance is asked for. */
  readonly maintenance: MaintenanceDesk;
  /** The program in Python's place: its path. */
  readonly python: string;
  /** How long Kafka keeps records. */
  readonly retention_ms: number;
  /** Called once the queries run. */
  readonly onServing: () => void;
  readonly log: Log;
  /** Timers: `afterOnHost` in operation. */
  readonly after: After;
}

/** The driver's last words that go to the log when it ends badly. */
const last_words_max = 20;
/** Between two looks at the driver. */
const look_ms = 1_000;

/** Runs the driver until told to stop. Any end that was not asked for is a crash. */
export const spark = fromCallback<EventObject | Stop, SparkInput>(({ input, receive }) => {
  const owner = new DriverOwner(input);
  receive((event) => {
    if (event.type === "stop") owner.stop();
  });
  return () => owner.letGo();
});

/** Owns the process of one incarnation. */
class DriverOwner {
  readonly #input: SparkInput;
  readonly #port: Port;
  readonly #watchdog = new Watchdog();
  readonly #last_words: string[] = [];
  /** What is lost, by the query that was to read it. */
  readonly #lost = new Map<string, string[]>();
  #failure = "";
  #is_stopping = false;
  #cancelLook: () => void = () => {};
  #closeDesk: () => void = () => {};

  constructor(input: SparkInput) {
    this.#input = input;
    const { root, data_dir, config, python, incarnation } = input;
    const { report, signal } = incarnation;
    report.state = "starting";
    forgetStopped(report.figures);
    mkdirSync(config.checkpoint_dir, { recursive: true });
    this.#port = spawnDriver({
      name: "spark",
      root,
      python,
      data_dir,
      config,
      signal,
      onLine: (line) => this.#take(readSparkReport(line)),
      onErrorLine: (line) => {
        this.#last_words.push(line);
        if (this.#last_words.length > last_words_max) this.#last_words.shift();
      },
      onExit: (exit) => this.#end(exit),
    });
    report.pid = this.#port.pid;
    this.#look();
  }

  /** Has the driver end after the batch at hand. */
  stop(): void {
    this.#is_stopping = true;
    this.#cancelLook();
    this.#input.incarnation.report.state = "draining";
    this.#port.write(`${JSON.stringify({ command: "drain" })}\n`);
    this.#port.end();
  }

  /** The incarnation is over, however it ended. */
  letGo(): void {
    this.#cancelLook();
    this.#closeDesk();
  }

  #look(): void {
    this.#cancelLook = this.#input.after(look_ms, () => {
      const stuck = this.#watchdog.look();
      if (stuck === null) {
        this.#look();
        return;
      }
      this.#failure = `spark is stuck: ${stuck}`;
      this.#port.kill();
    });
  }

  #take(line: SparkReport): void {
    const { incarnation, log, maintenance, onServing } = this.#input;
    const { report } = incarnation;
    switch (line.type) {
      case "session":
        report.figures.session_s = line.seconds;
        report.figures.jvm_pid = line.jvm_pid;
        return;
      case "ready":
        report.state = "running";
        this.#watchdog.begin(line.queries);
        this.#openDesk();
        onServing();
        incarnation.ready();
        return;
      case "heartbeat":
        this.#watchdog.heard();
        return;
      case "working":
        this.#watchdog.heardOf(line.query);
        return;
      case "progress":
        this.#watchdog.heardOf(line.query);
        addProgress(report.figures, line);
        if (line.query.startsWith("bronze_")) this.#compareWithRetention(line.query);
        return;
      case "offsets_lost":
        this.#addLoss(line.query, line.reason);
        return;
      case "warning":
        log.warn(`spark: ${line.reason}`);
        return;
      case "maintained":
        addMaintenance(report.figures, line.report);
        maintenance.answer(line.report);
        if (line.report.failure !== null) {
          log.warn(`Maintenance is tried again at its next turn: ${line.report.failure}`);
        }
        return;
      case "failed":
        this.#failure = `${line.query}: ${line.reason}`;
        return;
      case "other":
        log.info(`spark: ${line.line.slice(0, 500)}`);
        return;
      case "drained":
        return;
      default:
        line satisfies never;
    }
  }

  #openDesk(): void {
    this.#closeDesk = this.#input.maintenance.open(() => {
      this.#port.write(`${JSON.stringify({ command: "maintain" })}\n`);
    });
  }

  #addLoss(query: string, reason: string): void {
    const reasons = this.#lost.get(query) ?? [];
    this.#lost.set(query, [...reasons, reason]);
    addStopped(this.#input.incarnation.report.figures, query, [...reasons, reason]);
    this.#input.log.error(`spark: ${query} does not run: ${reason}`);
  }

  #compareWithRetention(query: string): void {
    const { incarnation, retention_ms, log } = this.#input;
    const { figures } = incarnation.report;
    const lag_s = figures[`${query}_lag_s`];
    const warning = retentionWarning(query, typeof lag_s === "number" ? lag_s : 0, retention_ms);
    const name = `${query}_lag_warning`;
    if (warning === null) {
      delete figures[name];
      return;
    }
    if (figures[name] === undefined) log.warn(`spark: ${warning}`);
    figures[name] = warning;
  }

  #end(exit: PortExit): void {
    const { incarnation, log } = this.#input;
    this.letGo();
    if (this.#is_stopping && exit.code === 0) {
      incarnation.exit({ kind: "normal" });
      return;
    }
    // Where the driver did not say itself why it ends, what it wrote last may.
    const is_unexplained =
      this.#failure === "" && !this.#is_stopping && !incarnation.signal.aborted;
    if (is_unexplained) for (const words of this.#last_words) log.info(`spark: ${words}`);
    const reason = this.#failure === "" ? exit.reason : this.#failure;
    incarnation.exit({ kind: "crash", reason });
  }
}
