/**
 * The embedded broker: a real Apache Kafka as a supervised port, so that the platform runs on one
 * command without a cluster. `K2_KAFKA_BROKERS` names a cluster and this actor is not in the tree.
 *
 * A JVM ignores its stdin, so it stands behind the guard, which ends it with TERM when its stdin
 * ends; that is how it is stopped, and what happens when K2 dies. All that it writes is under
 * `<data_dir>/kafka/`. After a crash it recovers its logs by itself: what was acknowledged is
 * there.
 *
 * @module
 */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromCallback } from "xstate";
import type { Incarnation, Stop } from "../messages.ts";
import { guarded, type Port, type PortExit, spawnPort } from "../port/port.ts";
import { reasonOf } from "../settings/exit.ts";
import type { Log } from "../settings/log.ts";
import { logProperties, serverProperties } from "./broker_files.ts";

/** What the broker is started with. */
export interface BrokerInput {
  readonly incarnation: Incarnation;
  readonly data_dir: string;
  /** Folder of the broker's jars: `<root>/.setup/kafka`. */
  readonly jars_directory: string;
  /** The Java program: a path, or a name on PATH. */
  readonly java: string;
  /** Kafka's id of the cluster, from the data directory's stamp: 16 bytes in base64url. */
  readonly cluster_id: string;
  /** Loopback ports. */
  readonly port: number;
  readonly controller_port: number;
  readonly retention_ms: number;
  readonly retention_bytes: number;
  readonly log: Log;
}

interface BrokerFiles {
  readonly directory: string;
  readonly server_properties: string;
  readonly log_properties: string;
  readonly meta_properties: string;
  /** Where its compression unpacks native code; emptied at each start. */
  readonly temporary: string;
}

/** Seconds from TERM to KILL: a clean end takes about two. */
const grace_s = 20;
// Without the last one every JVM leaves a file in the system's temporary folder.
const machine = ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:-UsePerfData"] as const;
const ready_line = "Kafka Server started";

/**
 * Runs the broker, and is ready once Kafka says that it has started. Any end that was not asked for
 * is a crash.
 */
export const brokerActor = fromCallback<Stop, BrokerInput>(({ input, receive }) => {
  const { incarnation, log } = input;
  const { report, signal } = incarnation;
  let port: Port | null = null;
  let is_stopping = false;
  let is_over = false;

  function spawn(name: string, command: readonly string[], onExit: (exit: PortExit) => void): void {
    port = spawnPort({
      name,
      command: guarded(command, grace_s),
      data_dir: input.data_dir,
      working_directory: join(input.data_dir, "kafka"),
      signal,
      onLine: forward,
      onErrorLine: (line) => log.warn(`Kafka broker: ${line}`),
      onExit: (exit) => {
        report.pid = null;
        if (is_over || signal.aborted) return;
        if (is_stopping) incarnation.exit({ kind: "normal" });
        else onExit(exit);
      },
    });
    report.pid = port.pid;
  }
  function forward(line: string): void {
    if (line.includes(ready_line)) {
      report.state = "running";
      incarnation.ready();
    } else if (/^(WARN|ERROR|FATAL) /.test(line)) {
      log.warn(`Kafka broker: ${line}`);
    }
  }
  function run(files: BrokerFiles): void {
    report.state = "starting";
    spawn("broker", runCommand(input, files), ({ reason }) => {
      incarnation.exit({ kind: "crash", reason: `${reason}; see ${files.directory}/broker.log` });
    });
  }
  function start(): void {
    const files = writeFiles(input);
    if (existsSync(files.meta_properties)) {
      refuseForeign(files, input.cluster_id);
      run(files);
      return;
    }
    report.state = "formatting";
    spawn("broker_format", formatCommand(input, files), (exit) => {
      if (exit.code === 0) run(files);
      else incarnation.exit({ kind: "crash", reason: exit.reason });
    });
  }

  receive(() => {
    is_stopping = true;
    report.state = "stopping";
    port?.end();
  });
  try {
    start();
  } catch (error) {
    incarnation.exit({ kind: "crash", reason: reasonOf(error) });
  }
  return () => {
    is_over = true;
    port?.kill();
  };
});

function writeFiles(input: BrokerInput): BrokerFiles {
  const directory = join(input.data_dir, "kafka");
  const log_directory = join(directory, "records");
  const files = {
    directory,
    server_properties: join(directory, "server.properties"),
    log_properties: join(directory, "log4j2.properties"),
    meta_properties: join(log_directory, "meta.properties"),
    temporary: join(input.data_dir, "tmp", "broker"),
  };
  rmSync(files.temporary, { recursive: true, force: true });
  mkdirSync(files.temporary, { recursive: true });
  mkdirSync(log_directory, { recursive: true });
  const { port, controller_port, retention_ms, retention_bytes } = input;
  const properties = serverProperties({
    port,
    controller_port,
    log_directory,
    retention_ms,
    partition_bytes_max: retention_bytes,
  });
  writeFileSync(files.server_properties, properties);
  writeFileSync(files.log_properties, logProperties(join(directory, "broker.log")));
  return files;
}

/** The offsets that Bronze knows belong to one cluster; another one's records must not mix in. */
function refuseForeign({ meta_properties, directory }: BrokerFiles, cluster_id: string): void {
  const found = /^cluster\.id=(.*)$/m.exec(readFileSync(meta_properties, "utf8"))?.[1]?.trim();
  if (found === cluster_id) return;
  throw new Error(
    `Cannot start the broker: ${directory} holds Kafka cluster ${found}, ` +
      `and the data directory belongs to ${cluster_id}`,
  );
}

function javaCommand(input: BrokerInput, files: BrokerFiles): readonly string[] {
  const logging = `-Dlog4j2.configurationFile=${files.log_properties}`;
  const temporary = `-Djava.io.tmpdir=${files.temporary}`;
  return [input.java, ...machine, logging, temporary, "-cp", join(input.jars_directory, "*")];
}

function formatCommand(input: BrokerInput, files: BrokerFiles): readonly string[] {
  const tool = ["kafka.tools.StorageTool", "format", "--standalone", "--ignore-formatted"];
  const of = ["-t", input.cluster_id, "-c", files.server_properties];
  return [...javaCommand(input, files), ...tool, ...of];
}

function runCommand(input: BrokerInput, files: BrokerFiles): readonly string[] {
  return [...javaCommand(input, files), "kafka.Kafka", files.server_properties];
}
