/**
 * The embedded broker's configuration: Apache Kafka in KRaft mode, one node that is broker and
 * controller, on loopback only. Names and meanings: https://kafka.apache.org/documentation/
 *
 * @module
 */

/** Where the broker listens and keeps its data, and how much. */
interface BrokerConfiguration {
  /** Loopback port for clients. */
  readonly port: number;
  /** Loopback port of the controller. */
  readonly controller_port: number;
  /** Folder of the logs (the records). */
  readonly log_directory: string;
  readonly retention_ms: number;
  /** Bytes that one partition may keep, where its topic does not say. */
  readonly partition_bytes_max: number;
}

/** The text of `server.properties`. */
export function serverProperties(configuration: BrokerConfiguration): string {
  const { port, controller_port, log_directory, retention_ms, partition_bytes_max } = configuration;
  const controller = `127.0.0.1:${controller_port}`;
  const properties = {
    "process.roles": "broker,controller",
    "node.id": 1,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://${controller}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port},CONTROLLER://${controller}`,
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.quorum.bootstrap.servers": controller,
    // In a properties file a backslash begins an escape.
    "log.dirs": log_directory.replaceAll("\\", "\\\\"),
    "log.retention.ms": retention_ms,
    "log.retention.bytes": partition_bytes_max,
    "log.retention.check.interval.ms": 60_000,
    "log.segment.bytes": 64 * 2 ** 20,
    "log.cleaner.dedupe.buffer.size": 1_048_577,
    // The metadata log grows by a record every half second; snapshots and small segments bound it.
    "metadata.log.segment.bytes": 8 * 2 ** 20,
    "metadata.max.retention.bytes": 32 * 2 ** 20,
    "auto.create.topics.enable": false,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
    "num.network.threads": 2,
    "num.io.threads": 4,
    // After kill -9 the old registration has to expire before the broker may come back.
    "broker.session.timeout.ms": 3_000,
    "broker.heartbeat.interval.ms": 500,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

/**
 * The text of `log4j2.properties`: warnings and the sign of readiness on stdout, everything in a
 * file of at most 10 MiB with three older ones.
 */
export function logProperties(log_file: string): string {
  const pattern = "%d{ISO8601} %p %c{1} %m%n";
  return `${[
    "status=error",
    "appender.out.type=Console",
    "appender.out.name=out",
    "appender.out.layout.type=PatternLayout",
    "appender.out.layout.pattern=%p %c{1} %m%n",
    "appender.file.type=RollingFile",
    "appender.file.name=file",
    `appender.file.fileName=${log_file.replaceAll("\\", "\\\\")}`,
    `appender.file.filePattern=${log_file.replaceAll("\\", "\\\\")}.%i`,
    "appender.file.layout.type=PatternLayout",
    `appender.file.layout.pattern=${pattern}`,
    "appender.file.policies.type=Policies",
    "appender.file.policies.size.type=SizeBasedTriggeringPolicy",
    "appender.file.policies.size.size=10MB",
    "appender.file.strategy.type=DefaultRolloverStrategy",
    "appender.file.strategy.max=3",
    "rootLogger.level=info",
    "rootLogger.appenderRef.file.ref=file",
    "rootLogger.appenderRef.out.ref=out",
    "rootLogger.appenderRef.out.level=error",
    "logger.server.name=kafka.server.KafkaRaftServer",
    "logger.server.level=info",
    "logger.server.appenderRef.out.ref=out",
    "logger.server.appenderRef.file.ref=file",
    "logger.server.additivity=false",
  ].join("\n")}\n`;
}
