/**
 * The Spark driver as a supervised port: one PySpark process with all streaming queries. Its
 * configuration, which may hold secrets, goes to it as the first line of stdin; what it reports
 * becomes figures on the status tree. It ends by itself when its stdin ends.
 *
 * @module
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type EventObject, fromCallback } from "xstate";
import type { Incarnation, Stop } from "../messages.ts";
import { spawnPort } from "../port/port.ts";
import type { Log } from "../settings/log.ts";
import type { MaintenanceDesk } from "./maintenance_desk.ts";
import { addMaintenance } from "./maintenance_report.ts";
import { addProgress, readSparkReport, type SparkReport } from "./report.ts";

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
  readonly log: Log;
}

/** The driver's last words that go to the log when it ends badly. */
const last_words_max = 20;

/** Runs the driver until told to stop. Any end that was not asked for is a crash. */
export const spark = fromCallback<EventObject | Stop, SparkInput>(({ input, receive }) => {
  const { incarnation, root, data_dir, config, maintenance, log } = input;
  const { report, signal } = incarnation;
  const last_words: string[] = [];
  let failure = "";
  let is_stopping = false;
  let closeDesk = () => {};
  signal.addEventListener("abort", () => closeDesk(), { once: true });
  report.state = "starting";
  for (const folder of [config.temp_dir, config.checkpoint_dir]) {
    mkdirSync(folder, { recursive: true });
  }
  const port = spawnPort({
    name: "spark",
    command: [join(root, ".setup/python/bin/python"), join(root, "spark/jobs/driver.py")],
    data_dir,
    working_directory: config.temp_dir,
    environment: { PYTHONDONTWRITEBYTECODE: "1", TMPDIR: config.temp_dir },
    signal,
    onLine: (line) => take(readSparkReport(line)),
    onErrorLine: (line) => {
      last_words.push(line);
      if (last_words.length > last_words_max) last_words.shift();
    },
    onExit: (exit) => {
      closeDesk();
      if (is_stopping && exit.code === 0) return incarnation.exit({ kind: "normal" });
      // Where the driver did not say itself why it ends, what it wrote last may.
      const is_unexplained = failure === "" && !is_stopping && !signal.aborted;
      if (is_unexplained) for (const words of last_words) log.info(`spark: ${words}`);
      incarnation.exit({ kind: "crash", reason: failure === "" ? exit.reason : failure });
    },
  });
  report.pid = port.pid;
  port.write(`${JSON.stringify(config)}\n`);

  function take(line: SparkReport): void {
    switch (line.type) {
      case "session":
        report.figures.session_s = line.seconds;
        report.figures.jvm_pid = line.jvm_pid;
        return;
      case "ready":
        report.state = "running";
        closeDesk = maintenance.open(() => {
          port.write(`${JSON.stringify({ command: "maintain" })}\n`);
        });
        incarnation.ready();
        return;
      case "progress":
        addProgress(report.figures, line);
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
        failure = `${line.query}: ${line.reason}`;
        return;
      case "other":
        log.info(`spark: ${line.line.slice(0, 500)}`);
        return;
      case "heartbeat":
      case "drained":
        return;
      default:
        line satisfies never;
    }
  }

  receive((event) => {
    if (event.type !== "stop") return;
    is_stopping = true;
    report.state = "draining";
    port.write(`${JSON.stringify({ command: "drain" })}\n`);
    port.end();
  });
});
