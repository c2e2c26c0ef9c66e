/**
 * How the Kafka client is set: librdkafka's properties, in one place with their reasons
 * (https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md).
 *
 * @module
 */

/** A cluster, and what is needed to talk to it. */
export interface KafkaCluster {
  /** `host:port,…` */
  readonly brokers: string;
  /** Security properties (`security.protocol`, `sasl.password`, …). Secret. */
  readonly properties: Readonly<Record<string, string>>;
}

/** Properties of every client: short waits before a broker that is away is tried again. */
export function clientProperties(cluster: KafkaCluster): Record<string, string | number | boolean> {
  return {
    ...cluster.properties,
    "bootstrap.servers": cluster.brokers,
    "client.id": "k2",
    "socket.keepalive.enable": true,
    "socket.nagle.disable": true,
    "log.connection.close": false,
    "reconnect.backoff.ms": 100,
    "reconnect.backoff.max.ms": 1_000,
    "topic.metadata.refresh.fast.interval.ms": 100,
  };
}

/** Properties of the producer. */
export function producerProperties(
  cluster: KafkaCluster,
): Record<string, string | number | boolean> {
  return {
    ...clientProperties(cluster),
    // A record counts as sent when all in-sync replicas have it; a retry neither doubles nor
    // reorders it.
    acks: "all",
    "enable.idempotence": true,
    // No time limit: while the broker is away records wait here, in order. A limit would fail some
    // of them and let later ones of the same key pass.
    "message.timeout.ms": 0,
    "retry.backoff.ms": 100,
    "retry.backoff.max.ms": 1_000,
    // Java's partitioner, so that a key is where Java and Spark expect it.
    partitioner: "murmur2_random",
    "compression.type": "lz4",
    // A broker answers a connection's requests one after the other anyway. With one on its way at a
    // time, what comes meanwhile shares the next: few requests under load, no wait without it.
    "max.in.flight": 1,
    // The outbox closes batches by itself; this is the time to hand one over whole.
    "linger.ms": 0.5,
    "batch.num.messages": 10_000,
    // The client's own bound is the dead-letters topic's; a smaller topic's broker refuses.
    "message.max.bytes": 8 * 2 ** 20,
    // More than the outbox's window, so that this queue is never the one that is full.
    "queue.buffering.max.messages": 1_000_000,
    "queue.buffering.max.kbytes": 64 * 2 ** 10,
  };
}
